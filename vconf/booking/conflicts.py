"""Halls that would be in two meetings at once."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from inventory.workdays import CHINA
from vconf.meetings import MeetingError
from vconf.tables import MeetingHallRow, MeetingRow

Span = tuple[datetime, datetime]
"""From, to; aware."""


@dataclass(frozen=True, slots=True)
class Clash:
    """A hall, and the meeting that has it already."""

    hall: str
    meeting: int
    title: str
    start_at: datetime
    end_at: datetime
    main: str  # that meeting's main venue

    def as_json(self) -> dict[str, Any]:
        """For API and command line."""
        return {
            "hall": self.hall,
            "meeting": self.meeting,
            "title": self.title,
            "start": self.start_at.isoformat(),
            "end": self.end_at.isoformat(),
        }

    def words(self, name: str) -> tuple[str, str]:
        """Chinese and English, with what the hall is called."""
        start, end = self.start_at.astimezone(CHINA), self.end_at.astimezone(CHINA)
        when = f"{start:%m-%d %H:%M}–{end:%H:%M}"
        return (
            f"{name}（{self.hall}）{when} 已有会议 {self.meeting}“{self.title}”",
            f"{self.hall} has meeting {self.meeting} ({self.title}) {when}",
        )


class Clashes(MeetingError):
    """A hall is booked twice; ``found`` says which and by what."""

    def __init__(self, found: Sequence[Clash]) -> None:
        self.found = tuple(found)
        shown = "; ".join(each.words(each.hall)[1] for each in self.found[:10])
        more = f"; and {len(self.found) - 10} more" if len(self.found) > 10 else ""
        super().__init__(f"halls: {shown}{more}; next step: another time, other halls, or force it")


def clashes(session: Session, spans: Sequence[Span], halls: Collection[str], but: Collection[int] = ()) -> list[Clash]:
    """Every hall of these that another meeting has in one of these times, by time.

    Args:
        session: To read.
        spans: Times; a meeting that ends when another begins does not touch it.
        halls: Codes.
        but: Numbers of meetings that do not count.
    """
    if not spans or not halls:
        return []
    query = (
        select(MeetingRow, MeetingHallRow.hall)
        .join(MeetingHallRow, MeetingHallRow.meeting_id == MeetingRow.id)
        .where(
            MeetingRow.cancelled_at.is_(None),
            MeetingRow.ended_at.is_(None),
            MeetingRow.start_at < max(end for _, end in spans),
            MeetingRow.end_at > min(start for start, _ in spans),
            MeetingHallRow.hall.in_(list(halls)),
        )
        .order_by(MeetingRow.start_at, MeetingRow.id, MeetingHallRow.hall)
    )
    return [
        Clash(hall, row.id, row.title, row.start_at, row.end_at, row.main or hall)
        for row, hall in session.execute(query)
        if row.id not in but and any(row.start_at < end and start < row.end_at for start, end in spans)
    ]
