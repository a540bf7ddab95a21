"""Tables of calling: calls that run, messages on their way, maintenance windows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import JSON, Index, Integer, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import audit
from store.base import Base, UtcDateTime


class CallRow(Base):
    """One alert that people are called for; ``step`` is the next of ``alerting.<severity>.calls``."""

    __tablename__ = "alert_call"
    __table_args__ = (Index("ix_alert_call_over_at", "over_at"),)

    key: Mapped[str] = mapped_column(String(64), primary_key=True)  # Alertmanager's fingerprint and start
    fault: Mapped[int | None] = mapped_column(Integer)  # whose acknowledgement ends the steps
    severity: Mapped[str] = mapped_column(String(16))
    zh: Mapped[str] = mapped_column(Text)
    en: Mapped[str] = mapped_column(Text)
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)  # when the collector was told
    over_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    step: Mapped[int] = mapped_column(Integer)
    told: Mapped[list[str]] = mapped_column(JSON)  # logins


class DeliveryRow(Base):
    """A message on its way to one person by one channel."""

    __tablename__ = "delivery"
    __table_args__ = (Index("ix_delivery_next_at", "next_at"),)

    key: Mapped[str] = mapped_column(String(128), primary_key=True)  # of the notification
    channel: Mapped[str] = mapped_column(String(8), primary_key=True)
    address: Mapped[str] = mapped_column(String(256))
    attempts: Mapped[int] = mapped_column(Integer)
    next_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # None: sent, or given up
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str] = mapped_column(Text)


class WindowRow(Base):
    """A time in which faults of some hosts and links call nobody; they are shown and counted all the same."""

    __tablename__ = "maintenance"
    __table_args__ = (Index("ix_maintenance_end_at", "end_at"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    plan: Mapped[str] = mapped_column(String(64))  # digest of the approved plan; "" for one made by hand
    hosts: Mapped[list[str]] = mapped_column(JSON)
    links: Mapped[list[str]] = mapped_column(JSON)
    start_at: Mapped[datetime] = mapped_column(UtcDateTime)
    end_at: Mapped[datetime] = mapped_column(UtcDateTime)
    who: Mapped[str] = mapped_column(String(64))
    why: Mapped[str] = mapped_column(Text)


class NoSuchWindow(LookupError):
    """No maintenance window has that number."""


def open_window(
    session: Session,
    *,
    hosts: Sequence[str],
    links: Sequence[str],
    start: datetime,
    end: datetime,
    who: str,
    why: str,
    plan: str = "",
) -> WindowRow:
    """Write a window down, audited; a plan has one, which is moved when it is given again.

    Raises:
        ValueError: It ends before it begins, or covers nothing.
    """
    if end <= start:
        raise ValueError(f"window: found an end {end} that is not after its start {start}")
    if not hosts and not links:
        raise ValueError("window: found no host and no link; expected at least one")
    if not why.strip():
        raise ValueError("why: found nothing, expected what is done in the window")
    row = session.scalars(select(WindowRow).where(WindowRow.plan == plan)).first() if plan else None
    if row is None:
        row = WindowRow(plan=plan)
        session.add(row)
    row.hosts, row.links = sorted(hosts), sorted(links)
    row.start_at, row.end_at, row.who, row.why = start, end, who, why
    session.flush()
    detail = {"window": row.id, "hosts": row.hosts, "links": row.links, "plan": plan}
    audit.record(session, who, "maintenance.open", why, detail | {"from": start.isoformat(), "to": end.isoformat()})
    return row


def end_window(session: Session, number: int, at: datetime, who: str, why: str) -> WindowRow:
    """End a window at a moment, audited; one that is over by then stays as it is.

    Raises:
        NoSuchWindow: No such number.
    """
    row = session.get(WindowRow, number)
    if row is None:
        raise NoSuchWindow(f"no maintenance window has the number {number}")
    if row.end_at > at:
        row.end_at = max(at, row.start_at)
        audit.record(session, who, "maintenance.end", why, {"window": number})
    return row


def windows(session: Session, after: datetime) -> Sequence[WindowRow]:
    """Windows that end after a moment, earliest start first."""
    return session.scalars(select(WindowRow).where(WindowRow.end_at > after).order_by(WindowRow.start_at)).all()
