"""Patches are taken by a device that was written apart from them, and leave it as it should be."""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from provision.platforms.base import load, patch
from tests.provision.vrp import Refused, Vrp

TRIPLES = Path(__file__).parent / "triples"
HUAWEI = ("huawei_vrp5", "huawei_vrp8")


def _picture(text: str) -> object:
    device = Vrp()
    device.load(text)
    return device.picture()


def _applied(name: str, before: str, after: str) -> object:
    device = Vrp()
    device.load(before)
    device.run(patch(load(name), before, after))
    return device.picture()


def _triples() -> list[Any]:
    return [
        pytest.param(name, triple, id=f"{name}: {triple['name']}")
        for name in HUAWEI
        for triple in YAML(typ="safe").load((TRIPLES / f"{name}.yml").read_text(encoding="utf-8"))
        if "@secret:" not in triple["after"]  # a device shows its own cipher text
    ]


@pytest.mark.parametrize(("name", "triple"), _triples())
def test_every_triple_is_taken_and_gives_after(name: str, triple: dict[str, str]) -> None:
    assert _applied(name, triple["before"], triple["after"]) == _picture(triple["after"])


@pytest.mark.parametrize(("name", "triple"), _triples())
def test_no_line_of_a_patch_is_superfluous(name: str, triple: dict[str, str]) -> None:
    """Without any one of its lines the device refuses, or is left as it should not be: the device can tell."""
    commands = patch(load(name), triple["before"], triple["after"])
    for place, dropped in enumerate(commands):
        device = Vrp()
        device.load(triple["before"])
        try:
            device.run(commands[:place] + commands[place + 1 :])
        except Refused:
            continue
        bridge = dropped.startswith(("rule", "undo rule")) and any(line.startswith("rule 6") for line in commands)
        assert device.picture() != _picture(triple["after"]) or bridge or CAREFUL.match(dropped), dropped


CAREFUL = re.compile(r"undo (ospf cost|ip route-static|port hybrid vlan)")
"""Taken away first where manuals differ on whether the next command does it anyway."""

VLANS = st.lists(st.sampled_from(range(10, 40)), unique=True, max_size=14)
HOSTS = ["10.8.0.0 0.0.255.255", "10.16.0.0 0.0.255.255", "10.8.1.10 0", "10.32.9.0 0.0.0.255"]
VRFS = ["gov", "edu", "tv"]


def _lines(*rows: str) -> str:
    return "\n".join(rows)


@st.composite
def _rules(draw: st.DrawFn) -> list[str]:
    statements = st.builds(
        lambda action, protocol, source, target, port: (
            f"{action} {protocol} source {source}"
            + (f" destination {target}" if target else "")
            + (f" destination-port eq {port}" if port and protocol != "ip" else "")
        ),
        st.sampled_from(["permit", "deny"]),
        st.sampled_from(["ip", "tcp", "udp"]),
        st.sampled_from(HOSTS),
        st.sampled_from(["", *HOSTS]),
        st.sampled_from([0, 22, 443]),
    )
    chosen = draw(st.lists(statements, unique=True, max_size=4))
    numbers = draw(st.lists(st.sampled_from([5, 10, 15, 20]), unique=True, min_size=4, max_size=4))
    return [f" rule {number} {statement}" for number, statement in sorted(zip(numbers, chosen, strict=False))]


@st.composite
def _interface(draw: st.DrawFn, number: int, vrfs: list[str], addresses: list[int], vlans: list[int]) -> list[str]:
    kind = draw(st.sampled_from(["access", "trunk", "routed", "member", "bare"]))
    rows = [f"interface GigabitEthernet0/0/{number}"]
    if draw(st.booleans()):
        rows.append(f" description to {number} {draw(st.sampled_from('abc'))}")
    if kind == "access":
        rows += [" port link-type access", f" port default vlan {vlans[0] if vlans else 1}"]
    elif kind == "trunk":
        rows.append(" port link-type trunk")
        rows += [f" port trunk allow-pass vlan {' '.join(map(str, sorted(vlans[:9])))}"] if vlans else []
    elif kind == "routed":
        vrf = draw(st.sampled_from(["", *vrfs]))
        rows += [f" ip binding vpn-instance {vrf}"] if vrf else []
        rows += [f" ip address 10.8.{addresses.pop()}.1 255.255.255.0"]
        rows += [f" ospf cost {draw(st.sampled_from([5, 50]))}"] if draw(st.booleans()) else []
    elif kind == "member":
        rows = [rows[0], f" eth-trunk {draw(st.sampled_from([1, 2]))}"]
    if kind in ("access", "trunk"):
        rows += [f" traffic-policy {draw(st.sampled_from(['p1', 'p2']))} inbound"] if draw(st.booleans()) else []
    return rows


