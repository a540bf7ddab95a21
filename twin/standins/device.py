"""One device: what it runs, what it starts with, who is logged in, and the timer that undoes a change on trial."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from twin.standins.dialect import Dialect
from twin.standins.editor import load_text
from twin.standins.ports import Driver, PortDriver, expand_ports
from twin.standins.tree import Node

if TYPE_CHECKING:
    from twin.standins.session import Session


class Connection(Protocol):
    """Somebody's line to the device, with a login on it or not."""

    def abort(self) -> None: ...


LAST_WORDS_S = 0.1
"""What is said before a restart has this long to reach the user."""

MAX_POINTS = 80
"""Rollback points a device keeps."""


@dataclass(slots=True)
class Delays:
    """How long commands take, in seconds, by the beginning of the line as the device shows it.

    Besides beginnings: ``login`` before the first prompt, ``line`` for every line of configuration.
    """

    table: dict[str, float] = field(default_factory=dict)

    def of(self, line: str, fallback: str) -> float:
        best = max((key for key in self.table if line == key or line.startswith(f"{key} ")), key=len, default=fallback)
        return self.table.get(best, 0.0)


@dataclass(slots=True)
class Pending:
    """A change on trial: what comes back, when (monotonic seconds), and who may confirm."""

    before: Node
    deadline: float
    owner: int
    persist: str
    timer: asyncio.TimerHandle

    @property
    def left_s(self) -> int:
        return max(0, round(self.deadline - time.monotonic()))


@dataclass(frozen=True, slots=True)
class Restart:
    """A restart that is planned: when by the device's clock, and monotonic seconds."""

    at: datetime
    deadline: float
    timer: asyncio.TimerHandle

    def left_s(self, second_s: float) -> int:
        """Seconds of the device until then."""
        return max(0, round((self.deadline - time.monotonic()) / second_s))


@dataclass(frozen=True, slots=True)
class Point:
    """A rollback point: a commit and the configurations before and after it."""

    number: int
    label: str
    user: str
    terminal: str
    when: datetime
    description: str
    before: Node
    after: Node


@dataclass(slots=True)
class Settings:
    """What a stand-in is started with."""

    hostname: str
    user: str = "admin"
    password: str | None = None
    enable_password: str | None = None
    state: Path | None = None
    vtys: int = 5
    ports: str = ""
    """Ports besides or instead of the platform's own."""
    second_s: float = 1.0
    """How long a second of the device's timers takes; shorter in tests."""
    restart_s: float = 0.0
    """How long a restart takes, without power for ports and logins."""
    trial_ends_with_session: bool = False
    """Is a trial without a persistence id rolled back at once when its session ends?"""


