"""The state of every meeting that is going on: changed here in memory, written to the ledger behind it.

A change is told to the pages at once and written in order, with its audit entry in the same transaction; who asked
for it is answered when it is in the store.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from vconf.chair.act import SYSTEM, act
from vconf.chair.effects import Effect, Outcome
from vconf.chair.state import Conference
from vconf.meeting import Meeting
from vconf.rooms.ledger import Change, Ledger, LedgerError

RETRY_S = 0.5
KEPT_S = 3.0
"""An answer waits this long for the store, no longer: the meeting goes on when the store is slow."""

logger = logging.getLogger(__name__)


class Conferences:
    """All states of one process.

    Args:
        ledger: Where they are kept.
        changed: Called after each change with the state before and the outcome.
        now: UNIX seconds; None: a clock that nobody can step.
    """

    def __init__(
        self,
        ledger: Ledger,
        changed: Callable[[Conference, Outcome], None],
        now: Callable[[], float] | None = None,
    ) -> None:
        self._ledger = ledger
        self._changed = changed
        self.now = now or steady_clock()
        self._states: dict[int, Conference] = {}
        self._opening: dict[int, asyncio.Lock] = {}
        self._journal: list[Change] = []
        self._news = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._writer = asyncio.get_running_loop().create_task(self._write(), name="conferences")

    async def close(self) -> None:
        """Write what is left, and stop."""
        if self._writer is not None:
            if self._journal:
                await asyncio.wait([self._journal[-1].kept], timeout=KEPT_S)
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)

    def get(self, meeting: int) -> Conference | None:
        """The state, when the meeting was opened in this process."""
        return self._states.get(meeting)

    def all(self) -> list[Conference]:
        """Every state."""
        return list(self._states.values())

    def forget(self, meeting: int) -> None:
        """The meeting is over."""
        self._states.pop(meeting, None)
        self._opening.pop(meeting, None)

    async def open(self, meeting: Meeting) -> Conference:
        """Take a meeting up: as the store has it, or new."""
        async with self._opening.setdefault(meeting.id, asyncio.Lock()):
            found = self._states.get(meeting.id)
            if found is None:
                found = await asyncio.to_thread(self._ledger.taken_up, meeting, self.now())
                self._states[meeting.id] = found
                self._note(found, SYSTEM, "", {}, ())
            return found

    def act(
        self, meeting: int, who: str, action: str, args: Mapping[str, Any], *, by: str = ""
    ) -> asyncio.Future[None]:
        """Do it or raise ``vconf.chair.refusal.Refused``; the future is done when it is in the store.

        Args:
            meeting: One that was opened.
            who: Participant, ``SYSTEM`` or ``OPERATOR``.
            action: A name in ``vconf.chair.act.ACTIONS``.
            args: As the page sent them.
            by: For the audit, when it is not the participant itself.
        """
        before = self._states[meeting]
        outcome = act(before, who, action, args, self.now())
        if outcome.state == before and not outcome.effects:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            done.set_result(None)
            return done
        self._states[meeting] = outcome.state
        if who == SYSTEM:
            chair = outcome.state.chair
            audited = ("chairPasses", {"from": before.chair, "to": chair}) if chair != before.chair else ("", {})
        else:
            audited = (action, dict(args))
        kept = self._note(outcome.state, by or _name(who), *audited, outcome.effects)
        self._changed(before, outcome)
        return kept

    def adopt(self, state: Conference) -> asyncio.Future[None]:
        """A state that comes of two tiers' (``vconf.chair.merge.settled``); the future is done when it is kept."""
        before = self._states[state.meeting]
        self._states[state.meeting] = state
        kept = self._note(state, SYSTEM, "", {}, ())
        self._changed(before, Outcome(state))
        return kept

    def hears(self, meeting: int, venue: str) -> None:
        """The loudest venue is another: told to the pages, not worth a line in the store."""
        before = self._states[meeting]
        outcome = act(before, SYSTEM, "speaker", {"venue": venue}, self.now())
        if outcome.state != before:
            self._states[meeting] = outcome.state
            self._changed(before, outcome)

    def _note(
        self, state: Conference, who: str, action: str, args: Mapping[str, Any], effects: tuple[Effect, ...]
    ) -> asyncio.Future[None]:
        change = Change(state, who, action, args, effects, datetime.now(UTC))
        self._journal.append(change)
        self._news.set()
        return change.kept

    async def _write(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            changes = list(self._journal)
            if not changes:
                continue
            try:
                await asyncio.to_thread(self._ledger.keep, changes)
            except LedgerError as error:
                logger.error("%d changes of meetings are not in the store yet: %s", len(changes), error)
                await asyncio.sleep(RETRY_S)
                self._news.set()
                continue
            del self._journal[: len(changes)]
            for change in changes:
                if not change.kept.done():
                    change.kept.set_result(None)


def steady_clock() -> Callable[[], float]:
    """UNIX seconds that go on evenly, whatever is done to the machine's clock: polling must not halt for an hour."""
    began = time.time() - time.monotonic()
    return lambda: began + time.monotonic()


def _name(who: str) -> str:
    """As the audit calls it: a person's login, or a hall."""
    return who[1:] if who.startswith("@") else who if who == SYSTEM else f"hall:{who}"
