"""The address plan: pure arithmetic from the numbers an engineer wrote once.

Nothing here looks at the county: the same number always gives the same address, so that adding a site
never moves another.  ``docs/architecture.md`` holds the table; this file is the only place that computes it.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from inventory.model import Network

SITE_MAX = 2047
LINK_MAX = 8191  # of links with addresses of their own: cables of access switches, which have none, stand above it
FIBRE_MAX = 2047  # numbers written for ring and access fibres; above it they are computed
SERVICE_MAX = 99
CENTRE_MAX = 9  # a centre's site number is also its place in service segments and on vc- overlays
NETWORK_MAX = 31

SLOT_ROUTER, SLOT_FIREWALL, SLOT_VPN, SLOT_SERVER, SLOT_RELAY, SLOT_NMS, SLOT_HEADEND = range(1, 8)
SLOT_USER = 10
SLOT_FIREWALL_CROSSING = 12  # the firewall's forwarding leg in mgmt; slot 2 there is its own management
SLOT_VPN_CROSSING = 13
SLOT_SWITCH = 14  # a vendor's access switch, in mgmt

COUNTY = IPv4Network("10.0.0.0/8")
LOOPBACKS = IPv4Network("172.16.0.0/16")
ANYCAST_VTEPS = IPv4Network("172.17.0.0/16")
UNDERLAY_LINKS = IPv4Network("172.20.0.0/14")
OUTER_LINKS = IPv4Network("198.18.0.0/15")
ACCESS_OVERLAY = IPv4Network("100.64.0.0/16")
CENTRE_OVERLAY = IPv4Network("100.65.255.0/24")
STAGING = IPv4Network("100.96.0.0/15")
RESERVED = (COUNTY, LOOPBACKS, ANYCAST_VTEPS, UNDERLAY_LINKS, OUTER_LINKS, ACCESS_OVERLAY, CENTRE_OVERLAY, STAGING)
"""Everything the county uses itself: no outside prefix may overlap it."""

GATEWAY = IPv4Address("100.64.255.254")  # the centres' anycast address on every access overlay
DEFAULT = IPv4Network("0.0.0.0/0")

RING_COST = 10
ACCESS_COST = 100  # ten times a ring hop: no access router is ever a way from one centre to another
RING_BFD_MS = 50
# A cut fibre is told by its carrier at once. BFD is for silent ones, and a hundred access links at 100 ms
# would keep one core of a small machine busy. A site's second fibre is no reserve: what its second home sends it
# comes over it, so an outage there is one too.
ACCESS_BFD_MS = 300
UNDERLAY_MTU = 1600  # 1500 inside VXLAN
MTU = 1500
VTEP_SECOND_METRIC = 1000
FIRST_HOME_METRIC, SECOND_HOME_METRIC = 10, 20


def network_prefix(number: int) -> IPv4Network:
    """Network ``number`` (1..31) as a /13 of 10.0.0.0/8."""
    return IPv4Network((int(COUNTY.network_address) + (number << 19), 13))


def site_prefix(network: Network, site: int) -> IPv4Network:
    """A site's LAN in a network, a /24."""
    return IPv4Network((int(network.prefix.network_address) + (site << 8), 24))


def site_address(network: Network, site: int, slot: int) -> IPv4Interface:
    """The address of a slot in a site's LAN, with the LAN's /24."""
    return IPv4Interface((int(network.prefix.network_address) + (site << 8) + slot, 24))


def service_prefix(network: Network) -> IPv4Network:
    """The service segment stretched over the centres: the /24 of site number 0."""
    return site_prefix(network, 0)


def service_router(network: Network, centre: int) -> IPv4Interface:
    """A centre router's address in the service segment."""
    return site_address(network, 0, centre)


def service_server(network: Network, centre: int) -> IPv4Interface:
    """A centre server's own address in the service segment."""
    return site_address(network, 0, 10 + centre)


def service_vip(network: Network, service: int) -> IPv4Address:
    """The VRRP address of a hosted service."""
    return site_address(network, 0, 100 + service).ip


def loopback(site: int) -> IPv4Address:
    """Underlay loopback of a site's router: VTEP and OSPF router id."""
    return LOOPBACKS.network_address + site


def anycast_vtep(first: int, second: int) -> IPv4Address:
    """Anycast VTEP of an ordered pair of centres, by their site numbers."""
    return ANYCAST_VTEPS.network_address + (first << 8) + second


