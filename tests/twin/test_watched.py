"""The agents of the stand-ins, asked by the collector's engine, by pysnmp, and by people who do not know the keys."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from collectors.snmp import ber as theirs
from collectors.snmp.discover import Asker
from collectors.snmp.plan import Packet
from collectors.snmp.profiled import Profiled
from collectors.snmp.session import SnmpError
from collectors.snmp.usm import Keys as TheirKeys
from collectors.syslog import parse
from inventory.hardware import HARDWARE
from tests.twin.watched import AUTH, COUNTED, MAC, made, session, user, watched
from twin.standins.snmp import ber
from twin.standins.snmp.usm import Keys, User, wrapped
from twin.standins.snmp.vendors import VENDORS
from twin.standins.snmp.watched import Watched

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="hears LLDP by a packet socket: needs root")

SYS_NAME, SYS_OBJECT, IF_DESCR = "1.3.6.1.2.1.1.5.0", "1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.2.2.1.2"
PROFILES = {
    "huawei_vrp5": "huawei-vrp", "huawei_vrp8": "huawei-vrp", "h3c_comware": "h3c-comware",
    "ruijie_rgos": "ruijie-rgos", "zte_zxr10": "zte-zxr10",
}  # fmt: skip


async def facts_of(platform: str, port: int) -> Any:
    """What the vendor's own profile finds."""
    from collectors.snmp.profile import match
    from collectors.snmp.read import read_facts
    from collectors.snmp.walk import Walk

    async with session(platform, port) as asked:
        first = await asked.get((SYS_OBJECT, "1.3.6.1.2.1.1.1.0"))
        profile = match(str(first[SYS_OBJECT]), bytes(first["1.3.6.1.2.1.1.1.0"]).decode())  # type: ignore[arg-type]
        rows: dict[str, Any] = dict(first)
        for column in profile.columns:
            rows |= {f"{column.oid}.{index}": value for index, value in (await asked.walk(column.oid)).items()}
        return read_facts(Walk(rows), profile)


@pytest.mark.parametrize("platform", HARDWARE)
async def test_the_vendor_s_own_profile_reads_ports_board_and_light(platform: str, tmp_path: Path) -> None:
    hardware = HARDWARE[platform]
    async with watched(platform, tmp_path) as (part, port):
        facts = await facts_of(platform, port)
        assert (facts.system.profile, facts.system.name) == (PROFILES[platform], "b01-sw")
        by_name = {one.name: one for one in facts.ports}
        assert {*hardware.ports, hardware.oob} <= by_name.keys()
        counted, unused = by_name[hardware.port(COUNTED)], by_name[hardware.port(24)]
        assert (counted.admin, counted.oper, counted.speed_bps) == ("up", "up", 1_000_000_000)
        assert (unused.admin, unused.oper, unused.alias) == ("down", "down", "unused")
        assert by_name[hardware.uplinks[0]].speed_bps == 10_000_000_000
        assert 1 <= facts.processors[0].usage_percent <= 100
        assert 25 <= facts.temperatures[0].celsius <= 60
        if platform == "zte_zxr10":
            return  # its MIBs have neither
        assert 1 <= facts.memory[0].used_percent <= 100
        light = next(one for one in facts.optics if one.port == counted.name)
        assert light.tx_dbm == pytest.approx(-5.0, abs=0.1)
        assert light.rx_dbm == pytest.approx(-8.3, abs=0.1)
        assert part.agent.stats["wrongDigests"] == 0


async def test_counters_grow_with_what_the_port_carries(tmp_path: Path) -> None:
    async with watched("huawei_vrp8", tmp_path) as (_part, port), session("huawei_vrp8", port) as asked:
        oid = f"1.3.6.1.2.1.31.1.1.1.6.{_index(tmp_path)}"
        before = (await asked.get((oid,)))[oid]
        await asyncio.sleep(0.3)
        after = (await asked.get((oid,)))[oid]  # the questions themselves go over loopback
        assert isinstance(before, int)
        assert isinstance(after, int)
        assert after > before


def _index(disk: Path) -> int:
    device = made("huawei_vrp8", disk)
    return device.ports.index(HARDWARE["huawei_vrp8"].port(COUNTED)) + 1


