"""Phase 13, routers: the underlay, one VRF per network, the overlays and the centres' static routes.

``docs/architecture.md`` ("How packets travel") says why each of these is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface

from inventory import plan
from inventory.expand.cable import Cable
from inventory.expand.fibres import ROUTER_KINDS
from inventory.expand.ground import Ground
from inventory.expand.vpn import inner_prefix
from inventory.model import Bridge, Network, Site, SiteKind, StaticRoute, Vrf, Vxlan

FLOOD = "00:00:00:00:00:00"


def expand_routers(ground: Ground, cables: Iterable[Cable], segments: tuple[str, ...]) -> dict[str, tuple[Vrf, ...]]:
    """VRFs of every router by host name, the underlay first.  ``segments``: networks with hosted services."""
    ospf: dict[str, list[str]] = {}
    for item in cables:
        for host, port in item.ports:
            if port.ospf:
                ospf.setdefault(host, []).append(port.name)
    vrfs: dict[str, tuple[Vrf, ...]] = {}
    for site in ground.sites.values():
        if site.kind not in ROUTER_KINDS:
            continue
        host = ground.router(site.code)
        centre = site.kind is SiteKind.CENTRE
        vrfs[host] = (
            _underlay(site, ground, tuple(ospf[host])),
            *(
                _centre_vrf(site, ground.networks[name], ground, name in segments)
                if centre
                else _access_vrf(site, ground.networks[name], ground)
                for name in site.networks
            ),
        )
    return vrfs


def _underlay(site: Site, ground: Ground, ports: tuple[str, ...]) -> Vrf:
    """Area 0 over the fibres; a centre also announces the anycast VTEPs of its ordered pairs.

    Every pair is announced, used or not: so that a new site changes nothing here.
    """
    loopback = plan.loopback(site.number)
    vteps: list[tuple[IPv4Interface, int]] = []
    if site.kind is SiteKind.CENTRE:
        for other in ground.centres:
            vteps.append((IPv4Interface(plan.anycast_vtep(site.number, other.number)), 0))
            if other is not site:
                second = plan.anycast_vtep(other.number, site.number)
                vteps.append((IPv4Interface(second), plan.VTEP_SECOND_METRIC))
    return Vrf(
        "",
        loopbacks=(IPv4Interface(loopback),),
        router_id=loopback,
        ospf_interfaces=ports,
        anycast_vteps=tuple(vteps),
    )


def _lan(site: Site, network: Network) -> Bridge:
    return Bridge(f"lan-{network.name}", plan.site_address(network, site.number, plan.SLOT_ROUTER))


def _access_vrf(site: Site, network: Network, ground: Ground) -> Vrf:
    """The site's LAN, and one overlay with a default route to the anycast gateway of its pair of centres."""
    first, second = (ground.sites[code].number for code in (site.homes[0], site.homes[-1]))
    gateway_mac = plan.gateway_mac(network.number)
    overlay = Vxlan(
        name=f"vx-{network.name}",
        vni=network.vni,
        local=plan.loopback(site.number),
        mac=plan.mac(network.number, site.number, plan.SLOT_ROUTER),
        address=plan.overlay_address(site.number),
        fdb=((gateway_mac, plan.anycast_vtep(first, second)),),
        neighbours=((plan.GATEWAY, gateway_mac),),
    )
    return Vrf(
        network.name,
        bridges=(_lan(site, network),),
        vxlans=(overlay,),
        routes=(StaticRoute(plan.DEFAULT, plan.GATEWAY),),
    )


def _centre_vrf(centre: Site, network: Network, ground: Ground, segment: bool) -> Vrf:
    """A hub: anycast gateway for the attached sites, the other centres on ``vc-``, the service segment."""
    bridges = [_lan(centre, network)]
    vxlans = [_gateway_overlay(centre, network, ground), _centre_overlay(centre, network, ground)]
    if segment:
        name = f"vs-{network.name}"
        bridges.append(Bridge(f"svc-{network.name}", plan.service_router(network, centre.number), name))
        vxlans.append(
            Vxlan(
                name=name,
                vni=network.service_vni,
                local=plan.loopback(centre.number),
                mac=plan.mac(network.number, centre.number, 2),
                address=None,
                fdb=tuple((FLOOD, plan.loopback(other.number)) for other in ground.centres if other is not centre),
                learning=True,
            )
        )
    return Vrf(
        network.name,
        bridges=tuple(bridges),
        vxlans=tuple(vxlans),
        routes=_centre_routes(centre, network, ground),
        router_id=plan.loopback(centre.number),
        ospf_interfaces=(f"vc-{network.name}",),
        ospf_originate_default=centre.code == ground.firewall,
    )


