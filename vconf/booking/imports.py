"""A calendar taken in (iTIP, RFC 5546): what it asks for is booked, changed and cancelled as people would do it.

An event is known by its UID; one that says what an older version said is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from inventory.model import NetworkModel
from vconf import meetings
from vconf.booking import book as booking
from vconf.booking.book import Change, Wanted
from vconf.booking.groups import spread
from vconf.booking.ical_read import Occasion
from vconf.booking.repeat import starts
from vconf.meetings import Meeting, MeetingError
from vconf.tables import MeetingRow


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one event."""

    uid: str
    done: str  # "booked", "changed", "cancelled" or "known"
    meetings: tuple[Meeting, ...]

    def as_json(self) -> dict[str, Any]:
        """For API and command line."""
        return {"uid": self.uid, "done": self.done, "meetings": [each.as_json() for each in self.meetings]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Importer:
    """Takes a calendar in, in the caller's session; any MeetingError: nothing of it was done.

    ``may``: whether the importer may change a meeting; ``halls``: instead of what the calendar names.
    """

    model: NetworkModel
    who: str
    now: datetime
    may: Callable[[Meeting], bool]
    halls: tuple[str, ...] = ()
    force: bool = False

    def take(self, session: Session, occasions: Iterable[Occasion]) -> list[Taken]:
        """In their order."""
        every = list(occasions)
        singles = {(each.uid, each.recurrence_at) for each in every if each.recurrence_at is not None}
        return [self._take(session, each, singles) for each in every]

    def _take(self, session: Session, asked: Occasion, singles: Collection[tuple[str, datetime | None]]) -> Taken:
        known = [each for each in of_uid(session, asked.uid, self.model.name) if each.cancelled_at is None]
        for each in known:
            if not self.may(each):
                raise MeetingError(f"{asked.uid}: meeting {each.id} is not yours to change")
        about = known
        if asked.recurrence_at is not None:
            about = [each for each in known if asked.recurrence_at in (each.recurrence_at, each.start_at)]
        if asked.cancelled:
            gone = [
                booking.cancel(session, each.id, self.who, asked.uid, self.now)[0]
                for each in about
                if self._ahead(each)
            ]
            return Taken(asked.uid, "cancelled" if gone else "known", tuple(gone))
        if not known and asked.recurrence_at is None:
            return Taken(asked.uid, "booked", tuple(self._book(session, asked)))
        if not about:
            raise MeetingError(f"{asked.uid}: no meeting of it begins at {asked.recurrence_at}")
        if asked.sequence < max(each.sequence for each in about):
            return Taken(asked.uid, "known", tuple(about))
        changed = self._change(session, asked, about, singles)
        return Taken(asked.uid, "changed" if changed else "known", tuple(changed))

    def _book(self, session: Session, asked: Occasion) -> list[Meeting]:
        wanted = Wanted(
            title=asked.title,
            start_at=asked.start_at,
            duration=asked.duration,
            halls=self._halls(asked),
            repeat=asked.rule,
            zone=asked.zone,
            without=asked.without,
            uid=asked.uid,
            sequence=asked.sequence,
        )
        return booking.book(session, wanted, self.who, self.model.halls, force=self.force)

    def _change(
        self,
        session: Session,
        asked: Occasion,
        about: Sequence[Meeting],
        singles: Collection[tuple[str, datetime | None]],
    ) -> list[Meeting]:
        """Meetings ahead become what the event says; those of a rule that it no longer gives are cancelled.

        What the calendar says of a single one itself (``singles``) counts there.
        """
        moments = {asked.start_at.astimezone(UTC)}
        if asked.rule:
            moments = set(starts(asked.rule, asked.start_at, asked.zone)) - asked.without
        halls, changed = self._halls(asked), []
        ahead = [each for each in about if self._ahead(each)]
        for each in ahead:
            if asked.recurrence_at is None and (asked.uid, each.recurrence_at) in singles:
                continue
            at = each.recurrence_at if asked.rule and asked.recurrence_at is None else asked.start_at.astimezone(UTC)
            if at not in moments:
                changed += booking.cancel(session, each.id, self.who, asked.uid, self.now)
                continue
            is_now = (each.title, each.start_at, each.end_at - each.start_at, each.halls, each.main)
            if is_now != (asked.title, at, asked.duration, tuple(sorted(halls)), halls[0]):
                wanted = Change(title=asked.title, start_at=at, duration=asked.duration, halls=halls, main=halls[0])
                told = session.get_one(MeetingRow, each.id).told >= 0  # else: the same version, still being written
                sequence = max(asked.sequence, each.sequence + told)
                changed += booking.change(
                    session, each.id, wanted, self.who, self.model.halls, self.now, force=self.force, sequence=sequence
                )
        if asked.rule:
            changed += self._more(session, asked, about, moments)
        return changed

    def _more(
        self, session: Session, asked: Occasion, about: Sequence[Meeting], moments: set[datetime]
    ) -> list[Meeting]:
        """What the rule gives beside those that are known, under the same series."""
        there = {each.recurrence_at for each in about}
        series = next((each.series for each in about if each.series is not None), about[0].id if about else None)
        made = []
        for at in sorted(moments - there):
            if at <= self.now:
                continue
            wanted = Wanted(
                title=asked.title, start_at=at, duration=asked.duration, halls=self._halls(asked), uid=asked.uid,
                sequence=asked.sequence,
            )  # fmt: skip
            made += booking.book(session, wanted, self.who, self.model.halls, force=self.force)
            row = session.get_one(MeetingRow, made[-1].id)
            row.series, row.rule, row.zone, row.recurrence_at = series, asked.rule, asked.zone, at
        for each in about:
            row = session.get_one(MeetingRow, each.id)
            row.series, row.rule, row.zone = series, asked.rule, asked.zone
            row.recurrence_at = row.recurrence_at or row.start_at
        session.flush()
        return made

    def _ahead(self, meeting: Meeting) -> bool:
        return meeting.start_at > self.now

    def _halls(self, asked: Occasion) -> tuple[str, ...]:
        """Codes and groups as they are, names as the county's files have them."""
        if self.halls:
            return tuple(spread(self.model, self.halls))
        named = {name: code for code, hall in self.model.halls.items() for name in (hall.zh, hall.en)}
        found = spread(self.model, (named.get(word, word) for word in asked.halls))
        if not found:
            raise MeetingError(f"{asked.uid}: names no hall; give the halls beside the calendar")
        return tuple(found)


def of_uid(session: Session, uid: str, county: str) -> list[Meeting]:
    """Every meeting of an event: of one that was imported, or of ours that came back."""
    head, _, tail = uid.partition("@")
    number = head.removeprefix("meeting-")
    if tail == f"{county}.sanwang.internal" and head != number and number.isdigit() and len(number) < 10:
        return meetings.found_by(session, (MeetingRow.id == int(number)) | (MeetingRow.series == int(number)))
    return meetings.found_by(session, MeetingRow.uid == uid)
