"""Writing to the store, beside the loop: events from the spool, link states as they change, seals and retention."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from collectors import seals
from collectors.county import County
from collectors.events import Event
from collectors.spool import Spool
from collectors.tables import EventRow, last_number, last_states, write_events, write_links
from store.base import utc_now
from store.engine import Store

log = logging.getLogger("sanwang.collect")

LINKS_S = 5.0
_KEEPING_S = 3600.0  # how often seals and retention are looked at
_BATCH_S = 0.5
_REMEMBERED = ("link", "host")  # what has one state, told when it changes
_AGAIN_S = 2.0  # while the store does not answer


class Recorder:
    """Owns the store's connection of the collector.

    Args:
        store: Where events and link states go.
        county: Whose.
        spool: Folder for events that the store does not have yet.
        now: UTC; injected by tests.
    """

    def __init__(self, store: Store, county: County, spool: Path, now: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._county = county
        self._now = now
        self.spool = Spool(spool)
        self.written = 0
        self._written_states: dict[str, str] = {}
        self.failed = 0  # times the store refused
        # Numbers grow over restarts, whatever became of the clock meanwhile.
        _, waiting = self.spool.take()
        with store.reading() as session:
            county.events.continue_after(max([last_number(session), *(event.number for event in waiting)]))
            for row in last_states(session, _REMEMBERED):
                county.remember(row.kind, row.subject, row.state, row.at.timestamp())
        for event in waiting:
            if event.kind in _REMEMBERED:
                county.remember(event.kind, event.subject, event.state, event.at)
        county.events.journal = self.spool.append

    async def run(self) -> None:
        """Until cancelled; what still waits then is written, or stays in the spool for the next process."""
        links_at = keeping_at = 0.0
        try:
            while True:
                now = time.monotonic()
                try:
                    await asyncio.to_thread(self._events)
                    if now >= links_at or self._states() != self._written_states:
                        await asyncio.to_thread(self._links)
                        links_at = now + LINKS_S
                    if now >= keeping_at and self.spool.empty:
                        await asyncio.to_thread(self._keep)
                        keeping_at = now + _KEEPING_S
                except SQLAlchemyError as problem:
                    self.failed += 1
                    log.error("store: %s; events wait in the spool", problem)
                    await asyncio.sleep(_AGAIN_S)
                await asyncio.sleep(_BATCH_S)
        finally:
            with contextlib.suppress(SQLAlchemyError):
                self._events()
                self._links()
            self.spool.close()

    def _events(self) -> None:
        files, events = self.spool.take()
        if not files and not events:
            return
        with self._store.session() as session:
            fresh = write_events(session, [row_of(event) for event in events])
        self.written += fresh
        self.spool.done(files, events)

    def _states(self) -> dict[str, str]:
        return {name: seen.state for name, seen in self._county.links_seen().items()}

    def _links(self) -> None:
        states = self._county.links_seen()
        with self._store.session() as session:
            write_links(
                session,
                {
                    name: (seen.state, seen.reason, datetime.fromtimestamp(seen.since, UTC))
                    for name, seen in states.items()
                },
            )
        self._written_states = {name: seen.state for name, seen in states.items()}

    def _keep(self) -> None:
        with self._store.session() as session:
            if seals.due(session, self._now()):
                seals.seal(session)
        with self._store.session() as session:
            seals.drop_old(session, self._now())


def row_of(event: Event) -> EventRow:
    """As the store keeps it."""
    return EventRow(
        number=event.number,
        at=datetime.fromtimestamp(event.at, UTC),
        kind=event.kind,
        subject=event.subject,
        state=event.state,
        detail=event.detail,
    )
