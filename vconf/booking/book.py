"""Book once or again and again, change, cancel; with the conflicts that this makes.

Every function works in the caller's session and leaves audit entries in the same transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from store import audit
from vconf import meetings
from vconf.booking.conflicts import Clash, Clashes, clashes
from vconf.booking.repeat import HOME, starts
from vconf.meetings import Meeting, MeetingError
from vconf.tables import ConferenceRow, MeetingHallRow, MeetingRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A booking as somebody asks for it."""

    title: str
    start_at: datetime  # aware
    duration: timedelta
    halls: tuple[str, ...]
    main: str = ""  # "": the first hall
    chair: str = ""  # "": the booker's console
    repeat: str = ""  # value of an RRULE; "": once
    zone: str = HOME
    without: frozenset[datetime] = frozenset()  # starts of the rule that are left out (EXDATE)
    uid: str = ""  # iCalendar's, of one that is imported
    sequence: int = 0

    def starts(self) -> list[datetime]:
        """When each of them begins, UTC; MeetingError."""
        found = starts(self.repeat, self.start_at, self.zone) if self.repeat else [self.start_at.astimezone(UTC)]
        return [at for at in found if at not in self.without]


def meets(session: Session, wanted: Wanted) -> list[Clash]:
    """The conflicts that it would have; MeetingError when it cannot be at all."""
    spans = [(at, at + wanted.duration) for at in wanted.starts()]
    return clashes(session, spans, wanted.halls)


