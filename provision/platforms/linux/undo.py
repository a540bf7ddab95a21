"""What a change of this appliance replaced, kept on disk until the change is confirmed, and the timer that undoes it.

``pending.json`` is written before the first line of a change and removed after it is confirmed or undone; a start of
the machine, or the next call of the tool, that finds it knows what there was before.  Standard library only.

Shape of pending.json::

    {"id": "3f2a...-2", "phase": "applying" or "armed", "seconds": 120, "boot": "...", "until_boot_s": 812.5,
     "until_unix_s": 1790000000.0, "before": {path: [text or null, mode]}, "after": {path: sha256 or null},
     "groups": [...], "ledger": {...}, "pid": 4711}
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
import time
from collections.abc import Callable

from provision.platforms.linux import disk

TYPE_CHECKING = False  # the real one stands in a module that takes longer to load than a look at the device
if TYPE_CHECKING:
    from typing import Any

PENDING = disk.FOLDER + "/pending.json"
LAST = disk.FOLDER + "/last.json"
KEPT = disk.FOLDER + "/kept"
KEPT_CHANGES = 8
"""Confirmed changes whose "before" stays on the disk, for a rollback."""

_WATCH_LOCK = "/run/sanwang-undo.lock"
_STARTS_WITHIN_S = 20.0
_STUCK_S = 60.0  # a change that still runs so long after its time was over is killed
_AGAIN_S = 5.0
_TRIES = 24


def load() -> dict[str, Any] | None:
    """The change that is not confirmed yet."""
    found: dict[str, Any] | None = disk.document(PENDING)
    return found


def save(record: dict[str, Any]) -> None:
    """Keep it, for good; OSError when the disk does not take it."""
    disk.write(PENDING, json.dumps(record), "0600")


def drop(record: dict[str, Any], outcome: str, why: str = "") -> None:
    """It is confirmed or undone: say so, and forget it."""
    if record["id"]:
        last = {"id": record["id"], "outcome": outcome, "why": why, "at_unix_s": round(time.time(), 1)}
        disk.write(LAST, json.dumps(last), "0600")
    disk.unlink(PENDING)


def clock(seconds: float) -> dict[str, Any]:
    """When a change that is not confirmed is undone, by both of the machine's clocks."""
    return {
        "seconds": seconds,
        "boot": _boot(),
        "until_boot_s": time.clock_gettime(time.CLOCK_BOOTTIME) + seconds,
        "until_unix_s": time.time() + seconds,
    }


def left_s(record: dict[str, Any]) -> float:
    """Seconds until it is undone.  After a restart only the time of day is left: one that jumped back means "over"."""
    if record["boot"] == _boot():
        return float(record["until_boot_s"] - time.clock_gettime(time.CLOCK_BOOTTIME))
    left = float(record["until_unix_s"] - time.time())
    return left if left <= record["seconds"] else 0.0


def _boot() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def shown() -> dict[str, Any]:
    """What ``state`` tells: the pending change, and how the last one ended."""
    record = load()
    pending = None
    if record is not None and record["id"]:
        pending = {"id": record["id"], "phase": record["phase"], "left_s": round(left_s(record), 1)}
    return {"pending": pending, "last": disk.document(LAST)}


def keep(record: dict[str, Any]) -> None:
    """Keep a confirmed change's "before" for a rollback; the oldest ones go."""
    kept = {key: record[key] for key in ("id", "before", "after", "groups")}
    kept["owners"] = {path: group for path, group in record["ledger"]["files"].items() if path in record["before"]}
    disk.write(f"{KEPT}/{record['id']}.json", json.dumps(kept), "0600")
    names = [each for each in os.listdir(KEPT) if each.endswith(".json")]
    for name in sorted(names, key=lambda each: os.stat(f"{KEPT}/{each}").st_mtime)[:-KEPT_CHANGES]:
        disk.unlink(f"{KEPT}/{name}")


def kept(name: str) -> dict[str, Any] | None:
    """The kept "before" of a confirmed change."""
    found: dict[str, Any] | None = disk.document(f"{KEPT}/{name}.json")
    return found


# The timer ------------------------------------------------------------------------------------------------


def start_timer() -> None:
    """Start the process that undoes the pending change in time, out of this session's life; RuntimeError when it does
    not say that it is ready."""
    import select
    import subprocess

    ours, theirs = os.pipe()
    try:
        subprocess.run(
            ["setsid", "--fork", sys.executable, "-SE", os.path.abspath(sys.argv[0]), "watch", str(theirs)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            pass_fds=[theirs],
            check=False,
        )
        os.close(theirs)
        theirs = -1
        if not select.select([ours], [], [], _STARTS_WITHIN_S)[0] or os.read(ours, 1) != b"r":
            raise RuntimeError("the undo timer did not start")
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)


def watched() -> bool:
    """Whether the timer's process is there."""
    with open(_WATCH_LOCK, "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def watch(ready: int, revert: Callable[[dict[str, Any], str], None]) -> None:
    """Wait until the pending change is confirmed or its time is over; then undo it.  One such process at a time."""
    with open(_WATCH_LOCK, "w", encoding="ascii") as lock:
        alone = True
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            alone = False  # the one that is there looks at the disk again and again: it serves this change too
        with contextlib.suppress(OSError):
            os.write(ready, b"r")
        os.close(ready)
        tries = 0
        while alone:
            record = load()
            if record is None:
                with disk.locked():  # no change begins between this look and letting go
                    if load() is None:
                        fcntl.flock(lock, fcntl.LOCK_UN)
                        return
                continue
            left = left_s(record)
            if left > 0:
                time.sleep(min(left, 2.0))
                continue
            tries += 1
            if not _undone(record, revert, tries == _TRIES):
                time.sleep(_AGAIN_S)


def _undone(record: dict[str, Any], revert: Callable[[dict[str, Any], str], None], give_up: bool) -> bool:
    """Undo it under the tool's lock; whoever still holds that after a minute is stuck, and killed."""
    try:
        with disk.locked(_STUCK_S):
            now = load()
            if now is None or now["id"] != record["id"] or left_s(now) > 0:
                return True
            try:
                revert(now, "not confirmed in time")
            except Exception as problem:  # a daemon that is just restarting: again in a moment
                if give_up:
                    drop(now, "failed", str(problem)[:500])
                return give_up
            return True
    except disk.Busy:
        import signal

        with contextlib.suppress(OSError):
            with open(f"/proc/{record['pid']}/cmdline", "rb") as file:
                words = file.read()
            if b"device\0" in words:
                group = os.getpgid(record["pid"])  # with what it has started; 0: a group of another PID namespace
                os.kill(-group if group not in (0, os.getpgrp()) else record["pid"], signal.SIGKILL)
        return False
