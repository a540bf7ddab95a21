"""A device beside the model: what the model would add, remove and change, and what the model does not know."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from inventory.hardware import vlan
from inventory.model import Host, NetworkModel, Role
from provision.adopt.facts import Facts, facts_of, port_key
from provision.adopt.taken import Taken
from provision.platforms import base
from provision.platforms.hide import hidden
from provision.render.switch import render_switch
from provision.vendor.transcript import hidden as masked

_SECTIONS = (
    ("ports and interfaces", r"interface\b"),
    ("VLANs", r"vlan\b|switchvlan"),
    ("routes", r"ip route|router\b|ospf\b|bgp\b|ip (?:vpn-instance|vrf)|vrf\b"),
    ("access lists", r"acl\b|ip access-list|ipv4-access-list|access-list|traffic|qos|class-map|policy-map|mls"),
    (
        "logins",
        r"aaa\b|local-user|user-interface|username|line\b|ssh\b|stelnet|telnet|system-user|enable|super|domain\b",
    ),
    ("management", r"snmp|ntp|clock|info-center|logging|syslog|sntp|lldp"),
)


@dataclass(frozen=True, slots=True)
class Block:
    """One view (or line) of the configuration that differs."""

    section: str
    view: str  # the line at the top
    kind: str  # add: the model has it, the device has not; remove: the other way round; change: inside it
    rows: tuple[str, ...]  # "-" what the device has, "+" what the model wants

    def as_json(self) -> dict[str, Any]:
        """The block as one object."""
        return {"section": self.section, "view": self.view, "kind": self.kind, "rows": list(self.rows)}


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something on the device that the model does not know, or knows otherwise."""

    kind: str  # name, vlan, address, route, neighbour
    where: str
    found: str
    expected: str
    advice: str

    def __str__(self) -> str:
        return f"{self.kind} {self.where}: found {self.found}; expected {self.expected}; {self.advice}"

    def as_json(self) -> dict[str, str]:
        """The finding as one object."""
        keys = ("kind", "where", "found", "expected", "next")
        return dict(zip(keys, (self.kind, self.where, self.found, self.expected, self.advice), strict=True))


@dataclass(frozen=True, slots=True)
class Compared:
    """The whole answer on one device."""

    source: str
    host: str  # in the model; "" for a device that it does not know
    platform: str
    facts: Facts
    blocks: tuple[Block, ...]
    unknown: tuple[Unknown, ...]

    @property
    def same(self) -> bool:
        """Nothing differs, and nothing is unknown."""
        return bool(self.host) and not self.blocks and not self.unknown

    def as_json(self) -> dict[str, Any]:
        """The answer as one object."""
        return {
            "source": self.source,
            "host": self.host,
            "platform": self.platform,
            "name": self.facts.name,
            "same": self.same,
            "configuration": [block.as_json() for block in self.blocks],
            "unknown": [each.as_json() for each in self.unknown],
            "not_read": list(self.facts.not_read),
        }


def compare(model: NetworkModel, taken: Taken, name: str = "") -> Compared:
    """Compare a device with the host of that name ("": the one whose name it has).

    Raises PatchError for a configuration that cannot be read, KeyError for a ``name`` that the model lacks.
    """
    facts = facts_of(taken)
    host = model.hosts[name] if name else model.hosts.get(facts.name)
    blocks: tuple[Block, ...] = ()
    if host is not None and host.role is Role.SWITCH:
        blocks = tuple(_blocks(model, host, taken))
    elif host is not None:
        said = f"line by line: {host.name} is a {host.role.value} on Linux in the model, no {taken.platform}"
        facts = dataclasses.replace(facts, not_read=(*facts.not_read, said))
    unknown = [*_name(model, host, facts), *_vlans(model, host, facts), *_addresses(model, host, facts)]
    unknown += [*_routes(host, facts), *_cabling(host, facts)]
    return Compared(taken.source, host.name if host else "", taken.platform, facts, blocks, tuple(unknown))


