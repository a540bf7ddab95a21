"""The reference county as the field documents ask for it, and what the model promises to its readers."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from inventory.hardware import HARDWARE, network_ports, vlan
from inventory.load import Loaded
from inventory.model import Hall, LinkKind, Network, Role, Service, Site, SiteKind

BODIES = """
法院 检察院 公安局 总工会 行政服务中心 环保局 发改委 农业局 林业局 水利局 财政局 交通局 人劳局 社会保障中心
煤炭局 教育局 广电局 城建局 市政局 审计局 民政局 卫生局 地税局 旅游局 计生委 粮食局 文化局 物价局 信访局
商务局 民营企业局 县工业园 工商局 国土资源局 质量技术监督局 国税局 电业局
"""


def test_the_reference_county(shili: Loaded) -> None:
    model = shili.model
    kinds = [site.kind for site in model.sites.values()]
    assert kinds.count(SiteKind.CENTRE) == 3
    assert kinds.count(SiteKind.TOWNSHIP) == 11
    assert [site.zh for site in model.sites.values() if site.kind is SiteKind.BODY] == BODIES.split()
    assert kinds.count(SiteKind.BUILDING) == 1
    assert len(model.sites["cb"].organisations) >= 10
    assert kinds.count(SiteKind.SCHOOL) + kinds.count(SiteKind.CLINIC) >= 100
    assert 250 <= len(model.hosts) <= 300
    assert len({endpoint.site for endpoint in model.endpoints}) >= 159
    assert len(model.exits) == 2
    assert set(model.outside) == {"internet", "city", "province"}
    assert [tunnel.kind for tunnel in model.tunnels.values()].count("wireguard") == 10
    assert [tunnel.kind for tunnel in model.tunnels.values()].count("ipsec") == 1


def test_townships_and_bodies_stand_on_two_centres(shili: Loaded) -> None:
    routers = [shili.model.sites[host.site] for host in shili.model.by_role(Role.ACCESS)]
    assert len(routers) == 49
    assert all(site.dual_homed for site in routers)
    for first in ("c1", "c2", "c3"):
        assert len([site for site in routers if site.homes[0] == first]) >= 15


def test_closed_groups_all_reach_into_the_service_centre(shili: Loaded) -> None:
    closed = [network.name for network in shili.model.networks.values() if network.kind == "closed"]
    assert len(closed) >= 5
    assert set(closed) <= set(shili.model.sites["b05"].networks)
    assert shili.model.sites["b05"].zh == "行政服务中心"


def test_names_in_both_languages(shili: Loaded) -> None:
    model = shili.model
    named: list[Site | Service | Hall | Network] = [*model.sites.values(), *model.services.values()]
    for item in (*named, *model.halls.values(), *model.networks.values()):
        assert any("\u4e00" <= letter <= "\u9fff" for letter in item.zh), item
        assert item.en.isascii(), item
    sites = list(model.sites.values())
    assert len({site.zh for site in sites}) == len({site.en for site in sites}) == len(sites)


@pytest.mark.parametrize("name", ["shili", "xiao"])
def test_cables_have_two_matching_ends(name: str, request: pytest.FixtureRequest) -> None:
    model = request.getfixturevalue(name).model
    numbers = [link.number for link in model.links.values()]
    assert len(numbers) == len(set(numbers))
    for link in model.links.values():
        for end, other in (link.ends, link.ends[::-1]):
            port = model.hosts[end.host].port(end.port)
            assert (port.link, port.peer_host, port.peer_port) == (link.name, other.host, other.port)
            assert port.name == f"p{link.number}"
            assert len(port.name) <= 15
    ports = sum(len(host.ports) for host in model.hosts.values())
    assert ports == 2 * len(model.links)


def test_backbone_ports_run_ospf_with_bfd(shili: Loaded) -> None:
    for host in shili.model.by_role(Role.CORE, Role.ACCESS):
        for port in host.ports:
            kind = shili.model.links[port.link].kind
            assert port.ospf == (kind in (LinkKind.RING, LinkKind.ACCESS))
            assert port.bfd_ms == {LinkKind.RING: 50, LinkKind.ACCESS: 300}.get(kind, 0)
            assert port.mtu == (1600 if port.ospf else 1500)


def test_the_small_county_has_one_of_each(xiao: Loaded) -> None:
    model = xiao.model
    assert len(model.hosts) <= 35
    assert len(model.halls) == 2
    assert not xiao.warnings
    roles = {host.role for host in model.hosts.values()}
    assert roles >= {Role.CORE, Role.ACCESS, Role.FIREWALL, Role.VPN, Role.SERVER, Role.RELAY, Role.NMS, Role.CPE}
    assert {host.platform for host in model.by_role(Role.SWITCH)} == set(HARDWARE)


def test_every_body_has_an_access_switch_of_one_of_five_vendors(shili: Loaded) -> None:
    model = shili.model
    switches = {host.site: host for host in model.by_role(Role.SWITCH)}
    bodies = {code for code, site in model.sites.items() if site.kind in (SiteKind.BODY, SiteKind.BUILDING)}
    assert set(switches) == bodies
    kinds = Counter(host.platform for host in switches.values())
    assert set(kinds) == set(HARDWARE)
    assert min(kinds.values()) >= 4
    assert [host for host in model.appliances() if not host.linux] == [
        host for host in model.appliances() if host.role is Role.SWITCH
    ]
    assert {host.platform for host in model.linux_appliances()} == {"linux"}


def test_a_network_has_the_same_ports_on_every_switch_of_a_platform(shili: Loaded, xiao: Loaded) -> None:
    """One uplink per network to the router's LAN of that network; the users' computer on the network's first port."""
    seen: dict[tuple[str, int, Role], str] = {}
    for model in (shili.model, xiao.model):
        for host in model.by_role(Role.SWITCH):
            labels = [port.label for port in host.ports]
            assert len(set(labels)) == len(labels)
            uplinks = {}
            for port in host.ports:
                peer = model.hosts[port.peer_host]
                far = peer.port(port.peer_port)
                name = far.vrf or next(
                    each.network for each in model.endpoints if far.address and each.address == far.address.ip
                )
                assert port.bridge == f"vlan{vlan(model.networks[name])}"
                number = model.networks[name].number
                assert seen.setdefault((host.platform, number, peer.role), port.label) == port.label
                if peer.role is Role.ACCESS:
                    assert far.bridge == f"lan-{name}"
                    uplinks[name] = port.label
                assert port.label in (*network_ports(model.networks[name], host.platform).users, uplinks.get(name))
            assert set(uplinks) == set(host.networks)
            assert uplinks["mgmt"] == HARDWARE[host.platform].uplinks[0]


def test_users_of_a_site_with_a_switch_hang_on_it(shili: Loaded, xiao: Loaded) -> None:
    for model in (shili.model, xiao.model):
        behind = {host.site for host in model.by_role(Role.SWITCH)}
        for user in model.endpoints:
            if user.site in behind:
                port = next(
                    each for each in model.hosts[user.host].ports if each.address and each.address.ip == user.address
                )
                assert model.hosts[port.peer_host].role is Role.SWITCH
        for host in model.hosts.values():
            if host.role is Role.ACCESS and host.site in behind:
                assert not [port for port in host.ports if port.peer_host.endswith(("-pc", "-hall")) and port.bridge]


def test_the_reference_county_takes_no_risk_that_is_warned_of(shili: Loaded) -> None:
    assert not shili.warnings


def test_the_model_cannot_be_changed(shili: Loaded) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        shili.model.firewall = "c2-fw"  # type: ignore[misc]
