"""The desk's tables: tickets, every step of them, what fired, messages to send, shifts, published scores.

Written by the functions of this folder alone, in whichever process they run: the collector's tick, the pages' server,
the command line.  ``notification`` is read and marked as sent by whatever delivers messages.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Float, ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from store.base import Base, UtcDateTime

OPENED, ACCEPTED, IN_HAND, WAITING, RESTORED, CLOSED, REOPENED = (
    "opened",
    "accepted",
    "in-hand",
    "waiting",
    "restored",
    "closed",
    "reopened",
)
RUNNING = (OPENED, ACCEPTED, IN_HAND, REOPENED)
"""States in which the clock runs."""

UNFINISHED = (*RUNNING, WAITING)

LATE_RESPONSE, YELLOW, RED = "late-response", "yellow", "red"
CARDS = (LATE_RESPONSE, YELLOW, RED)


class TicketRow(Base):
    """One matter; ``spent_s`` was counted until ``counting_from``, and since then time runs (null: it stands)."""

    __tablename__ = "ticket"
    __table_args__ = (Index("ix_ticket_state", "state"), Index("ix_ticket_opened_at", "opened_at"))

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))  # fault, report, request
    request: Mapped[str] = mapped_column(String(16))  # inventory.supervision.REQUESTS, or ""
    class_name: Mapped[str] = mapped_column("class", String(32))
    subject: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    site: Mapped[str] = mapped_column(String(16))  # "" for a duct's fault
    organisation: Mapped[str] = mapped_column(Text)  # of a shared building, else ""
    fault: Mapped[int | None] = mapped_column(Integer, unique=True)  # one ticket for one fault
    parent: Mapped[int | None] = mapped_column(ForeignKey("ticket.id"))  # what this one duplicates
    channel: Mapped[str] = mapped_column(String(16))  # monitor, page, phone, desk
    contact: Mapped[str] = mapped_column(Text)
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(16))
    outcome: Mapped[str] = mapped_column(String(16))
    cause: Mapped[str] = mapped_column(Text)
    opened_by: Mapped[str] = mapped_column(String(64))
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    team: Mapped[str] = mapped_column(String(16))
    assignee: Mapped[str] = mapped_column(String(64))  # login, "" for nobody yet
    accepted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    restored_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    respond_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    limit_s: Mapped[float] = mapped_column(Float)
    working: Mapped[bool] = mapped_column(Boolean)  # only working time counts
    yellow_share: Mapped[float] = mapped_column(Float)
    spent_s: Mapped[float] = mapped_column(Float)
    counting_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    yellow_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    waiting_why: Mapped[str] = mapped_column(Text)
    answer_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # the unit's, while waiting for it
    close_due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # restored: closed then if nobody objects
    slow_answers: Mapped[int] = mapped_column(Integer)
    reopened: Mapped[int] = mapped_column(Integer)  # times
    satisfaction: Mapped[int | None] = mapped_column(Integer)  # 1..5, by the unit


class StepRow(Base):
    """One line of a ticket's history; never changed."""

    __tablename__ = "ticket_step"
    __table_args__ = (Index("ix_ticket_step_ticket", "ticket"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    ticket: Mapped[int] = mapped_column(ForeignKey("ticket.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    who: Mapped[str] = mapped_column(String(64))
    what: Mapped[str] = mapped_column(String(32))
    why: Mapped[str] = mapped_column(Text)
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)


class MarkRow(Base):
    """Something that fired: its key makes that happen once.  Kinds: CARDS, "told-N", "slow-answer-N", "deemed"."""

    __tablename__ = "ticket_mark"

    ticket: Mapped[int] = mapped_column(ForeignKey("ticket.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)  # when it fired
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)  # when it had to
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_by: Mapped[str] = mapped_column(String(64))
    withdrawn_why: Mapped[str] = mapped_column(Text)


class NotificationRow(Base):
    """A message that somebody has to get, once; channels and delivery are the sender's affair."""

    __tablename__ = "notification"
    __table_args__ = (Index("ix_notification_sent_at", "sent_at"),)

    key: Mapped[str] = mapped_column(String(128), primary_key=True)  # "ticket-12:red:chen"
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    recipient: Mapped[str] = mapped_column(String(64))  # a login, or "unit:CODE" (telephone in supervision.contacts)
    level: Mapped[str] = mapped_column(String(16))  # info, warning, critical
    subject: Mapped[str] = mapped_column(String(64))  # "ticket:12"
    zh: Mapped[str] = mapped_column(Text)
    en: Mapped[str] = mapped_column(Text)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    attachment: Mapped[str | None] = mapped_column(Text)  # a calendar (RFC 5545) that goes with it by mail


class ShiftRow(Base):
    """A turn of duty; ``running`` is 1 for the one that goes on now, so that there is never a second."""

    __tablename__ = "duty_shift"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    login: Mapped[str] = mapped_column(String(64))
    running: Mapped[int | None] = mapped_column(Integer, unique=True)
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    handed_to: Mapped[str] = mapped_column(String(64))
    handed_text: Mapped[str] = mapped_column(Text)
    taken_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    open_tickets: Mapped[list[int]] = mapped_column(JSON)  # at handover


class ShiftNoteRow(Base):
    """One line of the shift log (值班记录)."""

    __tablename__ = "duty_note"
    __table_args__ = (Index("ix_duty_note_shift", "shift"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    shift: Mapped[int] = mapped_column(ForeignKey("duty_shift.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    who: Mapped[str] = mapped_column(String(64))
    text: Mapped[str] = mapped_column(Text)
    ticket: Mapped[int | None] = mapped_column(Integer)


class ScoreRow(Base):
    """A month's scores as they were published; frozen."""

    __tablename__ = "published_score"

    month: Mapped[str] = mapped_column(String(7), primary_key=True)  # 2026-11
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    who: Mapped[str] = mapped_column(String(64))
    document: Mapped[dict[str, Any]] = mapped_column(JSON)


class DeskClockRow(Base):
    """When the desk last looked at the time, so that a clock set back while it was down is noticed."""

    __tablename__ = "desk_clock"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)  # 1
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    settling: Mapped[bool] = mapped_column(Boolean)  # the clock was stepped: nothing fires until it is steady
