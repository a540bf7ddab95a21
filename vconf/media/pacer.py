"""A slow receiver's share of the line: a credit of octets that grows with its rate, and the queue that waits for it.

What a credit begins is sent whole: the debt is paid before the next (draft-ietf-rmcat-gcc-02 section 4).
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

from vconf.media.plane import QUEUE_PACKETS, QUEUE_US

_BURST_US = 40_000
_LEAST_BURST = 3_000  # octets: two packets

T = TypeVar("T")


class Pacer(Generic[T]):
    """Credit and queue of (what, octets)."""

    __slots__ = ("_at_us", "_credit", "_most", "_octets_a_us", "bps", "is_idle", "octets", "queue")

    def __init__(self) -> None:
        self.bps = 0  # 0: no pacing
        self.is_idle = True  # everything leaves at once
        self.queue: deque[tuple[T, int]] = deque()
        self.octets = 0  # waiting
        self._credit = self._octets_a_us = 0.0
        self._most = _LEAST_BURST
        self._at_us = 0

    def set_rate(self, bps: int) -> None:
        """Bits per second, 0: no pacing."""
        self.bps = bps
        self._octets_a_us = bps / 8_000_000
        self._most = max(_LEAST_BURST, bps * _BURST_US // 8_000_000)
        self.is_idle = not bps and not self.queue

    def admits(self, octets: int, now_us: int) -> bool:
        """Whether so much may leave at once; it is paid for then."""
        if self.queue:
            return False
        credit = self._credit + (now_us - self._at_us) * self._octets_a_us
        self._at_us = now_us
        credit = min(credit, self._most)
        if credit < octets:
            self._credit = credit
            return False
        self._credit = credit - octets
        return True

    def spend(self, octets: int) -> None:
        """Pay for what left without asking."""
        if self.bps:
            self._credit -= octets

    def full(self, packets: int) -> bool:
        """Whether so many more would wait too long."""
        too_long = self.bps > 0 and self.octets * 8_000_000 > self.bps * QUEUE_US
        return too_long or len(self.queue) + packets > QUEUE_PACKETS

    def put(self, what: T, octets: int) -> None:
        """Wait at the end of the queue."""
        self.queue.append((what, octets))
        self.octets += octets
        self.is_idle = False

    def due(self, now_us: int) -> list[T]:
        """What may leave now, in order; it is paid for."""
        if not self.bps:
            found = [what for what, _ in self.queue]
            self.queue.clear()
            self.octets = 0
            self.is_idle = True
            return found
        credit, found = self._refill(now_us), []
        while self.queue and credit > 0:
            what, octets = self.queue.popleft()
            self.octets -= octets
            credit -= octets
            found.append(what)
        self._credit = credit
        return found

    def wait_us(self) -> int:
        """Until the next may leave; 0 when nothing waits."""
        if not self.queue:
            return 0
        return max(500, int(-self._credit * 8_000_000 / self.bps)) if self.bps else 500

    def _refill(self, now_us: int) -> float:
        self._credit = min(self._most, self._credit + (now_us - self._at_us) * self._octets_a_us)
        self._at_us = now_us
        return self._credit
