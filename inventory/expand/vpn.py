"""Phase 11, VPN: one tunnel from each remote site's box to the gateway."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

from inventory import plan
from inventory.expand.ground import Ground
from inventory.expand.written import REMOTE, written_sites
from inventory.model import ExitLine, Network, Site, Tunnel
from inventory.schema import Intent

WIREGUARD_PORT, IKE_PORT = 51820, 500


def inner_prefix(network: Network, site: Site) -> IPv4Network:
    """A remote site's prefix in a network: its /24, in mgmt only its box's /32."""
    if network.kind == "mgmt":
        return IPv4Network(plan.site_address(network, site.number, plan.SLOT_ROUTER).ip)
    return plan.site_prefix(network, site.number)


def gateway_outer(ground: Ground) -> IPv4Address:
    """The VPN gateway's own outer address, on its cable to the firewall."""
    return plan.outer_ends(plan.outer_patch_number(ground.sites[ground.vpn].number))[1].ip


def expand_tunnels(intent: Intent, ground: Ground, exits: tuple[ExitLine, ...]) -> dict[str, Tunnel]:
    """Every tunnel by name: WireGuard for villages and units, IPsec for partners.

    By broadband the gateway is found at the firewall's address on the site's own carrier (and forwarded
    inwards); by cable the firewall routes to it directly.
    """
    at_exit = {line.carrier: line.address.ip for line in exits}
    tunnels: dict[str, Tunnel] = {}
    for written in written_sites(intent):
        if written.section.name not in REMOTE:
            continue
        site = ground.sites[written.code]
        cable = written.section.name == "units"
        ipsec = written.section.name == "partners"
        outer = (
            plan.site_address(ground.networks["tv"], site.number, plan.SLOT_USER)
            if cable
            else plan.outer_ends(plan.line_number(site.number))[1]
        )
        tunnels[site.code] = Tunnel(
            name=site.code,
            kind="ipsec" if ipsec else "wireguard",
            site=site.code,
            host=written.host,
            gateway=ground.host(ground.vpn, "vpn"),
            outer=outer.ip,
            gateway_outer=gateway_outer(ground) if cable else at_exit[site.homes[0]],
            port=IKE_PORT if ipsec else WIREGUARD_PORT,
            inner=tuple(inner_prefix(ground.networks[name], site) for name in site.networks),
            remote=(plan.COUNTY, *(intent.vpn.reaches if intent.vpn else ())),
        )
    return tunnels
