"""Tables that the collector alone writes: events, and the newest state of every link.

Others read through the query functions below (provision refuses a link state older than it may be).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, String, Text, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, UtcDateTime, utc_now


class EventRow(Base):
    """One event; ``number`` is the collector's own and grows over restarts."""

    __tablename__ = "events"
    __table_args__ = (Index("ix_events_at", "at"), Index("ix_events_subject", "subject"))

    number: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(16))
    subject: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(Text)
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)


class LinkStateRow(Base):
    """Newest state of one link, written again every few seconds: ``checked_at`` tells how old the knowledge is."""

    __tablename__ = "link_state"

    link: Mapped[str] = mapped_column(String(64), primary_key=True)
    state: Mapped[str] = mapped_column(String(8))  # up, down, unknown
    reason: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    checked_at: Mapped[datetime] = mapped_column(UtcDateTime)


def recent_events(session: Session, *, limit: int = 100, subject: str | None = None) -> Sequence[EventRow]:
    """The newest events, newest first, of one subject or of all."""
    query = select(EventRow).order_by(EventRow.number.desc()).limit(limit)
    if subject is not None:
        query = query.where(EventRow.subject == subject)
    return session.scalars(query).all()


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


def write_events(session: Session, rows: Iterable[EventRow]) -> None:
    """Append events."""
    session.add_all(list(rows))


def drop_old_events(session: Session, keep: timedelta) -> None:
    """Retention."""
    session.execute(delete(EventRow).where(EventRow.at < utc_now() - keep))