def _attached(centre: Site, network: Network, ground: Ground) -> Iterable[Site]:
    """Sites with a router whose homes include this centre, in this network."""
    for site in ground.sites.values():
        if site.kind in ROUTER_KINDS[1:] and centre.code in site.homes and network.name in site.networks:
            yield site


def _gateway_overlay(centre: Site, network: Network, ground: Ground) -> Vxlan:
    attached = list(_attached(centre, network, ground))
    macs = [plan.mac(network.number, site.number, plan.SLOT_ROUTER) for site in attached]
    return Vxlan(
        name=f"vx-{network.name}",
        vni=network.vni,
        local=plan.loopback(centre.number),
        mac=plan.gateway_mac(network.number),
        address=plan.gateway_interface(),
        fdb=tuple((mac, plan.loopback(site.number)) for mac, site in zip(macs, attached, strict=True)),
        neighbours=tuple((plan.overlay_address(site.number).ip, mac) for mac, site in zip(macs, attached, strict=True)),
    )


def _centre_overlay(centre: Site, network: Network, ground: Ground) -> Vxlan:
    """Known centres by MAC; flooding is there for a routing protocol that sends multicast."""
    others = [other for other in ground.centres if other is not centre]
    macs = [plan.mac(network.number, other.number, plan.SLOT_ROUTER) for other in others]
    vteps = [plan.loopback(other.number) for other in others]
    return Vxlan(
        name=f"vc-{network.name}",
        vni=network.core_vni,
        local=plan.loopback(centre.number),
        mac=plan.mac(network.number, centre.number, plan.SLOT_ROUTER),
        address=plan.centre_overlay_address(centre.number),
        fdb=(*zip(macs, vteps, strict=True), *((FLOOD, vtep) for vtep in vteps)),
        neighbours=tuple(
            (plan.centre_overlay_address(other.number).ip, mac) for other, mac in zip(others, macs, strict=True)
        ),
    )


def _centre_routes(centre: Site, network: Network, ground: Ground) -> tuple[StaticRoute, ...]:
    routes: list[StaticRoute] = []
    hanging: dict[tuple[str, ...], list[Site]] = {}
    for site in ground.sites.values():
        if network.name in site.networks:
            hanging.setdefault(site.homes, []).append(site)
    for site in _attached(centre, network, ground):
        metric = plan.FIRST_HOME_METRIC if site.homes[0] == centre.code else plan.SECOND_HOME_METRIC
        via = plan.overlay_address(site.number).ip
        routes.append(StaticRoute(plan.site_prefix(network, site.number), via, metric))
        for small in hanging.get((site.code,), ()):
            routes.append(StaticRoute(plan.site_prefix(network, small.number), via, metric))
    if centre.code == ground.firewall:
        slot = plan.SLOT_FIREWALL_CROSSING if network.kind == "mgmt" else plan.SLOT_FIREWALL
        routes.append(StaticRoute(plan.DEFAULT, _slot(network, centre, slot)))
    if centre.code == ground.vpn and network.name in ground.vpn_networks:
        slot = plan.SLOT_VPN_CROSSING if network.kind == "mgmt" else plan.SLOT_VPN
        via = _slot(network, centre, slot)
        for site in ground.sites.values():
            if site.kind in (SiteKind.VILLAGE, SiteKind.UNIT) and network.name in site.networks:
                routes.append(StaticRoute(inner_prefix(network, site), via, plan.FIRST_HOME_METRIC))
        routes += (StaticRoute(prefix, via, plan.FIRST_HOME_METRIC) for prefix in ground.visitors.get(network.name, ()))
    if centre.code == ground.headend and network.name == "tv":
        via = _slot(network, centre, plan.SLOT_HEADEND)
        for site in ground.sites.values():
            if site.kind in (SiteKind.SUBSCRIBERS, SiteKind.UNIT) and site.homes == (centre.code,):
                routes.append(StaticRoute(plan.site_prefix(network, site.number), via, plan.FIRST_HOME_METRIC))
    return tuple(routes)


def _slot(network: Network, site: Site, slot: int) -> IPv4Address:
    return plan.site_address(network, site.number, slot).ip
