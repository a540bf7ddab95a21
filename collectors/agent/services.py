"""State of the runit services of this host, read from the files that ``runsv`` keeps.

``supervise/status`` is 20 bytes (runit's ``sv.c``): TAI64N start stamp, pid (little-endian), paused, wanted
('u' or 'd'), got-TERM, state (0 down, 1 run, 2 finish).  A daemon that was stopped by a signal (SIGSTOP) still
counts as running there, so the process' own state is looked at too.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from collectors.agent.state import Value

FOLDER = Path("/etc/sanwang/sv")
_TAI_OFFSET = 4611686018427387914  # 2**62 + 10: runit's stamps are TAI64 labels, 10 s ahead of UNIX time
_STATES = {0: "down", 1: "run", 2: "finish"}


class BadStatus(ValueError):
    """A status file that is not what runit writes."""


def parse_status(data: bytes) -> tuple[str, int, float]:
    """``supervise/status`` -> (state, pid, since in UNIX seconds).

    >>> parse_status(bytes.fromhex("400000006553f10a00000000") + bytes([42, 0, 0, 0, 0, 117, 0, 1]))
    ('run', 42, 1700000000.0)

    Raises:
        BadStatus: wrong length or an unknown state.
    """
    if len(data) != 20 or data[19] not in _STATES:
        raise BadStatus(f"{len(data)} bytes, state {data[19:20].hex()}: expected 20 bytes, state 00 to 02")
    seconds, nanoseconds = struct.unpack_from(">QI", data)
    (pid,) = struct.unpack_from("<I", data, 12)
    paused = data[16] != 0
    state = _STATES[data[19]]
    if data[17:18] == b"d":  # somebody asked for it; else its supervisor is about to start it again
        state = {"down": "stopped", "run": "stopping"}.get(state, state)
    return ("paused" if paused and state == "run" else state), pid, seconds - _TAI_OFFSET + nanoseconds / 1e9


def process_state(pid: int) -> str:
    """One letter as in proc(5): R, S, D, T, Z ...; "" when there is no such process."""
    try:
        line = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return ""
    return line[line.rfind(b")") + 2 :][:1].decode("ascii", "replace")


def read_services(folder: Path = FOLDER) -> dict[str, Value]:
    """Every service of the folder: ``{"up", "state", "pid", "since"}``.

    ``state`` is stopped (as asked), stopping, down, run, finish, paused, frozen (stopped by a signal) or unsupervised.
    """
    services: dict[str, Value] = {}
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
    except FileNotFoundError:
        return {}
    for name in names:
        try:
            state, pid, since = parse_status((folder / name / "supervise" / "status").read_bytes())
        except (OSError, BadStatus):
            services[name] = {"up": False, "state": "unsupervised", "pid": 0, "since": 0}
            continue
        if state == "run":
            letter = process_state(pid)
            if letter in ("T", "t"):
                state = "frozen"
            elif letter in ("", "Z", "X"):
                state = "down"
        services[name] = {"up": state == "run", "state": state, "pid": pid, "since": round(since)}
    return services
