"""The meetings' tables; this room alone writes them, others read through ``vconf.meetings``."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, ForeignKey, Integer, String, Text
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
    uid: Mapped[str | None] = mapped_column(String(255), index=True)  # iCalendar's, of one that was imported
    series: Mapped[int | None] = mapped_column(Integer, index=True)  # number of the first one of a repeated meeting
    rule: Mapped[str | None] = mapped_column(Text)  # its RRULE value
    zone: Mapped[str | None] = mapped_column(String(64))  # IANA name; the rule counts in its local time
    recurrence_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when the rule lets it begin
    sequence: Mapped[int] = mapped_column(
        Integer, default=0, server_default="0"
    )  # changes of time, halls or being held (RFC 5546)
    told: Mapped[int] = mapped_column(Integer, default=-1, server_default="0")  # the sequence that people were told of
    capacity: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # what the last check of the network found
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


class HallCodeRow(Base):
    """A pairing code on a hall's card: good once."""

    __tablename__ = "meeting_hall_code"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)  # SHA-256, hexadecimal
    hall: Mapped[str] = mapped_column(String(32))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class HallDeviceRow(Base):
    """A browser that is a hall's: paired with a code, until it is revoked."""

    __tablename__ = "meeting_hall_device"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)  # of its token, SHA-256, hexadecimal
    hall: Mapped[str] = mapped_column(String(32), index=True)
    address: Mapped[str] = mapped_column(String(64))  # where it was paired from
    paired_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class LineTestRow(Base):
    """A hall's last line test (会前试线)."""

    __tablename__ = "meeting_line_test"

    hall: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    ready: Mapped[bool] = mapped_column(Boolean)
    result: Mapped[str] = mapped_column(Text)  # JSON: what the page measured, the network's own figures, the checks


class StreamTicketRow(Base):
    """A link for another program: to publish into a meeting (WHIP) or to view it (WHEP)."""

    __tablename__ = "meeting_stream_ticket"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)  # of its token, SHA-256, hexadecimal
    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), index=True)
    kind: Mapped[str] = mapped_column(String(8))  # "whip" or "whep"
    name: Mapped[str] = mapped_column(Text)  # what the venue is called, or who views
    issued_by: Mapped[str] = mapped_column(Text)
    issued_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RecordingRow(Base):
    """A recording of a meeting; what was recorded lies sealed in a folder of this name (``vconf.recording``)."""

    __tablename__ = "meeting_recording"

    id: Mapped[str] = mapped_column(String(24), primary_key=True)  # "7-1": of meeting 7 the first
    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), index=True)
    begun_at: Mapped[datetime] = mapped_column(UtcDateTime)
    begun_by: Mapped[str] = mapped_column(Text)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    octets: Mapped[int] = mapped_column(BigInteger)  # on the disk
    problem: Mapped[str] = mapped_column(Text)  # the last one; "" when there was none
    key: Mapped[str | None] = mapped_column(Text)  # sealed by the county's (``sealed.wrap``); None: deleted
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # None: not ended yet, or kept for good
    deleted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class WebhookRow(Base):
    """A program that is told what happens to meetings."""

    __tablename__ = "meeting_webhook"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    secret: Mapped[str] = mapped_column(String(64))  # signs what is sent
    told: Mapped[int] = mapped_column(Integer)  # number of the last entry of the audit log that it has
    failures: Mapped[int] = mapped_column(Integer)  # in a row
    problem: Mapped[str] = mapped_column(Text)  # the last one; "" while all is well
    next_at: Mapped[datetime] = mapped_column(UtcDateTime)  # not tried before


class FeedRow(Base):
    """A calendar that somebody subscribed to; whoever has its address may read it, until it is revoked."""

    __tablename__ = "meeting_feed"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the address's token, SHA-256, hexadecimal
    subject: Mapped[str] = mapped_column(String(72))  # "hall:t01", "person:li" or "county"
    made_by: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class QualityRow(Base):
    """How a venue fared in a meeting: sums and maxima of what was sampled (``vconf.fared``)."""

    __tablename__ = "meeting_quality"

    meeting_id: Mapped[int] = mapped_column(ForeignKey("meeting.id"), primary_key=True)
    hall: Mapped[str] = mapped_column(String(32), primary_key=True)
    figures: Mapped[dict[str, Any]] = mapped_column(JSON)
