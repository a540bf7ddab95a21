"""What the broker can do with a device: enrol, shut its staging port, read, compare, change, ask.

Each method takes one ``Request`` and returns a JSON-able answer.  Reads never write, ``check`` never writes, and every
change leaves an audit entry that names files and parts but never a secret.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any, TypeVar

from inventory.model import Host
from inventory.places import Places
from provision import exit as exit_switch
from provision import vpn
from provision.backup.archive import Archive
from provision.backup.archive import place as archive_place
from provision.backup.copies import Copies
from provision.broker.armed import Armed
from provision.broker.backups import Backups
from provision.broker.changes import Changes
from provision.broker.county import County, county_folder
from provision.broker.driver import Applied, Driver, File
from provision.broker.groups import groups as host_groups
from provision.broker.groups import stage
from provision.broker.linux_device import LinuxDevice
from provision.broker.masking import mask
from provision.broker.restoring import Restoring
from provision.broker.secrets import DeviceSecrets
from provision.broker.server import Request
from provision.broker.sessions import Sessions, answers
from provision.broker.trail import Trail
from provision.broker.vendor_device import VendorDevice
from provision.broker.vendor_ledger import Ledger
from provision.broker.wire import BrokerError

ENROLMENT = frozenset({"mgmt"})
"""Networks of the first configuration: underlay and management, no more."""

WAIT_LIMIT_S = 240.0
IN_BAND_WITHIN_S = 60.0
ANSWER_WITHIN_S = 5.0
T = TypeVar("T")


class Devices:
    """The broker's methods on one county."""

    def __init__(
        self, places: Places, county: County, secrets: DeviceSecrets, sessions: Sessions, trail: Trail
    ) -> None:
        self.places = places
        self.county = county
        self.secrets = secrets
        self.sessions = sessions
        self.trail = trail
        self.ledger = Ledger(places.lib / "broker" / "vendor")
        archive = Archive(archive_place(places))
        self.backups = Backups(self, archive)
        self.restoring = Restoring(self, archive)
        self.copies = Copies(self)
        self.may_write = asyncio.Event()  # set once the broker before this one has left
        self.changes = Changes(self, Armed(places.lib / "broker" / "armed.jsonl"))
        self._began_s = time.monotonic()

    def methods(self) -> dict[str, Callable[[Request], Any]]:
        """Method name -> coroutine function."""
        return {
            "ping": self.ping,
            "hosts": self.hosts,
            "reload_model": self.reload_model,
            "enrol": self.enrol,
            "in_band": self.in_band,
            "state": self.state,
            "diff": self.diff,
            "apply": self.apply,
            "command": self.command,
            "verify": self.verify,
            "many": self.many,
            **self.changes.methods(),
            **self.backups.methods(),
            **self.restoring.methods(),
            **self.copies.methods(),
            **exit_switch.methods(self),
            **vpn.methods(self),
        }

    async def ping(self, request: Request) -> dict[str, Any]:
        """Who this broker is; reads nothing."""
        return {
            "instance": self.places.instance,
            "county": self.county.folder.name,
            "folder": str(self.county.folder),
            "pid": os.getpid(),
            "sessions": self.sessions.open_count,
            "up_s": round(time.monotonic() - self._began_s, 1),
        }

    async def hosts(self, request: Request) -> dict[str, Any]:
        """Every appliance with its role, stage and address, and the groups."""
        model = await self.sessions.thread(lambda: self.county.model)
        return {
            "hosts": [
                {
                    "name": host.name,
                    "site": host.site,
                    "role": host.role.value,
                    "stage": stage(model, host),
                    "management": str(host.management) if host.management else None,
                }
                for host in model.appliances()
            ],
            "groups": host_groups(model),
        }

    async def reload_model(self, request: Request) -> dict[str, Any]:
        """Read the county's files again if they changed; all their errors otherwise."""
        self.county.folder = await self.sessions.thread(lambda: county_folder(self.places))
        again = await self.sessions.thread(self.county.refresh)
        model = self.county.model
        self.secrets.forget()
        return {
            "changed": False,
            "reloaded": again,
            "county": model.name,
            "hosts": sum(1 for _ in model.appliances()),
            "msg": f"broker ready, county {model.name}" + (", read again" if again else ""),
        }

    async def enrol(self, request: Request) -> dict[str, Any]:
        """Over the staging port: the device tool, the management subset, services started.  Idempotent.

        A device that already answers in band with its own key is left alone.
        """
        host = await self._host(request)
        check = bool(request.params.get("check", False))
        if await self.enrolled(host):
            return {"changed": False, "msg": "enrolled already"}
        if check:
            return {"changed": True, "msg": "would be enrolled over its staging port"}
        await self.wait_to_write()
        files, secret = await self.sessions.thread(lambda: self.bundle(host, ENROLMENT, None))
        _, shown = await self.first(host, files, secret)
        detail = {"host": host.name, "files": len(files), "staging_host_key": shown}
        await self.trail.note(request.who, "enrol", request.why, detail)
        return {"changed": True, "msg": f"{len(files)} files over the staging port"}

    async def enrolled(self, host: Host) -> bool:
        """True when the device answers in band with the key that enrolment gave it; False when only its staging port
        does.  BrokerError when neither does."""
        assert host.management is not None
        assert host.staging is not None
        in_band = asyncio.create_task(answers(str(host.management), within_s=ANSWER_WITHIN_S))
        staging = asyncio.create_task(answers(str(host.staging.ip), within_s=ANSWER_WITHIN_S))
        try:
            await asyncio.wait({in_band, staging}, return_when=asyncio.FIRST_COMPLETED)
            if not in_band.done():  # in band counts first, where both answer
                await asyncio.wait({in_band}, timeout=0.3 if staging.done() and staging.result() else ANSWER_WITHIN_S)
            if in_band.done() and in_band.result():
                return await self.on(host, lambda device: device.alive)
            if await staging:
                return False
        finally:
            in_band.cancel()
            staging.cancel()
        raise BrokerError(
            "unreachable",
            f"{host.name} answers neither in band ({host.management}) nor on its staging port ({host.staging.ip}):"
            " is it powered, and was it enrolled before? `sanwang status` tells",
        )

    async def in_band(self, request: Request) -> dict[str, Any]:
        """Wait until the device answers in band, then take its staging port away for good."""
        host = await self._host(request)
        check = bool(request.params.get("check", False))
        wait_s = min(float(request.params.get("wait_s", 60)), WAIT_LIMIT_S)
        if not await answers(str(host.management), within_s=0.5 if check else wait_s):
            if check:
                return {"changed": False, "in_band": False, "msg": "does not answer in band yet"}
            raise BrokerError(
                "unreachable",
                f"{host.name} does not answer in band on {host.management} after {wait_s:.0f} s; its staging port stays"
                " open. Look at the routers on its way: `ansible-playbook playbooks/verify.yml`",
            )
        if not check:
            await self.wait_to_write()
        manages = host.name in (self.county.model.nms, self.county.model.standby)
        shut = await self.on(host, lambda device: device.close_staging(check=check, keep_port=manages))
        if shut and not check:
            await self.trail.note(request.who, "staging.close", request.why, {"host": host.name})
        words = "staging port shut" if shut else "in band, staging port is shut"
        return {"changed": shut, "in_band": True, "msg": words}

    async def state(self, request: Request) -> dict[str, Any]:
        """The device tool's ``state``: file hashes and the running configuration's fingerprint per part."""
        host = await self._host(request)
        return await self.on(host, lambda device: device.state())

    async def diff(self, request: Request) -> dict[str, Any]:
        """What ``apply`` would change, with texts before and after, secrets shown as placeholders."""
        return await self._apply(request, check=True, with_diff=True)

    async def apply(self, request: Request) -> dict[str, Any]:
        """Make files and running configuration what the model says.

        Params: ``host``; ``check``: change nothing; ``diff``: return texts; ``groups``: only these parts.
        With ``confirm_s``: see :meth:`provision.broker.changes.Changes.apply`.
        """
        if "confirm_s" in request.params:
            return await self.changes.apply(request)
        check = bool(request.params.get("check", False))
        return await self._apply(request, check=check, with_diff=bool(request.params.get("diff", check)))

    async def _apply(self, request: Request, *, check: bool, with_diff: bool) -> dict[str, Any]:
        host = await self._host(request)
        wanted = _names(request, "groups")
        files, secret = await self.sessions.thread(lambda: self.bundle(host, None, wanted))
        if not files:
            return {"changed": False, "msg": "nothing of this kind on this device"}
        if not check:
            await self.wait_to_write()
        began_s = time.monotonic()
        applied = await self.on(host, lambda device: device.apply(files, groups=wanted, check=check, secrets=secret))
        if not check and self.kind(host).exact:
            self.backups.applied(host, files, request, whole=wanted is None)
        elif not check and applied.changed:
            self.backups.changed(host, request)
        if applied.changed and not check:
            detail = {"host": host.name, "files": [each.path for each in applied.files], "running": applied.running}
            await self.trail.note(request.who, "apply", request.why, detail)
        return {
            "changed": applied.changed,
            "msg": applied.words(check),
            "files": [each.path for each in applied.files],
            "running": applied.running,
            "commands": list(applied.commands),
            "diff": _shown(applied) if with_diff else [],
            "state": applied.state,
            "seconds": round(time.monotonic() - began_s, 3),
        }

    async def command(self, request: Request) -> dict[str, Any]:
        """One line for a Linux box's ``shell`` or ``vtysh``, or for a vendor's ``cli`` (``kind``), through netmiko.

        Audited: a command may change anything.
        """
        host = await self._host(request)
        text, kind = str(request.params.get("text", "")), str(request.params.get("kind", "shell"))
        if kind not in ("shell", "vtysh", "cli"):
            raise BrokerError("request", f"kind {kind!r}: expected shell, vtysh or cli")
        await self.wait_to_write()
        detail = {"host": host.name, "kind": kind, "text": mask(text, {})}
        await self.trail.note(request.who, "command", request.why, detail)
        timeout_s = min(float(request.params.get("timeout_s", 30)), WAIT_LIMIT_S)
        ran = await self.on(host, lambda device: device.command(kind, text, timeout_s))
        return {"code": ran.code, "out": mask(ran.out, {}), "platform": host.platform, "changed": False}

    async def verify(self, request: Request) -> dict[str, Any]:
        """Neighbours, BFD, tunnels and services of one host against the model; asks again for ``wait_s`` seconds.

        ``changed`` False: the county's files tell of a change that this host does not have yet, so that its own
        configuration is not compared with them.
        """
        host = await self._host(request)
        model = self.county.model
        files = await self.sessions.thread(lambda: self.county.files(host.name))
        if not bool(request.params.get("changed", True)):
            files = ()
        end = time.monotonic() + min(float(request.params.get("wait_s", 0)), WAIT_LIMIT_S)
        while True:
            count, missing = await self.on(host, lambda device: device.verify(model, host, files))
            if not missing or time.monotonic() >= end:
                break
            await asyncio.sleep(1.0)
        good = count - len(missing)
        text = f"{good} of {count} as expected"
        return {
            "changed": False,
            "failed": bool(missing),
            "checked": {"expected": count, "ok": good},
            "problems": missing,
            "msg": text if not missing else f"{text}: " + "; ".join(missing),
        }

    async def many(self, request: Request) -> dict[str, Any]:
        """A read on many hosts at once, each answer streamed as ``{"host", "result" | "error"}``.

        Params: ``method`` (state, diff, verify, drift), ``hosts`` (names; default all), and the method's own.
        """
        readers = {"state": self.state, "diff": self.diff, "verify": self.verify, "drift": self.backups.drift}
        name = str(request.params.get("method", ""))
        if name not in readers:
            raise BrokerError("request", f"method {name!r}: expected one of {', '.join(readers)}")
        model = await self.sessions.thread(lambda: self.county.model)
        wanted = _names(request, "hosts")
        hosts = [host.name for host in model.appliances() if wanted is None or host.name in wanted]
        rest = {key: value for key, value in request.params.items() if key not in ("method", "hosts")}
        good = 0

        async def one(host: str) -> None:
            nonlocal good
            each = Request({**rest, "host": host}, request.who, request.why, request.emit)
            try:
                await request.emit({"host": host, "result": await readers[name](each)})
                good += 1
            except BrokerError as error:
                await request.emit({"host": host, "error": {"kind": error.kind, "message": error.message}})

        async with asyncio.TaskGroup() as group:
            for host in hosts:
                group.create_task(one(host))
        return {"hosts": len(hosts), "ok": good}

    async def _host(self, request: Request) -> Host:
        name = str(request.params.get("host", ""))
        return await self.sessions.thread(lambda: self.county.host(name))

    async def on(self, host: Host, work: Callable[[Driver], T], *, staging: bool = False, locked: bool = False) -> T:
        """Run ``work`` with the device's driver and an open session in a thread, under the device's lock.

        ``locked``: the caller holds ``sessions.lock``.  ``work`` may be repeated (see ``Driver``).  Raises BrokerError.
        """
        if self.kind(host) is LinuxDevice:
            return await self.sessions.on(
                host, lambda session: work(LinuxDevice(session)), staging=staging, locked=locked
            )
        return await self.sessions.on_vendor(
            host,
            lambda session: work(VendorDevice(session, host, self.ledger, partial(self.secrets.pin, host.name))),
            staging=staging,
            locked=locked,
        )

    def kind(self, host: Host) -> type[LinuxDevice] | type[VendorDevice]:
        """Which driver a host has."""
        return LinuxDevice if host.linux else VendorDevice

    async def first(self, host: Host, files: Collection[File], secret: Mapping[str, str]) -> tuple[Applied, str]:
        """A fresh device gets its first configuration over its staging port; also the host key that it showed there."""
        async with self.sessions.lock(host.name):
            try:
                return await self.on(
                    host, lambda device: (device.enrol(files, secret), device.host_key), staging=True, locked=True
                )
            finally:
                self.sessions.forget(host.name, staging=True)
                self.sessions.forget(host.name, staging=False)

    async def fill(self, host: Host, files: Collection[File], secret: Mapping[str, str]) -> tuple[Applied, str]:
        """An empty device gets all of a configuration.  Where that shuts the staging port, the part for enrolment comes
        first, and the whole in band."""
        if self.kind(host).whole_at_once:
            return await self.first(host, files, secret)
        part, own = await self.sessions.thread(lambda: self.bundle(host, ENROLMENT, None))
        _, shown = await self.first(host, part, own)
        if not await answers(str(host.management), within_s=IN_BAND_WITHIN_S):
            words = f"{host.name} does not answer in band on {host.management} after {IN_BAND_WITHIN_S:.0f} s"
            raise BrokerError("unreachable", f"{words}; its staging port stays open")
        applied = await self.on(host, lambda device: device.apply(files, groups=None, check=False, secrets=secret))
        return applied, shown

    async def wait_to_write(self) -> None:
        """Wait until the broker before this one has left; BrokerError when it does not."""
        try:
            async with asyncio.timeout(WAIT_LIMIT_S):
                await self.may_write.wait()
        except TimeoutError:
            raise BrokerError("broker", "the broker before this one still has not finished; ask again") from None

    def bundle(
        self, host: Host, networks: frozenset[str] | None = None, groups: frozenset[str] | None = None
    ) -> tuple[list[File], dict[str, str]]:
        """The host's files with secrets filled in, and those secrets by name."""
        model = self.county.model
        secret: dict[str, str] = {}
        files = []
        for file in self.county.files(host.name, networks):
            if groups is not None and file.group not in groups:
                continue
            text, values = self.secrets.fill(file.text, host, model)
            secret |= values
            files.append(File(file.path, file.mode, text, file.group))
        return files, secret


def _shown(applied: Applied) -> list[dict[str, str]]:
    """Differences as clients print them; those of the running configuration as one more text."""
    shown = [each.as_json() for each in applied.files]
    if applied.running:
        shown.append({"path": "running configuration", "before": "\n".join(applied.running) + "\n", "after": ""})
    return shown


def _names(request: Request, key: str) -> frozenset[str] | None:
    value = request.params.get(key)
    if value is None:
        return None
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise BrokerError("request", f"{key}: expected a list of names, found {value!r}")
    return frozenset(each.strip() for each in value)
