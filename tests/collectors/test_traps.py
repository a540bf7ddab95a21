"""Traps and informs from net-snmp's own tools, in every version; what is not the county's is refused and counted."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from collectors.damper import Damper
from collectors.events import Events
from collectors.snmp.traps import Traps, Who, next_boots
from collectors.snmp.usm import User
from inventory.snmp import engine_id

HERE = IPv4Address("127.0.0.1")
USER = User("sanwang", "authphrase-of-county", "privphrase-of-county")
WHO = Who(USER, "county-traps")
V3 = (
    *("-v3", "-l", "authPriv", "-u", "sanwang", "-a", "SHA-256", "-A", USER.auth_key),
    *("-x", "AES", "-X", USER.priv_key),
)
LINK_DOWN = "1.3.6.1.6.3.1.1.5.3"
PORT_3 = ("1.3.6.1.2.1.2.2.1.1.3", "i", "3", "1.3.6.1.2.1.2.2.1.2.3", "s", "GigabitEthernet0/0/3")


class Lab:
    """A receiver on loopback."""

    def __init__(self, hosts: dict[str, str]) -> None:
        self.events = Events()
        self.traps = Traps(hosts, WHO, Damper(self.events, lambda: 1000.0), engine_id("c2-nms"), 7)
        self.port = 0

    async def send(self, program: str, *arguments: str) -> int:
        """snmptrap or snmpinform; its exit code."""
        process = await asyncio.create_subprocess_exec(
            program, *arguments,
            env={"MIBS": "", "SNMP_PERSISTENT_DIR": "/dev/null", "PATH": "/usr/bin:/bin"},
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        code = await asyncio.wait_for(process.wait(), 20)
        await asyncio.sleep(0.1)
        return code

    def told(self) -> list[tuple[str, str, str]]:
        """Kind, host and text of all events."""
        return [(event.kind, event.subject, event.state) for event in self.events.recent]

    @property
    def where(self) -> str:
        """As net-snmp's tools write it."""
        return f"127.0.0.1:{self.port}"


@contextlib.asynccontextmanager
async def lab(hosts: dict[str, str] | None = None) -> AsyncIterator[Lab]:
    """Started, and stopped at the end."""
    made = Lab({"127.0.0.1": "b01-sw"} if hosts is None else hosts)
    made.port = await made.traps.start(HERE, 0)
    try:
        yield made
    finally:
        made.traps.close()


async def test_v1_and_v2c_become_events() -> None:
    async with lab() as made:
        assert not await made.send("snmptrap", "-v2c", "-c", "county-traps", made.where, "", LINK_DOWN, *PORT_3)
        assert not await made.send(
            "snmptrap", "-v1", "-c", "county-traps", made.where, "1.3.6.1.4.1.8072.3.2.10", "10.9.9.9", "0", "0", ""
        )
        assert made.told() == [("trap", "b01-sw", "linkDown GigabitEthernet0/0/3"), ("trap", "b01-sw", "coldStart")]
        detail = made.events.recent[0].detail
        assert detail["severity"] == "warning"
        assert detail["objects"] == {"ifIndex": "3", "ifDescr": "GigabitEthernet0/0/3"}
        assert "county-traps" not in str(made.events.recent)
        assert made.traps.received == 2
        assert not made.traps.refused


async def test_a_vendors_trap_has_its_name() -> None:
    async with lab() as made:
        index = "1.3.6.1.2.1.47.1.1.1.1.7.67469390"
        await made.send(
            "snmptrap", "-v2c", "-c", "county-traps", made.where, "", "1.3.6.1.4.1.2011.5.25.219.2.4.3",
            index, "s", "XGigabitEthernet0/0/1",
        )  # fmt: skip
        await made.send("snmptrap", "-v2c", "-c", "county-traps", made.where, "", "1.3.6.1.4.1.99999.0.7")
        assert [text for _kind, _host, text in made.told()] == [
            "hwOpticalFail XGigabitEthernet0/0/1", "1.3.6.1.4.1.99999.0.7",
        ]  # fmt: skip


