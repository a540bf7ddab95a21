"""The controller's way into a vendor's switch, read from the configuration that the switch will have.

It is the same question on every platform: has the management VLAN its address and its uplink, is there a way back, and
do SSH and the lists before it let the management host in?
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Interface

from inventory.hardware import vlan
from inventory.model import Host, NetworkModel
from provision.platforms.base import load, read
from provision.platforms.numbers import read_numbers
from provision.platforms.tree import Node


@dataclass(frozen=True, slots=True)
class Tongue:
    """How a command line says it; every regex matches a whole line."""

    vlans: str  # group 1: numbers
    interface: str  # group 1: the number of the VLAN that it is the interface of
    member: str  # within a port; group 1: its VLAN
    route: str  # group 1: next hop of the default route
    ssh: str
    lines: str  # the view of the login lines
    barred: str  # in it: what keeps SSH out
    list_in: str  # in it, or at the top: group 1 names the list
    access_list: str  # the view of a list; group 1 is its name
    ports_open: bool = True  # a port is open unless it says "shutdown"; else shut unless it says "no shutdown"


_ANY = r"0\.0\.0\.0 (?:0|0\.0\.0\.0)"
_VRP = Tongue(
    vlans=r"vlan batch (.+)",
    interface=r"interface Vlanif(\d+)",
    member=r"port default vlan (\d+)",
    route=rf"ip route-static (?:vpn-instance \S+ )?{_ANY} (\d\S*).*",
    ssh=r"stelnet server enable",
    lines=r"user-interface vty.*",
    barred=r"protocol inbound (?:telnet|none)",
    list_in=r"acl (\S+) inbound",
    access_list=r"acl number (\d+).*",
)
TONGUES = {
    "huawei_vrp5": _VRP,
    "huawei_vrp8": _VRP,
    "h3c_comware": Tongue(
        vlans=r"vlan (\d+)",
        interface=r"interface Vlan-interface(\d+)",
        member=r"port access vlan (\d+)",
        route=_VRP.route,
        ssh=r"ssh server enable",
        lines=r"line vty.*",
        barred=r"protocol inbound telnet",
        list_in=r"acl (\S+) inbound",
        access_list=r"acl basic (\d+).*",
    ),
    "ruijie_rgos": Tongue(
        vlans=r"vlan (\d+)",
        interface=r"interface VLAN (\d+)",
        member=r"switchport access vlan (\d+)",
        route=rf"ip route (?:vrf \S+ )?{_ANY} (\d\S*).*",
        ssh=r"enable service ssh-server",
        lines=r"line vty.*",
        barred=r"transport input (?:telnet|none)",
        list_in=r"access-class (\S+) in",
        access_list=r"ip access-list standard (\S+)",
    ),
    "zte_zxr10": Tongue(
        vlans=r"vlan (\d+)",
        interface=r"interface vlan(\d+)",
        member=r"switchport access vlan (\d+)",
        route=rf"ip route (?:vrf \S+ )?{_ANY} (\d\S*).*",
        ssh=r"ssh server enable",
        lines=r"line telnet",
        barred=r"(?!)",
        list_in=r"ssh server access-class ipv4 (\S+)",
        access_list=r"ipv4-access-list (\S+)",
        ports_open=False,
    ),
}

_RULE = re.compile(r"(?:rule )?(?:\d+ )?(?P<what>permit|deny)(?P<rest>.*)")
_SOURCE = re.compile(r"(?:source |host )?(?P<address>\d+\.\d+\.\d+\.\d+)(?: (?P<wild>0|\d+\.\d+\.\d+\.\d+))?")


@dataclass(slots=True)
class _Said:
    """What a configuration says of it."""

    vlans: set[int] = field(default_factory=set)
    addresses: dict[int, IPv4Interface] = field(default_factory=dict)  # by VLAN, of interfaces that are not shut
    members: dict[str, int] = field(default_factory=dict)
    open: dict[str, bool] = field(default_factory=dict)
    routes: set[str] = field(default_factory=set)
    ssh: bool = False
    barred: str = ""
    lists: dict[str, list[str]] = field(default_factory=dict)
    before: set[str] = field(default_factory=set)  # lists that a login has to pass


def problems(model: NetworkModel, host: Host, text: str) -> tuple[str, ...]:
    """Why the controller would not get into this switch with this configuration, in words; () when it would.

    Raises PatchError for a text that cannot be read, KeyError for an unknown platform.
    """
    tongue = TONGUES[host.platform]
    said = _read(tongue, read(load(host.platform), text))
    nms = model.hosts[model.nms].management
    network = next(each for each in model.networks.values() if each.kind == "mgmt")
    number = vlan(network)
    uplink = next((port for port in host.ports if port.bridge == f"vlan{number}" and port.label), None)
    return tuple(_problems(tongue, said, host, number, uplink.label if uplink else "", nms))


def _problems(
    tongue: Tongue, said: _Said, host: Host, number: int, uplink: str, nms: IPv4Address | None
) -> Iterator[str]:
    if number not in said.vlans:
        yield f"the management VLAN {number} is not there"
    address = said.addresses.get(number)
    if address is None or address.ip != host.management:
        found = f"{address.ip}" if address else "no address"
        yield f"VLAN {number} has {found}; the controller asks for {host.management}"
    if said.members.get(uplink) != number:
        yield f"the uplink {uplink} is not in the management VLAN {number}"
    if not said.open.get(uplink, tongue.ports_open):
        yield f"the uplink {uplink} is shut"
    via = next((str(route.via) for vrf in host.vrfs for route in vrf.routes if route.prefix.prefixlen == 0), "")
    if via and via not in said.routes and (address is None or nms is None or nms not in address.network):
        yield f"there is no default route by {via}"
    if not said.ssh:
        yield "SSH is not enabled"
    if said.barred:
        yield f"its login lines do not take SSH ({said.barred})"
    for name in sorted(said.before):
        if nms is not None and not _permits(said.lists.get(name), nms):
            yield f"its list {name} does not let the management host {nms} log in"


def _read(tongue: Tongue, nodes: tuple[Node, ...]) -> _Said:
    said = _Said()
    for node in nodes:
        _view(tongue, said, node, top=True)
        for child in node.children if node.line == "switchvlan-configuration" else ():
            _view(tongue, said, child, top=False)
    return said


def _view(tongue: Tongue, said: _Said, node: Node, *, top: bool) -> None:
    lines = [child.line for child in node.children]
    if found := re.fullmatch(tongue.vlans, node.line):
        said.vlans |= read_numbers(found[1], "to")
    elif found := re.fullmatch(tongue.interface, node.line):
        address = _first(r"ip address (\S+ \S+)", lines)
        if address and "shutdown" not in lines:
            said.addresses[int(found[1])] = IPv4Interface(address.replace(" ", "/"))
    elif node.line.startswith("interface "):
        port = node.line.removeprefix("interface ")
        if top:
            said.open[port] = "shutdown" not in lines if tongue.ports_open else "no shutdown" in lines
        if member := _first(tongue.member, lines):
            said.members[port] = int(member)
    elif found := re.fullmatch(tongue.route, node.line):
        said.routes.add(found[1])
    elif re.fullmatch(tongue.ssh, node.line):
        said.ssh = True
    elif found := re.fullmatch(tongue.access_list, node.line):
        said.lists[found[1]] = lines
    elif re.fullmatch(tongue.lines, node.line):
        said.barred = said.barred or next((line for line in lines if re.fullmatch(tongue.barred, line)), "")
        said.before |= {found[1] for line in lines if (found := re.fullmatch(tongue.list_in, line))}
    elif found := re.fullmatch(tongue.list_in, node.line):
        said.before.add(found[1])


def _first(pattern: str, lines: list[str]) -> str:
    return next((found[1] for line in lines if (found := re.fullmatch(pattern, line))), "")


def _permits(rules: list[str] | None, source: IPv4Address) -> bool:
    """What a list says of a source: its first rule that matches; a list that is not there bars everybody."""
    for line in rules or ():
        found = _RULE.fullmatch(line)
        if found is None:
            continue
        if _covers(found["rest"].strip(), source):
            return found["what"] == "permit"
    return False


def _covers(rest: str, source: IPv4Address) -> bool:
    named = _SOURCE.search(rest)
    if named is None:
        return True  # any
    wild = named["wild"] or "0"
    try:
        mask = int(IPv4Address("0.0.0.0" if wild == "0" else wild))
    except AddressValueError:
        return False
    return (int(source) | mask) == (int(IPv4Address(named["address"])) | mask)
