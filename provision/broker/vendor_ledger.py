"""What the broker keeps of vendors' devices, as the device tool does on a Linux box: the change that waits, and before.

One file per device, replaced in one step and on the disk before the first line is sent: a broker that was killed at any
moment knows after its start what there was before, in the device's own words (with the device's own cipher texts: only
the broker may read these files).
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from identity.files import private_folder, write_atomic
from provision.broker.wire import BrokerError

log = logging.getLogger("sanwang.broker")

KEPT_CHANGES = 8
"""Confirmed changes whose "before" is kept, for a rollback."""

Phase = Literal["sending", "armed", "confirming"]


@dataclass(frozen=True, slots=True)
class Held:
    """A change that is not settled yet."""

    id: str
    phase: Phase  # lines are under way; all are there and wait; the timer is being stopped and all of it saved
    before: str  # the running configuration as the device showed it
    after: str  # the same with the change; "" while it is sent
    until_unix_s: float

    @property
    def left_s(self) -> float:
        """Seconds until its time is over."""
        return self.until_unix_s - time.time()


@dataclass(frozen=True, slots=True)
class Ended:
    """How the last change ended."""

    id: str
    outcome: str  # "confirmed", "reverted"
    why: str
    at_unix_s: float


@dataclass(frozen=True, slots=True)
class Kept:
    """A confirmed change."""

    id: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Page:
    """Everything of one device."""

    held: Held | None = None
    last: Ended | None = None
    kept: tuple[Kept, ...] = ()  # the newest last


_PAGE = TypeAdapter(Page)


@dataclass
class Ledger:
    """The folder of pages; one thread at a time writes a device's page (the broker's lock of the device sees to it)."""

    folder: Path
    _seen: dict[str, tuple[tuple[int, int], Page]] = field(default_factory=dict)  # by the file's inode and time

    def page(self, host: str) -> Page:
        """What is kept of a device, as the file says now: the broker before us may still write.

        BrokerError for a spoilt file.
        """
        path = self._path(host)
        try:
            found = path.stat()
            version = (found.st_ino, found.st_mtime_ns)
            if host not in self._seen or self._seen[host][0] != version:
                self._seen[host] = (version, _PAGE.validate_json(path.read_bytes()))
            return self._seen[host][1]
        except FileNotFoundError:
            return Page()
        except (OSError, ValidationError) as error:
            text = f"{path}: what is kept of {host} cannot be read: {error}; look at the device, then remove the file"
            raise BrokerError("broker", text) from None

    def hold(self, host: str, held: Held) -> None:
        """Before a line is sent, and at each further step.  BrokerError when the disk does not take it."""
        self._write(host, replace(self.page(host), held=held))

    def settle(self, host: str, outcome: str, why: str = "") -> None:
        """The held change is confirmed (then its "before" is kept), undone, or was refused."""
        page = self.page(host)
        held = page.held
        if held is None:
            return
        kept = page.kept
        if outcome == "confirmed":
            mine = Kept(held.id, held.before, held.after)
            kept = (*(each for each in kept if each.id != held.id), mine)[-KEPT_CHANGES:]
        self._write(host, Page(None, Ended(held.id, outcome, why, round(time.time(), 1)), kept))

    def kept(self, host: str, change: str) -> Kept | None:
        """The kept texts of a confirmed change."""
        return next((each for each in self.page(host).kept if each.id == change), None)

    def forget(self, host: str) -> None:
        """The device is another one: nothing of the old one counts."""
        self._path(host).unlink(missing_ok=True)

    def overdue(self) -> list[tuple[str, str]]:
        """(host, change) of everything held whose time is over; a page that cannot be read is told in the log."""
        found = []
        for name in sorted(path.stem for path in self.folder.glob("*.json")) if self.folder.is_dir() else ():
            try:
                held = self.page(name).held
            except BrokerError as error:
                log.warning("%s", error.message)
                continue
            if held is not None and held.left_s < 0:
                found.append((name, held.id))
        return found

    def _write(self, host: str, page: Page) -> None:
        path = self._path(host)
        try:
            private_folder(self.folder)
            write_atomic(path, json.dumps(asdict(page), ensure_ascii=False).encode())
        except OSError as error:
            so = ", so nothing was sent" if page.held is not None and page.held.phase == "sending" else ""
            raise BrokerError("broker", f"{path}: the journal of changes cannot be written{so}: {error}") from None

    def _path(self, host: str) -> Path:
        return self.folder / f"{host}.json"
