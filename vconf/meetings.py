"""Book, find and cancel meetings; who is in one now.

Every function works in the caller's session; what changes something leaves an audit entry in the same
transaction.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from store import audit
from vconf.meeting import EARLY as EARLY
from vconf.meeting import LATE as LATE
from vconf.meeting import LONGEST as LONGEST
from vconf.meeting import Meeting as Meeting
from vconf.tables import AttendanceRow, MeetingHallRow, MeetingRow

_CONSOLE = re.compile(r"@[^\s@#/]{1,60}")


class MeetingError(ValueError):
    """A booking that cannot be; the message says what to change."""


def book(
    session: Session,
    *,
    title: str,
    start_at: datetime,
    duration: timedelta,
    halls: Iterable[str],
    who: str,
    known_halls: Iterable[str],
    main: str = "",
    chair: str = "",
) -> Meeting:
    """Book a meeting.

    Args:
        session: A writing session.
        title: What the halls see; 1 to 200 characters.
        start_at: Aware.
        duration: More than nothing, at most ``LONGEST``.
        halls: Codes, at least one.
        who: Login of the person who books.
        known_halls: The county's halls.
        main: The main venue, one of the halls; "": the first.
        chair: Whose the chair is: one of the halls, or a console "@login"; "": the booker's console.

    Raises:
        MeetingError: With every problem found.
    """
    title, wanted = title.strip(), list(dict.fromkeys(halls))
    main, chair = main or (wanted[0] if wanted else ""), chair or f"@{who}"
    check(title, duration, wanted, set(known_halls), main, chair)
    row = MeetingRow(
        title=title,
        start_at=start_at.astimezone(UTC),
        end_at=(start_at + duration).astimezone(UTC),
        booked_by=who,
        booked_at=datetime.now(UTC),
        main=main,
        owner=chair,
        halls=[MeetingHallRow(hall=hall) for hall in wanted],
    )
    session.add(row)
    session.flush()
    audit.record(session, who, "meeting.book", title, {"meeting": row.id, "halls": wanted, "start": str(row.start_at)})
    return _meeting(row)


def check(title: str, duration: timedelta, halls: list[str], known: set[str], main: str, chair: str) -> None:
    """Raises MeetingError with everything about a booking that cannot be."""
    problems = []
    if not 1 <= len(title) <= 200:
        problems.append(f"title: found {len(title)} characters, expected 1 to 200")
    if not timedelta(0) < duration <= LONGEST:
        problems.append(f"duration: found {duration}, expected more than nothing and at most {LONGEST}")
    if not halls:
        problems.append("halls: found none, expected at least one")
    for hall in halls:
        if hall not in known:
            problems.append(f"halls: found {hall!r}, expected one of the county's: {_some(known)}")
    if halls and main not in halls:
        problems.append(f"main: found {main!r}, expected one of the meeting's halls: {_some(set(halls))}")
    if chair not in halls and not _CONSOLE.fullmatch(chair):
        problems.append(f"chair: found {chair!r}, expected one of the meeting's halls, or @ and a login")
    if problems:
        raise MeetingError("; ".join(problems))


def cancel(session: Session, meeting_id: int, who: str, why: str = "") -> Meeting:
    """Cancel a meeting; cancelling twice changes nothing.

    Raises:
        MeetingError: There is no such meeting.
    """
    row = session.get(MeetingRow, meeting_id)
    if row is None:
        raise MeetingError(f"meeting {meeting_id}: not found; 'sanwang meet list' shows them")
    if row.cancelled_at is None:
        row.cancelled_at = datetime.now(UTC)
        row.sequence += 1
        audit.record(session, who, "meeting.cancel", why, {"meeting": row.id})
    return _meeting(row)


def ask_guests(session: Session, meeting_id: int, who: str, *, on: bool) -> Meeting:
    """Let guests (phones, notebooks) knock with a link and a PIN, or no longer; a PIN that there is stays.

    Raises:
        MeetingError: There is no such meeting.
    """
    row = session.get(MeetingRow, meeting_id)
    if row is None:
        raise MeetingError(f"meeting {meeting_id}: not found; 'sanwang meet list' shows them")
    if on != (row.guest_pin is not None):
        row.guest_pin = f"{secrets.randbelow(10**6):06}" if on else None
        audit.record(session, who, "meeting.guests", "", {"meeting": row.id, "on": on})
    return _meeting(row)


def prolong(session: Session, meeting_id: int, end_at: datetime) -> None:
    """The chair made it longer; the caller audits what the chair does."""
    session.execute(update(MeetingRow).where(MeetingRow.id == meeting_id).values(end_at=end_at))


def end(session: Session, meeting_id: int, now: datetime) -> None:
    """The chair ended it: nobody comes in any more; the caller audits what the chair does."""
    session.execute(
        update(MeetingRow).where(MeetingRow.id == meeting_id, MeetingRow.ended_at.is_(None)).values(ended_at=now)
    )


def get(session: Session, meeting_id: int) -> Meeting | None:
    """One meeting with the halls present, or None."""
    row = session.get(MeetingRow, meeting_id)
    return _meeting(row, _present(session, [meeting_id])) if row is not None else None


def found(session: Session, meeting_id: int) -> Meeting:
    """One meeting; MeetingError when there is none."""
    meeting = get(session, meeting_id)
    if meeting is None:
        raise MeetingError(f"meeting {meeting_id}: not found; 'sanwang meet list' shows them")
    return meeting


def upcoming(session: Session, now: datetime, *, everything: bool = False) -> list[Meeting]:
    """Meetings that are not over, by start; ``everything``: past and cancelled ones too."""
    query = select(MeetingRow).order_by(MeetingRow.start_at, MeetingRow.id)
    if not everything:
        query = query.where(MeetingRow.end_at > now, MeetingRow.cancelled_at.is_(None), MeetingRow.ended_at.is_(None))
    return _with_present(session, query)


def running(session: Session, now: datetime) -> list[Meeting]:
    """Meetings going on now: within their booked time, or with a hall still in them."""
    query = (
        select(MeetingRow)
        .where(
            MeetingRow.cancelled_at.is_(None),
            MeetingRow.ended_at.is_(None),
            MeetingRow.start_at <= now + EARLY,
            MeetingRow.end_at > now - LATE,
        )
        .order_by(MeetingRow.start_at, MeetingRow.id)
    )
    return [m for m in _with_present(session, query) if m.present or m.start_at <= now < m.end_at]


def between(session: Session, start: datetime, end: datetime) -> list[Meeting]:
    """Meetings booked to begin from ``start`` and before ``end`` (aware), cancelled ones left out."""
    query = (
        select(MeetingRow)
        .where(MeetingRow.cancelled_at.is_(None), MeetingRow.start_at >= start, MeetingRow.start_at < end)
        .order_by(MeetingRow.start_at, MeetingRow.id)
    )
    return _with_present(session, query)


def found_by(session: Session, *conditions: Any) -> list[Meeting]:
    """Meetings of which all this is true (SQLAlchemy expressions over ``MeetingRow``), by start."""
    return _with_present(session, select(MeetingRow).where(*conditions).order_by(MeetingRow.start_at, MeetingRow.id))


def _with_present(session: Session, query: Any) -> list[Meeting]:
    rows = list(session.scalars(query))
    present = _present(session, [row.id for row in rows])
    return [_meeting(row, present) for row in rows]


def _present(session: Session, meetings: list[int]) -> dict[int, tuple[str, ...]]:
    found: dict[int, list[str]] = {}
    query = select(AttendanceRow.meeting_id, AttendanceRow.hall).where(
        AttendanceRow.meeting_id.in_(meetings), AttendanceRow.left_at.is_(None)
    )
    for meeting, hall in session.execute(query.distinct().order_by(AttendanceRow.hall)):
        found.setdefault(meeting, []).append(hall)
    return {meeting: tuple(halls) for meeting, halls in found.items()}


def _meeting(row: MeetingRow, present: dict[int, tuple[str, ...]] | None = None) -> Meeting:
    return Meeting(
        row.id,
        row.title,
        row.start_at,
        row.end_at,
        row.booked_by,
        row.cancelled_at,
        tuple(hall.hall for hall in row.halls),
        (present or {}).get(row.id, ()),
        row.main or next((hall.hall for hall in row.halls), ""),
        row.owner or f"@{row.booked_by}",
        row.ended_at,
        row.guest_pin,
        row.uid or "",
        row.series,
        row.rule or "",
        row.zone or "",
        row.recurrence_at,
        row.sequence,
        row.capacity,
    )


def _some(known: set[str]) -> str:
    names = sorted(known)
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
