"""Tables that the collector alone writes: events with their seals, and the newest state of every link.

Others read through the query functions below (provision refuses a link state older than it may be).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, Integer, String, Text, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, UtcDateTime, utc_now

_IN_CHUNK = 500  # numbers in one IN (...)


class EventRow(Base):
    """One event; ``number`` is the collector's own and grows over restarts."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_at", "at"),
        Index("ix_events_subject", "subject"),
        Index("ix_events_kind", "kind", "subject", "number"),
    )

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)


class EventSealRow(Base):
    """Proof of the events ``first`` to ``last``: each seal covers the one before, and stands in the audit log too."""

    __tablename__ = "event_seal"

    last: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    first: Mapped[int] = mapped_column(BigInteger)
    count: Mapped[int] = mapped_column(Integer)
    until_at: Mapped[datetime] = mapped_column(UtcDateTime)  # of the newest event covered
    digest: Mapped[str] = mapped_column(String(64))  # hexadecimal SHA-256


class LinkStateRow(Base):
    """Newest state of one link, written again every few seconds: ``checked_at`` tells how old the knowledge is."""

    __tablename__ = "link_state"

    link: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(8))  # up, down, unknown
    reason: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    checked_at: Mapped[datetime] = mapped_column(UtcDateTime)


def search_events(
    session: Session,
    *,
    since: datetime,
    until: datetime | None = None,
    kind: str = "",
    subject: str = "",
    text: str = "",
    before: int = 0,
    limit: int = 100,
) -> Sequence[EventRow]:
    """Events of a span of time, newest first.

    Args:
        session: Any session.
        since: Oldest moment, aware; ``until``: newest, default now.
        kind: Only this kind.
        subject: Only this link or host, and what is part of it ("c1-core" finds "c1-core/ospfd").
        text: Only events whose subject or words hold this, letters large or small alike.
        before: Only events older than this number (the last one of the page before).
        limit: At most so many.
    """
    query = select(EventRow).where(EventRow.at >= since).order_by(EventRow.number.desc()).limit(limit)
    if until is not None:
        query = query.where(EventRow.at <= until)
    if kind:
        query = query.where(EventRow.kind == kind)
    if subject:
        query = query.where(
            or_(EventRow.subject == subject, EventRow.subject.startswith(f"{subject}/", autoescape=True))
        )
    if text:
        query = query.where(
            or_(EventRow.state.icontains(text, autoescape=True), EventRow.subject.icontains(text, autoescape=True))
        )
    if before:
        query = query.where(EventRow.number < before)
    return session.scalars(query).all()


def last_states(session: Session, kinds: Sequence[str]) -> Sequence[EventRow]:
    """The newest event of every subject of these kinds."""
    newest = select(func.max(EventRow.number)).where(EventRow.kind.in_(kinds)).group_by(EventRow.kind, EventRow.subject)
    return session.scalars(select(EventRow).where(EventRow.number.in_(newest)).order_by(EventRow.number)).all()


def last_number(session: Session) -> int:
    """Number of the newest event, or of the newest that was dropped by retention; 0 in an empty store."""
    newest = session.scalar(select(func.max(EventRow.number))) or 0
    sealed = session.scalar(select(func.max(EventSealRow.last))) or 0
    return max(newest, sealed)


def link_states(session: Session, *, no_older_than: timedelta) -> dict[str, LinkStateRow]:
    """State of every link that was checked lately; a link that is missing here is not known."""
    oldest = utc_now() - no_older_than
    return {row.link: row for row in session.scalars(select(LinkStateRow).where(LinkStateRow.checked_at >= oldest))}


def write_links(session: Session, links: Mapping[str, tuple[str, str, datetime]]) -> None:
    """Store (state, reason, since) of every link; links that left the model are removed."""
    now = utc_now()
    held = {row.link: row for row in session.scalars(select(LinkStateRow))}
    for name, row in held.items():
        if name not in links:
            session.delete(row)
    for name, (state, reason, since) in links.items():
        old = held.get(name)
        if old is None:
            session.add(LinkStateRow(link=name, state=state, reason=reason, since=since, checked_at=now))
        else:
            old.state, old.reason, old.since, old.checked_at = state, reason, since, now


def write_events(session: Session, rows: Sequence[EventRow]) -> int:
    """Append events that the store does not hold yet; returns how many those were."""
    held: set[int] = set()
    for start in range(0, len(rows), _IN_CHUNK):
        numbers = [row.number for row in rows[start : start + _IN_CHUNK]]
        held.update(session.scalars(select(EventRow.number).where(EventRow.number.in_(numbers))))
    fresh = {row.number: row for row in rows if row.number not in held}
    session.add_all(fresh.values())
    return len(fresh)