def book(
    session: Session, wanted: Wanted, who: str, known_halls: Iterable[str], *, force: bool = False
) -> list[Meeting]:
    """One meeting, or one for each time that the rule gives.

    Raises:
        Clashes: A hall is in another meeting then, and it is not forced.
        MeetingError: With every other problem found.
    """
    moments, known = wanted.starts(), set(known_halls)
    if not moments:
        raise MeetingError("repeat: every meeting of the rule is left out, expected at least one")
    found = meets(session, wanted)
    if found and not force:
        raise Clashes(found)
    made = [
        meetings.book(
            session,
            title=wanted.title,
            start_at=at,
            duration=wanted.duration,
            halls=wanted.halls,
            who=who,
            known_halls=known,
            main=wanted.main,
            chair=wanted.chair,
        )
        for at in moments
    ]
    for each, at in zip(made, moments, strict=True):
        row = session.get_one(MeetingRow, each.id)
        row.uid, row.sequence = wanted.uid or None, wanted.sequence
        if wanted.repeat:
            row.series, row.rule, row.zone, row.recurrence_at = made[0].id, wanted.repeat, wanted.zone, at
    _forced(session, who, made, found)
    session.flush()
    return [meetings.found(session, each.id) for each in made]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be otherwise; None: stays."""

    title: str | None = None
    start_at: datetime | None = None  # of the meeting named; the others of its series move as far
    duration: timedelta | None = None
    halls: tuple[str, ...] | None = None
    main: str | None = None
    chair: str | None = None


def change(
    session: Session,
    meeting_id: int,
    wanted: Change,
    who: str,
    known_halls: Iterable[str],
    now: datetime,
    *,
    series: bool = False,
    force: bool = False,
    sequence: int | None = None,
) -> list[Meeting]:
    """Another time, other halls, another name; of one meeting, or of all of its series that have not begun.

    Args:
        session: A writing session.
        meeting_id: Which.
        wanted: What changes.
        who: For the audit.
        known_halls: The county's.
        now: Aware.
        series: All that have not begun.
        force: Although halls are in other meetings then.
        sequence: The new number of its version; None: one more.

    Raises:
        Clashes, MeetingError: Nothing was changed.
    """
    rows = rows_of(session, meeting_id, now, series=series)
    first = session.get_one(MeetingRow, meeting_id)
    shift = (wanted.start_at - first.start_at) if wanted.start_at is not None else timedelta(0)
    known = set(known_halls)
    spans, halls = [], set()
    for row in rows:
        lasts = wanted.duration if wanted.duration is not None else row.end_at - row.start_at
        kept = list(dict.fromkeys(wanted.halls)) if wanted.halls is not None else [each.hall for each in row.halls]
        main = wanted.main if wanted.main is not None else row.main if row.main in kept else kept[0] if kept else ""
        owner = wanted.chair if wanted.chair is not None else row.owner or f"@{row.booked_by}"
        title = (wanted.title if wanted.title is not None else row.title).strip()
        meetings.check(title, lasts, kept, known, main, owner)
        spans.append((row.start_at + shift, row.start_at + shift + lasts))
        halls.update(kept)
        if session.get(ConferenceRow, row.id) is not None and (set(kept), main) != (
            {each.hall for each in row.halls},
            row.main,
        ):
            raise MeetingError(f"meeting {row.id}: halls are in it already; cut or admit them in the meeting")
        row.title, row.start_at, row.end_at = title, spans[-1][0].astimezone(UTC), spans[-1][1].astimezone(UTC)
        row.main, row.owner = main, owner
        _set_halls(session, row, kept)
        row.sequence = row.sequence + 1 if sequence is None else sequence
        row.capacity = None  # of the meeting that it was
    found = clashes(session, spans, halls, {row.id for row in rows})
    if found and not force:
        raise Clashes(found)
    session.flush()
    session.expire_all()
    changed = [meetings.found(session, row.id) for row in rows]
    for each in changed:
        detail = {"meeting": each.id, "halls": list(each.halls), "start": str(each.start_at), "title": each.title}
        audit.record(session, who, "meeting.change", each.title, detail)
    _forced(session, who, changed, found)
    return changed


def cancel(
    session: Session, meeting_id: int, who: str, why: str, now: datetime, *, series: bool = False
) -> list[Meeting]:
    """Cancel it, or all of its series that are not over; cancelling twice changes nothing.

    Raises:
        MeetingError: There is no such meeting.
    """
    one = meetings.cancel(session, meeting_id, who, why)
    if not series or one.series is None:
        return [one]
    later = select(MeetingRow.id).where(
        MeetingRow.series == one.series, MeetingRow.end_at > now, MeetingRow.id != meeting_id
    )
    return [one, *(meetings.cancel(session, number, who, why) for number in session.scalars(later).all())]


def of_series(session: Session, meeting: Meeting) -> list[Meeting]:
    """Every meeting of its series that is not cancelled; itself when it is not repeated."""
    if meeting.series is None:
        return [meeting]
    return meetings.found_by(session, MeetingRow.series == meeting.series, MeetingRow.cancelled_at.is_(None))


def rows_of(session: Session, meeting_id: int, now: datetime, *, series: bool) -> Sequence[MeetingRow]:
    """What a change is about; MeetingError when that can no longer be changed."""
    row = session.get(MeetingRow, meeting_id)
    if row is None:
        raise MeetingError(f"meeting {meeting_id}: not found; 'sanwang meet list' shows them")
    if row.cancelled_at is not None or row.ended_at is not None:
        raise MeetingError(f"meeting {meeting_id}: is cancelled or over; book another")
    if row.start_at <= now:
        raise MeetingError(f"meeting {meeting_id}: has begun; the chair can make it longer or end it")
    if not series or row.series is None:
        return [row]
    query = select(MeetingRow).where(
        MeetingRow.series == row.series,
        MeetingRow.start_at > now,
        MeetingRow.cancelled_at.is_(None),
        MeetingRow.ended_at.is_(None),
    )
    return session.scalars(query.order_by(MeetingRow.start_at)).all()


def _set_halls(session: Session, row: MeetingRow, halls: Collection[str]) -> None:
    held = {each.hall: each for each in row.halls}
    for code in held.keys() - set(halls):
        session.delete(held[code])
    session.add_all(MeetingHallRow(meeting_id=row.id, hall=code) for code in halls if code not in held)


def _forced(session: Session, who: str, made: Sequence[Meeting], found: Sequence[Clash]) -> None:
    if found:
        detail = {"meeting": made[0].id, "clashes": [each.as_json() for each in found[:50]]}
        audit.record(session, who, "meeting.force", made[0].title, detail)
