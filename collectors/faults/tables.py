"""The fault book's table, written by the collector alone but for acknowledging; read through the functions below."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, Integer, String, Text, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from store import audit
from store.base import Base, UtcDateTime, utc_now

KINDS = (
    "link-down",  # no carrier
    "link-silent",  # carrier, and nothing comes through
    "link-flap",  # down and up again and again
    "link-degraded",  # loses, delays or throttles what it carries
    "duct-cut",  # several links of one duct at one moment
    "host-down",
    "host-unreachable",  # it has power, and nothing of ours reaches it
    "site-down",  # all boxes of a site at one moment
    "service-down",
    "tunnel-down",
    "wrong-neighbour",  # LLDP hears another box or port than the model has there
    "rogue-dhcp",
    "check-failed",  # a hosted service does not answer, and no other fault is open
)


class FaultRow(Base):
    """One fault; numbers are given by the collector and grow.

    ``detail``: what was measured, and ``children``: what only follows from it.  ``impact``: see
    ``inventory.impact.document``.
    """

    __tablename__ = "fault"
    __table_args__ = (Index("ix_fault_opened_at", "opened_at"), Index("ix_fault_cleared_at", "cleared_at"))

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    key: Mapped[str] = mapped_column(String(128))  # "link:ring-c1-c2", "host:c1-core", "rogue:t01/gov/02:..." ...
    kind: Mapped[str] = mapped_column(String(24))  # one of KINDS
    subject: Mapped[str] = mapped_column(String(128))  # the link, host, duct, site, tunnel, "host/service" or oddity
    site: Mapped[str] = mapped_column(String(16))  # site code; of a link, end a's; "" for a duct
    severity: Mapped[str] = mapped_column(String(16))  # "critical" or "warning"
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cleared_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    impact: Mapped[dict[str, Any]] = mapped_column(JSON)
    acknowledged_by: Mapped[str | None] = mapped_column(String(64))
    acknowledged_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    acknowledged_why: Mapped[str | None] = mapped_column(Text)
    window: Mapped[int | None] = mapped_column(Integer)  # maintenance window it opened in


class NoSuchFault(LookupError):
    """No fault has that number."""


def open_faults(session: Session) -> Sequence[FaultRow]:
    """What is broken now, oldest first."""
    return session.scalars(select(FaultRow).where(FaultRow.cleared_at.is_(None)).order_by(FaultRow.id)).all()


def fault(session: Session, number: int) -> FaultRow:
    """One fault; NoSuchFault."""
    found = session.get(FaultRow, number)
    if found is None:
        raise NoSuchFault(f"no fault has the number {number}")
    return found


def faults_between(session: Session, start: datetime, end: datetime) -> Sequence[FaultRow]:
    """Every fault that was open at some moment of [start, end), both aware, oldest first."""
    overlapping = or_(FaultRow.cleared_at.is_(None), FaultRow.cleared_at >= start)
    return session.scalars(select(FaultRow).where(FaultRow.opened_at < end, overlapping).order_by(FaultRow.id)).all()


def acknowledge(session: Session, number: int, who: str, why: str) -> FaultRow:
    """Somebody looks after it: written down once, audited each time; the first one's name stays.

    Raises:
        NoSuchFault: no such number.
        ValueError: no reason given.
    """
    if not why.strip():
        raise ValueError("why: found nothing, expected what is being done about the fault")
    found = fault(session, number)
    if found.acknowledged_at is None:
        found.acknowledged_by, found.acknowledged_at, found.acknowledged_why = who, utc_now(), why
    audit.record(session, who, "fault.acknowledge", why, {"fault": number, "key": found.key})
    return found