async def test_informs_are_acknowledged_in_v2c_and_v3() -> None:
    async with lab() as made:
        assert not await made.send("snmpinform", "-v2c", "-c", "county-traps", made.where, "", LINK_DOWN, *PORT_3)
        assert not await made.send("snmpinform", *V3, "-t2", made.where, "", "1.3.6.1.6.3.1.1.5.5")
        # The engine's identifier known beforehand, as an appliance's snmpd has it: nothing is asked first.
        known = f"0x{engine_id('c2-nms').hex()}"
        assert not await made.send("snmpinform", *V3, "-e", known, "-t2", made.where, "", "1.3.6.1.6.3.1.1.5.1")
        assert [text for _kind, _host, text in made.told()] == [
            "linkDown GigabitEthernet0/0/3", "authenticationFailure", "coldStart",
        ]  # fmt: skip
        assert not made.traps.refused


async def test_what_is_not_the_countys_is_refused() -> None:
    async with lab() as made:
        await made.send("snmptrap", "-v2c", "-c", "public", made.where, "", LINK_DOWN)
        assert made.traps.refused == {"credentials": 1}
        wrong = [word if word != USER.auth_key else "anotherphrase" for word in V3]
        assert await made.send("snmpinform", *wrong, "-r0", "-t1", made.where, "", LINK_DOWN)
        assert made.traps.refused["credentials"] >= 2
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"no snmp", ("127.0.0.1", made.port))
            sender.sendto(b"\x30\x82\xff\xff", ("127.0.0.1", made.port))
        await asyncio.sleep(0.1)
        assert made.traps.refused["broken"] == 1
        assert made.told() == []
    async with lab({"10.1.1.1": "b01-sw"}) as made:
        await made.send("snmptrap", "-v2c", "-c", "county-traps", made.where, "", LINK_DOWN)
        assert made.traps.refused == {"sender": 1}


async def test_a_chattering_box_is_folded_and_limited() -> None:
    async with lab() as made:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(60):
                sender.sendto(b"\x30\x00", ("127.0.0.1", made.port))
        await asyncio.sleep(0.3)
        assert 0 < made.traps.refused["rate"] < 60
        await asyncio.sleep(1.1)
        for _ in range(2):
            await made.send("snmptrap", "-v2c", "-c", "county-traps", made.where, "", LINK_DOWN, *PORT_3)
        assert made.told() == [("trap", "b01-sw", "linkDown GigabitEthernet0/0/3")]


async def test_a_traps_own_engine_is_believed_with_the_countys_keys() -> None:
    """An SNMPv3 trap is authoritative itself: its engine is learned from it, as RFC 3414 has no other way."""
    async with lab() as made:
        await made.send("snmptrap", *V3, "-e", "0x8000000001020304", made.where, "", LINK_DOWN, *PORT_3)
        assert made.told() == [("trap", "b01-sw", "linkDown GigabitEthernet0/0/3")]


async def test_many_hosts_together_have_a_limit_too() -> None:
    hosts = {f"127.0.0.{number}": f"h{number}" for number in range(2, 12)}
    async with lab(hosts) as made:
        for address in hosts:
            for _ in range(40):
                made.traps.hear(b"\x30\x00", (address, 40000))
        assert 150 <= made.traps.refused["rate"] <= 200


def test_boots_only_grow(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, year_2020 = tmp_path / "state" / "boots", 1_577_836_800.0
    assert [next_boots(path, lambda: year_2020 + 100) for _ in range(2)] == [100, 101]  # restarted within a second
    assert next_boots(path, lambda: year_2020 + 7) == 102  # the clock was set back
    path.write_text("rubbish")
    assert next_boots(path, lambda: year_2020 + 200) == 200  # the disk was lost, time went on
    blocked = path / "below-a-file"  # a disk that takes nothing
    assert next_boots(blocked, lambda: year_2020 + 300) == 300
    assert "informs are heard" in caplog.text


@pytest.mark.parametrize("host", ["c1-nms", "c2-nms"])
def test_the_engines_identifier_is_legal(host: str) -> None:
    identity = engine_id(host)
    assert 5 <= len(identity) <= 32  # RFC 3411 section 5
    assert identity[0] & 0x80
    assert identity == engine_id(host)
