"""The county as its rendered files have it: routing spaces with interfaces, rulesets and tunnels, and the cables.

Files come from the renderer (or from a plan); cables, user equipment and the outside world, which nobody configures,
come from the model.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

from inventory.model import Host, NetworkModel, Role, SiteKind
from provision.environment import Environment
from provision.prove import frr, nft, switch, tunnels
from provision.prove.errors import ProveError
from provision.prove.ruleset import Ruleset
from provision.render import ConfigFile, render

Key = tuple[str, str]  # host, VRF ("" is the default namespace)
Node = tuple[str, str, str]  # and interface
Configs = Mapping[str, Mapping[str, str]]  # host -> path -> text
NETWORK, FRR = "/etc/sanwang/network.json", "/etc/frr/frr.conf"
GROUPS = ("network", "nft", "exit", "frr", "wireguard", "ipsec", "keepalived", "configuration")


@dataclass(slots=True)
class Interface:
    """One link of a space."""

    name: str
    kind: str  # port, bridge, vxlan, dummy, loopback, tunnel
    addresses: tuple[tuple[int, int], ...] = ()  # address, prefix length
    master: str = ""
    vni: int = 0
    local: int = 0
    mac: str = ""
    fdb: tuple[tuple[str, int], ...] = ()
    neighbours: Mapping[int, str] = field(default_factory=dict)

    def holds(self, address: int) -> bool:
        """True when the address is in the prefix of one of its own."""
        return any((address ^ own) >> (32 - length) == 0 for own, length in self.addresses if length)


@dataclass(slots=True)
class Space:
    """One routing table: a host's default namespace or one of its VRFs."""

    key: Key
    zone: str  # of an outside host; "" inside
    ours: bool
    forward: bool
    interfaces: dict[str, Interface]
    routes: list[dict[str, str]] = field(default_factory=list)
    rules: list[dict[str, str]] = field(default_factory=list)
    ruleset: Ruleset | None = None
    stateful: bool = False  # some rule of a forwarded packet asks for the connection
    local: dict[int, str] = field(default_factory=dict)  # own addresses -> interface
    path: str = NETWORK  # file in which its interfaces stand

    @property
    def name(self) -> str:
        """``host`` or ``host/vrf``."""
        return "/".join(part for part in self.key if part)


@dataclass(slots=True)
class World:
    """All spaces, and how they hang together."""

    model: NetworkModel
    configs: Configs
    spaces: dict[Key, Space]
    cables: dict[tuple[str, str], tuple[str, str]]  # (host, port) both ways
    routing: dict[str, frr.Frr]  # by host
    vpns: dict[tuple[str, str], tunnels.Vpn]  # (host, device)
    where: dict[tuple[str, str], Node]  # (host, interface) -> node of its space
    switches: dict[str, switch.Switch]  # vendors' switches by host


def configurations(model: NetworkModel, environment: Environment) -> dict[str, dict[str, str]]:
    """What the renderer writes for every appliance, as far as it decides where packets go."""
    return {host.name: deciding(render(model, host.name, environment)) for host in model.appliances()}


def deciding(files: Iterable[ConfigFile]) -> dict[str, str]:
    """Path -> text of those of a device's files that decide where packets go."""
    return {file.path: file.text for file in files if file.group in GROUPS and "/bin/" not in file.path}


@functools.lru_cache(maxsize=4096)
def _ruleset(path: str, text: str, included: tuple[tuple[str, str], ...]) -> Ruleset:
    return nft.parse(path, text, dict(included))


@functools.lru_cache(maxsize=512)
def _frr(path: str, text: str) -> frr.Frr:
    return frr.parse(path, text)


@functools.lru_cache(maxsize=1024)
def _switch(path: str, platform: str, text: str) -> switch.Switch:
    return switch.parse(path, platform, text)


