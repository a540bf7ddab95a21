"""What the meetings of one signalling process are kept in: a county's store, or a township's own notes.

The functions block and are called in threads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from vconf.chair.effects import Effect
from vconf.chair.state import Conference
from vconf.meeting import Meeting


class LedgerError(Exception):
    """It cannot be written now; later it can."""


@dataclass(slots=True)
class Change:
    """A line of the journal that is not in the ledger yet."""

    state: Conference
    who: str
    action: str  # "": nothing that is audited
    args: Mapping[str, Any]
    effects: tuple[Effect, ...]
    at: datetime
    kept: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Ledger(Protocol):
    """Meetings, their states, who came and went."""

    def meeting(self, number: int) -> Meeting | None:
        """A meeting that was booked."""

    def taken_up(self, meeting: Meeting, now: float) -> Conference:
        """Its state as this process goes on with it, or a new one; ``now`` in UNIX seconds."""

    def keep(self, changes: Sequence[Change]) -> None:
        """Write changes in order, all or none; LedgerError."""

    def joined(self, meeting: int, venue: str, at: datetime) -> int:
        """A venue came in; returns the number of its stay."""

    def left(self, stay: int, at: datetime, why: str) -> None:
        """A venue went."""

    def nobody(self, at: datetime) -> None:
        """Nobody is in a meeting of this process: stays that are open end now."""