class Device:
    """A stand-in without its network side."""

    def __init__(
        self,
        dialect: type[Dialect],
        settings: Settings,
        *,
        driver: Driver | None = None,
        delays: Delays | None = None,
        config: str = "",
    ) -> None:
        self.settings = settings
        self.hostname = settings.hostname
        self.driver: Driver = driver or PortDriver()
        self.delays = delays or Delays()
        self.started = time.monotonic()
        self.dialect = dialect(self)
        self.ports = self._ports()
        self.sessions: dict[int, Session] = {}
        self.session_count = 0
        self.connections: set[Connection] = set()
        self.powered = True
        self.pending: Pending | None = None
        self.restart: Restart | None = None
        self.points: list[Point] = []
        self.changed_at = self.saved_at = datetime.now()
        self.changed_by = ""
        self.startup = ""
        self.files: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        """Of SNMPv3, by the text that the configuration shows for them: a device must be able to read these again."""
        self._stale = False
        self._settling: asyncio.Task[None] | None = None
        self._load_state(config)
        self.running = self._boot()

    def _ports(self) -> list[str]:
        kinds = self.dialect.grammar.kinds
        names = expand_ports(self.settings.ports or self.dialect.ports)
        for link in self.driver.links:
            if link not in names:
                names.append(link)
        full = [kinds.interface(name) or name for name in names]
        self.driver.links = {kinds.interface(port) or port: link for port, link in self.driver.links.items()}
        return sorted(set(full), key=kinds.order)

    # --- what survives a power cut

    def _load_state(self, config: str) -> None:
        path = self.settings.state
        if path is not None and path.exists():
            try:
                kept: dict[str, Any] = json.loads(path.read_text())
                self.startup, self.files = str(kept["startup"]), dict(kept["files"])
                self.keys = dict(kept.get("keys", {}))
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(
                    f"{path}: expected a JSON object with startup and files, as a stand-in writes it "
                    f"({type(error).__name__}: {error}); remove it to start from the factory configuration"
                ) from error
        else:
            self.startup = config

    def _boot(self) -> Node:
        """The running configuration of a device that has just got power."""
        factory = self.dialect.factory.format(host=self.hostname)
        root, refused = load_text(self.dialect, self.startup or factory)
        for line in refused:
            print(f"standins: {self.hostname}: startup line not understood: {line}", file=sys.stderr)
        self.dialect.complete(root)
        return root

    def save(self, root: Node | None = None) -> None:
        """Write the running configuration, so that it survives a restart."""
        self.startup = self.dialect.text(root or self.running)
        self.saved_at = datetime.now()
        self.write_state()

    @property
    def unsaved(self) -> bool:
        """Would a restart lose something? Lines that only say when something was done do not count."""
        texts = (self.startup, self.dialect.text(self.running))
        before, now = ([line for line in text.splitlines() if not line.startswith("!")] for text in texts)
        return before != now

    def write_state(self) -> None:
        path = self.settings.state
        if path is None:
            return
        keys = {shown: plain for shown, plain in self.keys.items() if shown in self.startup}
        document = {"hostname": self.hostname, "startup": self.startup, "files": self.files, "keys": keys}
        draft = path.with_suffix(f"{path.suffix}.new")
        with draft.open("w") as stream:
            json.dump(document, stream, ensure_ascii=False, indent=1)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)

    # --- changes

    def changed(self, user: str) -> None:
        """The running configuration has changed: ports follow it."""
        self.changed_at, self.changed_by = datetime.now(), user
        self._stale = True
        if self._settling is None or self._settling.done():
            self._settling = asyncio.get_running_loop().create_task(self._settle())

    async def _settle(self) -> None:
        while self._stale:
            self._stale = False
            await self.driver.follow(self.dialect, self.running, self.ports)

    async def settle(self) -> None:
        """Until the hardware is as the running configuration says."""
        if self._settling is not None:
            await self._settling

    async def power_on(self) -> None:
        """Bring the hardware to what the startup configuration says."""
        await self.driver.start(self.dialect, self.running, self.ports)

    def commit_point(self, before: Node, user: str, terminal: str, label: str = "", description: str = "") -> Point:
        """Remember a commit."""
        number = self.points[0].number + 1 if self.points else 1000000001
        point = Point(number, label, user, terminal, datetime.now(), description, before, self.running.copy())
        self.points = [point, *self.points[: MAX_POINTS - 1]]
        return point

    # --- the timer

    def arm(self, seconds: float, owner: int, before: Node, expire: Callable[[], None], persist: str = "") -> Pending:
        """Start or prolong the timer; what it goes back to stays that of its first start."""
        if self.pending is not None:
            self.pending.timer.cancel()
            before, owner = self.pending.before, self.pending.owner
            persist = persist or self.pending.persist
        real_s = seconds * self.settings.second_s
        timer = asyncio.get_running_loop().call_later(real_s, expire)
        self.pending = Pending(before, time.monotonic() + real_s, owner, persist, timer)
        return self.pending

    def disarm(self) -> Pending | None:
        """Stop the timer; the change stays."""
        pending, self.pending = self.pending, None
        if pending is not None:
            pending.timer.cancel()
        return pending

    def roll_back(self, user: str, terminal: str = "") -> bool:
        """Put back what was before the change on trial."""
        pending = self.disarm()
        if pending is None:
            return False
        before = self.running.copy()
        self.running = pending.before
        self.commit_point(before, user, terminal)
        self.changed(user)
        return True

    # --- restarts

    def reboot(self) -> None:
        """As after a power cut: what was not saved is lost, and so is every login."""
        if not self.powered:
            return
        self.disarm()
        self.cancel_restart()
        self.powered = False
        for session in list(self.sessions.values()):
            session.hang_up()
        if self.settings.restart_s:
            self._settling = asyncio.get_running_loop().create_task(self._restart(self._settling))
        else:
            self._boot_again()

    def _boot_again(self) -> None:
        self.running = self._boot()
        self.started = time.monotonic()
        self.powered = True
        self.changed("")

    async def _restart(self, settling: asyncio.Task[None] | None) -> None:
        """Down for a while. Lines are aborted before the ports go, or nobody would hear of it."""
        await asyncio.sleep(LAST_WORDS_S)
        if settling is not None:
            await settling
        for connection in list(self.connections):
            connection.abort()
        await asyncio.sleep(LAST_WORDS_S)
        await self.driver.off()
        await asyncio.sleep(self.settings.restart_s)
        self._boot_again()
        await self._settle()

    def schedule_restart(self, seconds: float) -> None:
        """Restart then; a restart that was planned before is not."""
        self.cancel_restart()
        real_s = seconds * self.settings.second_s
        timer = asyncio.get_running_loop().call_later(real_s, self.reboot)
        self.restart = Restart(datetime.now() + timedelta(seconds=seconds), time.monotonic() + real_s, timer)

    def cancel_restart(self) -> bool:
        """Take back a planned restart; False when there is none."""
        restart, self.restart = self.restart, None
        if restart is not None:
            restart.timer.cancel()
        return restart is not None

    # --- VTYs

    def vty(self) -> int | None:
        """A free VTY, or None when all are taken."""
        return next((number for number in range(self.settings.vtys) if number not in self.sessions), None)

    @property
    def uptime_s(self) -> int:
        return int(time.monotonic() - self.started)
