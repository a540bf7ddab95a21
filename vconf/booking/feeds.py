"""Calendars to subscribe to: an address for a hall, a person or the whole county, good until it is revoked.

A feed holds what is booked and the last month; no links, no PINs: an address that leaks tells when who meets.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from inventory.model import NetworkModel
from store import audit
from vconf import meetings
from vconf.booking.ical import About, calendar
from vconf.meetings import Meeting, MeetingError
from vconf.tables import FeedRow, MeetingRow

KEPT = timedelta(days=31)
PATH = "/api/meet/calendar/"
_LENGTH = 43  # of a token: 32 bytes, base64 without padding


def subject_of(model: NetworkModel, word: str) -> str:
    """ "t01" -> "hall:t01", "@li" -> "person:li", "county"; MeetingError."""
    if word == "county":
        return word
    if word in model.halls:
        return f"hall:{word}"
    if word.startswith("@") and 1 < len(word) <= 65:
        return f"person:{word[1:]}"
    raise MeetingError(f"calendar: found {word!r}, expected a hall's code, @ and a login, or county")


def make(session: Session, subject: str, who: str, now: datetime) -> str:
    """A new token for a subject; it is shown once."""
    token = secrets.token_urlsafe(32)
    session.add(FeedRow(digest=_digest(token), subject=subject, made_by=who, made_at=now))
    audit.record(session, who, "calendar.make", "", {"subject": subject})
    return token


def revoke(session: Session, subject: str, who: str, now: datetime) -> int:
    """Addresses of a subject are good no longer; returns how many there were."""
    rows = session.scalars(select(FeedRow).where(FeedRow.subject == subject, FeedRow.revoked_at.is_(None))).all()
    for row in rows:
        row.revoked_at = now
    if rows:
        audit.record(session, who, "calendar.revoke", "", {"subject": subject, "addresses": len(rows)})
    return len(rows)


def subject(session: Session, token: str) -> str | None:
    """What a token opens; None: nothing."""
    if len(token) != _LENGTH:
        return None
    row = session.get(FeedRow, _digest(token))
    return row.subject if row is not None and row.revoked_at is None else None


def of(session: Session, subject: str, now: datetime) -> list[Meeting]:
    """The meetings of a subject: a hall's, or a person's who booked or chairs them."""
    kind, _, name = subject.partition(":")
    conditions = [MeetingRow.end_at > now - KEPT]
    if kind == "hall":
        conditions.append(MeetingRow.halls.any(hall=name))
    elif kind == "person":
        conditions.append((MeetingRow.booked_by == name) | (MeetingRow.owner == f"@{name}"))
    return meetings.found_by(session, *conditions)


def firsts(session: Session, found: Iterable[Meeting]) -> Mapping[int, datetime]:
    """Series -> when its rule begins."""
    wanted = {each.series for each in found if each.series is not None}
    query = select(MeetingRow.id, MeetingRow.recurrence_at).where(MeetingRow.id.in_(wanted))
    return {number: at for number, at in session.execute(query) if at is not None}


def about(model: NetworkModel, subject: str, url: str) -> About:
    """How a feed calls itself."""
    name = subject.partition(":")[2]
    title = f"{model.zh} 会议" + (f" {model.halls[name].zh if name in model.halls else name}" if name else "")
    return About(model.name, title, lambda code: model.halls[code].zh if code in model.halls else code, url)


def feed(session: Session, model: NetworkModel, subject: str, url: str, now: datetime) -> bytes:
    """The calendar of a subject."""
    found = of(session, subject, now)
    return calendar(found, firsts(session, found), about(model, subject, url), now)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
