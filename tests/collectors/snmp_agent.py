"""A scripted SNMPv2c agent on loopback: a table, and what it does wrong."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from collectors.snmp import ber

Table = dict[str, tuple[int, int | bytes | str]]
UPTIME, TABLE_CHANGE = "1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.31.1.5.0"


def encoded(tag: int, value: int | bytes | str) -> bytes:
    """A value as the agent sends it."""
    if isinstance(value, int):
        return bytes((tag,)) + ber.integer(value)[1:]
    return ber.oid(value) if isinstance(value, str) else ber.tlv(tag, value)


class Agent(asyncio.DatagramProtocol):
    """``lose``: so many datagrams are not answered; ``most``: rows it can answer; ``broken``: genErr at these."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.lose = 0
        self.most = 10_000
        self.broken: set[str] = set()
        self.twist: dict[str, str] = {}  # answers another OID than was asked for
        self.held: list[tuple[bytes, Any]] | None = None  # answers that wait
        self.asked: list[int] = []  # rows of every question
        self.heard = asyncio.Event()
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        """Kept."""
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Answer, unless it is lost or held back."""
        message = ber.decode(data)
        assert message.pdu is not None
        self.asked.append(len(message.pdu.rows))
        if self.lose:
            self.lose -= 1
            return
        answer = self._answer(message, message.pdu)
        if self.held is not None:
            self.held.append((answer, addr))
            self.heard.set()
        else:
            self.transport.sendto(answer, addr)

    def _answer(self, message: ber.Message, pdu: ber.Pdu) -> bytes:
        names = [oid for oid, _ in pdu.rows]
        status = index = 0
        if pdu.kind == ber.GET_BULK:
            names = self._following(names[0], pdu.error_index)
        elif bad := self.broken & set(names):
            status, index = 5, names.index(min(bad)) + 1
        if len(names) > self.most:
            status, index, names = 1, 0, []
        rows = b"".join(
            ber.tlv(ber.SEQUENCE, ber.oid(self.twist.get(name, name)) + self._value(name)) for name in names
        )
        numbers = ber.integer(pdu.request_id) + ber.integer(status) + ber.integer(index)
        response = ber.tlv(ber.RESPONSE, numbers + ber.tlv(ber.SEQUENCE, rows))
        return ber.tlv(ber.SEQUENCE, ber.integer(1) + ber.tlv(ber.OCTETS, message.community) + response)

    def _value(self, name: str) -> bytes:
        found = self.table.get(name)
        return b"\x81\x00" if found is None else encoded(*found)

    def _following(self, name: str, count: int) -> list[str]:
        every = sorted(self.table, key=_parts)
        at = bisect_right([_parts(oid) for oid in every], _parts(name))
        return every[at : at + count] or ["1.3.6.1.9.9"]


def _parts(oid: str) -> tuple[int, ...]:
    return tuple(map(int, oid.split(".")))


@asynccontextmanager
async def agent(table: Table) -> AsyncIterator[tuple[Agent, int]]:
    """It listens: (agent, port)."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: Agent(table), local_addr=("127.0.0.1", 0))
    try:
        yield protocol, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def switch(names: dict[int, str], octets: int = 1000, uptime: int = 360_000) -> Table:
    """A switch whose ports have these names by ifIndex."""
    table: Table = {
        "1.3.6.1.2.1.1.1.0": (ber.OCTETS, b"a switch"),
        "1.3.6.1.2.1.1.2.0": (ber.OID, "1.3.6.1.4.1.99999.1"),
        UPTIME: (ber.TICKS, uptime),
    }
    for index, name in names.items():
        table |= {
            f"1.3.6.1.2.1.2.2.1.8.{index}": (ber.INTEGER, 1),
            f"1.3.6.1.2.1.2.2.1.14.{index}": (ber.COUNTER32, 0),
            f"1.3.6.1.2.1.2.2.1.20.{index}": (ber.COUNTER32, 0xFFFFFFFF),
            f"1.3.6.1.2.1.31.1.1.1.1.{index}": (ber.OCTETS, name.encode()),
            f"1.3.6.1.2.1.31.1.1.1.6.{index}": (ber.COUNTER64, octets + index),
            f"1.3.6.1.2.1.31.1.1.1.10.{index}": (ber.COUNTER64, (1 << 64) - index),
        }
    return table