@functools.lru_cache(maxsize=1024)
def _json(path: str, text: str) -> Any:
    try:
        return json.loads(text)["namespaces"]
    except (ValueError, KeyError, TypeError) as problem:
        raise ProveError(path, str(problem), "JSON with namespaces", "render it again") from None


def build(model: NetworkModel, configs: Configs) -> World:
    """Read every file.  Raises ProveError with host, file and line."""
    spaces: dict[Key, Space] = {}
    routing: dict[str, frr.Frr] = {}
    vpns: dict[tuple[str, str], tunnels.Vpn] = {}
    floating: list[tuple[str, tunnels.Floating]] = []
    switches: dict[str, switch.Switch] = {}
    for host in model.hosts.values():
        files = configs.get(host.name)
        if files is None and host.appliance:
            continue  # a revoked site's box is nobody's
        if files is None:
            for vrf in host.vrfs:
                spaces[(host.name, vrf.name)] = _not_ours(model, host, vrf.name)
            continue
        if not host.linux and switch.RUNNING in files:
            switches[host.name] = _switch(f"{host.name}:{switch.RUNNING}", host.platform, files[switch.RUNNING])
            spaces[(host.name, "")] = _switching(host, switches[host.name])
            continue
        if NETWORK not in files:
            found = f"no {NETWORK} of {host.name}"
            raise ProveError(host.name, found, "a device whose files the proof reads", "render it, or leave it out")
        for vrf, document in _json(f"{host.name}:{NETWORK}", files[NETWORK]).items():
            spaces[(host.name, vrf)] = _space((host.name, vrf), document, files)
        if FRR in files:
            routing[host.name] = _frr(f"{host.name}:{FRR}", files[FRR])
        for path, text in files.items():
            if path.startswith("/etc/wireguard/"):
                vpn = tunnels.wireguard(f"{host.name}:{path}", text)
                vpns[(host.name, vpn.device)] = vpn
            elif path.startswith("/etc/swanctl/conf.d/"):
                vpns[(host.name, "ipsec0")] = tunnels.swanctl(f"{host.name}:{path}", text)
            elif path.endswith("keepalived.conf"):
                floating += [(host.name, each) for each in tunnels.keepalived(f"{host.name}:{path}", text)]
    _float(spaces, floating)
    where = {
        (space.key[0], name): (*space.key, interface.master or name)
        for space in spaces.values()
        for name, interface in space.interfaces.items()
        if interface.kind != "loopback"
    }
    ends = [((link.a.host, link.a.port), (link.b.host, link.b.port)) for link in model.links.values()]
    cables = dict(ends) | {far: near for near, far in ends}
    return World(model, configs, spaces, cables, routing, vpns, where, switches)


def _space(key: Key, document: Any, files: Mapping[str, str]) -> Space:
    interfaces = {name: _interface(name, link) for name, link in document["links"].items()}
    path = f"/etc/nftables.d/{key[1]}.nft" if key[1] else "/etc/nftables.conf"
    apart = (name for name in files if name.endswith(".nft") and "/nftables.d/" not in name)
    included = tuple((name, files[name]) for name in apart)
    ruleset = _ruleset(f"{key[0]}:{path}", files[path], included) if path in files else None
    space = Space(key, "", True, document["forward"], interfaces, document["routes"], document["rules"], ruleset)
    space.stateful = ruleset is not None and any(
        rule.states or rule.direction or rule.set_ct_mark or rule.verdict in ("snat", "dnat", "masquerade")
        for hook in ("prerouting", "forward", "postrouting")
        for chain in ruleset.hooked(hook)
        for rule in chain.rules
    )
    space.local = {address: name for name, each in interfaces.items() for address, _ in each.addresses}
    return space


