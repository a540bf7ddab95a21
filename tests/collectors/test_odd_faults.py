"""What is there and should not be is a fault of its own: told once, after its time, and not beside what explains it."""

from __future__ import annotations

from typing import Any

import pytest

from collectors.faults.book import Fault
from collectors.faults.tables import KINDS
from collectors.faults.tell import alert
from collectors.faults.words import words

from .world import World, small

WRONG = {"name": "t02-rt", "port": "p3", "chassis": "02:00:00:00:00:01", "mac": "02:00:00:00:00:01"}
ROGUE = {"mac": "02:54:00:10:0b:0b", "server": "192.168.1.1", "vrf": "gov", "port": "lan-gov"}
FAILED = {"kind": "https", "address": "10.32.2.9", "port": 443, "up": False, "words": "no answer within 2 s"}


def say(world: World, host: str, section: str, key: str, value: dict[str, Any] | None) -> None:
    """The host's agent tells of something, or that it is gone."""
    table = world._well[host].setdefault(section, {})
    table.pop(key, None)
    if value is not None:
        table[key] = value
    world._broken = None  # made anew


def checker(world: World) -> str:
    return world.model.nms


def test_a_wrong_cable_is_told_after_a_while_and_over_when_it_is_right() -> None:
    world = World()
    say(world, "t01-rt", "lldp", "p101", WRONG)
    world.run(6)
    assert world.open == {}
    world.run(8)
    assert world.open == {"wrong:t01-rt/p101": "wrong-neighbour"}
    (fault,) = world.watch.book.open
    assert (fault.site, fault.severity, fault.detail["found"]) == ("t01", "warning", "t02-rt p3")
    say(world, "t01-rt", "lldp", "p101", None)
    world.run(8)
    assert (world.open, world.opened) == ({}, ["wrong:t01-rt/p101"])


def test_a_rogue_server_is_told_at_once_and_stays_while_its_router_is_silent() -> None:
    world = World()
    say(world, "t01-rt", "dhcp", "gov/02:54:00:10:0b:0b", ROGUE)
    world.run(3)
    key = "rogue:t01/gov/02:54:00:10:0b:0b"
    assert world.open == {key: "rogue-dhcp"}
    world.dead.add("t01-rt")
    world.run(12)
    assert world.open == {key: "rogue-dhcp", "host:t01-rt": "host-down"}
    world.dead.clear()
    say(world, "t01-rt", "dhcp", "gov/02:54:00:10:0b:0b", None)
    world.run(20)
    assert (world.open, world.opened) == ({}, [key, "host:t01-rt"])


def test_a_silent_service_is_told_only_when_nothing_else_has_been_wrong_for_a_minute() -> None:
    world = World()
    world.cut.add("t01-c1")
    say(world, checker(world), "checks", "media", FAILED)
    world.run(70)
    assert world.open == {"link:t01-c1": "link-down"}
    world.cut.clear()
    world.run(40)
    assert world.open == {}
    world.run(45)
    assert world.open == {"check:media": "check-failed"}
    world.cut.add("t02-c3")  # a later fault is told as fast as ever, and the first is not over
    world.run(1.6)
    assert world.open == {"check:media": "check-failed", "link:t02-c3": "link-down"}
    world.cut.clear()
    say(world, checker(world), "checks", "media", {**FAILED, "up": True})
    world.run(12)
    assert (world.open, world.opened) == ({}, ["link:t01-c1", "check:media", "link:t02-c3"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_name_and_words_of_its_own(kind: str) -> None:
    subject = {"link": "t01-c1", "duct": "town", "host": "t01-rt", "service": "t01-rt/ospfd"}.get(
        kind.split("-")[0], "x"
    )
    fault = Fault(1, f"{kind.split('-')[0]}:{subject}", kind, (kind, "warning"), subject, "t01", "warning", 1.0, (), (),
                  {"reason": "because"})  # fmt: skip
    said = words(small(), fault)
    assert said.next_step != "sanwang alert show"
    assert kind not in said.en
    assert alert(fault, said, 2.0)["labels"]["kind"] == kind
