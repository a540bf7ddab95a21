"""What everybody must be shown, by the oracle's own telling of the rules, beside what each is told; and the limits."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from drills.conference.seats import CONSOLE, Seats
from vconf.chair.oracle import Oracle, wrong

Told = Mapping[str, Mapping[str, Any]]
SETTLE_S = 4.0
"""How long a change may take to be told to everybody before what is told counts as wrong."""

LIMITS: dict[str, float] = {
    "first_frame_p95_ms": 1500.0,
    "switch_p95_ms": 700.0,
    "latency_p95_ms": 300.0,
    "freeze_ms": 1000.0,
    "relay_killed_back_s": 5.0,
    "alone_s": 3.0,
    "merge_s": 5.0,
    "wrong_chair_state": 0.0,
}


class Judge:
    """One meeting: is told what was done, and says who is told otherwise."""

    def __init__(self, oracle: Oracle) -> None:
        self.oracle = oracle

    @classmethod
    def of(cls, seats: Seats) -> Judge:
        """Of a booked meeting that nobody is in yet."""
        return cls(Oracle(seats.meeting.halls, main=seats.main, owner=CONSOLE))

    def did(self, action: str, by: str = "system", **args: Any) -> None:
        """What was accepted, or what happened."""
        self.oracle.did(by, action, args, time.monotonic())

    def come(self, codes: Iterable[str]) -> None:
        """They are in, guests admitted."""
        for code in codes:
            self.did("arrive", venue=code)
            self.did("admit", venue=code)

    def go(self, codes: Iterable[str]) -> None:
        """They are gone."""
        for code in codes:
            self.did("depart", who=code)

    def alone(self, codes: Iterable[str]) -> Judge:
        """The same meeting as a tier goes on with it that has lost the one above, with these venues."""
        apart, mine = Judge(deepcopy(self.oracle)), list(codes)
        apart.oracle.alone(mine, time.monotonic())
        apart.come(mine)
        return apart

    def differences(self, told: Told) -> dict[str, Any]:
        """Participant -> {name: (told, right)} of those that are told otherwise."""
        for each in told.values():
            if each.get("speaker") is not None:  # who is loudest comes from outside the rules
                self.did("speaker", venue=each["speaker"])
                break
        return {code: found for code, each in told.items() if (found := wrong(self.oracle, code, each))}

    def settled(self, look: Callable[[], Told], expected: Iterable[str], within_s: float = SETTLE_S) -> dict[str, Any]:
        """Who is still told otherwise, or nothing at all, after the time; {} as soon as all is right."""
        codes = set(expected)
        end_s = time.monotonic() + within_s
        while True:
            told = look()
            found = self.differences(told) | dict.fromkeys(codes - told.keys(), "told nothing")
            if not found or time.monotonic() > end_s:
                return found
            time.sleep(0.2)


def p95(values: Sequence[float]) -> float | None:
    """Nearest rank; None for nothing."""
    return sorted(values)[max(0, math.ceil(0.95 * len(values)) - 1)] if values else None


def misses(found: Mapping[str, Any]) -> list[str]:
    """What went over its limit or was not seen, in words; what the county has no place for is not judged."""
    apart = found["not_measured"]
    over = []
    for name, limit in LIMITS.items():
        value = found[name]
        unit = {"ms": " ms", "s": " s"}.get(name.rpartition("_")[2], "")
        if value is None and name not in apart:
            over.append(f"{name}: never seen")
        elif value is not None and value > limit:
            over.append(f"{name}: {value:g}{unit}, limit {limit:g}{unit}")
    if not found["both_go_on"]:
        over.append("a picture stopped after the cut")
    over += [f"{step}: {why}" for step, why in found["failed"].items()]
    return over + [f"{code}: never came in" for code in found["missing"]]