@pytest.mark.parametrize("platform", ["huawei_vrp8", "ruijie_rgos"])
async def test_pysnmp_gets_and_walks_it(platform: str, tmp_path: Path) -> None:
    asker = Asker()
    try:
        async with watched(platform, tmp_path) as (_part, port):
            got = await asker.get("127.0.0.1", user(platform), [SYS_NAME, f"{IF_DESCR}.9999"], port)
            assert got == {SYS_NAME: b"b01-sw"}
            column = await asker.column("127.0.0.1", user(platform), IF_DESCR, port)
            hardware = HARDWARE[platform]
            assert {*hardware.ports, hardware.oob} <= {value.decode() for value in column.values()}  # type: ignore[union-attr]
    finally:
        asker.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "stranger"}, "does not know the user"),
        ({"auth_key": "another-phrase"}, "MAC wrong"),
        ({"priv_key": "another-phrase"}, "cannot decrypt"),
    ],
)
async def test_strangers_are_told_why_and_nothing_else(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    async with watched("huawei_vrp8", tmp_path) as (_part, port):
        async with session("huawei_vrp8", port, replace(user("huawei_vrp8"), **change)) as asked:
            with pytest.raises(SnmpError, match=said):
                await asked.get((SYS_NAME,))


class Bench:
    """One device without a network, and messages to it."""

    def __init__(self, disk: Path) -> None:
        self.part = Watched(made("huawei_vrp8", disk), MAC, {}, disk)
        self.part._device.started = self.part._started = self.part._started - 1000  # it runs for a while
        self.user = User("sanwang", "sha256", AUTH, "private-2026")
        self.engine = self.part.agent.engine_id
        self.keys = Keys(self.user, self.engine)

    def message(
        self, pdu: bytes, *, flags: int = 7, late_s: int = 0, boots: int = 0, name: bytes = b"sanwang"
    ) -> bytes:
        scope = ber.tlv(ber.SEQUENCE, ber.tlv(ber.OCTETS, self.engine) + ber.tlv(ber.OCTETS, b"") + pdu)
        at = int(self.part.uptime_s) + late_s
        return wrapped(
            7, flags, self.engine, self.part.boots + boots, at, name, self.keys if flags & 3 else None, scope
        )

    def ask(self, pdu: bytes, source: str = "127.0.0.1", **twist: Any) -> theirs.Pdu | None:
        """The answer as the collector's own decoder reads it."""
        answer = self.part.agent.answer(self.message(pdu, **twist), source)
        if answer is None:
            return None
        message = theirs.decode(answer)
        assert message.security is not None
        if message.pdu is not None:
            return message.pdu
        secure = message.security
        keys = TheirKeys(user("huawei_vrp8"), self.engine)
        assert keys.authentic(answer, secure.mac_at, secure.mac)
        return theirs.read_scoped(keys.decrypt(message.encrypted, secure.boots, secure.time_s, secure.salt))


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    made_one = Bench(tmp_path_factory.mktemp("disk"))
    yield made_one
    made_one.part._kernel.close()
    made_one.part._lldp.close()


def question(kind: int, oid: str, first: int = 0, second: int = 0) -> bytes:
    return theirs.pdu(kind, 41, [theirs.oid(oid)], first, second)


def test_getnext_goes_through_every_object_once_and_in_order(bench: Bench) -> None:
    at, seen = "1.0", []
    while True:
        answer = bench.ask(question(theirs.GET_NEXT, at))
        assert answer is not None
        ((name, value),) = answer.rows
        if value is theirs.Absent.END:
            break
        seen.append(tuple(map(int, name.split("."))))
        at = name
    assert seen == sorted(set(seen))
    assert len(seen) > 500
    bulk: list[str] = []
    at = "1.0"
    while True:
        answer = bench.ask(question(theirs.GET_BULK, at, 0, 40))
        assert answer is not None
        got = [name for name, value in answer.rows if value is not theirs.Absent.END]
        bulk += got
        if len(got) < len(answer.rows):
            break
        at = got[-1]
    assert [tuple(map(int, name.split("."))) for name in bulk] == seen


def test_what_is_not_there_cannot_be_written_or_is_too_much_is_said(bench: Bench) -> None:
    absent = bench.ask(question(theirs.GET, "1.3.6.1.4.1.9.9"))
    assert absent is not None
    assert absent.rows[0][1] is theirs.Absent.INSTANCE
    written = bench.ask(question(theirs.SET, SYS_NAME))
    assert written is not None
    assert (written.error_status, written.error_index) == (17, 1)
    many = bench.ask(Packet(["1.3.6.1.2.1.1.1.0"] * 40).pdu(41))
    assert many is not None
    assert many.error_status == 1
    assert many.rows == ()


@pytest.mark.parametrize(("late_s", "answered"), [(-149, True), (149, True), (-160, False), (160, False)])
def test_a_message_from_another_time_is_refused(bench: Bench, late_s: int, answered: bool) -> None:
    answer = bench.ask(question(theirs.GET, SYS_NAME), late_s=late_s)
    assert answer is not None
    assert (answer.kind == theirs.RESPONSE) is answered
    assert answered or answer.rows[0][0] == "1.3.6.1.6.3.15.1.1.2.0"


def test_a_message_of_an_earlier_start_is_refused_and_one_without_privacy_too(bench: Bench) -> None:
    replayed = bench.ask(question(theirs.GET, SYS_NAME), boots=-1)
    assert replayed is not None
    assert replayed.rows[0][0] == "1.3.6.1.6.3.15.1.1.2.0"
    for flags in (4, 5):
        plain = bench.ask(question(theirs.GET, SYS_NAME), flags=flags)
        assert plain is not None
        assert plain.kind == theirs.REPORT
        assert plain.rows[0][0] == "1.3.6.1.6.3.15.1.1.1.0"


def test_whom_the_access_list_does_not_name_hears_nothing(bench: Bench) -> None:
    before = bench.part.agent.stats["refused"]
    assert bench.ask(question(theirs.GET, SYS_NAME), source="10.9.9.9") is None
    assert bench.part.agent.stats["refused"] == before + 1


@given(data=st.binary(max_size=200))
def test_garbage_is_counted(bench: Bench, data: bytes) -> None:
    bench.part.agent.answer(data, "127.0.0.1")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_message_that_was_changed_on_its_way_never_crashes_and_is_never_believed(bench: Bench, data: Any) -> None:
    sent = bench.message(question(theirs.GET, SYS_NAME))
    whole = bytearray(sent)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] ^= data.draw(st.integers(1, 255))
    assume(whole != sent)
    answer = bench.part.agent.answer(bytes(whole), "127.0.0.1")
    assert answer is None or theirs.decode(answer).flags & 2 == 0, "only reports go back"


