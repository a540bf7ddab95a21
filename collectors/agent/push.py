"""Events to the collector: JSON lines over TCP, one connection, opened again for ever.

Lines from the agent (the collector sends nothing)::

    {"type": "hello", "seq": 1, "host": "c1-core", "boot": "5f0c...", "version": 1}
    {"type": "state", "seq": 2, "state": {"ports": {...}, ...}}       # the whole state, after every hello
    {"type": "change", "seq": 3, "at": 1763771000.123, "section": "ports", "key": "p12", "value": {...} or null}
    {"type": "beat", "seq": 4, "at": ..., "dropped": 0}               # every second

``seq`` grows by one per line of a connection.  The queue is bounded: when the collector cannot keep up, the changes
in it are dropped and counted, and the whole state is sent instead.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import time
from collections import deque
from typing import Any

from collectors.agent.config import AgentConfig
from collectors.agent.state import AgentState, Change
from collectors.agent.vrf import open_socket

BEAT_S = 1.0
QUEUE_LINES = 2000
_BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 3.0)
_CONNECT_TIMEOUT_S = 3.0
_NEWS = frozenset({"ports", "bfd", "services"})
_NEWS_S = 0.3  # beat so soon after: the collector learns that this is all there is to tell
_TCP_THIN_LINEAR_TIMEOUTS = 16  # linux/tcp.h
_USER_TIMEOUT_MS = 4000  # unacknowledged data older than this breaks the connection


class Push:
    """The agent's side of the connection."""

    def __init__(self, config: AgentConfig, state: AgentState) -> None:
        self._config = config
        self._state = state
        self._queue: deque[tuple[float, Change]] = deque()
        self._wake = asyncio.Event()
        self._resync = True
        self.boot = secrets.token_hex(8)
        self.connected = False
        self.connections = 0
        self.dropped = 0
        state.listen(self._changed)

    def _changed(self, change: Change) -> None:
        if not self.connected:
            return  # the whole state follows the next hello
        if len(self._queue) >= QUEUE_LINES:
            self.dropped += len(self._queue)
            self._queue.clear()
            self._resync = True
        if not self._resync:
            self._queue.append((time.time(), change))
        self._wake.set()

    async def run(self) -> None:
        """Connect, send, and connect again; ends only by cancellation."""
        failures = 0
        while True:
            started = time.monotonic()
            try:
                await self._session()
            except OSError:  # refused, unreachable, timed out, no such VRF yet
                pass
            finally:
                self.connected = False
            failures = 0 if time.monotonic() - started > 10 else failures + 1
            await asyncio.sleep(_BACKOFF_S[min(failures, len(_BACKOFF_S)) - 1] if failures else _BACKOFF_S[0])

    async def _session(self) -> None:
        link = open_socket(self._config.management_vrf, socket.AF_INET, socket.SOCK_STREAM)
        try:
            link.bind((self._config.management, 0))
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _USER_TIMEOUT_MS)
            # Few small lines: what a fibre swallowed is sent again five times a second, not ever more slowly.
            link.setsockopt(socket.IPPROTO_TCP, _TCP_THIN_LINEAR_TIMEOUTS, 1)
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                await asyncio.get_running_loop().sock_connect(link, self._config.collector)
                reader, writer = await asyncio.open_connection(sock=link)
        except BaseException:
            link.close()
            raise
        self.connections += 1
        closed = asyncio.ensure_future(reader.read(1))  # ends when the collector goes away
        closed.add_done_callback(lambda _: self._wake.set())
        try:
            await self._send(writer, closed)
        finally:
            closed.cancel()
            writer.close()

    async def _send(self, writer: asyncio.StreamWriter, closed: asyncio.Future[bytes]) -> None:
        sequence = 0

        def line(kind: str, **fields: Any) -> None:
            nonlocal sequence
            sequence += 1
            document = {"type": kind, "seq": sequence, **fields}
            writer.write(json.dumps(document, separators=(",", ":")).encode() + b"\n")

        self._queue.clear()
        self._resync = True
        self.connected = True
        line("hello", host=self._config.host, boot=self.boot, version=1)
        beat_at = 0.0
        while not closed.done():
            if self._resync:
                self._resync = False
                line("state", state=self._state.sections)
            while self._queue:
                at, (section, key, value) = self._queue.popleft()
                line("change", at=round(at, 3), section=section, key=key, value=value)
                if section in _NEWS:
                    beat_at = min(beat_at, time.monotonic() + _NEWS_S)
            if time.monotonic() >= beat_at:
                line("beat", at=round(time.time(), 3), dropped=self.dropped)
                beat_at = time.monotonic() + BEAT_S
            await writer.drain()
            self._wake.clear()
            if self._queue or self._resync:
                continue
            try:
                async with asyncio.timeout(max(0.0, beat_at - time.monotonic())):
                    await self._wake.wait()
            except TimeoutError:
                continue
