"""Months, as the county lives them: local time, from the first day's midnight to the next one's."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from collectors.desk.steps import DeskError
from inventory.workdays import CHINA

_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")


def bounds(month: str, now: datetime) -> tuple[datetime, datetime]:
    """Start and end (UTC) of ``2026-11``.  Raises DeskError for another shape, or a month that has not begun."""
    found = _MONTH.fullmatch(month)
    if found is None:
        raise DeskError(f"month: found {month!r}, expected one like 2026-11")
    year, number = int(found[1]), int(found[2])
    start = datetime(year, number, 1, tzinfo=CHINA).astimezone(UTC)
    end = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=CHINA).astimezone(UTC)
    if start > now:
        raise DeskError(f"month: found {month}, which has not begun")
    return start, end


def month_of(moment: datetime) -> str:
    """The month that a moment is in."""
    return f"{moment.astimezone(CHINA):%Y-%m}"
