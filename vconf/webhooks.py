"""Other programs are told what happens to meetings: every entry of the audit log about one, in order, at least once.

The log itself is the queue: each receiver has the number of the last entry that it took, so nothing is lost while it is
away and nothing has to be noted twice.  A POST holds up to ``BATCH`` entries as JSON, ``{"events": [{number, at, who,
what, why, detail}]}``; the header ``X-Sanwang-Signature`` is ``sha256=`` and the HMAC (RFC 2104) of the body by the
receiver's own secret.  Whoever gets an entry twice knows it by its number.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import secrets
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import httpx
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from store import audit
from store.audit import AuditEntry
from store.base import utc_now
from store.engine import Store
from vconf.tables import WebhookRow

BATCH = 50
LOOK_S = 2.0
TIMEOUT_S = 5.0
LONGEST_WAIT = timedelta(minutes=5)

_ABOUT_MEETINGS = "meeting.%"
_SKIP = 1000  # entries about other things before the place in the log is noted anew

logger = logging.getLogger(__name__)


class WebhookError(ValueError):
    """A receiver that cannot be; the message says what to change."""


def add(session: Session, url: str, who: str, now: datetime) -> WebhookRow:
    """A receiver, told of what happens from now on.

    Raises:
        WebhookError: The address is not one.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.username or len(url) > 500:
        raise WebhookError(f"url: found {url[:80]!r}, expected https://host/path without a password in it")
    row = WebhookRow(url=url, secret=secrets.token_hex(32), told=_head(session), failures=0, problem="", next_at=now)
    session.add(row)
    session.flush()
    audit.record(session, who, "webhook.add", "", {"webhook": row.id, "url": url})
    return row


def remove(session: Session, number: int, who: str) -> None:
    """It is told nothing more.

    Raises:
        WebhookError: There is none of that number.
    """
    row = session.get(WebhookRow, number)
    if row is None:
        raise WebhookError(f"webhook {number}: not found; 'sanwang meet webhook list' shows them")
    session.delete(row)
    audit.record(session, who, "webhook.remove", "", {"webhook": number, "url": row.url})


def listed(session: Session) -> list[WebhookRow]:
    """All receivers."""
    return list(session.scalars(select(WebhookRow).order_by(WebhookRow.id)))


@dataclass(frozen=True, slots=True)
class _Call:
    """One POST."""

    webhook: int
    url: str
    secret: str
    last: int  # number of the last entry in it
    body: bytes


class Teller:
    """Tells all receivers.

    Args:
        store: Where the audit log and the receivers are.
        trust: What certificates are checked against.
        now: The time, UTC.
    """

    def __init__(self, store: Store, trust: ssl.SSLContext, now: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._trust = trust
        self._now = now

    async def run(self) -> None:
        """For life."""
        while True:
            try:
                await self.once()
            except SQLAlchemyError as error:
                logger.warning("webhooks: %s", error)
            await asyncio.sleep(LOOK_S)

    async def once(self) -> None:
        """One round: each receiver that is due gets what it has not had."""
        calls = await asyncio.to_thread(self._due)
        if calls:
            async with httpx.AsyncClient(verify=self._trust, timeout=TIMEOUT_S, trust_env=False) as client:
                await asyncio.gather(*(self._tell(client, call) for call in calls))

    async def _tell(self, client: httpx.AsyncClient, call: _Call) -> None:
        signature = hmac.new(call.secret.encode(), call.body, hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json", "x-sanwang-signature": f"sha256={signature}"}
        try:
            answer = await client.post(call.url, content=call.body, headers=headers)
            problem = "" if answer.is_success else f"HTTP {answer.status_code}"
        except httpx.HTTPError as error:
            problem = str(error) or type(error).__name__
        if problem:
            logger.warning("webhook %d: %s: %s", call.webhook, call.url, problem)
        await asyncio.to_thread(self._settle, call, problem)

    def _due(self) -> list[_Call]:
        with self._store.reading() as session:
            rows = [row for row in listed(session) if row.next_at <= self._now()]
            calls = [call for row in rows if (call := _call(session, row)) is not None]
            head = _head(session) if rows else 0
        silent = {row.id for row in rows if head - row.told > _SKIP} - {call.webhook for call in calls}
        if silent:
            with self._store.session() as session:
                for row in listed(session):
                    if row.id in silent:
                        row.told = head
        return calls

    def _settle(self, call: _Call, problem: str) -> None:
        with self._store.session() as session:
            row = session.get(WebhookRow, call.webhook)
            if row is None:
                return
            row.problem = problem
            row.failures = row.failures + 1 if problem else 0
            wait = min(LONGEST_WAIT, timedelta(seconds=2 ** min(row.failures, 12))) if problem else timedelta(0)
            row.next_at = self._now() + wait
            if not problem:
                row.told = call.last


def _call(session: Session, row: WebhookRow) -> _Call | None:
    query = (
        select(AuditEntry)
        .where(AuditEntry.number > row.told, AuditEntry.what.like(_ABOUT_MEETINGS))
        .order_by(AuditEntry.number)
        .limit(BATCH)
    )
    entries = list(session.scalars(query))
    if not entries:
        return None
    events = [
        {"number": e.number, "at": e.at, "who": e.who, "what": e.what, "why": e.why, "detail": json.loads(e.detail)}
        for e in entries
    ]
    body = json.dumps({"events": events}, ensure_ascii=False).encode()
    return _Call(row.id, row.url, row.secret, entries[-1].number, body)


def _head(session: Session) -> int:
    return session.scalar(select(func.max(AuditEntry.number))) or 0