async def test_keys_and_starts_survive_a_power_cut(tmp_path: Path) -> None:
    async with watched("h3c_comware", tmp_path) as (part, _):
        part._device.save()
        first = part.boots
    assert AUTH not in part._device.startup
    async with watched("h3c_comware", tmp_path) as (part, port), session("h3c_comware", port) as asked:
        assert part.boots == first + 1
        assert (await asked.get((SYS_NAME,)))[SYS_NAME] == b"b01-sw"


@pytest.mark.parametrize("platform", HARDWARE)
async def test_a_port_s_change_goes_to_the_log_host_and_the_trap_target(
    platform: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[bytes, tuple[str, int]]] = []
    async with watched(platform, tmp_path, log="127.0.0.9") as (part, _):
        monkeypatch.setattr(part, "_send", lambda data, target: sent.append((data, target)))
        name = HARDWARE[platform].port(COUNTED)
        part._tell(name, False)
        part._tell(name, True)
    assert [target for _, target in sent] == [("127.0.0.9", 514), ("127.0.0.9", 162)] * 2
    line = parse(sent[0][0])
    assert (line.host, line.port, line.severity <= 4) == ("b01-sw", name, True)
    assert "down" in line.text.lower()
    message = theirs.decode(sent[1][0])
    assert message.security is not None
    secure = message.security
    assert secure.engine_id == VENDORS[platform].engine_id(MAC)
    keys = TheirKeys(user(platform), secure.engine_id)
    assert keys.authentic(sent[1][0], secure.mac_at, secure.mac)
    trap = theirs.read_scoped(keys.decrypt(message.encrypted, secure.boots, secure.time_s, secure.salt))
    assert trap.kind == theirs.TRAP
    assert dict(trap.rows)["1.3.6.1.6.3.1.1.4.1.0"] == "1.3.6.1.6.3.1.1.5.3"
    assert name.encode() in dict(trap.rows).values()


async def test_what_the_profile_learned_is_polled_in_few_packets(tmp_path: Path) -> None:
    async with watched("huawei_vrp5", tmp_path) as (_part, port), session("huawei_vrp5", port) as asked:
        readings = await Profiled().learn(asked)
        metrics = {reading.metric for reading in readings}
        cabled = HARDWARE["huawei_vrp5"].port(COUNTED)
        few = await Profiled(frozenset({cabled})).learn(asked)
    assert {"sanwang_port_octets_total", "sanwang_optical_power_dbm", "sanwang_cpu_busy_ratio"} <= metrics
    counted = {dict(reading.labels)["port"] for reading in few if reading.metric == "sanwang_port_octets_total"}
    seen = {dict(reading.labels)["port"] for reading in few if reading.metric == "sanwang_port_up"}
    assert counted == {cabled}
    assert {*HARDWARE["huawei_vrp5"].ports} <= seen, "one that comes up unasked is seen"
    assert len(few) < len(readings) / 3
