"""Who may publish into a meeting or view it from another program: links with a bearer token (RFC 6750).

A token is 256 random bits, kept as its digest alone; it is good until it expires or is revoked.  Functions work in the
caller's session and leave their audit entry in the same transaction.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Literal, get_args

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store import audit
from vconf.meeting import LATE, LONGEST, Meeting
from vconf.tables import StreamTicketRow

Kind = Literal["whip", "whep"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST = 200
"""Links of one meeting."""

NAME_CHARACTERS = 40


class TicketError(ValueError):
    """A link that cannot be given; the message says what to change."""


class TicketRefused(Exception):
    """The token opens nothing (any more)."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """``whip``: may publish as the venue ``code``; ``whep``: may view what is on air."""

    number: int
    meeting: int
    kind: Kind
    name: str
    issued_by: str
    expires_at: datetime
    revoked_at: datetime | None

    @property
    def code(self) -> str:
        """As the conference names the publisher: the same every time it comes."""
        return f"s-{self.number}"

    def as_json(self) -> dict[str, Any]:
        """For command line and API; never the token."""
        return {
            "id": self.number,
            "meeting": self.meeting,
            "kind": self.kind,
            "name": self.name,
            "venue": self.code if self.kind == "whip" else None,
            "issued_by": self.issued_by,
            "expires": self.expires_at.isoformat(),
            "revoked": self.revoked_at is not None,
        }


def until(meeting: Meeting, now: datetime, life: timedelta | None) -> datetime:
    """When a link ends: after ``life``, and never later than the meeting itself could; TicketError when it is over."""
    latest = max(meeting.closes_at, meeting.start_at + LONGEST + LATE)
    if meeting.state(now) in ("cancelled", "over"):
        raise TicketError(f"meeting {meeting.id} is {meeting.state(now)}")
    return min(latest, now + life) if life is not None else latest


def issue(
    session: Session, meeting: int, kind: Kind, name: str, who: str, now: datetime, expires_at: datetime
) -> tuple[Ticket, str]:
    """A new link: (ticket, token); TicketError when the name is no name, or there are too many."""
    name = name.strip()
    if not 1 <= len(name) <= NAME_CHARACTERS or not name.isprintable():
        raise TicketError(f"name: expected a printable name of 1 to {NAME_CHARACTERS} characters")
    if expires_at <= now:
        raise TicketError("expires: expected a time to come")
    held = session.scalar(select(func.count()).where(StreamTicketRow.meeting_id == meeting))
    if held is not None and held >= MOST:
        raise TicketError(f"meeting {meeting} has {held} links already, at most {MOST}")
    token = secrets.token_urlsafe(32)
    row = StreamTicketRow(
        digest=_digest(token),
        meeting_id=meeting,
        kind=kind,
        name=name,
        issued_by=who,
        issued_at=now.astimezone(UTC),
        expires_at=expires_at.astimezone(UTC),
    )
    session.add(row)
    session.flush()
    made = _ticket(row)
    audit.record(session, who, f"meeting.{kind}", "", {"meeting": meeting, "id": made.number, "name": name})
    return made, token


def read(session: Session, token: str, kind: Kind, now: datetime) -> Ticket:
    """Whose token this is; TicketRefused."""
    row = session.scalar(select(StreamTicketRow).where(StreamTicketRow.digest == _digest(token)))
    if row is None or row.kind != kind:
        raise TicketRefused("this token opens nothing here")
    made = _ticket(row)
    if made.revoked_at is not None:
        raise TicketRefused("this link was revoked: ask for a new one")
    if made.expires_at <= now:
        raise TicketRefused("this link has expired: ask for a new one")
    return made


def good(session: Session, number: int, now: datetime) -> bool:
    """Whether it still is."""
    row = session.get(StreamTicketRow, number)
    return row is not None and row.revoked_at is None and row.expires_at > now


def listed(session: Session, meeting: int) -> list[Ticket]:
    """All links of a meeting, the oldest first."""
    query = select(StreamTicketRow).where(StreamTicketRow.meeting_id == meeting).order_by(StreamTicketRow.id)
    return [_ticket(row) for row in session.scalars(query)]


def revoke(session: Session, meeting: int, number: int, who: str, why: str, now: datetime) -> Ticket:
    """It opens nothing any more, and what came by it is put out; twice changes nothing; TicketError: no such link."""
    row = session.get(StreamTicketRow, number)
    if row is None or row.meeting_id != meeting:
        raise TicketError(f"link {number}: meeting {meeting} has no such link")
    if row.revoked_at is None:
        row.revoked_at = now.astimezone(UTC)
        audit.record(session, who, f"meeting.{row.kind}Revoke", why, {"meeting": meeting, "id": number})
    return _ticket(row)


def _ticket(row: StreamTicketRow) -> Ticket:
    kind: Kind = "whip" if row.kind == "whip" else "whep"
    return Ticket(row.id, row.meeting_id, kind, row.name, row.issued_by, row.expires_at, row.revoked_at)


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()
