"""The broker keeps every device's configuration: after each change by itself, on request, and tells what drifted.

What was applied is kept as it was rendered, with its placeholders.  A device that ended a change by itself, or was
asked for, is read: where a file is not the rendered one its text is masked before it leaves the session.  Keeping never
holds up a change: it happens behind it, changes of a moment together.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provision.backup.archive import Archive, ArchiveError, Kept, Snapshot
from provision.broker.driver import File
from provision.broker.masking import unified
from provision.broker.wire import BrokerError

if TYPE_CHECKING:
    from inventory.model import Host
    from provision.broker.devices import Devices
    from provision.broker.server import Request

log = logging.getLogger("sanwang.broker")

TOGETHER_S = 10.0  # changes within this time become one commit: a county that comes up has other things to do
ENDED = ("confirm", "revert", "rollback", "change.ended", "restore.new")
"""Audit entries after which a device's files are whatever it decided: it is read."""


@dataclass(frozen=True, slots=True)
class _Why:
    who: str
    what: str
    why: str


@dataclass(slots=True)
class _Taken:
    """Files that a device has taken; ``whole``: it has no others."""

    files: dict[str, Kept]
    whole: bool


class Backups:
    """Writes the archive behind the broker's changes."""

    def __init__(self, devices: Devices, archive: Archive) -> None:
        self._devices = devices
        self._archive = archive
        self._waiting: dict[_Why, dict[str, _Taken]] = {}
        self._to_read: dict[str, _Why] = {}
        self._worker: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self.failed = 0  # devices that could not be kept since the start
        devices.trail.watch(self._noted)

    def methods(self) -> dict[str, Callable[[Request], Any]]:
        """Method name -> coroutine function."""
        return {"backup": self.backup, "drift": self.drift}

    def applied(self, host: Host, files: Collection[File], request: Request, *, whole: bool) -> None:
        """Remember what a device has taken; ``whole``: it has nothing else."""
        texts = {file.path: file.text for file in self._devices.county.files(host.name)}
        kept = {
            file.path: Kept(texts[file.path], file.mode, _digest(file.text), file.group)
            for file in files
            if file.path in texts
        }
        waiting = self._waiting.setdefault(_Why(request.who, "apply", request.why), {})
        if whole or host.name not in waiting:
            waiting[host.name] = _Taken(kept, whole)
        else:
            waiting[host.name].files.update(kept)
        self._start()

    def changed(self, host: Host, request: Request) -> None:
        """A device that shows its own text has taken a change: it is read."""
        self._to_read[host.name] = _Why(request.who, "apply", request.why)
        self._start()

    def _noted(self, who: str, what: str, why: str, detail: Mapping[str, object]) -> None:
        if what in ENDED and isinstance(detail.get("host"), str):
            self._to_read[str(detail["host"])] = _Why(who, what, why)
            self._start()

    def _start(self) -> None:
        if self._worker is None or self._worker.done():
            self._worker = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        while self._waiting or self._to_read:
            await asyncio.sleep(TOGETHER_S)
            await self._write()

    async def _write(self) -> None:
        async with self._writing:
            to_read, self._to_read = self._to_read, {}
            waiting, self._waiting = self._waiting, {}
            for cause, taken in waiting.items():
                await self._put(cause, await asyncio.to_thread(self._merged, taken))
            for name, cause in to_read.items():
                try:
                    await self._put(cause, {name: await self._look(self._devices.county.host(name))})
                except BrokerError as error:
                    self.failed += 1
                    log.warning("%s was not kept: %s", name, error.message)

    def _merged(self, taken: Mapping[str, _Taken]) -> dict[str, Snapshot]:
        """Devices that took only a part keep the rest of what is known of them."""
        snapshots = {}
        for name, one in taken.items():
            before = None if one.whole else self._archive.snapshot(name)
            snapshots[name] = Snapshot({**(before.files if before else {}), **one.files})
        return snapshots

    async def close(self) -> None:
        """Write what waits; devices that would have to be read first are left to the next backup."""
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
        self._to_read.clear()
        await self._write()

    async def _put(self, cause: _Why, snapshots: Mapping[str, Snapshot]) -> None:
        try:
            await self._commit(cause, snapshots)
        except ArchiveError as error:
            self.failed += len(snapshots)
            log.error("configurations were not kept: %s", error)

    async def _commit(self, cause: _Why, snapshots: Mapping[str, Snapshot]) -> str:
        return await asyncio.to_thread(self._archive.put, snapshots, who=cause.who, what=cause.what, why=cause.why)

    async def backup(self, request: Request) -> dict[str, Any]:
        """Read devices and keep what they have.  Params: ``hosts`` (names; default all).

        Streams ``{"host", "changed"}`` or ``{"host", "error"}``; the commit is "" when nothing had changed.
        """
        wanted = request.params.get("hosts")
        model = await self._devices.sessions.thread(lambda: self._devices.county.model)
        hosts = [host for host in model.appliances() if wanted is None or host.name in wanted]
        unknown = sorted(set(wanted or ()) - {host.name for host in hosts})
        if unknown:
            raise BrokerError("request", f"no appliance {', '.join(unknown)}: `sanwang county show` lists them")
        snapshots: dict[str, Snapshot] = {}

        async def one(host: Host) -> None:
            try:
                snapshots[host.name] = await self._look(host)
                await request.emit({"host": host.name})
            except BrokerError as error:
                await request.emit({"host": host.name, "error": error.message})

        async with asyncio.TaskGroup() as group:
            for host in hosts:
                group.create_task(one(host))
        try:
            commit = await self._commit(_Why(request.who, "backup", request.why), snapshots)
        except ArchiveError as error:
            raise BrokerError("broker", f"the configurations were not kept: {error}") from None
        detail = {"hosts": len(snapshots), "missing": len(hosts) - len(snapshots), "commit": commit}
        await self._devices.trail.note(request.who, "backup.take", request.why, detail)
        return {**detail, "changed": bool(commit)}

    async def drift(self, request: Request) -> dict[str, Any]:
        """How a device differs from what was last kept of it: files by hand, and its running state.

        ``{"kept", "files": [{"path", "is", "diff"}], "running": {part: [lines]}, "drifted"}``; secrets are masked.
        """
        host = self._devices.county.host(str(request.params.get("host", "")))
        kept = await asyncio.to_thread(self._archive.snapshot, host.name)
        now = await self._look(host)
        before = dict(kept.files) if kept is not None else {}
        files = []
        for path in sorted(set(before) | set(now.files)) if kept is not None else ():
            was, is_now = before.get(path), now.files.get(path)
            if was is not None and is_now is not None and (was.sha256, was.mode) == (is_now.sha256, is_now.mode):
                continue
            kind = "gone" if is_now is None else "new" if was is None else "changed"
            diff = unified(path, was.text if was else "", is_now.text if is_now else "")
            files.append({"path": path, "is": kind, "diff": diff})
        running = {part: list(lines) for part, lines in now.drift.items() if lines}
        return {"kept": kept is not None, "files": files, "running": running, "drifted": bool(files or running)}

    async def _look(self, host: Host) -> Snapshot:
        """A device as it is."""
        bundle, secret = await self._devices.sessions.thread(lambda: self._devices.bundle(host))
        texts = {file.path: file.text for file in self._devices.county.files(host.name)}
        return await self._devices.on(host, lambda device: device.snapshot(bundle, texts, secret))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
