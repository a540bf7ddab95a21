"""What an instance costs: processor time and memory of every process that belongs to it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from inventory.places import Places
from twin import namespaces
from twin.state import State

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """Cost of an instance."""

    cpu_cores: float  # cores busy over the interval
    memory_mb: float  # proportional set size of all processes, 10^6 bytes
    processes: int


def measure(places: Places, interval_s: float = 3.0) -> Usage:
    """Watch the instance for ``interval_s`` seconds; all zero when it is not up."""
    before = _cpu_ticks(places)
    start = time.monotonic()
    time.sleep(interval_s)
    after = _cpu_ticks(places)
    elapsed = time.monotonic() - start
    spent = sum(ticks - before.get(key, 0) for key, ticks in after.items())
    memory = sum(_pss_bytes(pid) for pid, _ in after)
    return Usage(spent / _TICKS_PER_S / elapsed, memory / 1e6, len(after))


def processes(places: Places) -> set[int]:
    """Pids of every process of the instance: hosts' own, their keepers, helpers, whoever else lives in a namespace."""
    state = State(places)
    networks = namespaces.inodes(state.namespaces())
    found = {process.pid for process in state.helpers().values() if process.alive}
    pids, machine = set(), _inode(os.getpid(), "pid")
    for keeper, init in state.running().values():
        if keeper.alive:
            found.add(keeper.pid)
        inode = _inode(init.pid, "pid")
        if init.alive and inode not in (None, machine):  # a switch has no pid namespace of its own
            pids.add(inode)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            pid = int(entry.name)
            if _inode(pid, "net") in networks or _inode(pid, "pid") in pids:
                found.add(pid)
    return found


def _inode(pid: int, kind: str) -> int | None:
    try:
        return Path(f"/proc/{pid}/ns/{kind}").stat().st_ino
    except OSError:
        return None


def _cpu_ticks(places: Places) -> dict[tuple[int, int], int]:
    """(pid, start) -> clock ticks used so far, of every process of the instance."""
    found = {}
    for pid in processes(places):
        fields = _stat(pid)
        if fields:
            found[pid, int(fields[19])] = int(fields[11]) + int(fields[12])
    return found


def ticks(pid: int) -> int:
    """Clock ticks of processor time that a process has used; 0 when it is gone."""
    fields = _stat(pid)
    return int(fields[11]) + int(fields[12]) if fields else 0


def _stat(pid: int) -> list[str]:
    """Fields of /proc/<pid>/stat from the third on; none when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _pss_bytes(pid: int) -> int:
    """Proportional set size: shared pages are counted once over all who share them."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
