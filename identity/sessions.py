"""Sessions on the server: the browser holds a random value, the store its hash. What is ended here is over at once."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.orm import Session

from identity.tables import SignSession

ABSOLUTE = timedelta(hours=12)
"""A session ends then, whatever is done with it: a shift is shorter."""
IDLE = timedelta(minutes=30)
"""A session at which nobody did anything ends then: what a page asks by itself keeps none alive."""
SCREEN = timedelta(days=30)
"""A wall's session, which can only look, ends then; nobody sits at it, so it is never idle."""
HALF_WAY = timedelta(minutes=10)
"""So long a sign-in may take that still asks for a code or a new password."""
_NOTED_EVERY = timedelta(minutes=1)
_AGENT_CHARACTERS = 200


def begin(
    session: Session, login: str, how: str, stage: str, standing: str, address: str, agent: str, now: datetime
) -> str:
    """A new session; returns the value for the cookie, which is kept nowhere."""
    session.execute(delete(SignSession).where((SignSession.expires_at < now) | ~_in_use(now)))
    value = secrets.token_urlsafe(32)
    row = SignSession(
        id=identifier(value),
        login=login,
        how=how,
        stage=stage,
        standing=standing,
        address=address,
        agent=agent[:_AGENT_CHARACTERS],
        created_at=now,
        seen_at=now,
        expires_at=now + life(stage),
    )
    session.add(row)
    session.flush()
    return value


def life(stage: str) -> timedelta:
    """How long a session of that stage lives at most."""
    return {"in": ABSOLUTE, "screen": SCREEN}.get(stage, HALF_WAY)


def _in_use(now: datetime) -> ColumnElement[bool]:
    return (SignSession.stage == "screen") | (SignSession.seen_at > now - IDLE)


def find(session: Session, value: str, now: datetime) -> SignSession | None:
    """The session of a cookie's value that is neither over nor left alone too long."""
    row = session.get(SignSession, identifier(value)) if value else None
    if row is None or row.expires_at <= now or (row.stage != "screen" and row.seen_at <= now - IDLE):
        return None
    return row


def stale(row: SignSession, now: datetime) -> bool:
    """True when it is time to note that the session is in use (a write, hence not at every request)."""
    return now - row.seen_at >= _NOTED_EVERY


def note(session: Session, row_id: str, now: datetime) -> None:
    """The session is in use."""
    row = session.get(SignSession, row_id)
    if row is not None:
        row.seen_at = now


def of(session: Session, login: str, now: datetime) -> Sequence[SignSession]:
    """Open sessions of a person, newest first."""
    query = select(SignSession).where(SignSession.login == login, SignSession.expires_at > now, _in_use(now))
    return session.scalars(query.order_by(SignSession.created_at.desc())).all()


def end(session: Session, row_id: str, login: str = "") -> bool:
    """End one session, of this person where a login is given; False when there is none."""
    row = session.get(SignSession, row_id)
    if row is None or (login and row.login != login):
        return False
    session.delete(row)
    session.flush()
    return True


def end_all(session: Session, login: str, *, but: str = "") -> int:
    """End all sessions of a person except the one with this identifier; how many there were."""
    gone = session.scalars(
        delete(SignSession).where(SignSession.login == login, SignSession.id != but).returning(SignSession.id)
    ).all()
    return len(gone)


def identifier(value: str) -> str:
    """What the store keeps of a cookie's value: 256 random bits need no slow hash."""
    return sha256(value.encode()).hexdigest()
