"""One booked meeting as other rooms see it.  Pure: a township knows meetings without a store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

EARLY = timedelta(minutes=30)
"""Halls may come in this long before the start, to test their line."""

LATE = timedelta(minutes=30)
"""A meeting that overruns is not cut before this."""

LONGEST = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Meeting:
    """A meeting as other rooms see it; times are UTC."""

    id: int
    title: str
    start_at: datetime
    end_at: datetime
    booked_by: str
    cancelled_at: datetime | None
    halls: tuple[str, ...]
    present: tuple[str, ...] = ()  # halls in it now
    main: str = ""  # the main venue
    owner: str = ""  # whose chair it is: a hall's code, or a console "@login"
    ended_at: datetime | None = None  # by the chair
    guest_pin: str | None = None  # None: no guests
    uid: str = ""  # iCalendar's, of one that was imported
    series: int | None = None  # number of the first one of a repeated meeting
    rule: str = ""  # its RRULE value
    zone: str = ""  # whose local time the rule counts in, IANA name
    recurrence_at: datetime | None = None  # when the rule lets it begin
    sequence: int = 0  # changes that people are told of
    capacity: dict[str, Any] | None = None  # what the last check of the network found

    @property
    def opens_at(self) -> datetime:
        """From when halls may join."""
        return self.start_at - EARLY

    @property
    def closes_at(self) -> datetime:
        """Until when halls may stay."""
        return self.end_at + LATE

    def state(self, now: datetime) -> str:
        """ "cancelled", "early", "open" or "over": whether a hall may be in it now."""
        if self.cancelled_at is not None:
            return "cancelled"
        if self.ended_at is not None and now >= self.ended_at:
            return "over"
        if now < self.opens_at:
            return "early"
        return "open" if now < self.closes_at else "over"

    def as_invitation(self) -> dict[str, Any]:
        """What a hall's page shows of it."""
        return {
            "id": self.id,
            "title": self.title,
            "start": self.start_at.isoformat(),
            "end": self.end_at.isoformat(),
            "opens": self.opens_at.isoformat(),
            "halls": len(self.halls),
            "main": self.main,
        }

    def as_json(self) -> dict[str, Any]:
        """For command line and API."""
        return {
            "id": self.id,
            "title": self.title,
            "start": self.start_at.isoformat(),
            "end": self.end_at.isoformat(),
            "booked_by": self.booked_by,
            "cancelled": self.cancelled_at is not None,
            "halls": list(self.halls),
            "present": list(self.present),
            "main": self.main,
            "chair": self.owner,
            "ended": self.ended_at is not None,
            "series": self.series,
            "repeat": self.rule,
            "sequence": self.sequence,
            "capacity": self.capacity,
        }

    def as_heard(self) -> dict[str, Any]:
        """For another tier; ``from_heard`` reads it.  A guest's PIN stays where it is checked."""
        return {
            "id": self.id,
            "title": self.title,
            "start": self.start_at.isoformat(),
            "end": self.end_at.isoformat(),
            "halls": list(self.halls),
            "main": self.main,
            "owner": self.owner,
            "bookedBy": self.booked_by,
            "guests": self.guest_pin is not None,
        }


def from_heard(found: Mapping[str, Any]) -> Meeting:
    """What ``as_heard`` wrote; KeyError, TypeError or ValueError when it is something else."""
    return Meeting(
        id=int(found["id"]),
        title=str(found["title"]),
        start_at=datetime.fromisoformat(found["start"]),
        end_at=datetime.fromisoformat(found["end"]),
        booked_by=str(found["bookedBy"]),
        cancelled_at=None,
        halls=tuple(str(hall) for hall in found["halls"]),
        main=str(found["main"]),
        owner=str(found["owner"]),
        guest_pin="" if found["guests"] else None,
    )
