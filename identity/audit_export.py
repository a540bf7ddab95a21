"""The audit log told to a receiver elsewhere, entry by entry: whoever rewrites the log here cannot rewrite it there.

RFC 5424 messages, facility 13 (log audit), over TLS (RFC 5425) or TCP, counted by octets (RFC 6587, 3.4.1), or over
UDP (RFC 5426). Each carries its number and digest, hence the head of the chain: ``sanwang audit verify --syslog FILE``
holds what the receiver kept against the log. How far it got stands in the store, so that a restart loses nothing. TCP
does not tell whether a broken connection's last messages arrived: they are sent again, and their numbers say so.
"""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from identity.tables import AuditExport
from store.audit import AuditEntry
from store.base import utc_now
from store.engine import Store

_PRIORITY = 13 * 8 + 5  # log audit, notice
_ELEMENT = "audit@32473"  # RFC 5612: the enterprise number of examples
_BATCH = 100
_IDLE_S, _FIRST_WAIT_S, _LONGEST_WAIT_S = 2.0, 1.0, 60.0
_CONNECT_S = 10.0
_UDP_BYTES = 8192
_TOLD = re.compile(rf'\[{_ELEMENT} number="(\d+)" digest="([0-9a-f]{{64}})"')

log = logging.getLogger("sanwang.audit")


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where the log is sent."""

    host: str
    port: int
    transport: str  # "tls", "tcp" or "udp"

    def __str__(self) -> str:
        return f"{self.transport}://{self.host}:{self.port}"


def message(entry: AuditEntry, host: str) -> bytes:
    """One entry as RFC 5424 has it; the text behind the byte order mark is UTF-8."""
    at = f"{entry.at[:26]}Z"  # the store's "+00:00"; RFC 5424 wants at most six digits of a second
    name = re.sub(r"[^!-~]", "?", entry.what)[:32] or "-"
    pairs = {"number": str(entry.number), "digest": entry.digest, "who": entry.who, "what": entry.what}
    data = " ".join(f'{key}="{_escaped(value)}"' for key, value in pairs.items())
    text = " ".join(f"{entry.what} by {entry.who}: {entry.why} {entry.detail}".split())
    head = f"<{_PRIORITY}>1 {at} {host} sanwang - {name} [{_ELEMENT} {data}] "
    return head.encode() + b"\xef\xbb\xbf" + text.encode()


def told(text: str) -> list[tuple[int, str]]:
    """Numbers and digests in what a receiver kept, in its order; lines of others are passed over."""
    return [(int(number), digest) for number, digest in _TOLD.findall(text)]


def differences(store: Store, kept: Sequence[tuple[int, str]]) -> list[str]:
    """Where the log is not what was told: each entry that was changed or is gone since, and what was never told."""
    found = []
    numbers = {number for number, _ in kept}
    if missing := sorted(set(range(min(numbers), max(numbers) + 1)) - numbers) if numbers else []:
        found.append(f"the receiver's file has no entries {missing[0]} to {missing[-1]} ({len(missing)} missing)")
    with store.reading() as session:
        for number, digest in kept:
            entry = session.get(AuditEntry, number)
            if entry is None:
                found.append(f"entry {number} was told and is not in the log any more")
            elif entry.computed_digest() != digest:
                found.append(f"entry {number} is not what was told: it was changed")
    return found


class Exporter:
    """Sends the log to one receiver until it is cancelled.

    Args:
        store: Where the log and the place it got to are.
        receiver: Where to.
        host: This host's name in the messages.
        trust: Authorities of the receiver's certificate.
    """

    def __init__(self, store: Store, receiver: Receiver, host: str, trust: ssl.SSLContext | None = None) -> None:
        self._store, self._receiver, self._host, self._trust = store, receiver, host, trust
        self.sent = 0

    async def run(self) -> None:
        """Send for ever; a receiver that cannot be had is tried again, ever less often."""
        wait, broken = _FIRST_WAIT_S, False
        while True:
            before = self.sent
            try:
                if broken:
                    await asyncio.to_thread(self._go_back)
                    broken = False
                await self._connected()
            except (OSError, TimeoutError, SQLAlchemyError) as problem:
                log.warning("audit: %s: %s; tried again in %d s", self._receiver, problem, wait)
            broken = broken or self.sent > before
            wait = _FIRST_WAIT_S if self.sent > before else min(wait * 2, _LONGEST_WAIT_S)
            await asyncio.sleep(wait)

    async def _connected(self) -> None:
        if self._receiver.transport == "udp":
            await self._by_datagrams()
            return
        async with asyncio.timeout(_CONNECT_S):
            reader, writer = await asyncio.open_connection(
                self._receiver.host,
                self._receiver.port,
                ssl=self._trust if self._receiver.transport == "tls" else None,
            )
        ended = asyncio.create_task(reader.read(1))  # a receiver says nothing: the end alone wakes this
        try:
            while not ended.done():
                for entry in (entries := await asyncio.to_thread(self._next)):
                    line = message(entry, self._host)
                    writer.write(str(len(line)).encode() + b" " + line)
                async with asyncio.timeout(_CONNECT_S):
                    await writer.drain()
                await self._after(entries, ended)
        finally:
            ended.cancel()
            writer.close()
        raise ConnectionError("the receiver closed the connection")

    async def _by_datagrams(self) -> None:
        loop = asyncio.get_running_loop()
        where = (self._receiver.host, self._receiver.port)
        transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=where)
        try:
            while not transport.is_closing():
                for entry in (entries := await asyncio.to_thread(self._next)):
                    transport.sendto(message(entry, self._host)[:_UDP_BYTES])
                await self._after(entries, None)
        finally:
            transport.close()

    async def _after(self, entries: Sequence[AuditEntry], ended: asyncio.Task[bytes] | None) -> None:
        """Note how far it got, and wait when there was nothing more."""
        if entries:
            await asyncio.to_thread(self._note, entries[-1].number)
            self.sent += len(entries)
        if len(entries) < _BATCH:
            waiting = [ended] if ended is not None else [asyncio.ensure_future(asyncio.sleep(_IDLE_S))]
            await asyncio.wait(waiting, timeout=_IDLE_S)

    def _next(self) -> Sequence[AuditEntry]:
        with self._store.reading() as session:
            place = session.get(AuditExport, str(self._receiver))
            query = select(AuditEntry).where(AuditEntry.number > (place.number if place else 0))
            return session.scalars(query.order_by(AuditEntry.number).limit(_BATCH)).all()

    def _note(self, number: int) -> None:
        with self._store.session() as session:
            session.merge(AuditExport(target=str(self._receiver), number=number, sent_at=utc_now()))

    def _go_back(self) -> None:
        """The last messages of a broken connection may not have arrived."""
        if self._receiver.transport != "udp":
            with self._store.session() as session:
                place = session.get(AuditExport, str(self._receiver))
                if place is not None:
                    place.number = max(0, place.number - _BATCH)


def _escaped(value: str) -> str:
    return re.sub(r'(["\\\]])', r"\\\1", " ".join(value.split()))
