"""Six months of events that can be proved: every few hours what was recorded is sealed, and the seal is audited.

A seal's digest covers the digest before it and every event of its span, so that an event changed, taken out or put in
later breaks it; and it stands in the audit log, whose own chain it would have to be forged in too. Retention drops
whole spans only: the oldest event that is kept is the first of a span, whose seal tells what it was.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import pairwise

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from collectors.tables import EventRow, EventSealRow
from store.audit import GENESIS, AuditEntry, record

KEEP = timedelta(days=180)
"""Six months: the Cybersecurity Law of the PRC, article 21 (3), and GB/T 22239-2019, 8.1.5.4."""
AUDITED = "events.seal"
_MANY = 2000
_GAP = timedelta(days=30)
_EVERY = timedelta(hours=6)
_WEEK = 28  # seals


def seal(session: Session) -> EventSealRow | None:
    """Seal every event that is not yet; None when there is none. Only when no older event can still arrive."""
    before = _newest(session)
    after = before.last if before else 0
    digest = sha256((before.digest if before else GENESIS).encode())
    count, first, until = 0, 0, None
    last = after
    query = select(EventRow).where(EventRow.number > after).order_by(EventRow.number)
    for row in session.scalars(query.execution_options(yield_per=_MANY)):
        digest.update(_line(row))
        count, first, last = count + 1, first or row.number, row.number
        until = row.at if until is None else max(until, row.at)
    if until is None:
        return None
    made = EventSealRow(last=last, first=first, count=count, until_at=until, digest=digest.hexdigest())
    session.add(made)
    detail = {"first": first, "last": last, "count": count, "digest": made.digest}
    record(session, "collect", AUDITED, "events recorded since the seal before", detail)
    return made


def drop_old(session: Session, now: datetime) -> int:
    """Drop spans that ended longer ago than ``KEEP``; returns how many events went. Their seals stay.

    After a gap of a month in the record nothing is dropped for a week: a clock that jumped ahead looks just like that,
    and would empty the store.
    """
    ends = [*(row.until_at for row in _seals(session)[-_WEEK:]), now]
    if any(later - earlier > _GAP for earlier, later in pairwise(ends)):
        return 0
    edge = session.scalar(select(func.max(EventSealRow.last)).where(EventSealRow.until_at < now - KEEP))
    if edge is None:
        return 0
    going = session.scalar(select(func.count()).where(EventRow.number <= edge)) or 0
    session.execute(delete(EventRow).where(EventRow.number <= edge))
    return going


@dataclass(frozen=True, slots=True)
class Proof:
    """What a verification of the kept events found."""

    events: int  # sealed and kept
    unsealed: int  # newer than the last seal
    oldest: EventRow | None
    oldest_seal: EventSealRow | None
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """True when every sealed event that is kept is what it was when it was sealed."""
        return not self.problems


def verify(session: Session) -> Proof:
    """Compute every kept span's digest anew and look its seal up in the audit log."""
    audited = {
        (detail["last"], detail["digest"])
        for text in session.scalars(select(AuditEntry.detail).where(AuditEntry.what == AUDITED))
        if (detail := json.loads(text))
    }
    oldest = session.scalars(select(EventRow).order_by(EventRow.number).limit(1)).first()
    problems: list[str] = []
    events, previous, oldest_seal = 0, GENESIS, None
    sealed = 0
    for row in _seals(session):
        if (row.last, row.digest) not in audited:
            problems.append(f"seal of {row.first} to {row.last}: the audit log holds no such seal")
        kept = oldest is not None and oldest.number <= row.last
        if kept:
            found, digest = _digest(session, previous, row)
            events += found
            oldest_seal = oldest_seal or row
            if found != row.count:
                problems.append(f"events {row.first} to {row.last}: {row.count} were sealed, {found} are there")
            elif digest != row.digest:
                problems.append(f"events {row.first} to {row.last}: one of them is not what was sealed")
        previous, sealed = row.digest, row.last
    unsealed = session.scalar(select(func.count()).where(EventRow.number > sealed)) or 0
    return Proof(events, unsealed, oldest, oldest_seal, tuple(problems))


def _digest(session: Session, previous: str, row: EventSealRow) -> tuple[int, str]:
    digest, found = sha256(previous.encode()), 0
    query = select(EventRow).where(EventRow.number >= row.first, EventRow.number <= row.last).order_by(EventRow.number)
    for event in session.scalars(query.execution_options(yield_per=_MANY)):
        digest.update(_line(event))
        found += 1
    return found, digest.hexdigest()


def _line(row: EventRow) -> bytes:
    fields = [row.number, row.at.isoformat(), row.kind, row.subject, row.state, row.detail]
    return json.dumps(fields, ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode()


def _newest(session: Session) -> EventSealRow | None:
    return session.scalars(select(EventSealRow).order_by(EventSealRow.last.desc()).limit(1)).first()


def _seals(session: Session) -> list[EventSealRow]:
    return list(session.scalars(select(EventSealRow).order_by(EventSealRow.last)))


def due(session: Session, now: datetime) -> bool:
    """True when it is time for another seal."""
    newest = _newest(session)
    return newest is None or abs(now - newest.until_at) > _EVERY
