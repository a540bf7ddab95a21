"""The exit as a switch: what changes on which device, how it is kept, and how a carrier's line is judged."""

from __future__ import annotations

import struct
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory import switches
from inventory.errors import CountyErrors
from inventory.load import load_model
from inventory.model import NetworkModel, Switch
from inventory.schema import SwitchesIntent, SwitchIntent
from inventory.walk import County, Flow
from provision.broker.wire import BrokerError
from provision.environment import load_environment
from provision.exit import seen
from provision.platforms.linux.lines import ALIVE_AFTER, DEAD_AFTER, Line, answered, checksum, chosen, echo_request
from provision.render import render
from tests.drills.counties import with_two_carriers

MARK = Switch("wang", "attack", "2026-11-22T04:00:00+00:00")
WRITTEN = SwitchIntent(who="wang", why="攻击", at="2026-11-22T04:00:00+00:00")
WORDS = st.text(min_size=1).map(str.strip).filter(bool)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_two_carriers(tmp_path_factory.mktemp("exit") / "county")


@pytest.fixture(scope="module")
def model(folder: Path) -> NetworkModel:
    return load_model(folder)


def texts(model: NetworkModel) -> dict[tuple[str, str], str]:
    environment = load_environment("production")
    return {
        (host.name, file.path): file.text
        for host in model.appliances()
        for file in render(model, host.name, environment)
    }


def test_closing_changes_one_small_file_of_the_firewall_and_nothing_else(model: NetworkModel) -> None:
    before, after = texts(model), texts(replace(model, exit_closed=MARK))
    changed = {key for key in before if before[key] != after[key]}
    assert changed == {(model.firewall, "/etc/sanwang/exit.nft")}
    assert before.keys() == after.keys()
    text = after[model.firewall, "/etc/sanwang/exit.nft"]
    assert text.count("drop") == 2
    for line in model.exits:
        assert text.count(f'"{line.port}"') == 2
    assert "attack" not in text


def test_a_closed_exit_stops_both_ways_and_answers_but_not_tunnels(model: NetworkModel) -> None:
    user = model.endpoint("t01", "gov")
    there = Flow(user.host, user.vrf, user.address, IPv4Address("203.0.113.80"), "tcp", 443)
    village = model.tunnels["v01"]
    outer = Flow(village.host, "", village.outer, village.gateway_outer, "udp", village.port)
    opened, closed = County(model), County(replace(model, exit_closed=MARK))
    assert opened.walk(there).verdict == "delivered"
    assert closed.walk(there).verdict == "denied"
    assert closed.walk(replace(there, established=True)).verdict == "denied"
    assert opened.walk(outer).verdict == closed.walk(outer).verdict == "delivered"


def test_nothing_switched_leaves_no_file(tmp_path: Path) -> None:
    switches.write(tmp_path, SwitchesIntent(exit_closed=WRITTEN))
    assert switches.read(tmp_path).exit_closed == WRITTEN
    assert list(tmp_path.iterdir()) == [tmp_path / "switches.yml"]
    switches.write(tmp_path, SwitchesIntent())
    assert list(tmp_path.iterdir()) == []
    assert switches.read(tmp_path) == SwitchesIntent()


@given(who=WORDS, why=WORDS, sites=st.sets(st.from_regex(r"\A[a-z][a-z0-9]{0,7}\Z"), max_size=3))
def test_what_was_switched_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, who: str, why: str, sites: set[str]
) -> None:
    place = tmp_path_factory.mktemp("switches")
    mark = SwitchIntent(who=who, why=why, at="2026-11-22T04:00:00+00:00")
    written = SwitchesIntent(exit_closed=mark, revoked=dict.fromkeys(sites, mark))
    switches.write(place, written)
    assert switches.read(place) == written


def test_the_county_reads_its_switches_and_names_a_site_without_a_tunnel(tmp_path: Path) -> None:
    county = with_two_carriers(tmp_path / "county")
    switches.write(county, SwitchesIntent(exit_closed=WRITTEN, revoked={"v01": WRITTEN}))
    model = load_model(county)
    assert model.exit_closed is not None
    assert model.exit_closed.why == "攻击"
    assert set(model.revoked) == {"v01"}
    switches.write(county, SwitchesIntent(revoked={"t01": WRITTEN}))
    with pytest.raises(CountyErrors, match=r"switches.yml:\d+: switches.revoked.t01: found t01; expected a site with"):
        load_model(county)


