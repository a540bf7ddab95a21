"""What a run has done so far, on the disk after each step: a run that was killed at any moment is gone on with.

One file per plan beside a copy of the plan, append only, a JSON document per line: ``{"at", "what", "stage", "host",
"words"}``.  A torn last line was never acted on, and is skipped.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inventory.places import Places
from provision.change.plan import Plan, PlanError


@dataclass(frozen=True, slots=True)
class Step:
    """One line.

    ``what``: begin, stage, sending (to a device), applied, confirmed, passed (a stage), back (``words``: stages that
    are taken back), reverted, rolled-back, end (``words``: "applied", "reverted", "kept" or "rolled back").
    """

    at: str
    what: str
    stage: str = ""
    host: str = ""
    words: str = ""


class Journal:
    """The journal of one plan on one instance."""

    def __init__(self, places: Places, plan_id: str) -> None:
        self.folder = folder(places)
        self.plan_id = plan_id
        self.path = self.folder / f"{plan_id}.jsonl"
        self.steps: tuple[Step, ...] = replay(self.path)

    @property
    def plan_path(self) -> Path:
        """The copy of the plan."""
        return self.folder / f"{self.plan_id}.plan"

    def keep(self, plan: Plan) -> None:
        """Copy the plan here, before its first line is sent.  OSError when the disk does not take it."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        plan.save(self.plan_path)

    def add(self, what: str, *, stage: str = "", host: str = "", words: str = "") -> None:
        """Append a step; on the disk when this returns.  OSError when the disk does not take it."""
        step = Step(datetime.now(UTC).isoformat(timespec="milliseconds"), what, stage, host, words)
        line = json.dumps(asdict(step), ensure_ascii=False).encode() + b"\n"
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(handle).st_size
            if size and os.pread(handle, 1, size - 1) != b"\n":
                line = b"\n" + line  # the one before was torn
            if os.write(handle, line) != len(line):
                os.ftruncate(handle, size)
                raise OSError(28, os.strerror(28), str(self.path))
            os.fsync(handle)
        finally:
            os.close(handle)
        self.steps = (*self.steps, step)

    @property
    def current(self) -> tuple[Step, ...]:
        """The steps of the last run (a plan may be applied again after it was taken back)."""
        begun = [place for place, step in enumerate(self.steps) if step.what == "begin"]
        return self.steps[begun[-1] :] if begun else ()

    @property
    def ended(self) -> str:
        """How the last run ended; "" while it has not."""
        last = self.current[-1:]
        return last[0].words if last and last[0].what == "end" else ""

    @property
    def in_flight(self) -> frozenset[str]:
        """Devices of the last run that are being changed, or wait for their confirmation."""
        return in_flight(self.current)

    @property
    def confirmed(self) -> frozenset[str]:
        """Devices of the last run that have it for good."""
        found: set[str] = set()
        for step in self.current:
            if step.what == "confirmed":
                found.add(step.host)
            elif step.what == "rolled-back":
                found.discard(step.host)
        return frozenset(found)


def in_flight(steps: Iterable[Step]) -> frozenset[str]:
    """Devices that these steps leave being changed, or waiting for their confirmation."""
    found: set[str] = set()
    for step in steps:
        if step.what in ("sending", "applied"):
            found.add(step.host)
        elif step.what in ("confirmed", "reverted", "rolled-back"):
            found.discard(step.host)
    return frozenset(found)


def folder(places: Places) -> Path:
    """Where journals lie."""
    return places.lib / "changes"


def replay(path: Path) -> tuple[Step, ...]:
    """The steps of a file; what is no step is skipped."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return ()
    return tuple(step for line in lines if (step := _step(line)) is not None)


def _step(line: bytes) -> Step | None:
    try:
        row: Any = json.loads(line)
        step = Step(**row)
    except (ValueError, TypeError, RecursionError):
        return None
    return step if all(isinstance(value, str) for value in asdict(step).values()) else None


def journals(places: Places) -> list[Journal]:
    """Every journal, the one that began last at the end."""
    found = [Journal(places, path.stem) for path in folder(places).glob("*.jsonl")]
    return sorted((each for each in found if each.current), key=lambda each: each.current[0].at)


def kept_plan(places: Places, plan_id: str) -> Plan:
    """The copy of a plan that was applied here.  PlanError when there is none."""
    return Plan.load(folder(places) / f"{plan_id}.plan")


@contextmanager
def alone(places: Places) -> Iterator[None]:
    """One run at a time on an instance.  PlanError while another is under way."""
    folder(places).mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder(places) / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = "another apply or rollback is under way; expected none; wait for it"
            raise PlanError(f"{folder(places)}: found {text}") from None
        yield
