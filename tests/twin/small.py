"""A county small enough to read: two centres' routers, a management host, two PCs, one carrier."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from inventory.hardware import HARDWARE
from inventory.model import Host, Link, LinkEnd, LinkKind, NetworkModel, Port, Role, Site, SiteKind, StaticRoute, Vrf


def small_model() -> NetworkModel:
    """pc-a -1- core-a -2- core-b -3- pc-b; outside -4- core-a; nms on the staging switch alone."""
    sites = {
        code: Site(code, number, SiteKind.CENTRE, code, code, (), ())
        for number, code in enumerate(("c1", "c2", "s1", "s2", "n1"), 1)
    }
    links = {
        link.name: link
        for link in (
            _link("s1-c1", 1, ("s1-pc", "c1-core"), LinkKind.SPUR),
            _link("ring-c1-c2", 2, ("c1-core", "c2-core"), LinkKind.RING, ("east-road",)),
            _link("s2-c2", 3, ("s2-pc", "c2-core"), LinkKind.SPUR),
            _link("n1-c1", 4, ("n1-net", "c1-core"), LinkKind.UPLINK, ("east-road",)),
        )
    }
    hosts = {
        host.name: host
        for host in (
            _host("c1-core", 1, Role.CORE, 1, {1: "10.8.3.1/24", 2: "172.20.0.4/31", 4: "198.18.0.18/30"}, links),
            _host("c2-core", 2, Role.CORE, 1, {2: "172.20.0.5/31", 3: "10.8.4.1/24"}, links),
            _host("c2-nms", 2, Role.NMS, 6, {}, links),
            _host("s1-pc", 3, Role.LEAF, 10, {1: "10.8.3.10/24"}, links, ("0.0.0.0/0", "10.8.3.1")),
            _host("s2-pc", 4, Role.LEAF, 10, {3: "10.8.4.10/24"}, links, ("0.0.0.0/0", "10.8.4.1")),
            _host("n1-net", 5, Role.OUTSIDE, 1, {4: "198.18.0.17/30"}, links, ("10.0.0.0/8", "198.18.0.18")),
        )
    }
    return NetworkModel(
        name="small", zh="小县", en="Small", networks={}, sites=sites, ducts={}, links=links, hosts=hosts,
        endpoints=(), tunnels={}, services={}, policy=(), halls={}, exits=(), people={},
        firewall="c1-core", vpn="", nms="c2-nms",
    )  # fmt: skip


def _link(name: str, number: int, ends: tuple[str, str], kind: LinkKind, ducts: tuple[str, ...] = ()) -> Link:
    port = f"p{number}"
    return Link(name, number, kind, LinkEnd(ends[0], port), LinkEnd(ends[1], port), 1_000_000_000, 1.0, ducts)


def _host(
    name: str,
    site: int,
    role: Role,
    slot: int,
    addresses: dict[int, str],
    links: dict[str, Link],
    route: tuple[str, str] | None = None,
) -> Host:
    ports = []
    for number, address in addresses.items():
        link = next(link for link in links.values() if link.number == number)
        peer = link.b if link.a.host == name else link.a
        mtu = 1600 if link.kind is LinkKind.RING else 1500
        ports.append(Port(f"p{number}", link.name, peer.host, peer.port, mtu, address=IPv4Interface(address)))
    own = Vrf("", routes=(StaticRoute(IPv4Network(route[0]), IPv4Address(route[1])),) if route else ())
    staging = None
    if role not in (Role.LEAF, Role.OUTSIDE):
        staging = IPv4Interface((int(IPv4Network("100.96.0.0/15")[0]) + (site << 4) + slot, 15))
    return Host(name, name.partition("-")[0], role, slot, (), tuple(ports), (own,), staging=staging)


def switch_model() -> NetworkModel:
    """A switch of each platform, s1-sw to s5-sw; on its first three ports s1-a, s1-b and s1-c in one subnet."""
    hosts: list[Host] = []
    links: dict[str, Link] = {}
    sites: dict[str, Site] = {}
    for number, (platform, hardware) in enumerate(HARDWARE.items(), 1):
        code = f"s{number}"
        sites[code] = Site(code, number, SiteKind.BODY, code, code, (), ())
        ports = []
        for place, name in enumerate("abc", 1):
            cable = 139250 - 10 * number + place
            link = _link(f"{code}-{name}", cable, (f"{code}-{name}", f"{code}-sw"), LinkKind.LAN)
            links[link.name] = link
            hosts.append(_host(link.a.host, number, Role.LEAF, 10, {cable: f"10.8.{number}.{place}/24"}, links))
            ports.append(Port(link.b.port, link.name, link.a.host, link.a.port, 1500, label=hardware.port(place)))
        staging = IPv4Interface((int(IPv4Network("100.96.0.0/15")[0]) + (number << 4) + 14, 15))
        switch = Host(
            f"{code}-sw", code, Role.SWITCH, 14, (), tuple(ports), (Vrf(""),), staging=staging, platform=platform
        )
        hosts.append(switch)
    return NetworkModel(
        name="bench", zh="小县", en="Small", networks={}, sites=sites, ducts={}, links=links,
        hosts={host.name: host for host in hosts}, endpoints=(), tunnels={}, services={}, policy=(), halls={},
        exits=(), people={}, firewall="", vpn="", nms="",
    )  # fmt: skip
