"""The meetings' tables; this room alone writes them, others read through ``vconf.meetings``."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from store.base import Base, UtcDateTime


class MeetingRow(Base):
    """A booked meeting."""

    __tablename__ = "meeting"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    start_at: Mapped[datetime] = mapped_column(UtcDateTime)
    end_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    booked_by: Mapped[str] = mapped_column(Text)
    booked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    main: Mapped[str | None] = mapped_column(String(32))  # None: the first hall
    owner: Mapped[str | None] = mapped_column(String(64))  # whose chair it is; None: the booker's console
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # by the chair, before its time
    guest_pin: Mapped[str | None] = mapped_column(String(8))  # six digits; None: no guests are asked in
    halls: Mapped[list[MeetingHallRow]] = relationship(order_by="MeetingHallRow.hall", lazy="selectin")


class MeetingHallRow(Base):
    """A hall that a meeting was booked for."""

    __tablename__ = "meeting_hall"

    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), primary_key=True)
    hall: Mapped[str] = mapped_column(String(32), primary_key=True)


class AttendanceRow(Base):
    """One stay of a hall in a meeting; a hall that came back has several."""

    __tablename__ = "meeting_attendance"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), index=True)
    hall: Mapped[str] = mapped_column(String(32))
    joined_at: Mapped[datetime] = mapped_column(UtcDateTime)
    left_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ConferenceRow(Base):
    """What the chair decided: the whole state, written with every change (``vconf.chair.document``)."""

    __tablename__ = "meeting_conference"

    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), primary_key=True)
    epoch: Mapped[int] = mapped_column(Integer)  # signalling processes that took it up
    number: Mapped[int] = mapped_column(Integer)  # changes
    state: Mapped[str] = mapped_column(Text)  # JSON


class SignInRow(Base):
    """A venue's line on the sign-in sheet; the newest counts."""

    __tablename__ = "meeting_sign_in"

    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), primary_key=True)
    hall: Mapped[str] = mapped_column(String(32), primary_key=True)
    heads: Mapped[int] = mapped_column(Integer)
    name: Mapped[str] = mapped_column(Text)
    signed_at: Mapped[datetime] = mapped_column(UtcDateTime)
