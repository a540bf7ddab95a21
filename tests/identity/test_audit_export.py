"""The audit log at a receiver elsewhere: nothing lost over restarts and outages, and a rewritten log is told."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from identity import audit_export
from identity.audit_export import Exporter, Receiver, differences, message, told
from identity.secrets import Secrets
from identity.tls import server_context
from store.audit import AuditEntry, record
from store.engine import Store


class Kept:
    """A receiver that keeps what it was sent, counted by octets."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.messages: list[str] = []
        self._tls = tls
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0
        self._more = asyncio.Event()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        await self._server.wait_closed()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = int(await reader.readuntil(b" "))
                self.messages.append((await reader.readexactly(length)).decode())
                self._more.set()

    def numbers(self) -> set[int]:
        return {number for number, _ in told("\n".join(self.messages))}

    async def holds(self, numbers: set[int]) -> None:
        """Until all of these were told."""
        async with asyncio.timeout(60):
            while not numbers <= self.numbers():
                self._more.clear()
                await self._more.wait()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits are shorter than in life."""
    monkeypatch.setattr(audit_export, "_IDLE_S", 0.05)
    monkeypatch.setattr(audit_export, "_FIRST_WAIT_S", 0.05)


def write(store: Store, count: int) -> None:
    """Some entries."""
    with store.session() as session:
        for number in range(count):
            record(session, "wu", "account.lock", f"第 {number} 次", {"login": "zhao"})


@contextlib.asynccontextmanager
async def exporting(store: Store, receiver: Receiver, trust: ssl.SSLContext | None = None):  # type: ignore[no-untyped-def]
    """An exporter that runs."""
    task = asyncio.create_task(Exporter(store, receiver, "c2-nms", trust).run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_all_is_told_over_restarts_of_either_side(store: Store) -> None:
    write(store, 250)
    kept = Kept()
    await kept.open()
    receiver = Receiver("127.0.0.1", kept.port, "tcp")
    async with exporting(store, receiver):
        await kept.holds(set(range(1, 251)))
        write(store, 3)
        await kept.holds(set(range(1, 254)))
        assert kept.numbers() == set(range(1, 254))
        await kept.close()
        write(store, 2)
        await asyncio.sleep(0.3)
        kept.messages.clear()
        await kept.open()
        await kept.holds(set(range(156, 256)))  # the last hundred once more, and what was written meanwhile
        assert kept.numbers() <= set(range(154, 256)), "no more than that again"
    kept.messages.clear()
    write(store, 1)
    async with exporting(store, receiver):
        await kept.holds({256})
    await kept.close()


async def test_over_tls_to_a_receiver_of_the_county_alone(store: Store, tmp_path: Path) -> None:
    secrets = Secrets(tmp_path / "identity")
    kept = Kept(server_context(secrets, "log", ips=["127.0.0.1"]))
    await kept.open()
    write(store, 3)
    receiver = Receiver("127.0.0.1", kept.port, "tls")
    async with exporting(store, receiver, ssl.create_default_context()):
        await asyncio.sleep(0.5)
        assert kept.messages == [], "an authority that nobody trusts"
    async with exporting(store, receiver, ssl.create_default_context(cadata=secrets.ca.certificate_pem)):
        await kept.holds({1, 2, 3})
    await kept.close()


async def test_over_udp(store: Store) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    class Ear(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, _: object) -> None:
            heard.put_nowait(data)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Ear, local_addr=("127.0.0.1", 0))
    write(store, 1)
    port = transport.get_extra_info("sockname")[1]
    async with exporting(store, Receiver("127.0.0.1", port, "udp")), asyncio.timeout(10):
        line = await heard.get()
    transport.close()
    assert told(line.decode())[0][0] == 1


def test_what_a_message_says(store: Store) -> None:
    with store.session() as session:
        entry = record(session, 'o"brien]', "sign.failed", "口令\n错误", {"address": "10.32.2.9"})
    line = message(entry, "c2-nms").decode()
    at = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
    shape = rf'<109>1 {at} c2-nms sanwang - sign\.failed \[audit@32473 number="1" .*\] \ufeff'
    assert re.match(shape, line)
    assert 'who="o\\"brien\\]"' in line
    assert line.endswith('口令 错误 {"address":"10.32.2.9"}')


def test_a_log_that_was_rewritten_is_told_by_what_was_sent(store: Store) -> None:
    write(store, 4)
    with store.reading() as session:
        sent = "\n".join(message(entry, "c2-nms").decode() for entry in session.query(AuditEntry))
    assert differences(store, told(sent)) == []
    assert "no entries 2 to 2" in differences(store, [each for each in told(sent) if each[0] != 2])[0]
    with store.session() as session:
        session.execute(text("UPDATE audit SET why = 'nothing' WHERE number = 3"))
        session.execute(text("DELETE FROM audit WHERE number = 4"))
    assert [found.partition(" is")[0] for found in differences(store, told(sent))] == [
        "entry 3",
        "entry 4 was told and",
    ]


@given(st.text(max_size=200), st.text(max_size=60), st.text(max_size=60))
def test_any_words_stay_one_message(why: str, who: str, what: str) -> None:
    entry = AuditEntry(
        number=7, at="2026-11-22T08:00:00.000000+00:00", who=who, what=what, why=why, detail="{}", previous="0" * 64
    )
    entry.digest = "a" * 64
    line = message(entry, "c2-nms").decode()
    assert told(line)[0] == (7, "a" * 64)
    assert "\n" not in line
    assert "\r" not in line
