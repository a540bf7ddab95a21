"""A straight line through measured points, and when it reaches a limit. Pure; ordinary least squares."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

DAY_S = 86_400.0
LEAST_POINTS = 8
LEAST_SPAN_S = 3_600.0
SURE = 3.0  # standard errors that the slope must be away from nothing before anybody is told of it
FAR_DAYS = 3_650.0

Point = tuple[float, float]  # seconds UTC, value


@dataclass(frozen=True, slots=True)
class Trend:
    """The fitted line; values in the unit of the points."""

    start: float  # seconds UTC of the first point
    end: float  # and of the last
    first: float  # value of the line at ``start``
    last: float  # and at ``end``
    per_day: float
    error_per_day: float  # standard error of ``per_day``
    points: int

    @property
    def sure(self) -> bool:
        """True when the slope is more than chance, given how the points scatter."""
        return abs(self.per_day) > SURE * self.error_per_day and abs(self.last - self.first) > 1e-9

    def days_until(self, limit: float, *, falling: bool) -> float | None:
        """Days after ``end`` until the line reaches the limit; 0 when it has, None when that is not sure or never."""
        gap = self.last - limit if falling else limit - self.last
        if gap <= 0:
            return 0.0
        towards = -self.per_day if falling else self.per_day
        if not self.sure or towards <= 0:
            return None
        days = gap / towards
        return days if days < FAR_DAYS else None

    def document(self) -> dict[str, float]:
        """As JSON types."""
        return {
            "start": self.start,
            "end": self.end,
            "first": round(self.first, 4),
            "last": round(self.last, 4),
            "per_day": round(self.per_day, 6),
        }


def fit(points: Sequence[Point]) -> Trend | None:
    """The line of least squares; None of fewer than eight points, of less than an hour, or of what is no number."""
    usable = [(at, value) for at, value in points if math.isfinite(at) and math.isfinite(value)]
    if len(usable) < LEAST_POINTS or usable[-1][0] - usable[0][0] < LEAST_SPAN_S:
        return None
    start, end = usable[0][0], usable[-1][0]
    times = [(at - start) / DAY_S for at, _ in usable]
    values = [value for _, value in usable]
    mean_t, mean_v = sum(times) / len(times), sum(values) / len(values)
    spread = sum((t - mean_t) ** 2 for t in times)
    if spread <= 0:
        return None
    slope = sum((t - mean_t) * (v - mean_v) for t, v in zip(times, values, strict=True)) / spread
    rest = sum((v - mean_v - slope * (t - mean_t)) ** 2 for t, v in zip(times, values, strict=True))
    error = math.sqrt(rest / (len(times) - 2) / spread)
    first, last = mean_v - slope * mean_t, mean_v + slope * (times[-1] - mean_t)
    return Trend(start, end, first, last, slope, error, len(usable))
