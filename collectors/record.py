"""Writing to the store, beside the loop: events in batches, link states every few seconds, retention once an hour."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from collectors.county import County
from collectors.events import Event, Follower
from collectors.tables import EventRow, drop_old_events, write_events, write_links
from store.engine import Store

log = logging.getLogger("sanwang.collect")

KEEP_EVENTS = timedelta(days=180)  # GB/T 22239-2019 asks for six months
LINKS_S = 5.0
_RETENTION_S = 3600.0
_BATCH_S = 0.5
_QUEUE = 20_000  # a county that loses power has a few thousand events to tell


class Recorder:
    """Owns the store's connection of the collector."""

    def __init__(self, store: Store, county: County) -> None:
        self._store = store
        self._county = county
        self.written = 0
        self.failed = 0
        self.dropped = 0

    async def run(self) -> None:
        """Until cancelled; what is still queued then is written."""
        with self._county.events.follow(_QUEUE) as follower:
            links_at = retention_at = 0.0
            try:
                while True:
                    await asyncio.sleep(_BATCH_S)
                    now = time.monotonic()
                    links, retention = now >= links_at, now >= retention_at
                    links_at = now + LINKS_S if links else links_at
                    retention_at = now + _RETENTION_S if retention else retention_at
                    await self._write(follower, links=links, retention=retention)
            finally:
                with contextlib.suppress(SQLAlchemyError):
                    self._save(_drain(follower), links=True, retention=False)

    async def _write(self, follower: Follower, *, links: bool, retention: bool) -> None:
        self.dropped = follower.dropped
        events = _drain(follower)
        if not (events or links or retention):
            return
        try:
            await asyncio.to_thread(self._save, events, links=links, retention=retention)
            self.written += len(events)
        except SQLAlchemyError as problem:
            self.failed += len(events)
            log.error("store: %s; %d events lost", problem, len(events))

    def _save(self, events: list[Event], *, links: bool, retention: bool) -> None:
        with self._store.session() as session:
            write_events(
                session,
                (
                    EventRow(
                        number=event.number,
                        at=datetime.fromtimestamp(event.at, UTC),
                        kind=event.kind,
                        subject=event.subject,
                        state=event.state,
                        detail=event.detail,
                    )
                    for event in events
                ),
            )
            if links:
                states = self._county.links_seen()
                write_links(
                    session,
                    {
                        name: (seen.state, seen.reason, datetime.fromtimestamp(seen.since, UTC))
                        for name, seen in states.items()
                    },
                )
            if retention:
                drop_old_events(session, KEEP_EVENTS)


def _drain(follower: Follower) -> list[Event]:
    events = []
    while not follower.queue.empty():
        events.append(follower.queue.get_nowait())
    return events
