"""A vendor switch's configuration as text -> VLANs, ports, its own address and routes, and who may log in.

Five vendors' words for the same few things.  What may decide where frames go and is not known here is an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from provision.platforms import base
from provision.platforms.numbers import read_numbers
from provision.platforms.tree import Node
from provision.prove import sets
from provision.prove.errors import ProveError
from provision.prove.filter import ESTABLISHED
from provision.prove.ruleset import Chain, Rule, Ruleset
from provision.prove.sets import Box

RUNNING = "running-configuration"
SSH, SNMP = 22, 161
NO_VLAN = 1
"""Where a port is that nobody put into a VLAN."""

_BATCH = re.compile(r"vlan batch (.+)")
_VLAN = re.compile(r"vlan (\d+)")
_PORT = re.compile(r"interface (.+)")
_LEG = re.compile(r"interface (?:Vlanif|Vlan-interface|VLAN |vlan)(\d+)")
_ACCESS = re.compile(r"(?:port default|port access|switchport access) vlan (\d+)")
_ADDRESS = re.compile(r"ip address ([\d.]+) ([\d.]+)")
_BINDING = re.compile(r"ip (?:binding vpn-instance|vrf forwarding) (\S+)")
_ROUTE = re.compile(
    r"ip route(?:-static)?(?: (?:vpn-instance|vrf) (?P<vrf>\S+))? (?P<at>[\d.]+) (?P<mask>\S+) (?P<via>\S+)"
)
_LIST = re.compile(r"(?:acl (?:number|basic)|ip access-list standard|ipv4-access-list) (\S+)")
_ENTRY = re.compile(r"(?:rule )?(?P<number>\d+) (?P<verdict>permit|deny)(?: vpn-instance (?P<vrf>\S+))?(?P<source>.*)")
_SSH = re.compile(r"(?:stelnet|stelnet ipv4|ssh) server enable|enable service ssh-server")
_SSH_LIST = re.compile(r"ssh server access-class ipv4 (\S+)")
_SNMP_OWN_LIST = re.compile(r"snmp-server access-list ipv4 (\S+)")
_LINE = re.compile(r"(?:user-interface|line) vty \d+(?: \d+)?")
_LINE_LIST = re.compile(r"acl (\S+) inbound|access-class (\S+) in")
_LINE_BARS = re.compile(r"(?:protocol inbound|transport input) (?:telnet|none)")
_SNMP = re.compile(r"snmp-(?:agent|server) group v3 \S+ .*|snmp-server group \S+ v3 .*")
_SNMP_LIST = re.compile(r".* (?:acl|access|access-list(?: ipv4)?) (\S+)")
_DECIDES = re.compile(
    r"(?:undo |no )?(?:port (?!link-mode bridge)|port-isolate|switchport (?!port-security)|vlan |traffic-|packet-filter"
    r"|ip access-group|ip policy|eth-trunk|channel-group|mux-vlan|aggregateport).*"
)
_SHUT_UNTIL_OPENED = ("zte_zxr10",)
_HYBRID_UNTIL_ACCESS = ("huawei_vrp5",)


@dataclass(slots=True)
class Port:
    """One port: the VLAN it carries untagged, and whether it is shut; lines are those of the text."""

    line: int
    shut: bool
    shut_line: int = 0
    vlan: int = NO_VLAN
    vlan_line: int = 0
    access: bool = True


@dataclass(slots=True)
class Leg:
    """The switch's own address in a VLAN."""

    vlan: int
    line: int
    address: IPv4Interface | None = None
    vrf: str = ""
    shut: bool = False