def underlay_ends(link: int) -> tuple[IPv4Interface, IPv4Interface]:
    """Both ends of an underlay fibre, a /31 (RFC 3021), end a first."""
    base = int(UNDERLAY_LINKS.network_address) + (link << 1)
    return IPv4Interface((base, 31)), IPv4Interface((base + 1, 31))


def outer_ends(link: int) -> tuple[IPv4Interface, IPv4Interface]:
    """Both ends of a point-to-point link outside the underlay, a /30, end a first."""
    base = int(OUTER_LINKS.network_address) + (link << 2)
    return IPv4Interface((base + 1, 30)), IPv4Interface((base + 2, 30))


def overlay_address(site: int) -> IPv4Interface:
    """An access router's address on ``vx-<network>``."""
    return IPv4Interface((int(ACCESS_OVERLAY.network_address) + site, 16))


def gateway_interface() -> IPv4Interface:
    """The centres' anycast address on ``vx-<network>``."""
    return IPv4Interface((int(GATEWAY), 16))


def centre_overlay_address(centre: int) -> IPv4Interface:
    """A centre's address on ``vc-<network>``."""
    return IPv4Interface((int(CENTRE_OVERLAY.network_address) + centre, 24))


def staging(site: int, slot: int) -> IPv4Interface:
    """Address of the staging port ``stg0``, used until a device is enrolled."""
    return IPv4Interface((int(STAGING.network_address) + (site << 4) + slot, 15))


def mac(network: int, site: int, slot: int) -> str:
    """MAC of a VXLAN device: locally administered, computed from the numbers."""
    return f"02:53:{network:02x}:{site >> 8:02x}:{site & 0xFF:02x}:{slot:02x}"


def gateway_mac(network: int) -> str:
    """MAC of the anycast gateway, the same on all centres."""
    return f"02:5a:{network:02x}:ff:ff:fe"


# Link numbers that nobody writes -------------------------------------------------------------------

SPUR_BASE = 2048  # + site number: the one line of a small site, a carrier or an uplink
USER_BASE = 4096  # + site number: patch cable of a hall's computer
PATCH_BASE = 6144  # + 224 per centre: patch cables in a centre's room
PATCH_PER_CENTRE = 224
PATCH_PER_BOX = 32
FIREWALL_VPN = 192  # place of the cable between firewall and VPN gateway's outer port
SWITCH_BASE = 8192  # + 64 per site: an access switch's uplinks by network number, and from 32 on its users' cables
SWITCH_PER_SITE = 64
SWITCH_USER = 32
BOX_BASE = SWITCH_BASE + SWITCH_PER_SITE * (SITE_MAX + 1)  # + 32 per site: the relay of a site that is no centre
BOX_PER_SITE = 32


def line_number(site: int) -> int:
    """Link number of a small site's only line, or of a carrier's or uplink's line to the firewall."""
    return SPUR_BASE + site


def user_number(site: int) -> int:
    """Link number of the patch cable between a site's router and its hall's computer."""
    return USER_BASE + site


def patch_number(centre: int, slot: int, network: int) -> int:
    """Link number of a patch cable from a centre's router to the box in ``slot`` (2..7).

    ``network`` is the network's number, or 0 for the extra management port of a box that also forwards.
    """
    return PATCH_BASE + (centre - 1) * PATCH_PER_CENTRE + (slot - SLOT_FIREWALL) * PATCH_PER_BOX + network


def box_number(site: int, network: int) -> int:
    """Link number of the patch cable from a site's router to the relay beside it, by network number."""
    return BOX_BASE + site * BOX_PER_SITE + network


def outer_patch_number(centre: int) -> int:
    """Link number of the cable between a centre's firewall and its VPN gateway's outer port."""
    return PATCH_BASE + (centre - 1) * PATCH_PER_CENTRE + FIREWALL_VPN


def switch_uplink_number(site: int, network: int) -> int:
    """Link number of the patch cable from a router's ``lan-<network>`` to the site's access switch."""
    return SWITCH_BASE + site * SWITCH_PER_SITE + network


def switch_user_number(site: int, network: int) -> int:
    """Link number of the cable from the site's access switch to the leg of its users' computer in a network."""
    return switch_uplink_number(site, network) + SWITCH_USER
