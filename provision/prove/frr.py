"""frr.conf as text -> static routes, OSPF interfaces, and what BGP tells; only what decides where packets go."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError

from provision.prove.errors import ProveError


@dataclass(frozen=True, slots=True)
class Static:
    """``ip route PREFIX VIA [tag N]``."""

    prefix: IPv4Network
    via: IPv4Address
    tag: int
    line: int


@dataclass(slots=True)
class OspfInterface:
    """What OSPF does on an interface of the underlay."""

    area: str = ""
    cost: int = 10
    passive: bool = False
    hello: int = 10
    dead: int = 40
    network: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Clause:
    """One entry of a route-map."""

    permit: bool
    prefix_list: str = ""
    tag: int = 0
    preference: int = 0


@dataclass(slots=True)
class Bgp:
    """One BGP instance of a VRF."""

    number: int
    router_id: IPv4Address = field(default_factory=lambda: IPv4Address(0))
    neighbours: dict[IPv4Address, int] = field(default_factory=dict)  # address -> remote AS
    active: set[IPv4Address] = field(default_factory=set)
    networks: list[IPv4Network] = field(default_factory=list)
    redistribute: dict[str, str] = field(default_factory=dict)  # "connected" or "static" -> route-map
    line: int = 0


@dataclass(slots=True)
class Frr:
    """One router's file."""

    path: str
    statics: dict[str, list[Static]] = field(default_factory=dict)  # by VRF
    ospf: dict[str, OspfInterface] = field(default_factory=dict)
    ospf_on: bool = False
    bgp: dict[str, Bgp] = field(default_factory=dict)
    prefix_lists: dict[str, list[tuple[bool, IPv4Network, int, int]]] = field(default_factory=dict)
    route_maps: dict[str, list[tuple[int, Clause]]] = field(default_factory=dict)

    def preference(self, route_map: str, prefix: IPv4Network, tag: int) -> int | None:
        """Local preference a route gets through a route-map; None when it is not let through."""
        if not route_map:
            return 100
        for _, clause in sorted(self.route_maps.get(route_map, []), key=lambda each: each[0]):
            if clause.prefix_list and not self._listed(clause.prefix_list, prefix):
                continue
            if clause.tag and clause.tag != tag:
                continue
            return (clause.preference or 100) if clause.permit else None
        return None

    def _listed(self, name: str, prefix: IPv4Network) -> bool:
        for permit, network, low, high in self.prefix_lists.get(name, []):
            if prefix.subnet_of(network) and low <= prefix.prefixlen <= high:
                return permit
        return False


_QUIET = ("frr", "hostname", "log", "no", "service", "exit", "exit-vrf", "exit-address-family", "!", "end", "netns")


def parse(path: str, text: str) -> Frr:
    """Read a file.  Raises ProveError with file and line for a line it cannot read."""
    found = Frr(path)
    where: list[str] = []
    for number, raw in enumerate(text.split("\n"), 1):
        words = raw.split()
        if not words or words[0].startswith("!"):
            continue
        try:
            where = _line(found, where, words, number, indented=raw.startswith(" "))
        except (ValueError, IndexError, KeyError, AddressValueError, NetmaskValueError) as problem:
            expected = "a line of FRR known to the proof"
            advice = "teach provision/prove/frr.py to read it"
            raise ProveError(f"{path}:{number}", f"{raw.strip()!r} ({problem})", expected, advice) from None
    return found


def _line(found: Frr, where: list[str], words: list[str], number: int, indented: bool) -> list[str]:
    if not indented:
        return _section(found, words, number)
    match where:
        case ["vrf", name] if words[:2] == ["ip", "route"]:
            tag = int(words[words.index("tag") + 1]) if "tag" in words else 0
            static = Static(IPv4Network(words[2]), IPv4Address(words[3]), tag, number)
            found.statics.setdefault(name, []).append(static)
        case ["interface", name] if words[:2] == ["ip", "ospf"]:
            _ospf(found.ospf.setdefault(name, OspfInterface(line=number)), words[2:])
        case ["route-map", name, kind, order]:
            _clause(found.route_maps[name], words, kind == "permit", int(order))
        case ["bgp", vrf]:
            _bgp(found.bgp[vrf], words)
        case _:
            if where and where[0] in ("vrf", "interface") and words[0] not in (*_QUIET, "ip", "description"):
                raise ValueError(f"unknown in {' '.join(where)}")
    return where