def answer_of(rules: int, routes: str = "[]") -> str:
    import json

    table: list[dict[str, Any]] = [{"table": {"name": "exit"}}, {"counter": {"name": "exit-closed", "packets": 7}}]
    table += [{"rule": {"handle": number}} for number in range(rules)]
    return json.dumps({"nftables": table}) + '\n\n{"lines": [{"carrier": "n1", "alive": false}]}\n' + routes + "\n"


def test_what_the_firewall_does_is_read_from_its_own_words() -> None:
    routes = (
        '[{"dst": "default", "dev": "p1", "metric": 10, "flags": ["linkdown"]},'
        ' {"dst": "default", "dev": "p2", "metric": 20, "flags": []}]'
    )
    found = seen(answer_of(2, routes))
    assert (found["state"], found["dropped"], found["used"]) == ("closed", 7, "p2")
    assert found["lines"][0]["alive"] is False
    assert seen(answer_of(0))["state"] == "open"
    assert seen("{}\n{}\n[]\n")["state"] == "missing"
    with pytest.raises(BrokerError, match="expected JSON"):
        seen("sh: nft: not found")


@given(st.binary(max_size=80), st.integers(0, 0xFFFF))
def test_no_packet_confuses_the_watcher(packet: bytes, identifier: int) -> None:
    assert answered(packet, identifier) is None or len(packet) >= 28


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
def test_an_echo_is_sound_and_its_answer_is_known_by_both_numbers(identifier: int, sequence: int) -> None:
    request = echo_request(identifier, sequence)
    assert checksum(request) == 0
    reply = bytes([0x45]) + bytes(19) + b"\0" + request[1:]
    assert answered(reply, identifier) == sequence
    assert answered(reply, identifier ^ 1) is None
    assert answered(bytes([0x45]) + bytes(19) + request, identifier) is None
    assert struct.unpack("!H", request[6:8]) == (sequence,)


class Wire:
    """A line's socket: every probe is answered while ``works``."""

    def __init__(self) -> None:
        self.works = True
        self.waiting: list[bytes] = []

    def sendto(self, packet: bytes, where: tuple[str, int]) -> None:
        if self.works:
            self.waiting.append(bytes([0x45]) + bytes(19) + b"\0" + packet[1:])

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int]]:
        if not self.waiting:
            raise BlockingIOError
        return self.waiting.pop(0), ("198.18.0.2", 0)

    def close(self) -> None:
        self.waiting.clear()


def watched(carrier: str) -> tuple[Line, Wire]:
    row = {"carrier": carrier, "port": f"p-{carrier}", "gateway": "198.18.0.2", "probe": "198.18.0.2"}
    line, wire = Line(row, 7), Wire()
    line._socket = wire  # type: ignore[assignment]
    return line, wire


def rounds(line: Line, count: int) -> list[bool]:
    return [line.tick() | line.hear() for _ in range(count)]


def test_a_line_dies_after_some_probes_and_lives_again_only_after_many() -> None:
    first, wire = watched("n1")
    second, _ = watched("n2")
    rounds(first, 5)
    assert chosen([first, second]) is None
    wire.works = False
    rounds(first, 1)
    assert sum(rounds(first, DEAD_AFTER - 1)) == 0
    assert rounds(first, 1) == [True]
    assert chosen([first, second]) is second
    wire.works = True
    assert not any(rounds(first, ALIVE_AFTER - 1))
    wire.works = False
    rounds(first, 2)
    wire.works = True
    assert rounds(first, ALIVE_AFTER) == [False] * (ALIVE_AFTER - 1) + [True]
    assert chosen([first, second]) is None


def test_when_no_line_answers_the_choice_is_left_as_it_is() -> None:
    pair = [watched("n1"), watched("n2")]
    for line, wire in pair:
        wire.works = False
        rounds(line, DEAD_AFTER + 2)
    assert chosen([line for line, _ in pair]) is None
