"""What is asked twice is done once: who asks gives a key, and an answer lost on its way can be asked for again.

The key is the asker's own (draft-ietf-httpapi-idempotency-key-header), and unique in the store together with the login,
so that two processes that get the same question at the same moment still do it once.

>>> once(session, "qian", "report", key, body, lambda: file_a_report(body).id)      # doctest: +SKIP
12
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from sqlalchemy import Index, Integer, String, delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from store.base import Base, UtcDateTime

KEPT = timedelta(days=1)
"""So long a key is known: a page that lost its answer asks again within minutes."""


class OnceRow(Base):
    """A question that was answered."""

    __tablename__ = "done_once"
    __table_args__ = (Index("ix_done_once_at", "at"),)

    who: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    asked: Mapped[str] = mapped_column(String(64))  # SHA-256 of what and body
    ref: Mapped[int] = mapped_column(Integer)  # the row that it made or changed
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class KeyReused(Exception):
    """The key stands for another question."""


def once(
    session: Session, who: str, what: str, key: str, body: Mapping[str, Any], now: datetime, make: Callable[[], int]
) -> int:
    """Do it, or say what came of it when it was done before; "" as key: simply do it.

    Args:
        session: The transaction that it is done in: when that fails, the key is free again.
        who, what, key: Who asks for what, by which key.
        body: What was asked, JSON.
        now: Aware, UTC.
        make: Does it; returns the number of its row.

    Raises:
        KeyReused: The key was used for something else.
    """
    if not key:
        return make()
    digest = sha256(json.dumps([what, body], sort_keys=True, default=str).encode()).hexdigest()
    session.execute(delete(OnceRow).where(OnceRow.at < now - KEPT))
    claim = OnceRow(who=who, key=key, asked=digest, ref=0, at=now)
    try:
        with session.begin_nested():
            session.add(claim)
    except IntegrityError:
        found = session.get_one(OnceRow, (who, key))
        if found.asked != digest:
            raise KeyReused(f"the key {key!r} was used for something else: take a new one") from None
        return found.ref
    claim.ref = make()
    session.flush()
    return claim.ref
