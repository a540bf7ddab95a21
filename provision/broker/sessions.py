"""All sessions of the broker: one per device, opened when needed, closed when idle, at most twenty at work.

A lock per device orders the work on it, so we never take more than one of its VTYs: people always find a free one.  A
pool of threads bounds the work on all.  Addresses and keys come from the
model and the vault: the staging address with the bootstrap key, or the management address with the broker's own key
and the device's host key, which the county itself made and therefore knows before it ever saw the device.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import paramiko

from inventory.model import Host
from provision.broker.session import Address, DeviceSession, SessionLog
from provision.broker.wire import BrokerError

log = logging.getLogger("sanwang.broker")

AT_ONCE = 20
"""Devices worked on at the same time: most of that time a device waits for its own daemons, not for our cores."""

IDLE_S = 45.0
"""An unused session is closed after this long: an idle transport still wakes ten times a second."""

SSH_PORT = 22
T = TypeVar("T")


class Sessions:
    """Use ``on(host, work)`` for one piece of blocking work on a device."""

    def __init__(self, folder: Path, secret: Callable[[str], str], ssh_public: Callable[[str], str], user: str) -> None:
        """``folder`` keeps the transcripts; ``secret`` and ``ssh_public`` give keys by name; ``user`` logs in."""
        self._folder = folder
        self._secret = secret
        self._ssh_public = ssh_public
        self._user = user
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="device")
        self._open: dict[tuple[str, bool], DeviceSession] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._logs: dict[str, SessionLog] = {}
        self._keys: dict[str, paramiko.PKey] = {}

    @contextlib.asynccontextmanager
    async def lock(self, host: str) -> AsyncIterator[None]:
        """Hold a device for several pieces of work; ``on`` must then be called with ``locked=True``."""
        async with self._locks.setdefault(host, asyncio.Lock()):
            yield

    async def on(
        self, host: Host, work: Callable[[DeviceSession], T], *, staging: bool = False, locked: bool = False
    ) -> T:
        """Run ``work`` with the device's session in a thread; BrokerError when it cannot be reached.

        ``work`` must be safe to repeat: it is, once, when a session kept from before turns out to be dead.
        """
        if not locked:
            async with self.lock(host.name):
                return await self.on(host, work, staging=staging, locked=True)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, partial(self._use, host, work, staging))

    async def thread(self, work: Callable[[], T]) -> T:
        """Run blocking work that needs no device (rendering, secrets) in the same bounded pool."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _use(self, host: Host, work: Callable[[DeviceSession], T], staging: bool) -> T:
        key = (host.name, staging)
        kept = self._open.get(key)
        if kept is not None and kept.alive:
            try:
                return work(kept)
            except BrokerError as error:
                if error.kind != "unreachable":
                    raise
                log.info("%s: a kept session was dead, opening another", host.name)
        self._drop(key)
        session = self._login(host, staging)
        self._open[key] = session
        try:
            return work(session)
        except BrokerError:
            if not session.alive:
                self._drop(key)
            raise

    def _login(self, host: Host, staging: bool) -> DeviceSession:
        if staging:
            if host.staging is None:
                raise BrokerError("request", f"{host.name} has no staging port")
            where = Address(host.name, str(host.staging.ip), SSH_PORT, self._user)
            return DeviceSession(where, self._key("ssh/bootstrap"), "", self._log(host.name))
        if host.management is None:
            raise BrokerError("request", f"{host.name} has no management address")
        where = Address(host.name, str(host.management), SSH_PORT, self._user)
        pinned = " ".join(self._ssh_public(f"ssh/host/{host.name}").split()[:2])
        return DeviceSession(where, self._key("ssh/broker"), pinned, self._log(host.name))

    def _key(self, name: str) -> paramiko.PKey:
        if name not in self._keys:
            self._keys[name] = paramiko.Ed25519Key.from_private_key(io.StringIO(self._secret(name)))
        return self._keys[name]

    def _log(self, host: str) -> SessionLog:
        if host not in self._logs:
            self._logs[host] = SessionLog(self._folder / f"{host}.log")
        return self._logs[host]

    def _drop(self, key: tuple[str, bool]) -> None:
        session = self._open.pop(key, None)
        if session is not None:
            session.close()

    def forget(self, host: str, *, staging: bool) -> None:
        """Close the device's session."""
        self._drop((host, staging))

    @property
    def open_count(self) -> int:
        """Sessions open now."""
        return len(self._open)

    async def close_idle(self, every_s: float = 10.0) -> None:
        """Close unused sessions, for ever; run it as a task."""
        while True:
            await asyncio.sleep(every_s)
            old = time.monotonic() - IDLE_S
            for key, session in list(self._open.items()):
                lock = self._locks.get(key[0])
                if session.used_s < old and not (lock is not None and lock.locked()):
                    self._drop(key)

    def close(self) -> None:
        """Finish what runs and close every session."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for key in list(self._open):
            self._drop(key)


async def answers(address: str, *, within_s: float, every_s: float = 0.25) -> bool:
    """Whether an SSH server greets on that address within the time; asks again and again until then."""
    end = time.monotonic() + within_s
    while True:
        if await _greets(address, max(0.2, min(2.0, end - time.monotonic()))):
            return True
        if time.monotonic() + every_s > end:
            return False
        await asyncio.sleep(every_s)


async def _greets(address: str, within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            reader, writer = await asyncio.open_connection(address, SSH_PORT)
            try:
                return (await reader.readline()).startswith(b"SSH-")
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return False
