"""Copies of Sanwang's own backup on the standby management host: brought there in band, proved there, the oldest go.

The copy is sealed like every backup; the standby opens it with the key that it was provisioned with.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provision.backup.sealed import fingerprint
from provision.broker.session import DeviceSession
from provision.broker.wire import BrokerError

if TYPE_CHECKING:
    from provision.broker.devices import Devices
    from provision.broker.server import Request

FOLDER = Path("/var/lib/sanwang-standby")
"""Where the standby keeps them."""

KEEP = 5
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

    def methods(self) -> dict[str, Callable[[Request], Any]]:
        """Method name -> coroutine function."""
        return {"copy": self.copy}

    async def copy(self, request: Request) -> dict[str, Any]:
        """Bring a backup to the standby.  Params: ``path``, as ``sanwang backup create`` named it.

        Raises BrokerError: kind ``request`` when the county has no standby or the file is none of ours.
        """
        model = await self._devices.sessions.thread(lambda: self._devices.county.model)
        if not model.standby:
            raise BrokerError("request", "the county has no standby: add the box `standby` to another centre")
        path = Path(str(request.params.get("path", "")))
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
        await self._devices.trail.note(request.who, "backup.copy", request.why, detail)
        return {"changed": True, **detail, "folder": str(FOLDER)}
