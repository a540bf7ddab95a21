"""Ruijie's and ZTE's access lists: an entry gets another statement, and no packet ever meets neither."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.platforms.base import load, patch
from tests.provision.box_cli import Box
from tests.provision.tongues import TONGUES

NETWORKS = ("10.8.0.0 0.0.255.255", "10.16.0.0 0.0.255.255", "10.32.9.0 0.0.0.255", "any")
HEADS = {"ruijie_rgos": ("ip access-list extended A", ""), "zte_zxr10": ("ipv4-access-list A", "rule ")}
PACKETS = [
    (protocol, int(IPv4Address(source)), int(IPv4Address(target)), port)
    for protocol in ("tcp", "udp", "icmp")
    for source in ("10.8.1.10", "10.8.200.1", "10.16.3.3", "10.32.9.9", "192.0.2.1")
    for target in ("10.8.1.10", "10.16.200.1", "10.32.9.200", "192.0.2.1")
    for port in (22, 443)
]


@st.composite
def statements(draw: st.DrawFn) -> str:
    """What an entry says, without its number."""
    protocol = draw(st.sampled_from(["ip", "tcp", "udp"]))
    port = draw(st.sampled_from(["", " eq 22", " eq 443"])) if protocol != "ip" else ""
    source, target = draw(st.sampled_from(NETWORKS)), draw(st.sampled_from(NETWORKS))
    return f"{draw(st.sampled_from(['permit', 'deny']))} {protocol} {source} {target}{port}"


def decide(entries: list[str], protocol: str, source: int, target: int, port: int) -> str:
    """What a list does with a packet: its entries in the order of their numbers, else "none"."""
    told = [entry.removeprefix("rule ").split() for entry in entries]
    for words in sorted(told, key=lambda one: int(one[0])):
        rest = words[3:]
        fits = words[2] in ("ip", protocol)
        for address in (source, target):
            if rest[0] == "any":
                rest = rest[1:]
                continue
            wildcard = int(IPv4Address(rest[1]))
            fits &= int(IPv4Address(rest[0])) | wildcard == address | wildcard
            rest = rest[2:]
        if fits and (not rest or int(rest[1]) == port):
            return words[1]
    return "none"


@pytest.mark.parametrize("name", HEADS)
@settings(max_examples=60)
@given(st.lists(statements(), unique=True, min_size=2, max_size=4), st.data())
def test_an_entry_is_replaced_without_a_gap(name: str, drawn: list[str], data: st.DataObject) -> None:
    """After every single command each packet is treated as before or as after."""
    head, word = HEADS[name]
    place = data.draw(st.integers(0, len(drawn) - 2))
    old = [f"{word}{10 * number} {says}" for number, says in enumerate(drawn[:-1], 1)]
    new = [*old[:place], f"{word}{10 * place + 10} {drawn[-1]}", *old[place + 1 :]]
    before, after = (head + "".join(f"\n {entry}" for entry in entries) for entries in (old, new))
    device = Box(name, TONGUES[name])
    device.load(before)
    were, will = ([decide(entries, *packet) for packet in PACKETS] for entries in (old, new))
    for command in patch(load(name), before, after):
        device.step(command)
        now = [decide(list(device.top[head] or {}), *packet) for packet in PACKETS]
        assert all(one in (was, is_to) for one, was, is_to in zip(now, were, will, strict=True)), command
    assert now == will
