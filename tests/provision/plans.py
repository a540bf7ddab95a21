"""A small county with people who have keys, devices that differ from it, and a broker that tells what they hold."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from identity.person_key import public_text
from inventory.impact import ImpactMap
from inventory.places import COUNTIES
from provision.broker.client import BrokerClient
from provision.broker.county import County
from provision.broker.server import Request, Server
from provision.change import planner, risk, stages, touches
from provision.change.plan import Plan, county_fingerprint
from store.queries import BookedMeeting, LinkState

NOW = datetime(2027, 5, 1, 9, tzinfo=UTC)
KEYS = {
    login: Ed25519PrivateKey.from_private_bytes(login.ljust(32).encode()) for login in ("wang", "chen", "li", "zhao")
}


def county(folder: Path) -> County:
    """The small county in ``folder``: wang and li engineers, chen a leader, zhao an operator, lin without a key."""
    shutil.copytree(COUNTIES / "xiao", folder)
    with_people(folder)
    return County(folder)


def with_people(folder: Path) -> None:
    """Write the people of ``county`` into a county's files, in place of its own."""
    path = folder / "county.yml"
    head, _, _ = path.read_text(encoding="utf-8").partition("\npeople:\n")
    roles = {"wang": "engineer", "li": "engineer", "chen": "leader", "zhao": "operator"}
    lines = [
        f'  {login}: {{zh: 某, en: {login}, roles: [{role}], public_key: "{public_text(KEYS[login])}"}}'
        for login, role in roles.items()
    ]
    lines.append("  lin: {zh: 林, en: Lin, roles: [engineer]}")
    path.write_text("\n".join([head, "people:", *lines, ""]), encoding="utf-8")


@dataclass
class Held:
    """What one device holds: its files by path, and what of its running configuration differs."""

    files: dict[str, tuple[str, str]]  # path -> (text, mode)
    running: list[str] = field(default_factory=list)

    @classmethod
    def as_model(cls, of: County, host: str) -> Held:
        """A device that is as the model says."""
        return cls({file.path: (file.text, file.mode) for file in of.files(host)})

    def state(self) -> dict[str, Any]:
        """As the broker's ``state``."""
        files = {
            path: {"sha256": sha256(text.encode()).hexdigest(), "mode": mode}
            for path, (text, mode) in self.files.items()
        }
        return {"files": files, "running": {"nft": sha256("".join(self.running).encode()).hexdigest()}, "drift": {}}

    def diff(self, of: County, host: str) -> dict[str, Any]:
        """As the broker's ``diff``."""
        wanted = {file.path: (file.text, file.mode) for file in of.files(host)}
        paths = [path for path in [*wanted, *self.files] if wanted.get(path) != self.files.get(path)]
        texts = [
            {"path": path, "before": self.files.get(path, ("", ""))[0], "after": wanted.get(path, ("", ""))[0]}
            for path in dict.fromkeys(paths)
        ]
        if self.running:
            texts.append({"path": "running configuration", "before": "\n".join(self.running) + "\n", "after": ""})
        changed = bool(paths or self.running)
        return {
            "changed": changed,
            "files": list(dict.fromkeys(paths)),
            "running": self.running,
            "diff": texts,
        }


@contextmanager
def broker(
    of: County, devices: Mapping[str, Held], path: Path, silent: frozenset[str] = frozenset()
) -> Iterator[BrokerClient]:
    """A broker on the real socket and wire, in front of ``devices``; the ``silent`` ones do not answer."""

    async def reload_model(request: Request) -> dict[str, Any]:
        return {"changed": False, "reloaded": of.refresh()}

    async def many(request: Request) -> dict[str, Any]:
        for host in request.params["hosts"]:
            if host in silent:
                await request.emit({"host": host, "error": {"kind": "unreachable", "message": f"{host} is silent"}})
            elif request.params["method"] == "state":
                await request.emit({"host": host, "result": devices[host].state()})
            else:
                await request.emit({"host": host, "result": devices[host].diff(of, host)})
        return {}

    ready = threading.Event()

    async def on_ready() -> None:
        ready.set()

    server = Server(path, {"reload_model": reload_model, "many": many})
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(on_ready)))
    thread.start()
    client = BrokerClient(path, who="wang")
    try:
        assert ready.wait(60)
        yield client
    finally:
        client.call("shutdown")
        thread.join()


def all_up(of: County, **states: str) -> dict[str, LinkState]:
    """Every link up, seen three seconds ago, but for those named (dashes as underscores)."""
    told = {name.replace("_", "-"): state for name, state in states.items()}
    return {
        name: LinkState(name, told.get(name, "up"), "no carrier" if name in told else "", NOW - timedelta(seconds=3))
        for name in of.model.links
    }


def make(
    of: County,
    devices: Mapping[str, Held],
    *,
    states: Mapping[str, LinkState] | None = None,
    booked: tuple[BookedMeeting, ...] = (),
    author: str = "wang",
) -> Plan:
    """A plan for what these devices differ in, with the parts that need no broker and no store."""
    planned = {
        host: planner.device_plan(of, host, diff, held.state())
        for host, held in devices.items()
        if (diff := held.diff(of, host))["changed"]
    }
    impacts = ImpactMap(of.model)
    guard = touches.protection(of.model, all_up(of) if states is None else states, NOW)
    staged, concerned = touches.weigh(impacts, tuple(planned.values()), stages.order(impacts, planned), booked, guard)
    return Plan(
        county=of.model.name,
        instance="zp",
        environment=of.environment_name,
        fingerprint=county_fingerprint(of.folder),
        author=author,
        why="a test",
        made_at=NOW.isoformat(),
        window_start=NOW.isoformat(),
        window_end=(NOW + timedelta(hours=2)).isoformat(),
        devices=tuple(planned.values()),
        stages=staged,
        touches=concerned,
        risk=risk.risk(of.model, tuple(planned.values()), staged, concerned),
    )


def without_line(of: County, host: str, path: str, word: str) -> Held:
    """A device whose file lacks every line with ``word``."""
    held = Held.as_model(of, host)
    text, mode = held.files[path]
    kept = "".join(line for line in text.splitlines(keepends=True) if word not in line)
    assert kept != text
    return replace(held, files=held.files | {path: (kept, mode)})
