"""Real conversations between places of a running county: listeners, and attempts that reach them or do not."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from contextlib import suppress
from types import TracebackType

from drills.lab import Lab
from drills.policy import Check, Place


class Listeners:
    """Listeners at the targets of checks; where a real service already listens, that one is used."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._sockets: dict[tuple[str, str, str, int], socket.socket] = {}
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Listeners:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for opened in self._sockets.values():
            opened.close()

    def open(self, place: Place, protocol: str, port: int) -> None:
        """Listen at the place unless somebody does; an address that is not there now is left to its backend."""
        key = (place.host, str(place.address), protocol, port)
        if protocol == "icmp" or key in self._sockets:
            return
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        opened = self._lab.socket(place.host, place.vrf, kind)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind((str(place.address), port))
            if protocol == "tcp":
                opened.listen(512)
        except OSError as error:
            opened.close()
            if error.errno not in (errno.EADDRINUSE, errno.EADDRNOTAVAIL):
                raise
            return
        self._sockets[key] = opened
        serve = self._accept if protocol == "tcp" else self._echo
        self._tasks.append(asyncio.create_task(serve(opened)))

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(listener)
            connection.close()

    async def _echo(self, bound: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            data, peer = await loop.sock_recvfrom(bound, 2048)
            with suppress(OSError):
                await loop.sock_sendto(bound, data, peer)


async def reaches(lab: Lab, check: Check, timeout_s: float) -> bool:
    """True when the conversation works from the source's own address within ``timeout_s``."""
    try:
        if check.protocol == "tcp":
            return await _connects(lab, check, timeout_s)
        return await _echoes(lab, check, timeout_s)
    except (OSError, TimeoutError):
        return False


async def _connects(lab: Lab, check: Check, timeout_s: float) -> bool:
    attempt = lab.socket(check.source.host, check.source.vrf, socket.SOCK_STREAM)
    with attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        attempt.bind((str(check.source.address), 0))
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(loop.sock_connect(attempt, (str(check.target.address), check.port)), timeout_s)
        return True


async def _echoes(lab: Lab, check: Check, timeout_s: float) -> bool:
    loop = asyncio.get_running_loop()
    with lab.socket(check.source.host, check.source.vrf, socket.SOCK_DGRAM) as attempt:
        if check.protocol == "icmp":
            attempt.close()
            return await _pings(lab, check, timeout_s)
        attempt.bind((str(check.source.address), 0))
        nonce = os.urandom(8)
        await loop.sock_sendto(attempt, nonce, (str(check.target.address), check.port))
        return await asyncio.wait_for(loop.sock_recv(attempt, 64), timeout_s) == nonce


async def _pings(lab: Lab, check: Check, timeout_s: float) -> bool:
    command = ["ping", "-n", "-c1", f"-W{max(1, round(timeout_s))}", "-I", str(check.source.address)]
    argv = lab.twin.argv(check.source.host, [*command, str(check.target.address)], check.source.vrf)
    process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.DEVNULL)
    return await process.wait() == 0
