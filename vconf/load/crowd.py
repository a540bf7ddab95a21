"""Many halls in one process, and what they lived through together."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from aiortc.rtcdtlstransport import RTCCertificate

from vconf.load.clip import Clip
from vconf.load.hall import Hall
from vconf.load.way import Habits, Way

_GOODBYE_S = 6.0
Document = dict[str, Any]


class Crowd:
    """Halls by their codes; all may share one certificate, which a server cannot tell from one each."""

    def __init__(self, way: Way, clip: Clip | None, habits: Habits | None = None) -> None:
        self.halls: dict[str, Hall] = {}
        self._way = way
        self._clip = clip
        self._habits = habits or Habits()
        self._certificate = RTCCertificate.generateCertificate()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._began_s, self._cpu_s = time.monotonic(), time.process_time()

    def join(self, code: str) -> Hall:
        """One more hall, or one that was here before; it joins in a task of its own."""
        hall = self.halls.setdefault(code, Hall(code, self._way, self._certificate, self._clip, self._habits))
        self._tasks[code] = asyncio.create_task(hall.stay(), name=f"hall {code}")
        return hall

    async def leave(self, codes: Iterable[str]) -> None:
        """These say goodbye; raises what a hall stumbled over and did not expect."""
        tasks = [self._tasks.pop(code) for code in codes if code in self._tasks]
        going = set(tasks)
        while going:
            for task in going:
                task.cancel()  # again: asyncio.wait_for loses one that comes with what it waits for (Python 3.11)
            _, going = await asyncio.wait(going, timeout=_GOODBYE_S)
        for found in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(found, BaseException) and not isinstance(found, asyncio.CancelledError):
                raise found

    async def run(
        self, codes: Sequence[str], seconds: float, stop: asyncio.Event, every_s: float, tell: Callable[[str], None]
    ) -> Document:
        """All join, one each ``every_s``; the figures after ``seconds`` with all of them, or when ``stop`` is set."""
        try:
            for number, code in enumerate(codes):
                if number and await _happened(stop, every_s):
                    break
                self.join(code)
            deadline_s = time.monotonic() + seconds
            while not await _happened(stop, min(5.0, deadline_s - time.monotonic())):
                if time.monotonic() >= deadline_s:
                    break
                inside = sum(hall.inside for hall in self.halls.values())
                tell(
                    f"{inside} of {len(codes)} halls are in, {sum(map(_dark, self.halls.values()))} see a dark picture"
                )
            now = self.now()
        finally:
            await self.leave(list(self._tasks))
        return now | self.figures()

    def now(self) -> Document:
        """What is true at this moment."""
        inside = [hall for hall in self.halls.values() if hall.inside]
        return {
            "halls": len(self.halls),
            "inside": len(inside),
            "dark": {hall.code: dark for hall in inside if (dark := hall.dark())},
            "over": {hall.code: hall.over for hall in self.halls.values() if hall.over},
        }

    def figures(self) -> Document:
        """Sums and quantiles of all that was counted; of a hall's stay when it has left."""
        each = [hall.figures for hall in self.halls.values()]
        packets, lost = sum(one.packets for one in each), sum(one.lost for one in each)
        interruptions: Counter[str] = sum((one.interruptions for one in each), Counter())
        refusals: Counter[str] = sum((one.refusals for one in each), Counter())
        return {
            "seconds": round(time.monotonic() - self._began_s, 1),
            "joins": sum(one.joins for one in each),
            "join_ms": quantiles(value for one in each for value in one.join_ms),
            "first_packet_ms": quantiles(value for one in each for value in one.first_packet_ms),
            "first_keyframe_ms": quantiles(value for one in each for value in one.first_keyframe_ms),
            "switch_ms": quantiles(value for one in each for value in one.switch_ms),
            "received": {
                "packets": packets,
                "octets": sum(one.octets for one in each),
                "lost": lost,
                "lost_percent": round(100 * lost / max(1, packets + lost), 3),
                "repaired": sum(one.repaired for one in each),
                "asked": sum(one.asked for one in each),
                "wrong": sum(one.wrong for one in each),
            },
            "sent": {
                "packets": sum(one.sent for one in each),
                "octets": sum(one.sent_octets for one in each),
                "resent": sum(one.resent for one in each),
                "keyframe_requests": sum(one.keyframe_requests for one in each),
            },
            "interruptions": dict(interruptions),
            "refusals": dict(refusals),
            "cpu_s": round(time.process_time() - self._cpu_s, 2),
        }


def quantiles(values: Iterable[float]) -> Document:
    """p50, p95 (nearest rank) and the most, rounded; nulls for nothing."""
    found = sorted(values)
    if not found:
        return {"count": 0, "p50": None, "p95": None, "max": None}
    at = {"p50": 0.5, "p95": 0.95, "max": 1.0}
    return {"count": len(found)} | {
        name: round(found[max(0, math.ceil(share * len(found)) - 1)]) for name, share in at.items()
    }


def _dark(hall: Hall) -> int:
    return bool(hall.dark())


async def _happened(event: asyncio.Event, within_s: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), max(0.0, within_s))
    except TimeoutError:
        return False
    return True
