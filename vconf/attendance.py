"""Who was in a meeting, from when to when, and with how many people: the sign-in sheet (签到表).

Every function works in the caller's session.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from store import audit
from vconf.meetings import Meeting
from vconf.tables import AttendanceRow, SignInRow


def joined(session: Session, meeting_id: int, hall: str, now: datetime) -> int:
    """A hall came in; returns the number of its stay."""
    row = AttendanceRow(meeting_id=meeting_id, hall=hall, joined_at=now)
    session.add(row)
    session.flush()
    audit.record(session, f"hall:{hall}", "meeting.join", "", {"meeting": meeting_id})
    return row.id


def left(session: Session, stay: int, now: datetime, why: str) -> None:
    """A hall went; ``why`` is a word for the audit: "left", "lost", "replaced"."""
    row = session.get(AttendanceRow, stay)
    if row is not None and row.left_at is None:
        row.left_at = now
        audit.record(session, f"hall:{row.hall}", "meeting.leave", why, {"meeting": row.meeting_id})


def close_open_stays(session: Session, now: datetime) -> int:
    """At the start of the signalling: nobody is in a meeting yet.  Returns how many stays were still open."""
    ended = session.execute(
        update(AttendanceRow).where(AttendanceRow.left_at.is_(None)).values(left_at=now).returning(AttendanceRow.id)
    )
    return len(ended.all())


@dataclass(frozen=True, slots=True)
class Stay:
    """A hall in a meeting; ``left_at`` None: it is still in."""

    meeting: int
    hall: str
    joined_at: datetime
    left_at: datetime | None


def stays(session: Session, start: datetime, end: datetime) -> list[Stay]:
    """Every stay that touches the time from ``start`` to ``end`` (aware), by when it began."""
    query = (
        select(AttendanceRow)
        .where(AttendanceRow.joined_at < end, or_(AttendanceRow.left_at.is_(None), AttendanceRow.left_at > start))
        .order_by(AttendanceRow.joined_at, AttendanceRow.id)
    )
    return [Stay(row.meeting_id, row.hall, row.joined_at, row.left_at) for row in session.scalars(query)]


def signed(session: Session, meeting: int, hall: str, heads: int, name: str, now: datetime) -> None:
    """A venue told its head-count; the newest counts.  The caller audits what participants do."""
    row = session.get(SignInRow, (meeting, hall))
    if row is None:
        row = SignInRow(meeting_id=meeting, hall=hall)
        session.add(row)
    row.heads, row.name, row.signed_at = heads, name, now


@dataclass(frozen=True, slots=True)
class Line:
    """One venue on the sheet; ``joined_at`` None: it never came, ``left_at`` None: it never came or is still in."""

    hall: str
    heads: int | None  # None: it did not sign in
    name: str
    signed_at: datetime | None
    joined_at: datetime | None
    left_at: datetime | None
    stayed: timedelta  # all its stays together, overlaps counted once
    stays: int

    def as_json(self) -> dict[str, Any]:
        """Times as ISO 8601, the stay in seconds."""
        return {
            "hall": self.hall,
            "heads": self.heads,
            "name": self.name,
            "signed": _iso(self.signed_at),
            "joined": _iso(self.joined_at),
            "left": _iso(self.left_at),
            "stayed_s": round(self.stayed.total_seconds()),
            "stays": self.stays,
        }


def sheet(session: Session, meeting: Meeting, now: datetime) -> list[Line]:
    """The whole sheet: every booked hall, those that came beside, the main venue first."""
    query = select(AttendanceRow).where(AttendanceRow.meeting_id == meeting.id).order_by(AttendanceRow.joined_at)
    stays: dict[str, list[AttendanceRow]] = {hall: [] for hall in meeting.halls}
    for row in session.scalars(query):
        stays.setdefault(row.hall, []).append(row)
    signs = {row.hall: row for row in session.scalars(select(SignInRow).where(SignInRow.meeting_id == meeting.id))}
    order = sorted({*stays, *signs}, key=lambda hall: (hall != meeting.main, hall))
    return [_line(hall, stays.get(hall, []), signs.get(hall), now) for hall in order]


def _line(hall: str, stays: list[AttendanceRow], sign: SignInRow | None, now: datetime) -> Line:
    stayed, until = timedelta(0), None
    for row in stays:
        start, end = max(row.joined_at, until or row.joined_at), row.left_at or now
        stayed += max(end - start, timedelta(0))
        until = max(until or end, end)
    gone = None if not stays or any(row.left_at is None for row in stays) else until
    return Line(
        hall,
        sign.heads if sign else None,
        sign.name if sign else "",
        sign.signed_at if sign else None,
        stays[0].joined_at if stays else None,
        gone,
        stayed,
        len(stays),
    )


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
