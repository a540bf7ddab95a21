"""Phase 14, other hosts: what the boxes, small sites' equipment and the outside world route where."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from inventory import plan
from inventory.expand.access import switch_vrf
from inventory.expand.cable import Cable, Seat
from inventory.expand.ground import Ground
from inventory.expand.segments import service_networks
from inventory.expand.vpn import inner_prefix
from inventory.model import Bridge, ExitLine, Network, Role, Service, SiteKind, StaticRoute, Vrf
from inventory.schema import Intent, UplinkIntent


def expand_boxes(
    intent: Intent,
    ground: Ground,
    seats: tuple[Seat, ...],
    cables: tuple[Cable, ...],
    services: Mapping[str, Service],
    exits: tuple[ExitLine, ...],
    outside: Mapping[str, IPv4Network],
) -> dict[str, tuple[Vrf, ...]]:
    """VRFs of every host that is not a router, by host name."""
    peers = {host: _peer(item, host) for item in cables for host, _ in item.ports}
    vrfs: dict[str, tuple[Vrf, ...]] = {}
    for seat in seats:
        number = ground.sites[seat.site].number
        match seat.role:
            case Role.FIREWALL:
                vrfs[seat.name] = (_firewall(intent, ground, exits, outside), _management(ground, number))
            case Role.VPN:
                vrfs[seat.name] = (_vpn(intent, ground), _management(ground, number))
            case Role.HEADEND:
                tv = plan.site_address(ground.networks["tv"], number, plan.SLOT_ROUTER).ip
                vrfs[seat.name] = (Vrf("", routes=(_default(tv),)), _management(ground, number))
            case Role.SERVER:
                vrfs[seat.name] = (_server(ground, seat, service_networks(services, seat.site)),)
            case Role.RELAY:
                nets = [ground.networks[name] for name in seat.networks]
                legs = [(net, plan.site_address(net, number, plan.SLOT_ROUTER).ip) for net in nets]
                vrfs[seat.name] = (_legs(legs),)
            case Role.NMS | Role.STANDBY:
                mgmt = plan.site_address(ground.networks["mgmt"], number, plan.SLOT_ROUTER).ip
                vrfs[seat.name] = (Vrf("", routes=(_default(mgmt),)),)
            case Role.CPE | Role.PARTNER:
                vrfs[seat.name] = (_remote(ground, seat, peers[seat.name]),)
            case Role.LEAF:
                vrfs[seat.name] = (_leaf(ground, seat, peers[seat.name]),)
            case Role.SWITCH:
                vrfs[seat.name] = (switch_vrf(ground.sites[seat.site], ground.networks["mgmt"]),)
            case Role.OUTSIDE:
                vrfs[seat.name] = (_outside(intent, seat, peers[seat.name]),)
    return vrfs


def _peer(item: Cable, host: str) -> IPv4Interface | None:
    """The address at the other end of a host's (last) cable."""
    return item.b.address if item.link.a.host == host else item.a.address


def _default(via: IPv4Address, metric: int = 0) -> StaticRoute:
    return StaticRoute(plan.DEFAULT, via, metric)


def _management(ground: Ground, number: int) -> Vrf:
    """The management VRF of a box that forwards: so that nobody crosses into mgmt through it."""
    return Vrf("mgmt", routes=(_default(plan.site_address(ground.networks["mgmt"], number, 1).ip),))


def _firewall(intent: Intent, ground: Ground, exits: tuple[ExitLine, ...], outside: Mapping[str, IPv4Network]) -> Vrf:
    """Each network behind its leg, city and province behind their lines, everything else by the preferred carrier."""
    number = ground.sites[ground.firewall].number
    routes = [
        StaticRoute(network.prefix, plan.site_address(network, number, plan.SLOT_ROUTER).ip)
        for network in ground.networks.values()
    ]
    for uplink in intent.uplinks.values():
        routes.append(StaticRoute(outside[uplink.zone], plan.outer_ends(plan.line_number(uplink.number))[1].ip))
    routes += (_default(line.gateway, line.metric) for line in exits)
    return Vrf("", routes=tuple(routes))


