"""The broker's socket: accepts requests, runs them, hands over to a successor, and drains before it leaves.

Handing over: a new broker opens a connection to the old one, binds a socket under another name and renames it over
the old path, so that no client ever finds the path empty; then it asks the old one for ``shutdown``.  The old broker
takes no new request, finishes those in flight and answers last.  Until then the new broker reads but does not write.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from provision.broker.client import BrokerClient
from provision.broker.wire import LINE_LIMIT_BYTES, BrokerError, decode, encode

log = logging.getLogger("sanwang.broker")

REQUESTS_AT_ONCE = 256
DRAIN_S = 150.0
"""Longest wait for requests in flight when the broker is told to leave."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as a method sees it."""

    params: dict[str, Any]
    who: str
    why: str
    emit: Callable[[dict[str, Any]], Awaitable[None]]


Method = Callable[[Request], Awaitable[Any]]


@dataclass
class Server:
    """Serves ``methods`` on a unix socket until told to leave."""

    path: Path
    methods: dict[str, Method]
    refused: int = 0  # requests turned away because too many were in flight
    _in_flight: set[asyncio.Task[Any]] = field(default_factory=set)
    _draining: bool = False
    _leaving: asyncio.Event = field(default_factory=asyncio.Event)
    _old: socket.socket | None = None
    _connections: set[asyncio.StreamWriter] = field(default_factory=set)

    async def serve(self, on_ready: Callable[[], Awaitable[None]] | None = None) -> None:
        """Take the socket over (from a predecessor when there is one), serve, drain, leave.

        ``on_ready`` is awaited once the predecessor is gone: from then on this broker may write to devices.
        """
        listening, inode = self._bind()
        server = await asyncio.start_unix_server(self._connection, sock=listening, limit=LINE_LIMIT_BYTES)
        predecessor = asyncio.create_task(self._take_over(on_ready))
        loop = asyncio.get_running_loop()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._leaving.set)
        try:
            leaving = asyncio.create_task(self._leaving.wait())
            await asyncio.wait({predecessor, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if predecessor.done():
                predecessor.result()  # a failed start must end the broker, not leave it half alive
            await leaving
        finally:
            predecessor.cancel()
            server.close()
            with contextlib.suppress(FileNotFoundError):
                if self.path.stat().st_ino == inode:  # a successor's socket is not ours to remove
                    self.path.unlink()
            if self._in_flight:
                await asyncio.wait(self._in_flight, timeout=DRAIN_S)
            for writer in list(self._connections):
                writer.close()

    def _bind(self) -> tuple[socket.socket, int]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._old = self._connect_old()
        fresh = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        umask = os.umask(0o117)  # 0660: root and the group that owns the folder
        try:
            listening.bind(str(fresh))
        finally:
            os.umask(umask)
        listening.listen(128)
        listening.setblocking(False)
        inode = fresh.stat().st_ino
        fresh.rename(self.path)
        return listening, inode

    def _connect_old(self) -> socket.socket | None:
        old = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        old.settimeout(DRAIN_S)
        try:
            old.connect(str(self.path))
        except OSError:
            old.close()
            return None
        return old

    async def _take_over(self, on_ready: Callable[[], Awaitable[None]] | None) -> None:
        if self._old is not None:
            log.info("asking the broker before us to finish")
            with self._old as old:
                try:
                    await asyncio.to_thread(_ask_to_leave, old)
                except (OSError, ValueError) as error:
                    log.warning("the broker before us did not answer: %s", error)
        if on_ready is not None:
            await on_ready()
        log.info("ready on %s", self.path)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while not self._leaving.is_set():
                try:
                    line = await reader.readline()
                except ValueError:
                    await self._send(writer, _error("request", f"a line longer than {LINE_LIMIT_BYTES} bytes"))
                    return
                if not line:
                    return
                await self._answer(line, writer)
        except (ConnectionError, asyncio.CancelledError):
            return  # the client left; what it started goes on to its end
        finally:
            self._connections.discard(writer)
            with contextlib.suppress(ConnectionError):
                writer.close()

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        try:
            request = decode(line)
            name = request.get("method")
            if name == "shutdown":
                await self._shutdown(writer)
                return
            if self._draining:
                raise BrokerError("moved", "another broker has taken over: ask again")
            method = self.methods.get(str(name))
            params = request.get("params", {})
            if method is None:
                raise BrokerError("request", f"method {name!r}: expected one of {', '.join(sorted(self.methods))}")
            if not isinstance(params, dict):
                raise BrokerError("request", f"{name}: params: expected an object, found {type(params).__name__}")
            if len(self._in_flight) >= REQUESTS_AT_ONCE:
                self.refused += 1
                raise BrokerError("broker", f"{REQUESTS_AT_ONCE} requests are in flight already: ask again later")
        except BrokerError as error:
            await self._send(writer, _error(error.kind, error.message))
            return

        async def emit(event: dict[str, Any]) -> None:
            await self._send(writer, {"event": event})

        who = f"{str(request.get('who') or 'unknown')[:64]} (uid {_peer_uid(writer)})"
        task = asyncio.create_task(
            _run(method, Request(params, who, str(request.get("why") or "")[:500], emit)), name=str(name)
        )
        self._in_flight.add(task)
        task.add_done_callback(self._in_flight.discard)
        # A client that goes away must not stop a device half way: the task is shielded from our own cancellation.
        await self._send(writer, await asyncio.shield(task))

    async def _shutdown(self, writer: asyncio.StreamWriter) -> None:
        log.info("asked to leave with %d requests in flight", len(self._in_flight))
        self._draining = True
        if self._in_flight:
            await asyncio.wait(set(self._in_flight), timeout=DRAIN_S)
        await self._send(writer, {"result": {"left": True}})
        self._leaving.set()

    async def _send(self, writer: asyncio.StreamWriter, document: dict[str, Any]) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(encode(document))
            await writer.drain()


async def _run(method: Method, request: Request) -> dict[str, Any]:
    try:
        return {"result": await method(request)}
    except BrokerError as error:
        return _error(error.kind, error.message)
    except Exception as error:
        log.exception("a request failed")
        return _error("broker", f"{type(error).__name__}: {error} (the broker's log has the trace)")


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"kind": kind, "message": message}}


def _peer_uid(writer: asyncio.StreamWriter) -> int:
    peer: socket.socket = writer.get_extra_info("socket")
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])


def _ask_to_leave(old: socket.socket) -> None:
    old.sendall(encode({"method": "shutdown"}))
    with old.makefile("rb") as lines:
        lines.readline(LINE_LIMIT_BYTES)


def ask_shutdown(path: Path) -> bool:
    """Ask the broker on that socket to leave; False when none listens."""
    try:
        BrokerClient(path).call("shutdown")
    except BrokerError as error:
        if error.kind == "absent":
            return False
        raise
    return True
