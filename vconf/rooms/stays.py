"""Who came and went, noted in the attendance without making anybody wait for the ledger."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from vconf.rooms.ledger import Ledger
from vconf.rooms.peers import Peer


class Stays:
    """The attendance of one process.  What is noted may come late: the times are those of the events."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def none(self) -> None:
        """Nobody is in a meeting."""
        await asyncio.to_thread(self._ledger.nobody, datetime.now(UTC))

    async def begin(self, meeting: int, peer: Peer) -> None:
        """A venue came in."""
        peer.stay = asyncio.ensure_future(asyncio.to_thread(self._ledger.joined, meeting, peer.code, datetime.now(UTC)))
        await peer.stay

    async def end(self, peer: Peer, why: str) -> None:
        """A venue that came in went."""
        now = datetime.now(UTC)
        if peer.stay is not None:
            await asyncio.to_thread(self._ledger.left, await peer.stay, now, why)