def _switching(host: Host, box: switch.Switch) -> Space:
    """A bridge per VLAN with the ports that its configuration puts there; what has no cable is nobody's way."""
    interfaces = {f"vlan{number}": Interface(f"vlan{number}", "bridge") for number in (*box.vlans, switch.NO_VLAN)}
    for port in host.ports:
        vlan = box.vlan_of(port.label)
        if vlan is not None:
            interfaces[port.name] = Interface(port.name, "port", master=f"vlan{vlan}")
    legs = [leg for leg in box.legs if leg.address and not leg.shut and leg.vlan in box.vlans]
    for leg in legs:
        assert leg.address is not None
        interfaces[f"vlan{leg.vlan}"].addresses = ((int(leg.address.ip), leg.address.network.prefixlen),)
    vrfs = {leg.vrf for leg in legs}
    routes = [
        {"prefix": str(way.prefix), "via": str(way.via), "table": "main", "where": f"{box.path}:{way.line} (static)"}
        for way in box.ways
        if way.vrf in vrfs
    ]
    space = Space(
        (host.name, ""), "", True, len(legs) > 1, interfaces, routes, ruleset=box.ruleset(), path=switch.RUNNING
    )
    space.local = {address: name for name, each in interfaces.items() for address, _ in each.addresses}
    return space


def _interface(name: str, link: Any) -> Interface:
    return Interface(
        name,
        link["kind"],
        tuple(_address(text) for text in link["addresses"]),
        link.get("master", ""),
        link.get("id", 0),
        int(IPv4Address(link["local"])) if "local" in link else 0,
        link.get("mac", ""),
        tuple((mac, int(IPv4Address(vtep))) for mac, vtep in link.get("fdb", ())),
        {int(IPv4Address(address)): mac for address, mac in link.get("neighbours", ())},
    )


def _address(text: str) -> tuple[int, int]:
    interface = IPv4Interface(text)
    return int(interface.ip), interface.network.prefixlen


def zone_of(model: NetworkModel, host: Host) -> str:
    """The zone an outside host stands in, "" for one inside."""
    kind = model.sites[host.site].kind
    if not kind.outside:
        return ""
    return "internet" if kind in (SiteKind.CARRIER, SiteKind.THIRD) else kind.value


def _not_ours(model: NetworkModel, host: Host, vrf: str) -> Space:
    """User equipment has the address and route that DHCP would give; outside hosts are as the world is."""
    interfaces = {
        port.name: Interface(
            port.name, "port", ((int(port.address.ip), port.address.network.prefixlen),) if port.address else ()
        )
        for port in host.ports
        if port.vrf == vrf
    }
    found = host.vrf(vrf)
    interfaces["lo"] = Interface("lo", "loopback", tuple((int(each.ip), 32) for each in found.loopbacks))
    routes: list[dict[str, str]] = []
    rules: list[dict[str, str]] = []
    for number, route in enumerate(found.routes, 1001):
        table = "main" if route.source is None else str(number)
        routes.append({"prefix": str(route.prefix), "via": str(route.via), "table": table})
        if route.source is not None:  # its own table, which knows the leg's neighbours too
            rules.append({"priority": str(number), "table": table, "from": str(route.source)})
            near = ((port.name, port.address.network) for port in host.ports if port.address)
            routes += [{"prefix": str(leg), "dev": name, "table": table} for name, leg in near if route.via in leg]
    outside = host.role is Role.OUTSIDE
    space = Space((host.name, vrf), zone_of(model, host), False, outside, interfaces, routes, rules)
    space.local = {address: name for name, each in interfaces.items() for address, _ in each.addresses}
    return space


def _float(spaces: dict[Key, Space], floating: list[tuple[str, tunnels.Floating]]) -> None:
    """A floating address is where the highest priority is."""
    best: dict[int, tuple[int, str, str]] = {}
    for host, each in floating:
        best[each.address] = max(best.get(each.address, (0, "", "")), (each.priority, host, each.interface))
    for address, (_, host, device) in best.items():
        space = spaces.get((host, ""))
        if space is not None and device in space.interfaces:
            space.local[address] = device


def prefix_of(text: str) -> tuple[int, int]:
    """(first address, length) of a prefix as written."""
    network = IPv4Network(text)
    return int(network.network_address), network.prefixlen
