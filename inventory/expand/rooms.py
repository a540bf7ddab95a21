"""Phase 8, rooms: patch cables to boxes, to access switches and their users, and to halls' computers."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Interface

from inventory import plan
from inventory.expand.access import PATCH_BPS, switch_cables, user_port
from inventory.expand.cable import Cable, End, cable
from inventory.expand.ground import Ground
from inventory.expand.segments import service_networks
from inventory.model import Hall, LinkKind, Network, Service, Site, SiteKind
from inventory.schema import Intent


def expand_rooms(
    intent: Intent, ground: Ground, services: dict[str, Service], halls: dict[str, Hall]
) -> tuple[Cable, ...]:
    """Every patch cable of the county."""
    cables: list[Cable] = []
    for code, centre in intent.centres.items():
        site = ground.sites[code]
        if "firewall" in centre.boxes:
            cables += _firewall(site, ground)
        if "vpn" in centre.boxes:
            cables += _vpn(site, ground)
        if "server" in centre.boxes:
            cables += _server(site, ground, service_networks(services, code))
        if "relay" in centre.boxes:
            cables += (_lan(site, ground, "relay", name, plan.SLOT_RELAY) for name in ("gov", "mgmt"))
        if not {"nms", "standby"}.isdisjoint(centre.boxes):
            cables.append(_lan(site, ground, "nms", "mgmt", plan.SLOT_NMS))
        if "headend" in centre.boxes:
            cables.append(_lan(site, ground, "headend", "tv", plan.SLOT_HEADEND))
            cables.append(_lan(site, ground, "headend", "mgmt", plan.SLOT_HEADEND, vrf="mgmt"))
    for code in ground.relays:
        if code not in intent.centres:
            cables += (_lan(ground.sites[code], ground, "relay", name, plan.SLOT_RELAY) for name in ("gov", "mgmt"))
    in_halls = {hall.site for hall in halls.values()}
    for code, platform in ground.switches.items():
        cables += switch_cables(ground.sites[code], platform, code in in_halls, ground.networks)
    cables += (_hall(hall, ground) for hall in halls.values())
    return tuple(cables)


def _firewall(site: Site, ground: Ground) -> Iterator[Cable]:
    """A crossing leg in every network, and the firewall's own management port."""
    for name in ground.networks:
        slot = plan.SLOT_FIREWALL_CROSSING if name == "mgmt" else plan.SLOT_FIREWALL
        yield _lan(site, ground, "firewall", name, slot)
    yield _own(site, ground, "firewall", plan.SLOT_FIREWALL)


def _vpn(site: Site, ground: Ground) -> Iterator[Cable]:
    """A crossing leg in each network with remote sites, its own management port, and the outer port."""
    for name in ground.vpn_networks:
        slot = plan.SLOT_VPN_CROSSING if name == "mgmt" else plan.SLOT_VPN
        yield _lan(site, ground, "vpn", name, slot)
    yield _own(site, ground, "vpn", plan.SLOT_VPN)
    number = plan.outer_patch_number(site.number)
    firewall, vpn = plan.outer_ends(number)
    yield cable(
        f"{site.code}-fw-vpn",
        number,
        LinkKind.LAN,
        End(ground.host(site.code, "firewall"), address=firewall),
        End(ground.host(site.code, "vpn"), address=vpn),
        rate_bps=PATCH_BPS,
    )


def _server(site: Site, ground: Ground, segments: tuple[str, ...]) -> Iterator[Cable]:
    """A port in each service segment the server answers in, and one in mgmt."""
    for name in segments:
        network = ground.networks[name]
        yield _patch(
            site,
            ground,
            "server",
            network,
            bridge=f"svc-{name}",
            address=plan.service_server(network, site.number),
        )
    yield _lan(site, ground, "server", "mgmt", plan.SLOT_SERVER)


def _lan(site: Site, ground: Ground, box: str, name: str, slot: int, *, vrf: str = "") -> Cable:
    """From the router's ``lan-<network>`` to a box's routed port."""
    network = ground.networks[name]
    address = plan.site_address(network, site.number, slot)
    return _patch(site, ground, box, network, bridge=f"lan-{name}", address=address, vrf=vrf)


def _own(site: Site, ground: Ground, box: str, slot: int) -> Cable:
    """The management port of a box that forwards: in a VRF of its own."""
    network = ground.networks["mgmt"]
    address = plan.site_address(network, site.number, slot)
    return _patch(site, ground, box, network, bridge="lan-mgmt", address=address, vrf="mgmt", own=True)


def _patch(
    site: Site,
    ground: Ground,
    box: str,
    network: Network,
    *,
    bridge: str,
    address: IPv4Interface,
    vrf: str = "",
    own: bool = False,
) -> Cable:
    host = ground.host(site.code, box)
    slot = {"firewall": 2, "vpn": 3, "server": 4, "relay": 5, "nms": 6, "standby": 6, "headend": 7}[box]
    number = (
        plan.patch_number(site.number, slot, 0 if own else network.number)
        if site.kind is SiteKind.CENTRE
        else plan.box_number(site.number, network.number)
    )
    return cable(
        f"{host}-{'own' if own else network.name}",
        number,
        LinkKind.LAN,
        End(ground.router(site.code), vrf=network.name, bridge=bridge),
        End(host, vrf=vrf, address=address),
        rate_bps=PATCH_BPS,
    )


def _hall(hall: Hall, ground: Ground) -> Cable:
    site, gov = ground.sites[hall.site], ground.networks["gov"]
    near = End(ground.router(site.code), vrf="gov", bridge="lan-gov")
    if site.code in ground.switches:
        near = user_port(site, ground.switches[site.code], gov)
    return cable(
        hall.host,
        plan.user_number(site.number),
        LinkKind.LAN,
        near,
        End(hall.host, address=plan.site_address(gov, site.number, plan.SLOT_USER)),
        rate_bps=PATCH_BPS,
    )
