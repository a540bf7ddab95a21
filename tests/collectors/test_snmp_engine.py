"""The learned engine against a scripted agent: every way in which a device differs from the last time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.snmp import ber
from collectors.snmp.envelope import envelope
from collectors.snmp.linux import Linux
from collectors.snmp.plan import Mismatch, Packet, packets
from collectors.snmp.poller import Poller, Target
from collectors.snmp.session import ErrorStatus, Port, Session, SnmpError
from collectors.snmp.usm import Community, User

from .snmp_agent import TABLE_CHANGE, UPTIME, Agent, agent, encoded, switch

WHO = Community("public")
IN = "1.3.6.1.2.1.31.1.1.1.6"
SCALES = [(ber.INTEGER, -(1 << 63), (1 << 63) - 1), (ber.COUNTER64, 0, (1 << 64) - 1), (ber.GAUGE32, 0, (1 << 32) - 1)]
numbers = st.sampled_from(SCALES).flatmap(lambda scale: st.tuples(st.just(scale[0]), st.integers(scale[1], scale[2])))


def rows(names: Sequence[bytes], values: Sequence[tuple[int, int]]) -> bytes:
    """Variable bindings as an agent writes them."""
    return b"".join(ber.tlv(ber.SEQUENCE, name + encoded(*value)) for name, value in zip(names, values, strict=True))


@given(st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=6))
def test_what_the_layout_reads_is_what_was_sent(answers: list[list[tuple[int, int]]]) -> None:
    packet = Packet([f"{IN}.{index}" for index in (1, 200, 40_000)])
    for values in answers:
        assert list(packet.read(rows(packet.names, values))) == [value for _, value in values]
        assert list(packet.read(rows(packet.names, values))) == [value for _, value in values]  # by the layout


@given(st.data())
def test_an_answer_that_differs_by_an_octet_is_read_as_it_is_or_refused(data: st.DataObject) -> None:
    packet = Packet([f"{IN}.{index}" for index in (1, 2, 3)])
    good = rows(packet.names, [(ber.COUNTER64, 1 << 40), (ber.INTEGER, -1104), (ber.GAUGE32, 7)])
    assert list(packet.read(good)) == [1 << 40, -1104, 7]
    at = data.draw(st.integers(0, len(good) - 1))
    spoilt = good[:at] + bytes((data.draw(st.integers(0, 255)),)) + good[at + 1 :]
    try:
        quick = list(packet.read(spoilt))
    except (Mismatch, ber.BerError):
        return
    assert quick == list(Packet(packet.oids).read(spoilt))


@given(st.binary(max_size=300))
def test_no_datagram_harms_the_decoder(data: bytes) -> None:
    try:
        ber.decode(data)
    except ber.BerError:
        pass


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=4), st.booleans())
def test_no_datagram_harms_a_session(changes: list[tuple[int, int]], secured: bool) -> None:
    who = User("sanwang", "authentication-key", "privacy-key-1234") if secured else WHO
    session = Session(Port(), ("127.0.0.1", 1), envelope(who))
    session._questions = [Packet([f"{IN}.1"])]
    session._answers, session._left = [()], 1
    answer = bytearray(
        ber.tlv(
            ber.SEQUENCE,
            b"\x02\x01\x01\x04\x06public"
            + ber.tlv(
                ber.RESPONSE,
                ber.integer(0x40000001)
                + b"\x02\x01\x00\x02\x01\x00"
                + ber.tlv(ber.SEQUENCE, rows([ber.oid(f"{IN}.1")], [(ber.COUNTER64, 5)])),
            ),
        )
    )
    for at, octet in changes:
        answer[at % len(answer)] = octet
    session.hear(bytes(answer))
    session.hear(b"")


async def polled(port: int, ports: set[str], times: int = 1) -> tuple[Poller, Target]:
    """A poller of one target, polled."""
    target = Target("sw", "127.0.0.1", Linux(frozenset(ports)), WHO, port)
    poller = Poller([target], {("sw", "p1"): "ring-1"}, lambda answering: None)
    for _ in range(times):
        await poller.turn(target)
    return poller, target


def sample(poller: Poller, name: str) -> str:
    """The value of a sample, empty when there is none."""
    page = poller.exposition_of("sw")
    assert page is not None
    return next((line.rpartition(" ")[2] for line in page.decode().splitlines() if line.startswith(name)), "")


def octets(port: str, link: str = "") -> str:
    """Name and labels of what a port received."""
    return f'sanwang_port_octets_total{{host="sw",port="{port}",link="{link}",direction="in"}}'


async def test_counters_of_any_length_and_sign() -> None:
    async with agent(switch({1: "p1"})) as (device, port):
        poller, target = await polled(port, {"p1"})
        for value in (0, 127, 128, 1 << 31, (1 << 32) + 5, (1 << 63) + 1, (1 << 64) - 1):
            device.table[f"{IN}.1"] = (ber.COUNTER64, value)
            await poller.turn(target)
            assert sample(poller, octets("p1", "ring-1")) == str(value)
        assert target.error == ""
        errors = 'sanwang_port_errors_total{host="sw",port="p1",link="ring-1",direction="out"}'
        assert sample(poller, errors) == "4294967295"
        poller.close()


async def test_received_light_is_signed() -> None:
    table = switch({1: "p1"})
    for column, value in ((1, 14), (2, 9), (3, 2), (4, -1104)):
        table[f"1.3.6.1.2.1.99.1.1.1.{column}.7"] = (ber.INTEGER, value)
    table["1.3.6.1.2.1.47.1.1.1.1.7.7"] = (ber.OCTETS, b"p1 rx power")
    async with agent(table) as (device, port):
        poller, target = await polled(port, {"p1"})
        assert sample(poller, "sanwang_optical_power_dbm") == "-11.04"
        device.table["1.3.6.1.2.1.99.1.1.1.4.7"] = (ber.INTEGER, -90)  # an octet less
        await poller.turn(target)
        assert sample(poller, "sanwang_optical_power_dbm") == "-0.9"
        poller.close()


async def test_renumbered_ports_are_learned_anew() -> None:
    async with agent(switch({1: "p1", 2: "p2"})) as (device, port):
        poller, target = await polled(port, {"p1", "p2"}, 2)
        assert sample(poller, octets("p2")) == "1002"
        device.table = switch({11: "p2", 12: "p1"}, 5000, 370_000)
        await poller.turn(target)
        assert target.error == ""
        assert (sample(poller, octets("p1", "ring-1")), sample(poller, octets("p2"))) == ("5012", "5011")
        poller.close()


@pytest.mark.parametrize("told_by", ["restart", "table"])
async def test_swapped_ports_are_learned_anew(told_by: str) -> None:
    table = switch({1: "p1", 2: "p2"}) | {TABLE_CHANGE: (ber.TICKS, 500)}
    async with agent(table) as (device, port):
        poller, target = await polled(port, {"p1", "p2"}, 2)
        restarted = told_by == "restart"
        device.table = switch({1: "p2", 2: "p1"}, 1000, 100 if restarted else 370_000)
        device.table[TABLE_CHANGE] = (ber.TICKS, 500 if restarted else 369_000)
        await poller.turn(target)
        assert (sample(poller, octets("p1", "ring-1")), sample(poller, octets("p2"))) == ("1002", "1001")
        poller.close()


async def test_another_object_than_was_asked_for_is_never_taken() -> None:
    async with agent(switch({1: "p1", 2: "p2"})) as (device, port):
        poller, target = await polled(port, {"p1", "p2"}, 2)
        device.twist = {f"{IN}.1": f"{IN}.2"}
        await poller.turn(target)
        assert "another object" in target.error
        assert sample(poller, octets("p1", "ring-1")) == ""
        device.twist = {}
        await poller.turn(target)
        assert target.error == ""
        poller.close()


async def test_the_rate_of_a_link_is_between_two_polls() -> None:
    async with agent(switch({1: "p1"})) as (device, port):
        poller, target = await polled(port, {"p1"}, 1)
        assert target.result is not None
        first = target.result.at
        device.table[f"{IN}.1"] = (ber.COUNTER64, 1001 + 125_000)
        await poller.turn(target)
        seconds = target.result.at - first
        rate = float(sample(poller, 'sanwang_link_bps{host="sw",port="p1",link="ring-1",direction="in"}'))
        assert rate == pytest.approx(1_000_000 / max(seconds, 1e-3), rel=1e-4)
        device.table[f"{IN}.1"] = (ber.COUNTER64, 3)  # another device in its place: no rate, never a negative one
        await poller.turn(target)
        assert sample(poller, 'sanwang_link_bps{host="sw",port="p1",link="ring-1",direction="in"}') == ""
        poller.close()


async def test_a_device_that_can_answer_few_at_once_is_asked_for_few() -> None:
    async with agent(switch({index: f"p{index}" for index in range(1, 30)})) as (device, port):
        device.most = 25
        poller, target = await polled(port, {f"p{index}" for index in range(1, 30)}, 2)
        assert target.error == ""
        assert sample(poller, octets("p29")) == "1029"
        assert max(device.asked[-3:]) <= 25
        poller.close()


async def test_an_object_that_gives_an_error_is_left_out_and_the_others_read() -> None:
    async with agent(switch({1: "p1", 2: "p2"})) as (device, port):
        device.broken = {f"{IN}.1"}
        poller, target = await polled(port, {"p1", "p2"}, 2)
        assert target.error == ""
        assert (sample(poller, octets("p1", "ring-1")), sample(poller, octets("p2"))) == ("", "1002")
        poller.close()


async def test_what_is_lost_is_asked_again_and_a_silent_device_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collectors.snmp.session._FIRST_WAIT_S", 0.02)
    async with agent(switch({1: "p1"})) as (device, port):
        socket = Port()
        session = socket.session("127.0.0.1", WHO, port)
        device.lose = 2
        session._smoothed_s = 0.0
        assert await session.get([UPTIME]) == {UPTIME: 360_000}
        assert session.costs.repeated == 2
        device.lose = 3
        session._smoothed_s = 0.0
        with pytest.raises(SnmpError, match="no answer to 3 tries"):
            await session.get([UPTIME])
        socket.close()


async def test_at_most_two_questions_are_outstanding() -> None:
    async with agent(switch({index: f"p{index}" for index in range(1, 40)})) as (device, port):
        socket = Port()
        session = socket.session("127.0.0.1", WHO, port)
        device.held = []
        asking = asyncio.create_task(session.ask(packets([f"{IN}.{index}" for index in range(1, 40)], 200)))
        most = 0
        while not asking.done():
            await asyncio.sleep(0.005)
            most = max(most, len(device.held))
            if device.held:  # the last first: answers may overtake each other
                device.transport.sendto(*device.held.pop())
        assert most == 2
        assert [value for answer in asking.result() for value in answer] == list(range(1001, 1040))
        socket.close()


async def test_a_walk_that_does_not_go_forward_ends() -> None:
    async with agent(switch({1: "p1", 2: "p2"})) as (device, port):
        socket = Port()
        session = socket.session("127.0.0.1", WHO, port)
        assert await session.walk("1.3.6.1.2.1.31.1.1.1.1") == {"1": b"p1", "2": b"p2"}
        device.twist = {f"{IN}.1": "1.3.6.1.2.1.31.1.1.1.1.1"}
        with pytest.raises(SnmpError, match="does not go forward"):
            await session.walk("1.3.6.1.2.1.31.1.1.1.1")
        device.most = 0
        with pytest.raises(ErrorStatus):
            await session.walk(IN)
        socket.close()


async def test_nonsense_between_the_answers_is_counted_and_ignored() -> None:
    async with agent(switch({1: "p1"})) as (device, port):
        socket = Port()
        session = socket.session("127.0.0.1", WHO, port)
        device.held = []
        asking = asyncio.create_task(session.get([UPTIME]))
        await device.heard.wait()
        answer, where = device.held.pop()
        generator = random.Random(7)
        for _ in range(200):
            spoilt = bytearray(answer)
            place = generator.choice((0, 4, 5, 7, 8, 9, 10, 11, 12, 15, 17, 18, 19, 20))  # community, request id, tags
            spoilt[place] ^= 1 + generator.randrange(255)
            device.transport.sendto(bytes(spoilt), where)
        device.transport.sendto(generator.randbytes(60), where)
        device.transport.sendto(answer, where)
        found: dict[str, Any] = await asking
        assert found == {UPTIME: 360_000}
        assert session.costs.ignored == 201
        socket.close()


def test_the_agent_of_these_tests_answers_as_the_standard_says() -> None:
    device = Agent(switch({1: "p1"}))
    question = ber.pdu(ber.GET, 5, [ber.oid(f"{IN}.9")])
    message = ber.decode(ber.tlv(ber.SEQUENCE, ber.integer(1) + b"\x04\x01x" + question))
    assert message.pdu is not None
    answer = ber.decode(device._answer(message, message.pdu))
    assert answer.pdu is not None
    assert answer.pdu.rows == ((f"{IN}.9", ber.Absent.INSTANCE),)
