"""Meetings as a calendar that Outlook and Thunderbird read (iCalendar, RFC 5545; iTIP's methods, RFC 5546).

A repeated meeting is one event with its rule; what became of single ones is said by EXDATE and RECURRENCE-ID.  The
halls stand in RESOURCES by code, the main venue first, and in LOCATION by name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, vRecur

from vconf.booking.repeat import HOME, starts
from vconf.meetings import Meeting

_ZONES_SINCE = date(2020, 1, 1)


@dataclass(frozen=True, slots=True)
class About:
    """What a calendar says beside its meetings."""

    county: str  # its name, for the UIDs
    title: str  # of the calendar
    names: Callable[[str], str]  # what a hall is called
    url: str = ""  # the halls' page
    organizer: str = ""  # mail address
    attendee: str = ""  # mail address of who is asked


def uid_of(meeting: Meeting, county: str) -> str:
    """Its UID: of a repeated meeting the same for all."""
    return meeting.uid or f"meeting-{meeting.series or meeting.id}@{county}.sanwang.internal"


def calendar(
    found: Iterable[Meeting],
    firsts: Mapping[int, datetime],
    about: About,
    now: datetime,
    method: str = "PUBLISH",
    *,
    whole: bool = False,
) -> bytes:
    """The calendar.

    Args:
        found: Meetings; cancelled ones show as not there, with the method CANCEL as cancelled.
        firsts: Series -> when its rule begins (``first_of``).
        about: See there.
        now: DTSTAMP.
        method: "PUBLISH", "REQUEST" or "CANCEL".
        whole: Cancelled are not single ones of a series but the series.
    """
    made = Calendar()
    made.add("prodid", "-//Sanwang//Meetings//ZH")
    made.add("version", "2.0")
    made.add("method", method)
    made.add("x-wr-calname", about.title)
    groups: dict[str, list[Meeting]] = {}
    for meeting in found:
        groups.setdefault(uid_of(meeting, about.county), []).append(meeting)
    for group in groups.values():
        for event in _cancelled(group, about, whole=whole) if method == "CANCEL" else _events(group, firsts, about):
            event.add("dtstamp", now.astimezone(UTC))
            made.add_component(event)
    made.add_missing_timezones(first_date=_ZONES_SINCE)
    return bytes(made.to_ical())


def _events(group: Sequence[Meeting], firsts: Mapping[int, datetime], about: About) -> list[Event]:
    held = [each for each in group if each.cancelled_at is None]
    sequence = max(each.sequence for each in group)
    if not held:
        return []
    first = held[0]
    if first.series is None or first.series not in firsts:
        return [_event(each, about, sequence) for each in held]
    begins = firsts[first.series]
    usual = next((each for each in held if each.start_at == each.recurrence_at), None)
    if usual is None:  # every one was moved: each of them for itself, under the rule's own
        usual = first
    lasts = usual.end_at - usual.start_at
    whole = _event(usual, about, sequence, (begins, begins + lasts))
    whole.add("rrule", vRecur.from_ical(first.rule.removeprefix("RRULE:")))
    where = ZoneInfo(first.zone or HOME)
    there = {each.recurrence_at for each in held}
    without = [at for at in starts(first.rule, begins, first.zone or HOME) if at not in there]
    if without:
        whole.add("exdate", [at.astimezone(where) for at in without])
    events = [whole]
    for each in held:
        same = (each.title, each.halls, each.main, each.end_at - each.start_at) == (
            usual.title,
            usual.halls,
            usual.main,
            lasts,
        )
        if each.recurrence_at is not None and not (same and each.start_at == each.recurrence_at):
            other = _event(each, about, sequence)
            other.add("recurrence-id", each.recurrence_at.astimezone(where))
            events.append(other)
    return events


def _cancelled(group: Sequence[Meeting], about: About, *, whole: bool) -> list[Event]:
    sequence = max(each.sequence for each in group)
    gone = [each for each in group if each.cancelled_at is not None]
    events = []
    for each in gone[:1] if whole else gone:
        event = _event(each, about, sequence)
        event["status"] = "CANCELLED"
        if each.recurrence_at is not None and not whole:
            event.add("recurrence-id", each.recurrence_at.astimezone(ZoneInfo(each.zone or HOME)))
        events.append(event)
    return events


def _event(meeting: Meeting, about: About, sequence: int, span: tuple[datetime, datetime] | None = None) -> Event:
    where = ZoneInfo(meeting.zone or HOME)
    start, end = span or (meeting.start_at, meeting.end_at)
    halls = [meeting.main, *(hall for hall in meeting.halls if hall != meeting.main)]
    event = Event()
    event.add("uid", uid_of(meeting, about.county))
    event.add("sequence", sequence)
    event.add("dtstart", start.astimezone(where))
    event.add("dtend", end.astimezone(where))
    event.add("summary", meeting.title)
    event.add("location", "、".join(about.names(hall) for hall in halls))
    event.add("resources", halls)
    event.add("status", "CONFIRMED")
    event.add("description", f"会议 {meeting.id}，主会场 {about.names(meeting.main)}\n{about.url}".rstrip())
    if about.url:
        event.add("url", about.url)
    if about.organizer:
        event.add("organizer", f"mailto:{about.organizer}")
    if about.attendee:
        event.add("attendee", f"mailto:{about.attendee}")
    return event