def _section(found: Frr, words: list[str], number: int) -> list[str]:
    match words:
        case ["vrf", name]:
            return ["vrf", name]
        case ["interface", name, *_]:
            return ["interface", name]
        case ["route-map", name, kind, order]:
            found.route_maps.setdefault(name, []).append((int(order), Clause(kind == "permit")))
            return words
        case ["ip", "prefix-list", name, "seq", _, kind, prefix, *rest]:
            network = IPv4Network(prefix)
            options = dict(zip(rest[::2], map(int, rest[1::2]), strict=True))
            low = options.get("ge", network.prefixlen)
            high = options.get("le", 32 if "ge" in options else network.prefixlen)
            found.prefix_lists.setdefault(name, []).append((kind == "permit", network, low, high))
            return []
        case ["ip", "route", prefix, via, *rest]:
            tag = int(rest[rest.index("tag") + 1]) if "tag" in rest else 0
            found.statics.setdefault("", []).append(Static(IPv4Network(prefix), IPv4Address(via), tag, number))
            return []
        case ["router", "bgp", number_, "vrf", vrf]:
            found.bgp[vrf] = Bgp(int(number_), line=number)
            return ["bgp", vrf]
        case ["router", "ospf"]:
            found.ospf_on = True
            return ["ospf"]
        case ["bfd"]:
            return ["bfd"]
        case [first, *_] if first in _QUIET:
            return []
    raise ValueError("unknown section")


def _ospf(interface: OspfInterface, words: list[str]) -> None:
    match words:
        case ["area", area]:
            interface.area = area
        case ["cost", cost]:
            interface.cost = int(cost)
        case ["passive"]:
            interface.passive = True
        case ["hello-interval", seconds]:
            interface.hello = int(seconds)
        case ["dead-interval", seconds]:
            interface.dead = int(seconds)
        case ["network", kind]:
            interface.network = kind
        case ["bfd", *_]:
            pass
        case _:
            raise ValueError("unknown in ip ospf")


def _clause(entries: list[tuple[int, Clause]], words: list[str], permit: bool, order: int) -> None:
    place = next(index for index, (number, _) in enumerate(entries) if number == order)
    old = entries[place][1]
    match words:
        case ["match", "ip", "address", "prefix-list", name]:
            new = Clause(permit, name, old.tag, old.preference)
        case ["match", "tag", tag]:
            new = Clause(permit, old.prefix_list, int(tag), old.preference)
        case ["set", "local-preference", value]:
            new = Clause(permit, old.prefix_list, old.tag, int(value))
        case _:
            raise ValueError("unknown in route-map")
    entries[place] = (order, new)


def _bgp(bgp: Bgp, words: list[str]) -> None:
    match words:
        case ["bgp", "router-id", address]:
            bgp.router_id = IPv4Address(address)
        case ["neighbor", address, "remote-as", number]:
            bgp.neighbours[IPv4Address(address)] = int(number)
        case ["neighbor", address, "activate"]:
            bgp.active.add(IPv4Address(address))
        case ["neighbor", _, "bfd" | "timers" | "next-hop-self", *_]:
            pass
        case ["network", prefix]:
            bgp.networks.append(IPv4Network(prefix))
        case ["redistribute", what, "route-map", name]:
            bgp.redistribute[what] = name
        case ["redistribute", what]:
            bgp.redistribute[what] = ""
        case ["address-family", *_] | ["exit-address-family"] | ["no", *_]:
            pass
        case _:
            raise ValueError("unknown in router bgp")
