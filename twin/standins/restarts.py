"""When a device is to restart: times as people type them, and how long it is until then."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

MAX_MINUTES = 30 * 24 * 60
"""A restart is planned thirty days ahead at most."""


def delay_s(text: str) -> int | None:
    """Seconds of ``mm`` or ``hh:mm``; None where it is neither, or longer than thirty days, or nothing at all."""
    found = re.fullmatch(r"(?:(\d{1,3}):([0-5]?\d)|(\d{1,5}))", text)
    if found is None:
        return None
    minutes = int(found[3]) if found[3] else int(found[1]) * 60 + int(found[2])
    return minutes * 60 if 0 < minutes <= MAX_MINUTES else None


def until_s(time: str, date: str, now: datetime) -> int | None:
    """Seconds until ``hh:mm`` of a day, ``yyyy/mm/dd``, or of today or tomorrow, what comes first; None as above."""
    try:
        clock = datetime.strptime(time, "%H:%M").time()
        day = datetime.strptime(date, "%Y/%m/%d").date() if date else now.date()
    except ValueError:
        return None
    then = datetime.combine(day, clock)
    if not date and then <= now:
        then += timedelta(days=1)
    seconds = round((then - now).total_seconds())
    return seconds if 0 < seconds <= MAX_MINUTES * 60 else None


def hours_minutes(seconds: float) -> tuple[int, int]:
    """Whole hours, and minutes rounded up."""
    minutes = -int(-seconds // 60)
    return minutes // 60, minutes % 60