def _blocks(model: NetworkModel, host: Host, taken: Taken) -> Iterator[Block]:
    platform = base.load(taken.platform)
    wanted = render_switch(model, dataclasses.replace(host, platform=taken.platform))
    rows = masked(base.diff(platform, hidden(platform, taken.running, wanted), wanted)).splitlines()
    while rows:
        block = [rows.pop(0)]
        while rows and rows[0][1:2] == " ":
            block.append(rows.pop(0))
        kind = {"+": "add", "-": "remove"}.get(block[0][0], "change")
        yield Block(_section(block[0][1:]), block[0][1:], kind, tuple(block))


def _section(line: str) -> str:
    return next((name for name, words in _SECTIONS if re.match(words, line)), "other")


def _name(model: NetworkModel, host: Host | None, facts: Facts) -> Iterator[Unknown]:
    if host is None:
        yield Unknown("name", "", facts.name or "none", "a host of the county", "say which it is: --as HOST")
    elif facts.name != host.name:
        whose = f", the name of another host of {model.hosts[facts.name].site}" if facts.name in model.hosts else ""
        yield Unknown("name", "", f"{facts.name}{whose}", host.name, "the first apply would rename it")


def _vlans(model: NetworkModel, host: Host | None, facts: Facts) -> Iterator[Unknown]:
    if host is None or host.role is not Role.SWITCH:
        return
    known = {vlan(model.networks[name]): name for name in host.networks}
    others = {vlan(network): name for name, network in model.networks.items()}
    for number in facts.vlans:
        if number != 1 and number not in known:
            meant = f"; in this county {number} is {others[number]}" if number in others else ""
            wanted = ", ".join(f"{each} ({name})" for each, name in sorted(known.items()))
            yield Unknown("vlan", str(number), f"VLAN {number}{meant}", wanted, "find out who uses it before it goes")


def _addresses(model: NetworkModel, host: Host | None, facts: Facts) -> Iterator[Unknown]:
    mine = _own(host) if host is not None else set()
    owners = {address: each.name for each in model.hosts.values() for address in _own(each)}
    for port, address in facts.addresses:
        if address.ip in mine:
            continue
        owner = owners.get(address.ip)
        found = f"{address}, {owner}'s address" if owner else str(address)
        expected = ", ".join(map(str, sorted(mine))) or "an address that the model gives"
        advice = "two would have it: renumber this device first" if owner else "find out who uses it before it goes"
        yield Unknown("address", port, found, expected, advice)


def _own(host: Host) -> set[IPv4Address]:
    found = [port.address for port in host.ports] + [host.staging]
    found += [bridge.address for each in host.vrfs for bridge in each.bridges]
    return {each.ip for each in found if each is not None} | {
        each for each in (host.management, host.loopback) if each is not None
    }


def _routes(host: Host | None, facts: Facts) -> Iterator[Unknown]:
    if host is None:
        return
    known = {(route.prefix, str(route.via)) for each in host.vrfs for route in each.routes}
    wanted = ", ".join(f"{prefix} via {via}" for prefix, via in sorted(known, key=str)) or "none"
    for vrf, prefix, via in facts.routes:
        if (prefix, via) not in known:
            inside = f" in {vrf}" if vrf else ""
            yield Unknown("route", str(prefix), f"{prefix} via {via}{inside}", wanted, "find out what needs it")


def _cabling(host: Host | None, facts: Facts) -> Iterator[Unknown]:
    if host is None or facts.neighbours is None:
        return
    planned = {port_key(port.label or port.name): port for port in host.ports}
    for each in facts.neighbours:
        port = planned.get(port_key(each.port))
        who = f"{each.name or 'a device without a name'} ({each.far_port})"
        if port is None:
            yield Unknown("neighbour", each.port, who, "nobody", "the plan has no cable there: trace it")
        elif each.name.partition(".")[0] != port.peer_host:
            advice = "the cable contradicts the plan: move it, or correct the county's files"
            yield Unknown("neighbour", each.port, who, f"{port.peer_host} ({port.peer_port})", advice)
