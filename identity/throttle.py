"""Guessing gets slower and slower: after some failures whoever guesses has to wait, twice as long each time.

Every attempt is counted before it is judged, so that parallel guesses gain nothing; the count lies in the store and
survives a restart. Who is counted: a browser in which this person has signed in before counts for itself alone, so that
nobody else's guessing makes the person wait (OWASP, "Slow Down Online Guessing Attacks with Device Cookies");
a stranger counts for the login, and for the address, which a whole office may share.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from identity.tables import SignFailure

FREE = {"login": 5, "device": 5, "address": 100}
"""Failures without a wait. A whole office, or a county's one forwarded port, may be one address."""

_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=1), timedelta(minutes=30)
_FORGOTTEN = timedelta(days=1)


class TooMany(Exception):
    """Too many failures: wait until ``until``."""

    def __init__(self, until: datetime) -> None:
        self.until = until
        super().__init__("too many failed attempts: wait, or ask the system administrator to unlock the account")


@dataclass(frozen=True, slots=True)
class Attempt:
    """Who tries: the login, from where, and the browser's own number where the login is known in it."""

    login: str
    address: str
    device: str = ""

    @property
    def counted(self) -> tuple[tuple[str, str], ...]:
        """What it counts for."""
        return (("device", self.device),) if self.device else (("login", self.login), ("address", self.address))


def count(session: Session, attempt: Attempt, now: datetime) -> None:
    """Count an attempt before it is judged.

    Raises:
        TooMany: It has to wait; the attempt is not judged and not counted.
    """
    rows = [_row(session, kind, name, now) for kind, name in attempt.counted]
    until = [row.blocked_until for row in rows if row.blocked_until is not None and row.blocked_until > now]
    if until:
        raise TooMany(max(until))
    for row in rows:
        row.failures += 1
        row.last_at = now
        over = row.failures - FREE[row.key.partition(":")[0]]
        if over >= 0:
            row.blocked_until = now + min(_FIRST_WAIT * 2 ** min(over, 10), _LONGEST_WAIT)


def must_wait(session: Session, attempt: Attempt, now: datetime) -> bool:
    """True when the next attempt would not be judged."""
    rows = [session.get(SignFailure, _key(kind, name)) for kind, name in attempt.counted]
    return any(row and row.blocked_until and row.blocked_until > now for row in rows)


def succeeded(session: Session, attempt: Attempt) -> None:
    """The attempt was good: forget the failures of login or browser, and take this one from the address."""
    for kind, name in attempt.counted:
        row = session.get(SignFailure, _key(kind, name))
        if row is not None and kind == "address":
            row.failures -= 1
            row.blocked_until = None if row.failures < FREE[kind] else row.blocked_until
        elif row is not None:
            session.delete(row)


def waits(session: Session, now: datetime) -> dict[str, float]:
    """Logins that have to wait, and until when (seconds since 1970, UTC)."""
    rows = session.scalars(select(SignFailure).where(SignFailure.blocked_until > now, SignFailure.key.like("login:%")))
    return {row.key.removeprefix("login:"): row.blocked_until.timestamp() for row in rows if row.blocked_until}


def clear(session: Session, login: str) -> None:
    """An administrator unlocks: no wait for this login."""
    session.execute(delete(SignFailure).where(SignFailure.key == _key("login", login)))


def _row(session: Session, kind: str, name: str, now: datetime) -> SignFailure:
    session.execute(delete(SignFailure).where(SignFailure.last_at < now - _FORGOTTEN))
    row = session.get(SignFailure, _key(kind, name))
    if row is None:
        row = SignFailure(key=_key(kind, name), failures=0, last_at=now, blocked_until=None)
        session.add(row)
    return row


def _key(kind: str, name: str) -> str:
    return f"{kind}:{name}"[:64]
