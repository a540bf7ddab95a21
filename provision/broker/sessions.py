"""All sessions of the broker: one per device, opened when needed, closed when idle, at most twenty at work.

A lock per device orders the work on it, so we never take more than one of its VTYs: people always find a free one.  A
pool of threads bounds the work on all.  Addresses and keys come from the model and the vault: the staging address with
the bootstrap key, or the management address and the device's host key.  Into a Linux box the broker logs in with its
own key, and the county itself made the box's host key; into a vendor's device with a password, and the device showed
its host key when it was enrolled.
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
from typing import Any, TypeVar

import paramiko

from inventory.model import Host
from provision.broker.session import Address, DeviceSession, SessionLog
from provision.broker.wire import BrokerError
from provision.vendor import Credentials, VendorError, VendorSession

log = logging.getLogger("sanwang.broker")

AT_ONCE = 20
"""Devices worked on at the same time: most of that time a device waits for its own daemons, not for our cores."""

IDLE_S = 45.0
"""An unused session is closed after this long: an idle transport still wakes ten times a second."""

SSH_PORT = 22
SWITCH_USER, FACTORY_USER = "sanwang", "admin"
"""Our account on a vendor's device, and the one that a fresh one has."""

BUSY_TRIES, BUSY_WAIT_S = 4, 1.5
"""How often a device whose VTYs are all taken is asked again: whoever looked something up is gone by then."""

T = TypeVar("T")
Session = DeviceSession | VendorSession


class Sessions:
    """Use ``on(host, work)`` for one piece of blocking work on a device."""

    def __init__(self, folder: Path, secret: Callable[[str], str], user: str) -> None:
        """``folder`` keeps the transcripts; ``secret`` gives keys and passwords by name; ``user`` logs in to Linux."""
        self._folder = folder
        self._secret = secret
        self._user = user
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="device")
        self._open: dict[tuple[str, bool], Session] = {}
        self._used_s: dict[tuple[str, bool], float] = {}
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
        """Run ``work`` with a Linux box's session in a thread; BrokerError when it cannot be reached.

        ``work`` must be safe to repeat: it is, once, when a session kept from before turns out to be dead.
        """
        return await self._in_turn(partial(self._use, host, work, staging), host, locked)

    async def on_vendor(
        self, host: Host, work: Callable[[VendorSession], T], *, staging: bool = False, locked: bool = False
    ) -> T:
        """The same for a vendor's device; its words become BrokerError (kind ``busy``: no free VTY)."""

        def told(session: VendorSession) -> T:
            try:
                return work(session)
            except VendorError as error:
                if error.kind == "unreachable":
                    session.close()  # whatever it still says would be taken for the answer to something else
                raise _broker_error(error) from None

        return await self._in_turn(partial(self._use, host, told, staging), host, locked)

    async def _in_turn(self, work: Callable[[], T], host: Host, locked: bool) -> T:
        if not locked:
            async with self.lock(host.name):
                return await self._in_turn(work, host, locked=True)
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def thread(self, work: Callable[[], T]) -> T:
        """Run blocking work that needs no device (rendering, secrets) in the same bounded pool."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def _use(self, host: Host, work: Callable[[Any], T], staging: bool) -> T:
        key = (host.name, staging)
        self._used_s[key] = time.monotonic()
        try:
            return self._work(key, host, work)
        finally:
            self._used_s[key] = time.monotonic()

    def _work(self, key: tuple[str, bool], host: Host, work: Callable[[Any], T]) -> T:
        kept = self._open.get(key)
        if kept is not None and kept.alive:
            try:
                return work(kept)
            except BrokerError as error:
                if error.kind != "unreachable":
                    raise
                log.info("%s: a kept session was dead, opening another", host.name)
        self._drop(key)
        session = self._login(host, staging=key[1])
        self._open[key] = session
        try:
            return work(session)
        except BrokerError:
            if not session.alive:
                self._drop(key)
            raise

    def _login(self, host: Host, *, staging: bool) -> Session:
        address = host.staging.ip if staging and host.staging else host.management
        if address is None or (staging and host.staging is None):
            raise BrokerError("request", f"{host.name} has no {'staging port' if staging else 'management address'}")
        if not host.linux:
            return self._login_vendor(host, str(address), staging)
        where = self._where(host, str(address), self._user)
        if staging:
            return DeviceSession(where, self._key("ssh/bootstrap"), "", self._log(host.name))
        pinned = " ".join(self._secret(f"ssh-pub/host/{host.name}").split()[:2])
        return DeviceSession(where, self._key("ssh/broker"), pinned, self._log(host.name))

    def _where(self, host: Host, address: str, user: str) -> Address:
        return Address(host.name, address, SSH_PORT, user)

    def _login_vendor(self, host: Host, address: str, staging: bool) -> VendorSession:
        where = self._where(host, address, FACTORY_USER if staging else SWITCH_USER)
        if staging:
            pinned, credentials = "", Credentials(key=self._key("ssh/bootstrap"))
        else:
            password = self._secret(f"switch/{host.name}/password")
            pinned, credentials = self._secret(f"host-key/{host.name}"), Credentials(password, enable=password)
        for tries_left in reversed(range(BUSY_TRIES)):
            try:
                return VendorSession.open(where, host.platform, credentials, self._log(host.name), pinned=pinned)
            except VendorError as error:
                if error.kind != "busy" or not tries_left:
                    raise _broker_error(error) from None
                time.sleep(BUSY_WAIT_S)
        raise AssertionError("the last try returns or raises")

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
            for key in list(self._open):
                lock = self._locks.get(key[0])
                if self._used_s[key] < old and not (lock is not None and lock.locked()):
                    self._drop(key)

    def close(self) -> None:
        """Finish what runs and close every session."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        for key in list(self._open):
            self._drop(key)


def _broker_error(error: VendorError) -> BrokerError:
    return BrokerError("device" if error.kind == "refused" else error.kind, error.message)


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
