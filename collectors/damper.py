"""What others say (syslog, traps) on its way into the stream of events: repeats are folded, no host can flood it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from collectors.events import Events

REPEAT_S = 60.0
RATE_PER_S = 50
"""Different messages of one host that become events in one second; the others are counted and told as a number."""
_KEYS = 20_000  # different messages remembered at once


@dataclass(slots=True)
class _Held:
    since: float
    count: int  # repeats that were not told yet
    detail: dict[str, Any]


class Damper:
    """In front of one stream of events.

    The first of equal messages is told at once. Repeats within ``REPEAT_S`` are counted, and told as one event with
    ``repeated`` when that time is over: nothing is late, nothing is hidden, and a chattering box costs a line a minute.

    Args:
        events: The stream.
        clock: Monotonic seconds.
    """

    def __init__(self, events: Events, clock: Callable[[], float]) -> None:
        self._events, self._clock = events, clock
        self._held: OrderedDict[tuple[str, str, str], _Held] = OrderedDict()
        self._second = 0
        self._told: dict[str, int] = {}
        self._over: dict[str, int] = {}  # host -> messages over its rate, not told yet
        self._over_since = clock()
        self.repeated = 0
        self.dropped = 0

    def tell(self, kind: str, subject: str, text: str, /, **detail: Any) -> bool:
        """One message of host ``subject``; True when it became an event now."""
        now = self._clock()
        key = (kind, subject, text)
        held = self._held.get(key)
        if held is not None and now - held.since < REPEAT_S:
            held.count += 1
            self.repeated += 1
            return False
        if held is not None:
            self._release(key, held)
        if not self._within_rate(subject, now):
            self._over[subject] = self._over.get(subject, 0) + 1
            self.dropped += 1
            return False
        self._held[key] = _Held(now, 0, detail)
        self._held.move_to_end(key)
        while len(self._held) > _KEYS:
            oldest = next(iter(self._held))
            self._release(oldest, self._held[oldest])
        self._events.emit(kind, subject, text, **detail)
        return True

    def flush(self, *, everything: bool = False) -> None:
        """Tell what was held back long enough; call it once in a while, and with ``everything`` before leaving."""
        now = self._clock()
        while self._held:
            key, held = next(iter(self._held.items()))  # oldest first
            if not everything and now - held.since < REPEAT_S:
                break
            self._release(key, held)
        if self._over and (everything or now - self._over_since >= REPEAT_S):
            for host, count in self._over.items():
                self._events.emit(
                    "flood", host, f"{count} messages over {RATE_PER_S} a second were not kept", count=count
                )
            self._over = {}
        if not self._over:
            self._over_since = now

    def _release(self, key: tuple[str, str, str], held: _Held) -> None:
        del self._held[key]
        if held.count:
            kind, subject, text = key
            self._events.emit(kind, subject, text, **held.detail, repeated=held.count)

    def _within_rate(self, host: str, now: float) -> bool:
        if int(now) != self._second:
            self._second, self._told = int(now), {}
        count = self._told[host] = self._told.get(host, 0) + 1
        return count <= RATE_PER_S
