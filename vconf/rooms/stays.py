"""Who came and went, noted in the attendance without making anybody wait for the store."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from store.engine import Store
from vconf import attendance
from vconf.rooms.peers import Peer


class Stays:
    """The attendance of one process.  What is noted may come late: the times are those of the events."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def none(self) -> None:
        """Nobody is in a meeting."""
        await asyncio.to_thread(self._close)

    async def begin(self, meeting: int, peer: Peer) -> None:
        """A venue came in."""
        peer.stay = asyncio.ensure_future(asyncio.to_thread(self._joined, meeting, peer.code, datetime.now(UTC)))
        await peer.stay

    async def end(self, peer: Peer, why: str) -> None:
        """A venue that came in went."""
        now = datetime.now(UTC)
        if peer.stay is not None:
            await asyncio.to_thread(self._left, await peer.stay, now, why)

    def _joined(self, meeting: int, code: str, now: datetime) -> int:
        with self._store.session() as session:
            return attendance.joined(session, meeting, code, now)

    def _left(self, stay: int, now: datetime, why: str) -> None:
        with self._store.session() as session:
            attendance.left(session, stay, now, why)

    def _close(self) -> None:
        with self._store.session() as session:
            attendance.close_open_stays(session, datetime.now(UTC))
