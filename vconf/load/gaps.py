"""When no picture came to a screen: freezes, and how long a screen was dark, over connections that were built anew."""

from __future__ import annotations

from collections import deque

LONG_S = 0.25
"""Less than this is no gap: a few pictures."""


class Gaps:
    """Moments of one screen, monotonic seconds.

    >>> gaps = Gaps()
    >>> for moment in (1.0, 1.1, 3.0, 3.1):
    ...     gaps.came(moment)
    >>> round(gaps.longest(0.5, 3.2), 2), gaps.dark_until(0.5, 0.6), round(gaps.longest(2.0, 3.2), 2)
    (1.9, 3.0, 1.0)
    """

    def __init__(self) -> None:
        self.last_s = 0.0
        self._found: deque[tuple[float, float]] = deque(maxlen=256)

    def came(self, now_s: float) -> None:
        """A picture, or a part of one."""
        if self.last_s and now_s - self.last_s > LONG_S:
            self._found.append((self.last_s, now_s))
        self.last_s = now_s

    def longest(self, since_s: float, until_s: float) -> float:
        """The longest time without a picture between two moments, the one that still lasts included."""
        running = [(self.last_s, until_s)] if self.last_s < until_s else []
        spans = (min(end, until_s) - max(begin, since_s) for begin, end in [*self._found, *running])
        return max([0.0, *spans])

    def dark_until(self, since_s: float, long_s: float) -> float:
        """When the last gap of that length ended that was not over at ``since_s``; 0 when there was none."""
        ends = [end for begin, end in self._found if end > since_s and end - max(begin, since_s) >= long_s]
        return max(ends, default=0.0)
