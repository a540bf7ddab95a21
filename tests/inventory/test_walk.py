"""Packets walked through the model: what the written county means, both ways, whole and with faults."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

import pytest

from inventory.load import Loaded
from inventory.model import Endpoint, LinkKind, NetworkModel, PolicyRule, Role, SiteKind
from inventory.relays import above
from inventory.walk import County, Flow, Walk


def flow(source: Endpoint, target: IPv4Address, protocol: str = "icmp", port: int = 0) -> Flow:
    return Flow(source.host, source.vrf, source.address, target, protocol, port)


def outsider(model: NetworkModel, kind: SiteKind) -> tuple[str, IPv4Address]:
    """Host and address of a carrier, the city or the province."""
    site = next(site for site in model.sites.values() if site.kind is kind)
    host = next(model.site_hosts(site.code))
    return host.name, host.vrf("").loopbacks[0].ip


def target_of(model: NetworkModel, rule: PolicyRule) -> IPv4Address:
    """An address that a rule opens."""
    kinds = {"internet": SiteKind.CARRIER, "city": SiteKind.CITY, "province": SiteKind.PROVINCE}
    if rule.target_network in kinds:
        return outsider(model, kinds[rule.target_network])[1]
    return rule.targets[0].network_address


def opened(model: NetworkModel) -> Iterator[tuple[PolicyRule, Flow]]:
    """Every rule from every user it opens something to."""
    for rule in model.policy:
        for user in model.endpoints:
            if user.network == rule.source_network and any(user.address in prefix for prefix in rule.sources):
                yield rule, flow(user, target_of(model, rule), rule.protocol, rule.ports[0][0])
        nms = model.hosts[model.nms]
        if nms.management is not None and any(prefix == IPv4Network(nms.management) for prefix in rule.sources):
            target, port = target_of(model, rule), rule.ports[0][0]
            yield rule, Flow(nms.name, "", nms.management, target, rule.protocol, port)


def mirrored(walk: Walk) -> tuple[tuple[str, str], ...]:
    return tuple((target, source) for source, target in reversed(walk.crossings))


def arrives(county: County, packet: Flow) -> tuple[Walk, Walk]:
    """Both ways delivered, and the firewall saw the whole conversation or none of it."""
    there, back = county.round_trip(packet)
    assert there.verdict == "delivered", (packet, there)
    assert back is not None
    assert back.verdict == "delivered", (packet, back)
    assert back.crossings == mirrored(there), (packet, there, back)
    return there, back


@pytest.fixture(scope="module")
def county(shili: Loaded) -> County:
    return County(shili.model)


@pytest.mark.parametrize("name", ["shili", "xiao"])
def test_every_user_reaches_the_services_of_its_networks(name: str, request: pytest.FixtureRequest) -> None:
    county = County(request.getfixturevalue(name).model)
    tried = 0
    for user in county.model.endpoints:
        for service in county.model.services.values():
            if service.network == user.network:
                there, _ = arrives(county, flow(user, service.address, service.protocol, service.port))
                assert there.hops[-1][0] == service.backends[0].host
                assert set(there.crossings) <= {("internet", "vpn"), ("tv", "vpn")}
                tried += 1
    assert tried > 20


@pytest.mark.parametrize("name", ["shili", "xiao"])
def test_every_user_reaches_what_policy_opens(name: str, request: pytest.FixtureRequest) -> None:
    county = County(request.getfixturevalue(name).model)
    tried = set()
    for rule, packet in opened(county.model):
        there, _ = arrives(county, packet)
        if rule.target_network != "vpn":
            assert there.crossings[-1] == (rule.source_network, rule.target_network)
        tried.add(rule.name)
    outside = {rule.name for rule in county.model.policy if rule.source_network in ("internet", "city", "province")}
    tunnels = {rule.name for rule in county.model.policy if rule.target_network == "vpn"}  # walked inside every tunnel
    assert tried | outside | tunnels == {rule.name for rule in county.model.policy}


def test_city_and_province_reach_what_policy_opens(county: County) -> None:
    for kind in (SiteKind.CITY, SiteKind.PROVINCE):
        host, address = outsider(county.model, kind)
        for name in ("approval", "exchange"):
            service = county.model.services[name]
            there, _ = arrives(county, Flow(host, "", address, service.address, "tcp", service.port))
            assert there.crossings == ((kind.value, "gov"),)


def test_neighbours_in_one_network_meet_without_the_firewall(county: County) -> None:
    for network in county.model.networks:
        users = [user for user in county.model.endpoints if user.network == network]
        for user, other in zip(users, users[1:] + users[:1], strict=True):
            there, _ = arrives(county, flow(user, other.address))
            assert there.hops[-1] == (other.host, other.vrf)
            assert all("vpn" in crossing for crossing in there.crossings)


def test_halls_reach_each_other_and_their_relay(county: County) -> None:
    halls = list(county.model.halls.values())
    relay = county.model.services["media"]
    for hall in halls:
        there, _ = arrives(county, Flow(hall.host, "", hall.address, relay.address, "udp", 3478))
        assert there.hops[-1][0] == above(county.model, hall).name
        for other in halls:
            if other is not hall:
                assert not arrives(county, Flow(hall.host, "", hall.address, other.address))[0].crossings


@pytest.mark.parametrize("name", ["shili", "xiao"])
def test_the_management_host_reaches_every_appliance_and_is_reached(name: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(name).model
    county = County(model)
    nms = model.hosts[model.nms]
    for host in model.appliances():
        there, _ = arrives(county, Flow(nms.name, "", nms.management, host.management, "tcp", 22))
        assert there.hops[-1] == (host.name, host.management_vrf)
        arrives(county, Flow(host.name, host.management_vrf, host.management, nms.management, "tcp", 9810))
        assert all("vpn" in crossing for crossing in there.crossings)


def test_every_pair_of_networks_is_denied_at_the_firewall(county: County) -> None:
    model = county.model
    for source in model.networks:
        for target in model.networks:
            if source == target or source == "mgmt":
                continue
            for user in [user for user in model.endpoints if user.network == source][:40]:
                places = [other.address for other in model.endpoints if other.network == target]
                places = places or [host.management for host in model.appliances() if host.management]
                own = {port.address.ip for port in model.hosts[user.host].ports if port.address}
                for address in [place for place in places if place not in own][:6]:
                    walk = county.walk(flow(user, address, "tcp", 7077))
                    assert walk.verdict == "denied", (user, address, walk)
                    assert walk.crossings[-1] == (source, target)


def test_the_outside_is_denied_at_the_firewall_not_lost_on_the_way(county: County) -> None:
    for kind in (SiteKind.CARRIER, SiteKind.CITY, SiteKind.PROVINCE):
        host, address = outsider(county.model, kind)
        zone = "internet" if kind is SiteKind.CARRIER else kind.value
        for user in county.model.endpoints:
            walk = county.walk(Flow(host, "", address, user.address, "tcp", 22))
            assert (walk.verdict, walk.crossings[-1:]) == ("denied", ((zone, user.network),)), walk


@pytest.mark.parametrize("cut", ["ring-c1-c2", "ring-c2-c3", "ring-c3-c1"])
def test_a_ring_fibre_cut_leaves_every_site_connected(shili: Loaded, cut: str) -> None:
    county = County(shili.model, cut=[cut])
    used = set()
    for user in county.model.endpoints:
        for service in county.model.services.values():
            if service.network == user.network:
                there, back = arrives(county, flow(user, service.address, service.protocol, service.port))
                used |= {*there.links, *back.links}
    assert cut not in used
    assert len([name for name in used if name.startswith("ring")]) == 2


def test_an_access_fibre_cut_leaves_its_site_connected(shili: Loaded) -> None:
    relay = shili.model.services["media"]
    for link in shili.model.links.values():
        if link.kind is LinkKind.ACCESS:
            county = County(shili.model, cut=[link.name])
            site = shili.model.hosts[link.a.host].site
            arrives(county, flow(shili.model.endpoint(site, "gov"), relay.address, "udp", 3478))


@pytest.mark.parametrize("centre", ["c1", "c2", "c3"])
def test_a_dead_centre_router_leaves_every_dual_homed_site_connected(shili: Loaded, centre: str) -> None:
    model = shili.model
    county = County(model, dead=[f"{centre}-core"])
    dual = [user for user in model.endpoints if user.network == "gov" and model.sites[user.site].dual_homed]
    assert len(dual) == 49
    for user, other in zip(dual, dual[1:] + dual[:1], strict=True):
        arrives(county, flow(user, other.address))


def test_services_answer_from_another_centre_when_the_information_centre_is_dead(shili: Loaded) -> None:
    model = shili.model
    county = County(model, dead=[host.name for host in model.site_hosts("c1")])
    user = model.endpoint("b01", "gov")
    for name, backend in (("portal", "c2-srv"), ("hotline", "c3-srv"), ("mail", "c2-srv")):
        there, _ = arrives(county, flow(user, model.services[name].address, "tcp", 443))
        assert there.hops[-1][0] == backend


def test_without_the_firewall_nothing_crosses(shili: Loaded) -> None:
    county = County(shili.model, dead=["c1-fw"])
    for _, packet in opened(shili.model):
        if packet.protocol == "tcp":
            assert county.walk(packet).verdict in ("unrouted", "looped")


def test_a_dead_carrier_leaves_the_exit_on_the_other(shili: Loaded) -> None:
    user = shili.model.endpoint("b01", "gov")
    address = outsider(shili.model, SiteKind.CARRIER)[1]
    whole, _ = arrives(County(shili.model), flow(user, address, "tcp", 443))
    other, _ = arrives(County(shili.model, dead=["n1-isp"]), flow(user, address, "tcp", 443))
    assert (whole.hops[-1][0], other.hops[-1][0]) == ("n1-isp", "n2-isp")


def test_a_village_is_lost_with_its_carrier(shili: Loaded) -> None:
    county = County(shili.model, dead=["n2-isp"])
    portal = shili.model.services["portal"].address
    assert county.walk(flow(shili.model.endpoint("v02", "gov"), portal, "tcp", 443)).verdict == "unrouted"
    arrives(county, flow(shili.model.endpoint("v01", "gov"), portal, "tcp", 443))


def test_a_cable_unit_goes_through_tunnel_and_headend(county: County) -> None:
    user, portal = county.model.endpoint("u01", "gov"), county.model.services["portal"].address
    there, _ = arrives(county, flow(user, portal, "tcp", 443))
    assert there.crossings == (("tv", "vpn"),)
    assert "u01-c3" in there.links
    assert "c1-vpn-gov" in there.links


@pytest.mark.parametrize("name", ["shili", "xiao"])
def test_a_packet_crosses_the_access_switch_and_none_passes_a_dead_one(
    name: str, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(name).model
    whole = County(model)
    for switch in model.by_role(Role.SWITCH):
        for user in [each for each in model.endpoints if each.site == switch.site]:
            other = next(each for each in model.endpoints if each.network == user.network and each.site != user.site)
            there, _ = arrives(whole, flow(user, other.address))
            uplink = f"{switch.name}-{user.network}"
            assert uplink in there.links
            assert switch.name not in {host for host, _ in there.hops}, "it forwards at layer 2"
            for broken in (County(model, cut=[uplink]), County(model, dead=[switch.name])):
                assert broken.walk(flow(user, other.address)).verdict == "unrouted"
                assert broken.walk(flow(other, user.address)).verdict == "unrouted"
        if name == "shili" and switch.site not in ("b01", "b05", "cb"):
            break