@dataclass(frozen=True, slots=True)
class Way:
    """A static route."""

    prefix: IPv4Network
    via: IPv4Address
    vrf: str
    line: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of an access list."""

    number: int
    permit: bool
    source: sets.Span
    vrf: str
    line: int
    text: str


@dataclass(slots=True)
class Switch:
    """What of a configuration decides where packets go."""

    path: str  # "b01-sw:running-configuration"
    vlans: dict[int, list[int]] = field(default_factory=dict)  # number -> its lines
    ports: dict[str, Port] = field(default_factory=dict)  # by the box's own name
    legs: list[Leg] = field(default_factory=list)
    ways: list[Way] = field(default_factory=list)
    lists: dict[str, list[Entry]] = field(default_factory=dict)
    doors: dict[int, int] = field(default_factory=dict)  # open port -> line
    guards: dict[int, tuple[int, str]] = field(default_factory=dict)  # port -> (line, its access list)
    barred: int = 0  # line that keeps SSH off the login lines

    def vlan_of(self, label: str) -> int | None:
        """The VLAN in whose bridge a port is; None: shut, unknown, or in a VLAN that is not there."""
        port = self.ports.get(label)
        if port is None or port.shut or not port.access:
            return None
        return port.vlan if port.vlan in self.vlans or port.vlan == NO_VLAN else None

    def permits(self, name: str, source: IPv4Address, vrf: str) -> bool:
        """What an access list says of a source: its first entry that matches; one that is not there lets nobody in."""
        for entry in self._entries(name, vrf):
            if any(first <= int(source) <= last for first, last in entry.source):
                return entry.permit
        return False

    def _entries(self, name: str, vrf: str) -> list[Entry]:
        """Those of a list that count for logins from a VRF, in their order."""
        found = (entry for entry in self.lists.get(name, ()) if entry.vrf in ("", vrf))
        return sorted(found, key=lambda each: each.number)

    def ruleset(self) -> Ruleset:
        """Who may speak to the switch itself: its doors by their access lists, pings, and what it began."""
        at = next((leg.line for leg in self.legs), 1)
        own = Rule(
            f"{self.path}:{at}", "answers to what it asked", states=(True, frozenset({ESTABLISHED})), verdict="accept"
        )
        ping = Rule(f"{self.path}:{at}", "answers pings", (Box(proto=sets.span(sets.ICMP)),), verdict="accept")
        chain = Chain("input", self.path, "input", 0, "filter", "drop", [own, ping])
        vrf = next((leg.vrf for leg in self.legs), "")
        for port, opened in sorted(self.doors.items()):
            if port == SSH and self.barred:
                continue
            box = Box(proto=sets.span(sets.TCP if port == SSH else sets.UDP), dport=sets.span(port))
            line, name = self.guards.get(port, (opened, ""))
            if name not in self.lists:  # no list, or one that is not there, keeps nobody out
                chain.rules.append(Rule(f"{self.path}:{line}", f"port {port} open to all", (box,), verdict="accept"))
                continue
            for entry in self._entries(name, vrf):
                verdict = "accept" if entry.permit else "drop"
                within = (box._replace(src=entry.source),)
                chain.rules.append(Rule(f"{self.path}:{entry.line}", entry.text, within, verdict=verdict))
        return Ruleset(self.path, {"inet switch input": chain})


def parse(path: str, platform: str, text: str) -> Switch:
    """Read a configuration.  Raises ProveError with file and line for a line it cannot read."""
    try:
        nodes = base.read(base.load(platform), text)
    except base.PatchError as problem:
        raise ProveError(path, str(problem), f"a configuration of {platform}", "render it again") from None
    found = Switch(path)
    for node in nodes:
        try:
            _top(found, node, platform)
        except ValueError as problem:
            expected = f"a line of {platform} known to the proof"
            advice = "teach provision/prove/switch.py to read it"
            raise ProveError(f"{path}:{node.number}", f"{node.line!r} ({problem})", expected, advice) from None
    return found


def _top(found: Switch, node: Node, platform: str) -> None:
    line = node.line
    if match := _BATCH.fullmatch(line):
        for number in sorted(read_numbers(match[1], "to")):
            found.vlans.setdefault(number, []).append(node.number)
    elif match := _VLAN.fullmatch(line):
        found.vlans.setdefault(int(match[1]), []).append(node.number)
    elif match := _LEG.fullmatch(line):
        found.legs.append(_leg(int(match[1]), node))
    elif match := _PORT.fullmatch(line):
        _port(found, match[1], node, platform)
    elif line == "switchvlan-configuration":
        for child in node.children:
            _top(found, child, platform)
    elif match := _ROUTE.match(line):
        prefix = IPv4Network((match["at"], _mask(match["mask"])))
        found.ways.append(Way(prefix, IPv4Address(match["via"]), match["vrf"] or "", node.number))
    elif match := _LIST.fullmatch(line):
        found.lists[match[1]] = [entry for child in node.children if (entry := _entry(child))]
    elif _SSH.fullmatch(line):
        found.doors[SSH] = node.number
    elif match := _SSH_LIST.fullmatch(line):
        found.guards[SSH] = (node.number, match[1])
    elif _LINE.fullmatch(line):
        for child in node.children:
            if match := _LINE_LIST.fullmatch(child.line):
                found.guards[SSH] = (child.number, match[1] or match[2])
            elif _LINE_BARS.fullmatch(child.line):
                found.barred = child.number
    elif _SNMP.fullmatch(line):
        found.doors[SNMP] = node.number
        if match := _SNMP_LIST.fullmatch(line):
            found.guards[SNMP] = (node.number, match[1])
    elif match := _SNMP_OWN_LIST.fullmatch(line):
        found.guards[SNMP] = (node.number, match[1])
    elif _DECIDES.fullmatch(line):
        raise ValueError("it may decide where frames go")


def _port(found: Switch, label: str, node: Node, platform: str) -> None:
    new = Port(node.number, platform in _SHUT_UNTIL_OPENED, access=platform not in _HYBRID_UNTIL_ACCESS)
    port = found.ports.setdefault(label, new)
    for child in node.children:
        if child.line in ("shutdown", "no shutdown", "undo shutdown"):
            port.shut, port.shut_line = child.line == "shutdown", child.number
        elif child.line in ("port link-type access", "switchport mode access"):
            port.access = True
        elif match := _ACCESS.fullmatch(child.line):
            port.vlan, port.vlan_line = int(match[1]), child.number
        elif _DECIDES.fullmatch(child.line):
            raise ValueError(f"{child.line!r} may decide where frames go")


def _leg(vlan: int, node: Node) -> Leg:
    leg = Leg(vlan, node.number)
    for child in node.children:
        if match := _ADDRESS.fullmatch(child.line):
            leg.address, leg.line = IPv4Interface(f"{match[1]}/{match[2]}"), child.number
        elif match := _BINDING.fullmatch(child.line):
            leg.vrf = match[1]
        elif child.line == "shutdown":
            leg.shut = True
    return leg


def _entry(node: Node) -> Entry | None:
    match = _ENTRY.fullmatch(node.line)
    if match is None:
        return None
    words = match["source"].split()
    if words[:1] == ["source"]:
        words = words[1:]
    if words[:1] == ["host"]:
        words = [words[1], "0"]
    source = sets.ADDRESSES if words in ([], ["any"]) else _wild(*words)
    return Entry(int(match["number"]), match["verdict"] == "permit", source, match["vrf"] or "", node.number, node.line)


def _wild(address: str, wildcard: str = "0") -> sets.Span:
    """An address and the bits of it that do not count; ValueError where these are not the last ones."""
    bits = int(IPv4Address(wildcard)) if "." in wildcard else int(wildcard)
    if bits & (bits + 1):
        raise ValueError(f"wildcard {wildcard}")
    first = int(IPv4Address(address)) & ~bits
    return ((first, first | bits),)


def _mask(text: str) -> str | int:
    return int(text) if text.isdigit() and int(text) <= 32 else text
