"""What a device's configuration and answers say of VLANs, addresses, routes and neighbours, whoever made it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network

from provision.adopt.taken import Taken
from provision.parsers.catalog import UnknownParser
from provision.parsers.run import NotUnderstood, parse
from provision.platforms.base import PatchError, load, read
from provision.platforms.numbers import RangeError, read_numbers
from provision.platforms.tree import Node

_NAME = re.compile(r"(?:sysname|hostname) (\S+)")
_VLAN = re.compile(r"vlan (?:batch |range )?(\d[\d ,\-to]*)")
_ADDRESS = re.compile(r"ip address (\d+\.\d+\.\d+\.\d+)(?:/| +)(\d+(?:\.\d+\.\d+\.\d+)?)(?: .*)?")
_ROUTE = re.compile(
    r"ip route(?:-static)? (?:(?:vpn-instance|vrf) (?P<vrf>\S+) )?(?P<prefix>\d+\.\d+\.\d+\.\d+)(?:/| +)"
    r"(?P<mask>\d+(?:\.\d+\.\d+\.\d+)?) (?:\S*[a-zA-Z]\S*(?: \d\S*)? )?(?:vpn-instance \S+ )?"
    r"(?P<via>\d+\.\d+\.\d+\.\d+)"
)
_LLDP = re.compile(r"dis\w* lldp nei\S*|sh\w* lldp nei\S*", re.IGNORECASE)
_PORT = re.compile(r"(?P<letters>[A-Za-z\-]*?(?:\d+GE|[A-Za-z\-]*))[ ]?(?P<numbers>\d+(?:/\d+)*)")
_SHORT = {
    "gigabitethernet": "ge",
    "gi": "ge",
    "g": "ge",
    "xgigabitethernet": "10ge",
    "xge": "10ge",
    "tengigabitethernet": "10ge",
    "ten-gigabitethernet": "10ge",
    "te": "10ge",
    "m-gigabitethernet": "meth",
}


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Who says over LLDP to be at the other end of a port."""

    port: str
    name: str
    far_port: str


@dataclass(frozen=True, slots=True)
class Facts:
    """A device in the words that every platform shares."""

    name: str
    vlans: tuple[int, ...]
    addresses: tuple[tuple[str, IPv4Interface], ...]  # interface, address
    routes: tuple[tuple[str, IPv4Network, str], ...]  # VRF ("" none), prefix, next hop
    neighbours: tuple[Neighbour, ...] | None  # None: LLDP was not read
    not_read: tuple[str, ...]


def facts_of(taken: Taken) -> Facts:
    """Everything that is compared.  Raises PatchError for a configuration that cannot be read."""
    nodes = tuple(node for top in read(load(taken.platform), taken.running) for node in top.walk())
    lines = [node.line for node in nodes]
    name = next((found[1] for line in lines if (found := _NAME.fullmatch(line))), "")
    neighbours, unread = _neighbours(taken)
    return Facts(
        name=name,
        vlans=tuple(sorted({number for line in lines for number in _vlans(line)})),
        addresses=tuple(_addresses(nodes)),
        routes=tuple(_routes(lines)),
        neighbours=neighbours,
        not_read=(*taken.not_read, *unread),
    )


def _vlans(line: str) -> frozenset[int]:
    found = _VLAN.fullmatch(line)
    try:
        return read_numbers(found[1], "to" if " to " in line or "," not in line else "comma") if found else frozenset()
    except RangeError:
        return frozenset()  # no list that a device takes: it is still in the difference


def port_key(name: str) -> str:
    """A port's name as it is compared: ``GigabitEthernet0/0/1``, ``GE0/0/1`` and ``Gi 0/0/1`` are one."""
    found = _PORT.fullmatch(name.strip())
    if not found:
        return name.strip().lower()
    letters = found["letters"].strip().lower()
    return f"{_SHORT.get(letters, letters)}{found['numbers']}"


def _addresses(nodes: tuple[Node, ...]) -> Iterator[tuple[str, IPv4Interface]]:
    for node in nodes:
        if not node.line.startswith("interface "):
            continue
        for child in node.children:
            found = _ADDRESS.fullmatch(child.line)
            if found:
                try:
                    yield node.line.removeprefix("interface ").strip(), IPv4Interface(f"{found[1]}/{found[2]}")
                except ValueError:
                    continue  # no address: the device would not have taken it, and it is still in the difference


def _routes(lines: list[str]) -> Iterator[tuple[str, IPv4Network, str]]:
    for line in lines:
        found = _ROUTE.match(line)
        if found:
            try:
                prefix = IPv4Network(f"{found['prefix']}/{found['mask']}", strict=False)
            except ValueError:
                continue
            yield found["vrf"] or "", prefix, found["via"]


def _neighbours(taken: Taken) -> tuple[tuple[Neighbour, ...] | None, tuple[str, ...]]:
    asked = [command for command in taken.answers if _LLDP.match(command)]
    if not asked:
        return None, ()
    found: list[Neighbour] = []
    for command in asked:
        try:
            rows = parse(taken.platform, command, taken.answers[command])
        except (UnknownParser, NotUnderstood) as error:
            return None, (f"{command}: {error}",)
        found += [
            Neighbour(
                port=str(row.get("local_interface", "")),
                name=str(row.get("neighbor_name") or row.get("system_name") or ""),
                far_port=str(row.get("port_id") or row.get("neighbor_port_id") or row.get("neighbor_interface") or ""),
            )
            for row in rows
        ]
    return tuple(found), ()


__all__ = ["Facts", "Neighbour", "PatchError", "facts_of", "port_key"]
