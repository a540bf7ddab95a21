"""Working time: which days are worked, how much working time lies between two moments, when so much of it is over.

Time limits of Chinese administration run in working days (行政许可法 article 82): days off by the State Council's
yearly notice do not count, and weekend days that it makes up for (调休) do.  A year without a notice has weekends
only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone

CHINA = timezone(timedelta(hours=8))
"""The one time zone of the country; it has had no summer time since 1991."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SpecialDay:
    """A day that is not what its weekday says."""

    working: bool
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class WorkCalendar:
    """Working hours of a working day (local, ascending) and the days that differ from the week."""

    hours: tuple[tuple[time, time], ...]
    days: Mapping[date, SpecialDay]
    sources: Mapping[int, str]  # year -> the notice that it follows; a year that is missing has weekends only

    @property
    def ends(self) -> date | None:
        """The last day that a notice covers; None when there is none."""
        return date(max(self.sources), 12, 31) if self.sources else None

    def known(self, moment: datetime) -> bool:
        """True when a notice covers that day."""
        return moment.astimezone(CHINA).year in self.sources

    def working(self, day: date) -> bool:
        """True for a working day: Monday to Friday but for days off, and weekend days that are made up for."""
        special = self.days.get(day)
        return day.weekday() < 5 if special is None else special.working

    def seconds(self, start: datetime, end: datetime) -> float:
        """Working seconds between two aware moments; 0 when the end is not later."""
        if end <= start:
            return 0.0
        total = timedelta()
        for begin, stop in self._spans(start):
            if begin >= end:
                break
            total += max(timedelta(), min(stop, end) - max(begin, start))
        return total.total_seconds()

    def after(self, start: datetime, seconds: float) -> datetime:
        """The first moment at which so many working seconds have passed since ``start``; ``start`` itself for none."""
        left = timedelta(seconds=seconds)
        if left <= timedelta():
            return start
        for begin, stop in self._spans(start):
            begin = max(begin, start)
            if stop <= begin:
                continue
            if left <= stop - begin:
                return (begin + left).astimezone(start.tzinfo)
            left -= stop - begin
        raise AssertionError("the week has working days without end")

    def end_of_day(self, start: datetime, days: int) -> datetime:
        """The end of the ``days``-th working day after that of ``start``, which does not count (民法典 article 201)."""
        day = start.astimezone(CHINA).date()
        while days > 0:
            day += _DAY
            days -= self.working(day)
        return datetime.combine(day, self.hours[-1][1], CHINA).astimezone(start.tzinfo)

    def _spans(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Working spans from the local day of ``start`` on, for ever."""
        day = start.astimezone(CHINA).date()
        while True:
            if self.working(day):
                for begin, stop in self.hours:
                    yield datetime.combine(day, begin, CHINA), datetime.combine(day, stop, CHINA)
            day += _DAY


@dataclass(frozen=True, slots=True)
class Limit:
    """A time limit as written: ``30m 4h 2d`` around the clock, ``90wm 4wh`` of working time, ``5wd`` working days."""

    text: str
    count: int
    unit: str  # "m", "h", "d", "wm", "wh", "wd"

    @property
    def working(self) -> bool:
        """True when only working time counts."""
        return self.unit.startswith("w")

    def seconds(self, calendar: WorkCalendar, start: datetime) -> float:
        """Seconds that it grants from ``start`` on: working seconds where ``working``."""
        if self.unit == "wd":
            return calendar.seconds(start, calendar.end_of_day(start, self.count))
        return float(self.count * {"m": 60, "h": 3600, "d": 86400}[self.unit[-1]])

    def deadline(self, calendar: WorkCalendar, start: datetime) -> datetime:
        """When it is over."""
        if self.unit == "wd":
            return calendar.end_of_day(start, self.count)
        return passed(calendar, start, self.seconds(calendar, start), working=self.working)


def passed(calendar: WorkCalendar, start: datetime, seconds: float, *, working: bool) -> datetime:
    """When so many seconds have gone by since ``start``, of working time or around the clock."""
    return calendar.after(start, seconds) if working else start + timedelta(seconds=max(0.0, seconds))


def gone(calendar: WorkCalendar, start: datetime, end: datetime, *, working: bool) -> float:
    """Seconds between two moments, of working time or around the clock; never less than 0."""
    return calendar.seconds(start, end) if working else max(0.0, (end - start).total_seconds())
