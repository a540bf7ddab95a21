"""What a running twin writes down, so that a later ``down`` needs nothing but the disk.

Everything is under ``Places.run/twin`` (root only)::

    namespaces      names, one a line, written before the first is created
    model.pickle    the model that is up
    hosts/<host>    "<keeper pid> <its start> <init pid> <its start>" of every running appliance
    helpers/<name>  "<pid> <start>" of a process in the machine that belongs to the twin
    dead/<host>     a host without power
    lock            held by whoever changes the twin
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pickle
import shutil
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from inventory.model import NetworkModel
from inventory.places import Places
from twin.errors import TwinError


@dataclass(frozen=True, slots=True)
class Process:
    """A process that is still the one we started: the pid alone could have been reused."""

    pid: int
    start: int  # clock ticks since boot, field 22 of /proc/<pid>/stat

    @classmethod
    def of(cls, pid: int) -> Process:
        """The process as it runs now; ProcessLookupError when there is none."""
        start = start_time(pid)
        if start is None:
            raise ProcessLookupError(pid)
        return cls(pid, start)

    @property
    def alive(self) -> bool:
        """True while it runs (a zombie does not)."""
        return start_time(self.pid) == self.start

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Signal it if it is still the same process."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, how)


def start_time(pid: int) -> int | None:
    """Start of a living process in clock ticks since boot; None when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def wait_gone(processes: Iterable[Process], seconds: float = 15.0) -> None:
    """Wait until none of the (killed) processes is alive; TwinError names those that stay."""
    deadline = time.monotonic() + seconds
    left = list(processes)
    while left := [process for process in left if process.alive]:
        if time.monotonic() > deadline:
            raise TwinError(f"processes that do not die: {', '.join(str(process.pid) for process in left)}")
        time.sleep(0.005)


class State:
    """The twin's notes on disk for one instance."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.folder = places.run / "twin"

    @property
    def up(self) -> bool:
        """True when an instance of that name was started and not taken down."""
        return (self.folder / "namespaces").exists()

    def begin(self, model: NetworkModel, namespaces: Iterable[str]) -> None:
        """Write down what is about to be created."""
        for name in ("hosts", "helpers", "dead", "log"):
            (self.folder / name).mkdir(exist_ok=True)
        self.keep(model)
        _write(self.folder / "namespaces", "\n".join(namespaces) + "\n")

    def keep(self, model: NetworkModel) -> None:
        """Write down the model that is up: what stands there was changed by hand, a box swapped or a cable plugged."""
        beside = self.folder / "model.new"
        beside.write_bytes(pickle.dumps(model))
        beside.replace(self.folder / "model.pickle")

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the instance's lock; TwinError when another command holds it for longer than 30 s."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        text = f"another command has been changing instance {self.places.instance!r} for 30 s"
                        raise TwinError(text) from None
                    time.sleep(0.05)
            yield
        finally:
            os.close(descriptor)

    def model(self) -> NetworkModel:
        """The model that is up; TwinError (exit code 3) when nothing is."""
        try:
            found = pickle.loads((self.folder / "model.pickle").read_bytes())
        except OSError:
            text = f"instance {self.places.instance!r} is not up. Next: start it with `make up` or `sanwang up`"
            raise TwinError(text, 3) from None
        assert isinstance(found, NetworkModel)
        return found

    def namespaces(self) -> list[str]:
        """Names of every namespace of the instance; empty when it is not up."""
        try:
            return (self.folder / "namespaces").read_text().split()
        except OSError:
            return []

    def record_host(self, host: str, keeper: Process, init: Process) -> None:
        """A host's init runs; its keeper is the ``unshare`` that dies with it."""
        _write(self.folder / "hosts" / host, f"{keeper.pid} {keeper.start} {init.pid} {init.start}\n")

    def host(self, host: str) -> tuple[Process, Process] | None:
        """Keeper and init of a running appliance, else None."""
        try:
            numbers = [int(word) for word in (self.folder / "hosts" / host).read_text().split()]
        except OSError:
            return None
        return Process(numbers[0], numbers[1]), Process(numbers[2], numbers[3])

    def forget_host(self, host: str) -> None:
        """A host's init is gone."""
        (self.folder / "hosts" / host).unlink(missing_ok=True)

    def running(self) -> dict[str, tuple[Process, Process]]:
        """Keeper and init of every appliance on record."""
        folder = self.folder / "hosts"
        return {name: pair for name in _names(folder) if (pair := self.host(name)) is not None}

    def record_helper(self, name: str, pid: int) -> None:
        """A process of the machine belongs to the twin and ends with it (a portal, a delay line)."""
        process = Process.of(pid)
        _write(self.folder / "helpers" / name, f"{process.pid} {process.start}\n")

    def helpers(self) -> dict[str, Process]:
        """Every recorded helper by name, alive or not."""
        found = {}
        folder = self.folder / "helpers"
        for name in _names(folder):
            pid, start = (folder / name).read_text().split()
            found[name] = Process(int(pid), int(start))
        return found

    def stop_helper(self, name: str) -> None:
        """Kill a helper and forget it; none of that name is fine."""
        process = self.helpers().get(name)
        if process is not None:
            process.kill()
            wait_gone([process])
            (self.folder / "helpers" / name).unlink(missing_ok=True)

    def set_dead(self, host: str, dead: bool) -> None:
        """Note whether a host has power."""
        path = self.folder / "dead" / host
        path.touch() if dead else path.unlink(missing_ok=True)

    def dead(self) -> frozenset[str]:
        """Hosts without power."""
        return frozenset(_names(self.folder / "dead"))

    def clear(self) -> None:
        """Remove everything below ``Places.run``: sockets and notes alike."""
        shutil.rmtree(self.places.run, ignore_errors=True)


def _names(folder: Path) -> list[str]:
    """Finished files of a folder, sorted; half-written ones start with a dot."""
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def _write(path: Path, text: str) -> None:
    """Replace a file in one step: a reader or a kill never meets half of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)
