"""Repeated meetings: the part of RFC 5545's recurrence rules (section 3.3.10) that people use.

>>> from datetime import datetime, UTC
>>> [f"{at:%d %H}" for at in starts("FREQ=WEEKLY;COUNT=2", datetime(2027, 5, 3, 1, tzinfo=UTC))]
['03 01', '10 01']
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rrulestr

from vconf.meetings import MeetingError

HOME = "Asia/Shanghai"
"""Whose local time rules count in, unless a calendar says otherwise."""

MOST = 104
"""Two years of weeks."""

_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_PARTS = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST")


def starts(rule: str, first: datetime, zone: str = HOME) -> list[datetime]:
    """When each of them begins, UTC, the first one first.

    Args:
        rule: Value of an RRULE, "FREQ=WEEKLY;BYDAY=MO;COUNT=10".
        first: Aware; the rule must let one begin then.
        zone: IANA name: nine o'clock stays nine o'clock there.

    Raises:
        MeetingError: Not such a rule, one without an end or with too many.
    """
    try:
        where = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise MeetingError(f"time zone: found {zone!r}, expected an IANA name such as {HOME}") from None
    parts = _parsed(rule)
    local = first.astimezone(where).replace(tzinfo=None)
    if "UNTIL" in parts:
        parts["UNTIL"] = _until(parts["UNTIL"], where)
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    try:
        found = list(islice(rrulestr(text, dtstart=local), MOST + 1))
    except (ValueError, TypeError, KeyError, IndexError, OverflowError) as problem:
        raise MeetingError(f"repeat: found {rule[:200]!r}, which is no rule ({problem})") from None
    if len(found) > MOST:
        raise MeetingError(f"repeat: found more than {MOST} meetings, expected fewer: set COUNT or UNTIL")
    if not found or found[0] != local:
        raise MeetingError(f"repeat: the start {local:%Y-%m-%d %H:%M} is not one that {rule[:200]!r} gives: move it")
    return [each.replace(tzinfo=where).astimezone(UTC) for each in found]


def _parsed(rule: str) -> dict[str, str]:
    if len(rule) > 300:
        raise MeetingError(f"repeat: found {len(rule)} characters, expected at most 300")
    parts: dict[str, str] = {}
    for each in rule.removeprefix("RRULE:").strip().upper().split(";"):
        name, sign, value = each.partition("=")
        if not sign or not value or name not in _PARTS or name in parts:
            raise MeetingError(f"repeat: found {each!r}, expected NAME=VALUE, each once, of {', '.join(_PARTS)}")
        parts[name] = value
    if parts.get("FREQ") not in _FREQUENCIES:
        raise MeetingError(f"repeat: FREQ: found {parts.get('FREQ')!r}, expected one of {', '.join(_FREQUENCIES)}")
    if ("COUNT" in parts) == ("UNTIL" in parts):
        raise MeetingError("repeat: expected COUNT or UNTIL, one of them: a meeting is not repeated for ever")
    return parts


def _until(value: str, where: ZoneInfo) -> str:
    """As local time without a zone; a day counts to its end."""
    try:
        if len(value) == 8:
            day = datetime.strptime(value, "%Y%m%d").replace(tzinfo=where)
            moment = datetime.combine(day.date(), time(23, 59, 59))
        elif value.endswith("Z"):
            moment = datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).astimezone(where)
        else:
            moment = datetime.strptime(value, "%Y%m%dT%H%M%S").replace(tzinfo=where)
    except (ValueError, OverflowError):
        raise MeetingError(f"repeat: UNTIL: found {value!r}, expected 20271231 or 20271231T010000Z") from None
    return f"{moment:%Y%m%dT%H%M%S}"
