"""Copies of Sanwang's own backup on the standby management host: brought there in band, proved there, the oldest go.

The copy is sealed like every backup; the standby opens it with the key that it was provisioned with.  After what a
takeover may not forget (a site revoked, the exit closed, a change confirmed) the broker brings one by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.backup.sealed import SealError, fingerprint
from provision.backup.system import BackupError, create
from provision.broker.session import DeviceSession
from provision.broker.wire import BrokerError

if TYPE_CHECKING:
    from provision.broker.devices import Devices
    from provision.broker.server import Request

log = logging.getLogger("sanwang.broker")

FOLDER = Path("/var/lib/sanwang-standby")
"""Where the standby keeps them."""

KEEP = 5
QUIET_S = 10.0
"""How long after the last such entry of the audit a copy is made: the entry comes before the deed."""

_AFTER = frozenset({"vpn.revoke", "vpn.restore", "vpn.rotate", "exit.close", "exit.open", "confirm", "change.ended"})
_NAME = re.compile(r"sanwang-[a-z0-9]{1,12}-[0-9]{8}T[0-9]{6}Z\.swb")
_TIMEOUT_S = 600.0
_TAKE = (
    "set -e; umask 077; mkdir -p {folder}; cd {folder}; cat >.{name}.new; sync .{name}.new;"
    " sha256sum .{name}.new | grep -q ^{sha256} || {{ rm .{name}.new; echo 'arrived changed' >&2; exit 1; }};"
    " mv .{name}.new {name}; ls -1 sanwang-*.swb | sort | head -n -{keep} | xargs -r rm --"
)


class Copies:
    """The broker's method ``copy``."""

    def __init__(self, devices: Devices) -> None:
        self._devices = devices
        self._wanted = ""
        self._worker: asyncio.Task[None] | None = None
        self.failed = 0  # copies that the standby did not get since the start
        devices.trail.watch(self._noted)

    def _noted(self, who: str, what: str, why: str, detail: Mapping[str, object]) -> None:
        if what in _AFTER:
            self._wanted = f"after {what}"
            if self._worker is None or self._worker.done():
                self._worker = asyncio.get_running_loop().create_task(self._bring())

    async def _bring(self) -> None:
        while self._wanted:
            why = self._wanted
            while self._wanted:
                self._wanted = ""
                await asyncio.sleep(QUIET_S)
            try:
                await self._make_and_copy(why)
            except (BrokerError, BackupError, SealError, OSError) as error:
                self.failed += 1
                log.warning("the standby did not get a copy: %s", error)

    async def _make_and_copy(self, why: str) -> None:
        places = self._devices.places
        model = await self._devices.sessions.thread(lambda: self._devices.county.model)
        if not model.standby:
            return
        with tempfile.TemporaryDirectory(prefix=".copy-", dir=places.lib) as folder:
            made = await asyncio.to_thread(create, places, Path(folder), who="broker", why=why)
            await self._copy(Path(made.path), "broker", why)

    async def close(self) -> None:
        """Stop; a copy that is under way is left out."""
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker

    def methods(self) -> dict[str, Callable[[Request], Any]]:
        """Method name -> coroutine function."""
        return {"copy": self.copy}

    async def copy(self, request: Request) -> dict[str, Any]:
        """Bring a backup to the standby.  Params: ``path``, as ``sanwang backup create`` named it.

        Raises BrokerError: kind ``request`` when the county has no standby or the file is none of ours.
        """
        return await self._copy(Path(str(request.params.get("path", ""))), request.who, request.why)

    async def _copy(self, path: Path, who: str, why: str) -> dict[str, Any]:
        model = await self._devices.sessions.thread(lambda: self._devices.county.model)
        if not model.standby:
            raise BrokerError("request", "the county has no standby: add the box `standby` to another centre")
        if not _NAME.fullmatch(path.name) or not path.is_file():
            raise BrokerError("request", f"{path}: found no backup; expected one that `sanwang backup create` named")
        await self._devices.wait_to_write()
        data, sha256 = await asyncio.to_thread(lambda: (path.read_bytes(), fingerprint(path)))
        command = _TAKE.format(folder=FOLDER, name=path.name, sha256=sha256, keep=KEEP)

        def work(session: DeviceSession) -> None:
            done = session.run(command, data, timeout_s=_TIMEOUT_S)
            if done.code:
                raise BrokerError("device", f"{model.standby}: the copy was not kept: {done.err.strip()[-300:]}")

        await self._devices.sessions.on(model.hosts[model.standby], work)
        detail = {"host": model.standby, "file": path.name, "sha256": sha256, "bytes": len(data)}
        await self._devices.trail.note(who, "backup.copy", why, detail)
        return {"changed": True, **detail, "folder": str(FOLDER)}