def _vpn(intent: Intent, ground: Ground) -> Vrf:
    """Outwards by the firewall; what comes out of a tunnel leaves by the leg of its own network."""
    number = ground.sites[ground.vpn].number
    routes = [_default(plan.outer_ends(plan.outer_patch_number(number))[0].ip)]
    for site in ground.sites.values():
        if site.kind not in (SiteKind.VILLAGE, SiteKind.UNIT):
            continue
        for name in site.networks:
            network = ground.networks[name]
            via = plan.site_address(network, number, plan.SLOT_ROUTER).ip
            routes.append(StaticRoute(plan.DEFAULT, via, source=inner_prefix(network, site)))
    for name, prefixes in ground.visitors.items():
        via = plan.site_address(ground.networks[name], number, plan.SLOT_ROUTER).ip
        routes += (StaticRoute(plan.DEFAULT, via, source=prefix) for prefix in prefixes)
    return Vrf("", routes=tuple(routes))


def _server(ground: Ground, seat: Seat, segments: tuple[str, ...]) -> Vrf:
    number = ground.sites[seat.site].number
    mgmt = ground.networks["mgmt"]
    legs = [(ground.networks[name], plan.service_router(ground.networks[name], number).ip) for name in segments]
    return _legs([*legs, (mgmt, plan.site_address(mgmt, number, plan.SLOT_ROUTER).ip)])


def _legs(legs: list[tuple[Network, IPv4Address]]) -> Vrf:
    """A host with a leg in several networks that forwards nothing: an answer leaves by the leg it was asked on.

    Otherwise it would go round the firewall, which would then see half a conversation.
    """
    return Vrf(
        "",
        routes=(
            _default(legs[0][1]),
            *(StaticRoute(network.prefix, via) for network, via in legs[1:]),
            *(StaticRoute(plan.DEFAULT, via, source=network.prefix) for network, via in legs),
        ),
    )


def _remote(ground: Ground, seat: Seat, peer: IPv4Interface | None) -> Vrf:
    """A small site's own LANs, the box's management address, and the way to its carrier or head-end."""
    assert peer is not None
    site = ground.sites[seat.site]
    lans = [ground.networks[name] for name in site.networks if name != "mgmt"]
    mgmt = plan.site_address(ground.networks["mgmt"], site.number, plan.SLOT_ROUTER).ip
    return Vrf(
        "",
        bridges=tuple(
            Bridge(f"lan-{network.name}", plan.site_address(network, site.number, plan.SLOT_ROUTER)) for network in lans
        ),
        routes=(_default(peer.ip),),
        loopbacks=(IPv4Interface(mgmt),),
    )


def _leaf(ground: Ground, seat: Seat, peer: IPv4Interface | None) -> Vrf:
    if peer is not None:
        return Vrf("", routes=(_default(peer.ip),))
    number = ground.sites[seat.site].number  # the other end is a member of a LAN's bridge: the router's address there
    nets = [ground.networks[name] for name in seat.networks]
    legs = [(network, plan.site_address(network, number, plan.SLOT_ROUTER).ip) for network in nets]
    return _legs(legs) if len(legs) > 1 else Vrf("", routes=(_default(legs[0][1]),))


def _outside(intent: Intent, seat: Seat, peer: IPv4Interface | None) -> Vrf:
    """The world outside; a carrier answers as the Internet.

    All of them send the county's prefixes to the firewall, as an ill-meaning neighbour would: that those
    packets are denied there, and not merely lost on the way, is what is to be shown.
    """
    if third := intent.third_parties.get(seat.site):
        assert peer is not None
        loopbacks = [IPv4Interface(prefix.network_address + 1) for prefix in third.prefixes]
        if third.address:
            loopbacks.append(IPv4Interface(third.address))
        return Vrf("", routes=(_default(peer.ip),), loopbacks=tuple(loopbacks))
    written = intent.uplinks.get(seat.site) or intent.carriers[seat.site]
    near, _ = plan.outer_ends(plan.line_number(written.number))
    if isinstance(written, UplinkIntent):
        answers = written.answers
    else:
        assert intent.internet is not None
        answers = intent.internet.answers
    return Vrf("", routes=(StaticRoute(plan.COUNTY, near.ip),), loopbacks=(IPv4Interface(answers),))
