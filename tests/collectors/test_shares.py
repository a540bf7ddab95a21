"""Who uses the exit: the kernel's HTB classes as the agent reads them, and as the collector shows them."""

from __future__ import annotations

import json
import struct

from hypothesis import given
from hypothesis import strategies as st

from collectors.agent.config import parse
from collectors.agent.shares import SHARE_BASE, parse_classes
from inventory.load import load_model
from provision.render.qos import SHARES, share_class
from provision.render.watch import agent_files


def attribute(kind: int, body: bytes) -> bytes:
    padded = body + bytes(-len(body) % 4)
    return struct.pack("=HH", 4 + len(body), kind) + padded


def message(kind: int, body: bytes, sequence: int) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, 2, sequence, 0) + body


def one_class(minor: int, octets: int, dropped: int, sequence: int = 7) -> bytes:
    statistics = attribute(1, struct.pack("=QI", octets, 9)) + attribute(3, struct.pack("=IIIII", 0, 0, dropped, 0, 0))
    head = struct.pack("=BxHiIII", 0, 0, 4, 1 << 16 | minor, 1 << 16, 0)
    return message(40, head + attribute(1, b"htb\0") + attribute(7, statistics), sequence)


def test_octets_and_drops_of_each_class_are_read() -> None:
    data = one_class(0x105, 5_000_000_000, 3) + one_class(0x50, 1, 0) + message(3, bytes(4), 7)
    assert parse_classes(data, 7) == (True, [(0x105, (5_000_000_000, 3)), (0x50, (1, 0))])


def test_an_answer_to_another_question_is_not_taken() -> None:
    assert parse_classes(one_class(0x105, 5, 3, sequence=6), 7) == (False, [])


@given(st.binary(max_size=300))
def test_no_datagram_breaks_the_reader(data: bytes) -> None:
    parse_classes(data, 7)
    parse_classes(one_class(0x101, 1, 1)[:20] + data, 7)


def test_the_classes_are_those_that_provision_makes() -> None:
    assert [int(share_class(number), 16) - SHARE_BASE for number in range(SHARES)] == list(range(SHARES))


def test_the_firewall_alone_counts_shares_on_both_sides_of_the_exit() -> None:
    model = load_model("shili")
    found = {
        name: json.loads(next(iter(agent_files(model, host))).text) for name, host in model.hosts.items() if host.linux
    }
    assert [name for name, document in found.items() if "shares" in document] == [model.firewall]
    shares = dict(parse(found[model.firewall]).shares)
    assert {port for port, direction in shares.items() if direction == "up"} == {line.port for line in model.exits}
    assert "down" in shares.values()
