"""Changes that a device undoes by itself: armed, confirmed, reverted, rolled back; and what a new broker finds armed.

A device is changed only if it still is what the plan saw (``base``) and if the county still says what the plan says
(``wanted``); both are looked at under the device's lock, so nobody comes between.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from inventory.model import Host
from provision.broker.armed import Armed, Arming
from provision.broker.driver import Applied, Driver, File
from provision.broker.server import Request
from provision.broker.wire import BrokerError
from provision.change.plan import bundle_fingerprint, state_fingerprint

if TYPE_CHECKING:
    from provision.broker.devices import Devices

log = logging.getLogger("sanwang.broker")

CONFIRM_S = (5, 3600)
"""Shortest and longest time that a device may be told to wait for a confirmation."""

LATE_S = 20.0  # a device whose time was over so long ago has undone its change, if it has power
_TIDY_S = 10.0
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Changes:
    """The broker's methods on changes that wait for a confirmation."""

    def __init__(self, devices: Devices, armed: Armed) -> None:
        self._devices = devices
        self._armed = armed

    def methods(self) -> dict[str, Callable[[Request], Any]]:
        """Method name -> coroutine function; ``apply`` with ``confirm_s`` comes here too."""
        return {"confirm": self.confirm, "revert": self.revert, "rollback": self.rollback, "armed": self.armed}

    async def apply(self, request: Request) -> dict[str, Any]:
        """Make the device what the model says, to be confirmed within ``confirm_s`` seconds.

        Params: ``host``; ``confirm_s``; ``change``: id, the same again goes on with it; ``base``: the device's
        ``state_fingerprint`` as planned, ``wanted``: the ``bundle_fingerprint`` of all its files: refused, kind
        ``stale``, when one of them moved ("" = not looked at).
        """
        host, _, _ = await self._arguments(request)
        wanted = str(request.params.get("wanted", ""))
        devices = self._devices
        if wanted:
            files = await devices.sessions.thread(lambda: devices.county.files(host.name))
            if bundle_fingerprint((file.path, file.mode, file.text) for file in files) != wanted:
                raise BrokerError(
                    "stale", f"{host.name}: the county's files no longer say what the plan says: plan again"
                )
        bundle, secret = await devices.sessions.thread(lambda: devices.bundle(host))
        return await self.send(request, bundle, secret)

    async def send(
        self,
        request: Request,
        bundle: Collection[File],
        secret: Mapping[str, str],
        what: str = "apply",
        **more: Any,
    ) -> dict[str, Any]:
        """Make the device what these files say, armed; params of the request as for ``apply``.

        ``what`` and ``more`` go to the audit log.
        """
        host, seconds, change = await self._arguments(request)
        base = str(request.params.get("base", ""))
        devices = self._devices
        await devices.wait_to_write()

        def work(device: Driver) -> Applied:
            return device.apply(bundle, groups=None, check=False, secrets=secret, confirm=(seconds, change))

        began_s = time.monotonic()
        async with devices.sessions.lock(host.name):
            if base:
                await self._require_base(host, base, change)
            applied = await self._armed_work(request, host, change, seconds, work)
        detail = {"host": host.name, "change": change, "confirm_s": seconds, **more}
        detail |= {"files": [each.path for each in applied.files], "running": applied.running}
        await devices.trail.note(request.who, what, request.why, detail)
        return {
            "changed": applied.changed,
            "pending": applied.pending,
            "confirm_s": applied.confirm_s or seconds,
            "msg": applied.words(check=False),
            "files": [each.path for each in applied.files],
            "running": applied.running,
            "commands": list(applied.commands),
            "seconds": round(time.monotonic() - began_s, 3),
        }

    async def rollback(self, request: Request) -> dict[str, Any]:
        """Bring back what there was before the confirmed change ``of``, as change ``change``, to be confirmed too."""
        host, seconds, change = await self._arguments(request)
        of = _name(request, "of")
        await self._devices.wait_to_write()

        def work(device: Driver) -> Applied:
            return device.rollback(of, confirm=(seconds, change))

        async with self._devices.sessions.lock(host.name):
            applied = await self._armed_work(request, host, change, seconds, work)
        detail = {"host": host.name, "change": change, "of": of, "confirm_s": seconds}
        detail["files"] = [each.path for each in applied.files]
        await self._devices.trail.note(request.who, "rollback", request.why, detail)
        return {
            "changed": applied.changed,
            "pending": applied.pending,
            "confirm_s": applied.confirm_s or seconds,
            "files": detail["files"],
            "commands": list(applied.commands),
        }

    async def confirm(self, request: Request) -> dict[str, Any]:
        """Keep change ``change`` on ``host``; fine twice, an error when the device has undone it."""
        return await self._end(request, "confirm")

    async def revert(self, request: Request) -> dict[str, Any]:
        """Undo change ``change`` on ``host`` now, before it is confirmed; fine twice."""
        return await self._end(request, "revert")

    async def armed(self, request: Request) -> dict[str, Any]:
        """Every change that may still be undone by its device: host, change, who, why, left_s."""
        await self._devices.sessions.thread(self._armed.open)
        now = time.time()
        return {"armed": [_shown(each, now) for each in self._armed.entries]}

    async def tidy(self) -> None:
        """For ever: ask devices whose time is over what became of their change, and note it."""
        await self._devices.may_write.wait()
        await self._devices.sessions.thread(self._armed.open)
        if self._armed.entries:
            log.info("armed by the broker before: %s", ", ".join(f"{e.host} {e.change}" for e in self._armed.entries))
        while True:
            await self.settle_overdue()
            await asyncio.sleep(_TIDY_S)

    async def settle_overdue(self) -> None:
        """Bring every change whose time is over to before or after, as far as its device answers."""
        late = [entry for entry in self._armed.entries if entry.until_unix_s + LATE_S < time.time()]
        overdue = await self._devices.sessions.thread(self._devices.ledger.overdue)
        for host, change in overdue:  # nobody but us takes these back before a restart does
            known = next((each for each in self._armed.entries if (each.host, each.change) == (host, change)), None)
            late.append(known or Arming(host, change, "broker", "a change that was cut off", 0.0))
        await asyncio.gather(*(self._look(entry) for entry in late))

    def close(self) -> None:
        """Give the journal back."""
        self._armed.close()

    async def _look(self, entry: Arming) -> None:
        try:
            host = await self._devices.sessions.thread(lambda: self._devices.county.host(entry.host))
            outcome = await self._devices.on(host, lambda device: device.settle(entry.change))
            if not outcome:
                return
            detail = {"host": entry.host, "change": entry.change, "outcome": outcome}
            await self._devices.trail.note("broker", "change.ended", entry.why, detail)
            await self._devices.sessions.thread(lambda: self._armed.settle(entry.host, entry.change))
        except BrokerError as error:
            log.warning("%s: what became of change %s is not known yet: %s", entry.host, entry.change, error)

    async def _arguments(self, request: Request) -> tuple[Host, int, str]:
        host = await self._devices.sessions.thread(
            lambda: self._devices.county.host(str(request.params.get("host", "")))
        )
        seconds = request.params.get("confirm_s")
        low, high = CONFIRM_S
        if not isinstance(seconds, int) or not low <= seconds <= high:
            raise BrokerError("request", f"confirm_s: expected whole seconds from {low} to {high}, found {seconds!r}")
        return host, seconds, _name(request, "change")

    async def _require_base(self, host: Host, base: str, change: str) -> None:
        """The device is as it was planned; one that waits with this very change is, too."""
        state = await self._devices.on(host, lambda device: device.state(), locked=True)
        if (state.get("pending") or {}).get("id") != change and state_fingerprint(state) != base:
            raise BrokerError("stale", f"{host.name} is no longer as it was when it was planned: plan again")

    async def _armed_work(
        self, request: Request, host: Host, change: str, seconds: int, work: Callable[[Driver], Applied]
    ) -> Applied:
        """Note it, then do it: in this order a killed broker knows of it."""
        thread = self._devices.sessions.thread
        await thread(lambda: self._armed.arm(host.name, change, request.who, request.why, seconds))
        try:
            applied = await self._devices.on(host, work, locked=True)
        except BrokerError as error:
            if error.kind in ("device", "broker") and await self._nothing_pending(host, change):
                await thread(lambda: self._armed.settle(host.name, change))
            raise
        if applied.pending is None:
            await thread(lambda: self._armed.settle(host.name, change))
        return applied

    async def _nothing_pending(self, host: Host, change: str) -> bool:
        try:
            state = await self._devices.on(host, lambda device: device.state(), locked=True)
        except BrokerError:
            return False
        return (state.get("pending") or {}).get("id") != change

    async def _end(self, request: Request, how: str) -> dict[str, Any]:
        host = await self._devices.sessions.thread(
            lambda: self._devices.county.host(str(request.params.get("host", "")))
        )
        change = _name(request, "change")
        await self._devices.wait_to_write()
        outcome = await self._devices.on(host, lambda device: device.end(how, change))
        await self._devices.trail.note(
            request.who, how, request.why, {"host": host.name, "change": change, "is": outcome}
        )
        await self._devices.sessions.thread(lambda: self._armed.settle(host.name, change))
        return {"changed": outcome in ("confirmed", "reverted"), "outcome": outcome}


def _name(request: Request, key: str) -> str:
    value = request.params.get(key)
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise BrokerError("request", f"{key}: expected 1-64 letters, digits, - and _, found {value!r}")
    return value


def _shown(entry: Arming, now: float) -> dict[str, Any]:
    row = {"host": entry.host, "change": entry.change, "who": entry.who, "why": entry.why}
    return {**row, "left_s": round(entry.until_unix_s - now, 1)}
