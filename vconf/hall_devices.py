"""Which browser is a hall's own: a code on the hall's card, good once, is exchanged for the browser's token.

Code and token are kept as digests alone: whoever reads the store cannot be a hall.  Functions work in the caller's
session and leave their audit entry in the same transaction.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from store import audit
from vconf.tables import HallCodeRow, HallDeviceRow

CODE_DIGITS = 10
CODE_LIFE = timedelta(days=7)
"""A card is printed, carried to the township and typed in."""


class NotPaired(Exception):
    """The code or token is not good."""


def new_code(session: Session, hall: str, who: str, now: datetime) -> str:
    """A code for a card; earlier cards of this hall that nobody used are good no longer."""
    session.execute(delete(HallCodeRow).where((HallCodeRow.hall == hall) | (HallCodeRow.expires_at <= now)))
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
    session.add(HallCodeRow(digest=_digest(code), hall=hall, expires_at=now + CODE_LIFE))
    audit.record(session, who, "hall.code", "", {"hall": hall})
    return code


def pair(session: Session, code: str, address: str, known_halls: Collection[str], now: datetime) -> tuple[str, str]:
    """(hall, token) for a code, which is used up; NotPaired."""
    row = session.get(HallCodeRow, _digest(code))
    if row is None or row.expires_at <= now or row.hall not in known_halls:
        raise NotPaired("this code is wrong or has expired: print a new card with 'sanwang meet card'")
    hall, token = row.hall, secrets.token_urlsafe(32)
    session.delete(row)
    session.add(HallDeviceRow(digest=_digest(token), hall=hall, address=address[:64], paired_at=now))
    audit.record(session, f"hall:{hall}", "hall.pair", "", {"hall": hall, "address": address})
    return hall, token


def hall_of(session: Session, token: str) -> str:
    """Whose token this is; NotPaired."""
    row = session.get(HallDeviceRow, _digest(token))
    if row is None or row.revoked_at is not None:
        raise NotPaired("this screen is not paired with a hall")
    return row.hall


def digests(session: Session, halls: Collection[str]) -> dict[str, str]:
    """Digest of the token of each browser that is one of these halls' own -> its hall."""
    query = select(HallDeviceRow.digest, HallDeviceRow.hall).where(
        HallDeviceRow.revoked_at.is_(None), HallDeviceRow.hall.in_(halls)
    )
    return {row.digest: row.hall for row in session.execute(query)}


def paired(session: Session) -> dict[str, int]:
    """Hall -> how many browsers are its own."""
    found: dict[str, int] = {}
    for hall in session.scalars(select(HallDeviceRow.hall).where(HallDeviceRow.revoked_at.is_(None))):
        found[hall] = found.get(hall, 0) + 1
    return found


def unpair(session: Session, hall: str, who: str, why: str, now: datetime) -> int:
    """Every browser of the hall and every unused card is good no longer; how many browsers those were."""
    session.execute(delete(HallCodeRow).where(HallCodeRow.hall == hall))
    wanted = (HallDeviceRow.hall == hall) & HallDeviceRow.revoked_at.is_(None)
    count = len(list(session.scalars(select(HallDeviceRow.digest).where(wanted))))
    session.execute(update(HallDeviceRow).where(wanted).values(revoked_at=now))
    audit.record(session, who, "hall.unpair", why, {"hall": hall, "browsers": count})
    return count


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