@st.composite
def configurations(draw: st.DrawFn) -> str:
    """A switch's configuration as it is shown."""
    vlans = draw(VLANS)
    vrfs = draw(st.lists(st.sampled_from(VRFS), unique=True))
    addresses = draw(st.permutations(range(1, 9)))
    rows = [f"sysname {draw(st.sampled_from(['a', 'b']))}"]
    rows += [f"ip vpn-instance {vrf}\n ipv4-family" for vrf in vrfs]
    rows += [f"vlan batch {' '.join(map(str, sorted(vlans[:10])))}"] if vlans else []
    rows += ["acl number 3001", *draw(_rules())]
    for policy in ("p1", "p2"):
        rows += [f"traffic behavior b{policy}\n car cir {draw(st.sampled_from([100, 200]))}"]
        rows += [f"traffic policy {policy}\n classifier c behavior b{policy}"]
    rows += ["interface Eth-Trunk1", "interface Eth-Trunk2"]
    for number in range(1, 4):
        rows += draw(_interface(number, vrfs, list(addresses[2 * number - 2 : 2 * number]), vlans))
    rows += [f"ospf 1\n area 0.0.0.{draw(st.sampled_from([0, 1]))}\n  network 10.8.1.0 0.0.0.255"]
    rows += [f"bgp {draw(st.sampled_from([65001, 65002]))}"]
    for peer in draw(st.lists(st.sampled_from([1, 2, 3]), unique=True)):
        rows += [f" peer 10.0.0.{peer} as-number {draw(st.sampled_from([65100, 65200]))}"]
        rows += [f" peer 10.0.0.{peer} description x"] if draw(st.booleans()) else []
        rows += [f" ipv4-family unicast\n  peer 10.0.0.{peer} enable"] if peer == 1 else []
    for hop in draw(st.lists(st.sampled_from([1, 2, 3]), unique=True)):
        preference = draw(st.sampled_from(["", " preference 80"]))
        vrf = draw(st.sampled_from(["", "vpn-instance gov "]))
        rows += [f"ip route-static {vrf}0.0.0.0 0.0.0.0 10.8.1.{hop}{preference}"]
    rows += [f"ntp-service unicast-server 10.32.2.{server}" for server in draw(st.sets(st.sampled_from([1, 2])))]
    rows += [f"user-interface vty 0 4\n acl {draw(st.sampled_from([2000, 2001]))} inbound"]
    return _lines(*rows)


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(HUAWEI), configurations(), configurations())
def test_any_change_is_taken_and_gives_after(name: str, before: str, after: str) -> None:
    assert _applied(name, before, after) == _picture(after)
    assert patch(load(name), after, after) == ()


def _decide(rules: list[str], protocol: str, source: int, target: int, port: int) -> str:
    """What a list does with a packet; rules in the order of their numbers, nothing matched is "none"."""
    for rule in sorted(rules, key=lambda line: int(line.split()[1])):
        words = rule.split()
        if words[3] not in ("ip", protocol):
            continue
        if not all(_covers(words, side, address) for side, address in (("source", source), ("destination", target))):
            continue
        if "destination-port" in words and int(words[words.index("destination-port") + 2]) != port:
            continue
        return words[2]
    return "none"


def _covers(words: list[str], side: str, address: int) -> bool:
    if side not in words:
        return True
    base, wildcard = words[words.index(side) + 1 :][:2]
    mask = int(IPv4Address(wildcard if "." in wildcard else int(wildcard)))
    return (int(IPv4Address(base)) | mask) == (address | mask)


@settings(max_examples=150, deadline=None)
@given(_rules(), st.data())
def test_a_rule_is_replaced_without_a_gap(rules: list[str], data: st.DataObject) -> None:
    """One rule gets another statement: after every single command each packet is treated as before or as after."""
    if not rules:
        return
    place = data.draw(st.integers(0, len(rules) - 1))
    other = data.draw(_rules())
    if not other or any(rule.split()[2:] == other[0].split()[2:] for rule in rules):
        return
    if other[0].count("10.8.1.10 0") == 2:
        return  # from one address to one address: nothing can be halved
    changed = list(rules)
    changed[place] = f" rule {rules[place].split()[1]} {' '.join(other[0].split()[2:])}"
    before, after = ("acl number 3001\n" + "\n".join(one) for one in (rules, changed))
    commands = patch(load("huawei_vrp5"), before, after)
    packets = [
        (protocol, int(IPv4Address(source)), int(IPv4Address(target)), port)
        for protocol in ("tcp", "udp", "icmp")
        for source in ("10.8.1.10", "10.8.200.1", "10.16.3.3", "10.32.9.9", "192.0.2.1")
        for target in ("10.8.1.10", "10.16.200.1", "10.32.9.200", "192.0.2.1")
        for port in (22, 443, 80)
    ]
    old = [_decide([row.strip() for row in rules], *packet) for packet in packets]
    new = [_decide([row.strip() for row in changed], *packet) for packet in packets]
    device = Vrp()
    device.load(before)
    for command in commands:
        device.step(command)
        inner = device.top["acl number 3001"] or {}
        now = [_decide(list(inner), *packet) for packet in packets]
        assert all(one in (was, will) for one, was, will in zip(now, old, new, strict=True)), (command, commands)
