"""Events on their way to the store, on disk: a file is the queue, so that a killed process or a store that is away for
a while loses none.

An event is appended as one line the moment it is told, without waiting for the disk: what the kernel has outlives the
process. ``take`` closes the file and gives its events; ``done`` removes it once the store has them. When the disk is
full, events wait in memory, a bounded number of them.
"""

from __future__ import annotations

import json
import os
from collections import deque
from pathlib import Path
from threading import Lock

from collectors.events import Event

MAX_BYTES = 256 << 20
"""A store that is away for longer than this is a store that nobody misses; further events are counted as dropped."""
_FILE_BYTES = 4 << 20
_IN_MEMORY = 20_000
_BATCH = 5_000
_SUFFIX = ".jsonl"


class Spool:
    """One writer, one reader (which may be in another thread), one folder.

    Args:
        folder: Made when missing; events of an earlier process that lie there are taken first.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._number = max((int(path.stem) for path in self._files()), default=0) + 1
        self._fd = -1
        self._in_file = 0
        self._bytes = sum(path.stat().st_size for path in self._files())
        self._memory: deque[Event] = deque()
        self._torn = False  # the last line on disk may be half written
        self._lock = Lock()  # held for a few system calls, never while files are read
        self.dropped = 0

    def append(self, event: Event) -> None:
        """Keep an event; never raises."""
        line = (json.dumps(event.document(), ensure_ascii=False, default=str) + "\n").encode()
        with self._lock:
            if self._bytes + len(line) <= MAX_BYTES and not self._memory and self._write(line):
                return
            if len(self._memory) >= _IN_MEMORY:
                self.dropped += 1
                return
            self._memory.append(event)

    def _write(self, line: bytes) -> bool:
        try:
            if self._fd < 0:
                path = self._folder / f"{self._number}{_SUFFIX}"
                self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            whole = b"\n" + line if self._torn else line
            written = os.write(self._fd, whole)
        except OSError:
            return False
        self._bytes += written
        self._in_file += written
        self._torn = written < len(whole)
        if self._in_file >= _FILE_BYTES and not self._torn:
            self._close()
        return not self._torn

    def take(self) -> tuple[list[Path], list[Event]]:
        """Events that wait, oldest first, a batch of them, and the files that hold them (give both to ``done``)."""
        with self._lock:
            self._close()
            waiting, memory = self._files(), list(self._memory)
        files: list[Path] = []
        events: list[Event] = []
        for path in waiting:
            if len(events) >= _BATCH:
                return files, events
            files.append(path)
            events += _read(path)
        return files, events + memory

    def done(self, files: list[Path], events: list[Event]) -> None:
        """The store has these."""
        stored = {event.number for event in events}
        with self._lock:
            for path in files:
                self._bytes -= path.stat().st_size
                path.unlink()
            self._memory = deque(event for event in self._memory if event.number not in stored)

    @property
    def empty(self) -> bool:
        """True when no event waits."""
        return self._fd < 0 and not self._memory and not self._files()

    def close(self) -> None:
        """Close the file; what it holds is taken by the next process."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._number += 1
            self._in_file = 0
            self._torn = False

    def _files(self) -> list[Path]:
        found = [path for path in self._folder.glob(f"*{_SUFFIX}") if path.stem.isdigit()]
        return sorted(found, key=lambda path: int(path.stem))


def _read(path: Path) -> list[Event]:
    """The whole lines of a file; a line cut off by a full disk or a dying machine is left out."""
    events = []
    for line in path.read_bytes().split(b"\n"):
        if not line:
            continue
        try:
            document = json.loads(line)
            events.append(Event(**document))
        except (ValueError, TypeError):
            continue
    return events
