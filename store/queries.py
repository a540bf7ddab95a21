"""What a room may read of tables that another room owns: booked meetings, and the newest state of every link.

Rooms do not import each other, so these queries name tables and columns; a test holds them against the owners' own.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Integer, String, column, select, table
from sqlalchemy.orm import Session

from store.base import UtcDateTime

MEETING = table(
    "meeting",
    column("id", Integer),
    column("title", String),
    column("start_at", UtcDateTime),
    column("end_at", UtcDateTime),
    column("cancelled_at", UtcDateTime),
)
MEETING_HALL = table("meeting_hall", column("meeting_id", Integer), column("hall", String))
LINK_STATE = table(
    "link_state",
    column("link", String),
    column("state", String),
    column("reason", String),
    column("checked_at", UtcDateTime),
)


@dataclass(frozen=True, slots=True)
class BookedMeeting:
    """A meeting that is booked and not cancelled."""

    id: int
    title: str
    start_at: datetime
    end_at: datetime
    halls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LinkState:
    """What the collector last knew of a link; ``checked_at`` tells how old that is."""

    link: str
    state: str  # "up", "down" or "unknown"
    reason: str
    checked_at: datetime


def booked_meetings(session: Session, start: datetime, end: datetime) -> tuple[BookedMeeting, ...]:
    """Meetings that are not over at ``start`` and begin before ``end`` (both aware), earliest first."""
    found = session.execute(
        select(MEETING.c.id, MEETING.c.title, MEETING.c.start_at, MEETING.c.end_at)
        .where(MEETING.c.cancelled_at.is_(None), MEETING.c.end_at > start, MEETING.c.start_at < end)
        .order_by(MEETING.c.start_at, MEETING.c.id)
    ).all()
    halls: dict[int, list[str]] = {}
    if found:
        wanted = select(MEETING_HALL.c.meeting_id, MEETING_HALL.c.hall).where(
            MEETING_HALL.c.meeting_id.in_([row.id for row in found])
        )
        for number, hall in session.execute(wanted.order_by(MEETING_HALL.c.hall)):
            halls.setdefault(number, []).append(hall)
    return tuple(
        BookedMeeting(row.id, row.title, row.start_at, row.end_at, tuple(halls.get(row.id, ()))) for row in found
    )


def link_states(session: Session) -> dict[str, LinkState]:
    """Newest state by link name; a link that the collector never saw is missing."""
    rows = session.execute(select(LINK_STATE.c.link, LINK_STATE.c.state, LINK_STATE.c.reason, LINK_STATE.c.checked_at))
    return {row.link: LinkState(row.link, row.state, row.reason, row.checked_at) for row in rows}
