"""The broker's journal of confirm timers: which device undoes which change by itself, and when.

Append only, a JSON document per line, on the disk before the device is asked: a broker that was killed at any moment
knows after its start everything that may still be armed.  A torn last line (the power went while it was written) is
ignored; nothing had been sent then.
"""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from provision.broker.wire import BrokerError

log = logging.getLogger("sanwang.broker")


@dataclass(frozen=True, slots=True)
class Arming:
    """One change that a device undoes unless it is confirmed."""

    host: str
    change: str
    who: str
    why: str
    until_unix_s: float


class Armed:
    """The journal; call from one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._entries: dict[str, Arming] = {}

    @property
    def entries(self) -> tuple[Arming, ...]:
        """What may be armed, soonest first."""
        return tuple(sorted(self._entries.values(), key=lambda each: each.until_unix_s))

    def open(self) -> None:
        """Read what is there, and write it anew without what is settled.  BrokerError on a full disk."""
        if self._file is not None:
            return
        self._entries = replay(self._path)
        beside = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
            for entry in self._entries.values():
                os.write(self._file, _line("arm", entry))
            os.fsync(self._file)
            beside.rename(self._path)
            self._sync_folder()
        except OSError as error:
            self.close()
            raise BrokerError("broker", f"{self._path}: the journal of timers cannot be written: {error}") from None

    def arm(self, host: str, change: str, who: str, why: str, seconds: float) -> None:
        """Before the device is asked.  BrokerError when it cannot be kept: then nothing may be sent."""
        entry = Arming(host, change, who, why, time.time() + seconds)
        self._append(_line("arm", entry))
        self._entries[host] = entry

    def settle(self, host: str, change: str) -> None:
        """The device has confirmed it, undone it, or never took it."""
        self.open()
        entry = self._entries.get(host)
        if entry is not None and entry.change == change:
            self._append(_line("settle", entry))
            del self._entries[host]

    def _append(self, line: bytes) -> None:
        self.open()
        assert self._file is not None
        try:
            size = os.fstat(self._file).st_size
            if os.write(self._file, line) != len(line):
                os.ftruncate(self._file, size)
                raise OSError(28, os.strerror(28))
            os.fsync(self._file)
        except OSError as error:
            text = f"{self._path}: the journal of timers cannot be written, so nothing was sent: {error}"
            raise BrokerError("broker", text) from None

    def _sync_folder(self) -> None:
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _line(what: str, entry: Arming) -> bytes:
    return json.dumps({"what": what, **asdict(entry)}, ensure_ascii=False).encode() + b"\n"


def replay(path: Path) -> dict[str, Arming]:
    """What a journal leaves armed; a line that is no entry is told in the log and skipped."""
    entries: dict[str, Arming] = {}
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return entries
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            row = json.loads(line)
            what = row.pop("what")
            entry = Arming(**row)
            if not all(isinstance(each, str) for each in (entry.host, entry.change, entry.who, entry.why)):
                raise ValueError("fields of another type")
            entry = Arming(entry.host, entry.change, entry.who, entry.why, float(entry.until_unix_s))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            log.warning("%s line %d is no entry (%s): skipped", path, number, error)
            continue
        if what == "arm":
            entries[entry.host] = entry
        elif entries.get(entry.host) is not None and entries[entry.host].change == entry.change:
            del entries[entry.host]
    return entries
