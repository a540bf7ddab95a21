"""A device gets back the configuration of a commit: its texts from git, its secrets from the vault.

One that answers in band takes it as a change that it undoes by itself unless it is confirmed.  A new, empty box takes
it over its staging port: it has nothing to go back to.  The device tool's own programs are not configuration: those of
today stay.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inventory.model import Host
from provision.backup.archive import Archive, ArchiveError, Snapshot, Version
from provision.broker import tool
from provision.broker.driver import Applied, Driver, File
from provision.broker.masking import HIDDEN, mask, placeholders
from provision.broker.wire import BrokerError
from provision.change.plan import state_fingerprint

if TYPE_CHECKING:
    from provision.broker.devices import Devices
    from provision.broker.server import Request


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a commit holds of a device, ready to be sent."""

    version: Version
    files: list[File]
    secrets: dict[str, str]
    renewed: list[str]  # files whose secrets are today's, and were others then


class Restoring:
    """The broker's method ``restore``."""

    def __init__(self, devices: Devices, archive: Archive) -> None:
        self._devices = devices
        self._archive = archive

    def methods(self) -> dict[str, Callable[[Request], Any]]:
        """Method name -> coroutine function."""
        return {"restore": self.restore}

    async def restore(self, request: Request) -> dict[str, Any]:
        """Give a device the configuration of a commit.

        Params: ``host``; ``commit`` ("" is the newest that changed it); ``check``: write nothing, show what would
        differ; else ``confirm_s``, ``change`` and ``base`` as :meth:`provision.broker.changes.Changes.apply` has them.

        Returns ``{"changed", "commit", "at", "who", "why", "new": the box is empty, "base", "files", "running", "diff",
        "groups", "renewed": files whose secrets are today's and were others then, "pending", "msg"}``.

        Raises BrokerError of kind ``request`` for a commit that is unknown or does not hold the device, and when one of
        its secrets is gone.
        """
        devices = self._devices
        host = await devices.sessions.thread(lambda: devices.county.host(str(request.params.get("host", ""))))
        kept = await asyncio.to_thread(self._kept, host, str(request.params.get("commit", "")))
        version = kept.version
        answer: dict[str, Any] = {"commit": version.commit, "at": version.at, "who": version.who, "why": version.why}
        answer |= {"renewed": kept.renewed, "new": not await devices.enrolled(host)}
        began_s = time.monotonic()
        if request.params.get("check", False):
            answer |= await self._check(host, kept, new=answer["new"])
        elif answer["new"]:
            answer |= await self._fill(request, host, kept)
        else:
            answer |= await devices.changes.send(
                request, kept.files, kept.secrets, what="restore.sent", commit=version.commit
            )
        return answer | {"seconds": round(time.monotonic() - began_s, 3)}

    async def _check(self, host: Host, kept: _Kept, *, new: bool) -> dict[str, Any]:
        groups = {file.path: file.group for file in kept.files}
        if new:
            shown = [
                {"path": file.path, "before": "", "after": mask(file.text, kept.secrets)[: tool.SHOWN_LIMIT]}
                for file in kept.files
                if not file.path.startswith(tool.FOLDER)
            ]
            words = f"a new box: would get {len(kept.files)} files over its staging port"
            more = {"base": "", "running": [], "files": [each["path"] for each in shown], "diff": shown, "msg": words}
            return {"changed": True, "groups": sorted(set(groups.values())), **more}

        def work(device: Driver) -> tuple[dict[str, Any], Applied]:
            return device.state(), device.apply(kept.files, groups=None, check=True, secrets=kept.secrets)

        state, applied = await self._devices.on(host, work)
        return {
            "changed": applied.changed,
            "base": state_fingerprint(state),
            "files": [each.path for each in applied.files],
            "running": applied.running,
            "diff": [each.as_json() for each in applied.files],
            "groups": sorted(
                {groups.get(each.path, "network") for each in applied.files}
                | {line.partition(":")[0] for line in applied.running}
            ),
            "msg": applied.words(check=True),
        }

    async def _fill(self, request: Request, host: Host, kept: _Kept) -> dict[str, Any]:
        """Over the staging port, all of it at once."""
        devices = self._devices
        await devices.wait_to_write()

        applied, shown = await devices.fill(host, kept.files, kept.secrets)
        files = [each.path for each in applied.files]
        detail = {"host": host.name, "commit": kept.version.commit, "files": len(files), "staging_host_key": shown}
        await devices.trail.note(request.who, "restore.new", request.why, detail)
        words = f"{len(kept.files)} files over the staging port"
        return {"changed": True, "files": files, "running": applied.running, "pending": None, "msg": words}

    def _kept(self, host: Host, commit: str) -> _Kept:
        try:
            version, snapshot = self._find(host.name, commit)
        except ArchiveError as error:
            raise BrokerError("broker", f"the configurations cannot be read: {error}") from None
        self._require_secrets(host.name, version, snapshot)
        today = {file.path: file for file in self._devices.county.files(host.name)}
        files = [
            File(path, file.mode, file.text, file.group) for path, file in today.items() if path.startswith(tool.FOLDER)
        ]
        secrets: dict[str, str] = {}
        renewed = []
        for path, kept in snapshot.files.items():
            if path.startswith(tool.FOLDER):
                continue
            text, values = self._devices.secrets.fill(kept.text, host, self._devices.county.model)
            secrets |= values
            if host.linux and hashlib.sha256(text.encode()).hexdigest() != kept.sha256:
                renewed.append(path)
            group = kept.group or (today[path].group if path in today else "")
            if not group:
                words = f"{host.name}: commit {version.commit[:12]} does not tell which part of the device loads {path}"
                raise BrokerError("request", f"{words}: take a later commit (`sanwang history {host.name}`)")
            files.append(File(path, kept.mode, text, group))
        return _Kept(version, files, secrets, renewed)

    def _find(self, host: str, commit: str) -> tuple[Version, Snapshot]:
        """The commit, and what it holds of the device."""
        hint = f"`sanwang history {host}` lists its commits"
        if commit:
            version = self._archive.version(commit)
            if version is None:
                raise BrokerError("request", f"{commit!r} is no commit of {self._archive.folder}: {hint}")
        else:
            version = next(iter(self._archive.history(host, last=1)), None)
            if version is None:
                raise BrokerError("request", f"{host} was never kept in {self._archive.folder}; `sanwang backup take`")
        snapshot = self._archive.snapshot(host, version.commit)
        if snapshot is None or not snapshot.files:
            raise BrokerError("request", f"commit {version.commit[:12]} holds nothing of {host}: {hint}")
        return version, snapshot

    def _require_secrets(self, host: str, version: Version, snapshot: Snapshot) -> None:
        """BrokerError unless everything that the texts leave out can be filled in."""
        wanted = sorted({name for kept in snapshot.files.values() for name in placeholders(kept.text)})
        problems = [f"{name} is no longer in the vault" for name in self._devices.secrets.gone(wanted)]
        problems += [
            f"{path} line {number} holds a secret that the vault never knew"
            for path, kept in snapshot.files.items()
            for number, line in enumerate(kept.text.splitlines(), 1)
            if HIDDEN in line and not path.startswith(tool.FOLDER)
        ]
        if problems:
            raise BrokerError(
                "request",
                f"{host} cannot be restored from commit {version.commit[:12]}: {'; '.join(problems[:6])}:"
                f" take a later commit (`sanwang history {host}`), or make it what the model says"
                " (`sanwang playbook run site.yml`)",
            )
