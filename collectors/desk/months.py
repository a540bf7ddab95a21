"""Months, as the county lives them: local time, from the first day's midnight to the next one's."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from collectors.desk.steps import DeskError, mistake
from inventory.workdays import CHINA

_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")


def bounds(month: str, now: datetime) -> tuple[datetime, datetime]:
    """Start and end (UTC) of ``2026-11``.  Raises DeskError for another shape, or a month that has not begun."""
    found = _MONTH.fullmatch(month)
    if found is None:
        raise DeskError(mistake("month", month, "one like 2026-11", " 2026-11 这样的月份"))
    year, number = int(found[1]), int(found[2])
    start = datetime(year, number, 1, tzinfo=CHINA).astimezone(UTC)
    end = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=CHINA).astimezone(UTC)
    if start > now:
        raise DeskError(mistake("month", month, "one that has begun", "已经开始的月份"))
    return start, end


def month_of(moment: datetime) -> str:
    """The month that a moment is in."""
    return f"{moment.astimezone(CHINA):%Y-%m}"
