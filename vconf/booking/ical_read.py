"""Calendars that others wrote (RFC 5545), read into what a booking needs.

What comes from outside is bounded: bytes, events, lengths of texts.  Whatever it holds, it is read or refused with
words (``MeetingError``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event

from vconf.booking.repeat import HOME
from vconf.meetings import MeetingError

MOST_BYTES = 256 * 1024
MOST_EVENTS = 200

_BROKEN = (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError, OSError)
_SEPARATORS = str.maketrans(dict.fromkeys(";；，、\n", ","))


@dataclass(frozen=True, slots=True)
class Occasion:
    """One VEVENT."""

    uid: str
    sequence: int
    title: str
    start_at: datetime  # aware
    duration: timedelta
    zone: str  # IANA name
    rule: str  # value of its RRULE; "": once
    without: frozenset[datetime]  # UTC
    recurrence_at: datetime | None  # UTC; it is about this one of the series alone
    halls: tuple[str, ...]  # codes (RESOURCES), else names of places (LOCATION), as written
    cancelled: bool


def read(data: bytes) -> list[Occasion]:
    """Every event, masters before what is said of single ones; MeetingError."""
    if len(data) > MOST_BYTES:
        raise MeetingError(f"calendar: found {len(data)} bytes, expected at most {MOST_BYTES}")
    try:
        found = Calendar.from_ical(data)
    except _BROKEN as problem:
        raise MeetingError(f"calendar: {_short(problem)}; expected iCalendar (RFC 5545)") from None
    if not isinstance(found, Calendar):
        raise MeetingError("calendar: expected one VCALENDAR (RFC 5545)")
    events = list(found.walk("VEVENT"))
    if not 1 <= len(events) <= MOST_EVENTS:
        raise MeetingError(f"calendar: found {len(events)} events, expected 1 to {MOST_EVENTS}")
    cancelled = str(found.get("method", "")).upper() == "CANCEL"
    occasions = []
    for number, event in enumerate(events, 1):
        try:
            assert isinstance(event, Event)
            occasions.append(_occasion(event, cancelled))
        except MeetingError as problem:
            raise MeetingError(f"calendar: event {number}: {problem}") from None
        except (*_BROKEN, AssertionError) as problem:
            raise MeetingError(f"calendar: event {number}: {_short(problem)}") from None
    return sorted(occasions, key=lambda each: each.recurrence_at is not None)


def _occasion(event: Event, cancelled: bool) -> Occasion:
    uid = str(event.get("uid", "")).strip()
    if not 1 <= len(uid) <= 255:
        raise MeetingError(f"UID: found {len(uid)} characters, expected 1 to 255")
    start, zone = _moment(event, "dtstart")
    if "dtend" in event:
        lasts = _moment(event, "dtend")[0] - start
    elif "duration" in event:
        lasts = event.decoded("duration")
    else:
        lasts = timedelta(hours=1)
    if not isinstance(lasts, timedelta):
        raise MeetingError("DURATION: expected a time span")
    rule = event.get("rrule")
    if isinstance(rule, list):
        raise MeetingError("RRULE: found several, expected one")
    excluded = event.get("exdate") or []
    single = _moment(event, "recurrence-id")[0].astimezone(UTC) if "recurrence-id" in event else None
    return Occasion(
        uid=uid,
        sequence=max(0, min(int(event.get("sequence", 0)), 2**31 - 1)),
        title=" ".join(str(event.get("summary", "")).split())[:200] or "会议",
        start_at=start,
        duration=lasts,
        zone=zone,
        rule="" if rule is None or single is not None else rule.to_ical().decode(),
        without=frozenset(_excluded(excluded if isinstance(excluded, list) else [excluded])),
        recurrence_at=single,
        halls=tuple(_halls(event)),
        cancelled=cancelled or str(event.get("status", "")).upper() == "CANCELLED",
    )


def _moment(event: Event, name: str) -> tuple[datetime, str]:
    """A property's time, aware, and the IANA name of its zone; a time without a zone is the county's."""
    found: Any = event.decoded(name) if name in event else None
    if not isinstance(found, datetime):
        raise MeetingError(f"{name.upper()}: expected a day and a time, found {found!r}")
    if found.tzinfo is None:
        return found.replace(tzinfo=ZoneInfo(HOME)), HOME
    offset = found.utcoffset()
    key = getattr(found.tzinfo, "key", None)
    if isinstance(key, str):
        return found, key
    if offset == timedelta(0):
        return found.astimezone(UTC), "UTC"
    if offset == found.astimezone(ZoneInfo(HOME)).utcoffset():  # written out by the program that made it
        return found.astimezone(ZoneInfo(HOME)), HOME
    raise MeetingError(f"{name.upper()}: time zone {found.tzname()!r}: expected an IANA name such as {HOME}")


def _excluded(lists: Iterable[Any]) -> Iterable[datetime]:
    for each in lists:
        for one in each.dts:
            at = one.dt
            if not isinstance(at, datetime):
                raise MeetingError("EXDATE: expected days with a time")
            yield (at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(HOME))).astimezone(UTC)


def _halls(event: Event) -> Iterable[str]:
    """RESOURCES, which may come more than once and hold several each; else LOCATION."""
    found = event.get("resources")
    texts = [str(each) for each in found] if isinstance(found, list) else [str(found)] if found is not None else []
    words = [each.strip() for text in texts for each in text.split(",")]
    if not any(words):
        words = [each.strip() for each in str(event.get("location", "")).translate(_SEPARATORS).split(",")]
    return dict.fromkeys(each for each in words if each)


def _short(problem: BaseException) -> str:
    return (str(problem) or type(problem).__name__)[:200]
