"""``sanwang drill meeting``: two township halls meet in real browsers; the ring fibre that carries them is cut."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from drills.browser import Hall
from drills.errors import Missing
from drills.halls import booked_halls, rooms
from drills.lab import Lab
from drills.ring import settled
from inventory.model import LinkKind
from twin import faults
from twin.links import all_bytes

Progress = Callable[[str], None]
LIMITS_MS = {"first_frame_p95_ms": 3000.0, "freeze_ms": 1500.0}
TITLE = "环网演练 Ring drill"


def meeting(lab: Lab, progress: Progress, joins: int = 5) -> dict[str, Any]:
    """Book, join, measure, cut, heal, leave and cancel; the county is as before afterwards."""
    pair = rooms(lab.model)
    with booked_halls(lab, pair, title=TITLE, who="drill", probe=True) as (opened, _):
        return _meet(lab, opened, joins, progress)


def _meet(lab: Lab, halls: list[Hall], joins: int, progress: Progress) -> dict[str, Any]:
    for hall in halls:
        hall.join()
    for hall in halls:
        hall.wait_picture()
    first_frames = []
    for number in range(joins):
        halls[1].leave()
        halls[1].page.reload()
        halls[1].join()
        first_frames.append(halls[1].wait_picture())
        progress(f"join {number + 1}: first frame after {first_frames[-1]:.0f} ms")
        halls[0].wait_picture()
    used = ring_link_in_use(lab)
    progress(f"the pictures ride {used}")
    time.sleep(2)
    for hall in halls:
        hall.reset_gaps()
    fault = faults.cut(lab.twin, used)
    try:
        time.sleep(4)
        freezes = {hall.name: max(video["longestGapMs"] for video in hall.video()) for hall in halls}
        going_on = [_goes_on(hall) for hall in halls]
    finally:
        faults.heal(lab.twin, fault)
    progress(f"{used} cut: longest freeze {max(freezes.values()):.0f} ms")
    settled(lab)
    still = [_goes_on(hall) for hall in halls]
    return {
        "halls": [hall.name for hall in halls],
        "first_frame_ms": [round(value) for value in first_frames],
        "first_frame_p95_ms": round(_p95(first_frames)),
        "link": used,
        "freeze_ms": round(max(freezes.values())),
        "freezes": {name: round(value) for name, value in freezes.items()},
        "both_go_on": all(going_on) and all(still),
    }


def ring_link_in_use(lab: Lab, watch_s: float = 2.0) -> str:
    """The ring fibre that carries most bytes now, by its own counters."""
    ring = [link.name for link in lab.model.links.values() if link.kind is LinkKind.RING]
    before = all_bytes(lab.places, lab.model)
    time.sleep(watch_s)
    after = all_bytes(lab.places, lab.model)
    carried = {name: sum(after[name]) - sum(before[name]) for name in ring}
    busiest = max(carried, key=lambda name: carried[name])
    if carried[busiest] / watch_s < 25_000:
        raise Missing("no ring fibre carries the meeting", f"bytes in {watch_s:.0f} s: {carried}")
    return busiest


def _goes_on(hall: Hall, watch_s: float = 1.5) -> bool:
    """True when every remote picture shows new, different frames now."""
    before = [video["framesChanged"] for video in hall.video()]
    time.sleep(watch_s)
    after = [video["framesChanged"] for video in hall.video()]
    return bool(after) and len(after) == len(before) and all(b > a for a, b in zip(before, after, strict=True))


def _p95(values: list[float]) -> float:
    """Nearest rank."""
    return sorted(values)[max(0, math.ceil(0.95 * len(values)) - 1)]


def misses(found: dict[str, Any]) -> list[str]:
    """What went over its limit, in words."""
    over = [
        f"{name}: {found[name]} ms, limit {limit:.0f} ms" for name, limit in LIMITS_MS.items() if found[name] > limit
    ]
    return over if found["both_go_on"] else [*over, "a picture stopped after the cut"]
