"""Checks bookings against the county's network as it is known: the model, what is broken, what was measured."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from inventory.impact import Faults, ImpactMap
from vconf import meetings
from vconf.booking.capacity import Capacity, background, check
from vconf.booking.conflicts import Span
from vconf.tables import MeetingHallRow, MeetingRow

SOON = timedelta(hours=24)
"""What is broken or busy now counts for meetings that begin within this."""


def _quiet() -> Mapping[str, float]:
    return {}


@dataclass(frozen=True, slots=True)
class Checker:
    """``sure``: see ``capacity.check``; ``faults`` and ``loads``: of now."""

    impacts: ImpactMap
    sure: Mapping[str, int]
    faults: Callable[[], Faults] = Faults
    loads: Callable[[], Mapping[str, float]] = field(default=_quiet)

    def of(
        self, session: Session, halls: Sequence[str], spans: Sequence[Span], now: datetime, but: Collection[int] = ()
    ) -> Capacity:
        """The worst of a meeting's times.

        Args:
            session: To read the other meetings.
            halls: Of the meeting.
            spans: Its times.
            now: Aware.
            but: Numbers of the meetings that these are.
        """
        soon = any(start <= now + SOON for start, _ in spans)
        faults, loads = Faults(), dict[str, float]()
        if soon:
            faults = self.faults()
            running = [each.halls for each in meetings.running(session, now)]
            loads = background(self.impacts, self.loads(), running, faults)
        found: dict[tuple[tuple[str, ...], ...], Capacity] = {}
        for others in sorted(set(_others(session, spans, but))):
            found[others] = check(self.impacts, halls, others=others, sure=self.sure, load_bps=loads, faults=faults)
        return min(found.values(), key=lambda each: (each.ok, -sum(s.need_bps - s.have_bps for s in each.shortages)))

    def document(
        self, session: Session, halls: Sequence[str], spans: Sequence[Span], now: datetime, but: Collection[int] = ()
    ) -> dict[str, Any]:
        """The same as JSON, with when it was checked."""
        return {
            "at": now.timestamp(),
            **self.of(session, halls, spans, now, but).document(self.impacts.model),
        }

    def keep(self, session: Session, booked: Sequence[meetings.Meeting], now: datetime) -> dict[str, Any] | None:
        """Check meetings that were just booked or changed together, and write it to each; None: there are none."""
        if not booked:
            return None
        spans = [(each.start_at, each.end_at) for each in booked]
        numbers = {each.id for each in booked}
        found = self.document(session, booked[0].halls, spans, now, numbers)
        for each in booked:
            session.get_one(MeetingRow, each.id).capacity = found
        return found


def _others(session: Session, spans: Sequence[Span], but: Collection[int]) -> list[tuple[tuple[str, ...], ...]]:
    """For each time: the halls of every meeting then."""
    query = select(MeetingRow.id, MeetingRow.start_at, MeetingRow.end_at).where(
        MeetingRow.cancelled_at.is_(None),
        MeetingRow.ended_at.is_(None),
        MeetingRow.start_at < max(end for _, end in spans),
        MeetingRow.end_at > min(start for start, _ in spans),
    )
    rows = [row for row in session.execute(query) if row.id not in but]
    halls: dict[int, list[str]] = {}
    wanted = select(MeetingHallRow).where(MeetingHallRow.meeting_id.in_([row.id for row in rows]))
    for each in session.scalars(wanted.order_by(MeetingHallRow.hall)):
        halls.setdefault(each.meeting_id, []).append(each.hall)
    return [
        tuple(sorted(tuple(halls.get(row.id, ())) for row in rows if row.start_at < end and start < row.end_at))
        for start, end in spans
    ]
