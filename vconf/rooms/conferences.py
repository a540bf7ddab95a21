"""The state of every meeting that is going on: changed here in memory, written to the store behind it.

A change is told to the pages at once and written in order, with its audit entry in the same transaction; who asked
for it is answered when it is in the store.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from inventory.model import NetworkModel
from store import audit
from store.engine import Store
from vconf import attendance, meetings
from vconf.chair import document
from vconf.chair.act import SYSTEM, act
from vconf.chair.effects import Effect, Outcome
from vconf.chair.state import Conference, opened
from vconf.meetings import Meeting
from vconf.tables import ConferenceRow

RETRY_S = 0.5
KEPT_S = 3.0
"""An answer waits this long for the store, no longer: the meeting goes on when the store is slow."""

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Change:
    """A line of the journal that is not in the store yet."""

    state: Conference
    who: str
    action: str  # "": nothing that is audited
    args: Mapping[str, Any]
    effects: tuple[Effect, ...]
    at: datetime
    kept: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Conferences:
    """All states of one process.

    Args:
        store: Where they are kept.
        model: The county's halls.
        changed: Called after each change with the state before and the outcome.
        now: UNIX seconds; None: a clock that nobody can step.
    """

    def __init__(
        self,
        store: Store,
        model: NetworkModel,
        changed: Callable[[Conference, Outcome], None],
        now: Callable[[], float] | None = None,
    ) -> None:
        self._store = store
        self._model = model
        self._changed = changed
        self._now = now or steady_clock()
        self._states: dict[int, Conference] = {}
        self._opening: dict[int, asyncio.Lock] = {}
        self._journal: list[_Change] = []
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
                found = await asyncio.to_thread(self._load, meeting)
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
        outcome = act(before, who, action, args, self._now())
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

    def hears(self, meeting: int, venue: str) -> None:
        """The loudest venue is another: told to the pages, not worth a line in the store."""
        before = self._states[meeting]
        outcome = act(before, SYSTEM, "speaker", {"venue": venue}, self._now())
        if outcome.state != before:
            self._states[meeting] = outcome.state
            self._changed(before, outcome)

    def _note(
        self, state: Conference, who: str, action: str, args: Mapping[str, Any], effects: tuple[Effect, ...]
    ) -> asyncio.Future[None]:
        change = _Change(state, who, action, args, effects, datetime.now(UTC))
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
                await asyncio.to_thread(self._keep, changes)
            except SQLAlchemyError as error:
                logger.error("%d changes of meetings are not in the store yet: %s", len(changes), error)
                await asyncio.sleep(RETRY_S)
                self._news.set()
                continue
            del self._journal[: len(changes)]
            for change in changes:
                if not change.kept.done():
                    change.kept.set_result(None)

    # -- the store, called in threads ---------------------------------------------------------

    def _load(self, meeting: Meeting) -> Conference:
        with self._store.reading() as session:
            row = session.get(ConferenceRow, meeting.id)
        if row is not None:
            try:
                return document.taken_up(document.from_whole(json.loads(row.state)), self._now())
            except (KeyError, TypeError, ValueError) as error:
                logger.error("meeting %d: its state in the store cannot be read, it begins anew: %r", meeting.id, error)
        halls = {code: self._model.halls[code] for code in meeting.halls if code in self._model.halls}
        return opened(
            meeting=meeting.id,
            venues={code: (hall.zh, hall.en) for code, hall in halls.items()},
            main=meeting.main,
            owner=meeting.owner,
            starts_at=meeting.start_at.timestamp(),
            ends_at=meeting.end_at.timestamp(),
        )

    def _keep(self, changes: list[_Change]) -> None:
        newest = {change.state.meeting: change.state for change in changes}
        with self._store.session() as session:
            for meeting, state in newest.items():
                row = session.get(ConferenceRow, meeting) or ConferenceRow(meeting_id=meeting)
                session.add(row)
                row.epoch, row.number = state.epoch, state.number
                row.state = json.dumps(document.whole(state), ensure_ascii=False, separators=(",", ":"))
            for change in changes:
                for effect in change.effects:
                    _apply(session, change, effect)
                if change.action:
                    detail = {"meeting": change.state.meeting, "number": change.state.number, **change.args}
                    audit.record(session, change.who, f"meeting.{change.action}", "", detail)


def steady_clock() -> Callable[[], float]:
    """UNIX seconds that go on evenly, whatever is done to the machine's clock: polling must not halt for an hour."""
    began = time.time() - time.monotonic()
    return lambda: began + time.monotonic()


def recorded(session: Session, meeting: int) -> Conference | None:
    """The state as the store has it, for command line and reports; None: nobody was in it yet."""
    row = session.get(ConferenceRow, meeting)
    return document.from_whole(json.loads(row.state)) if row is not None else None


def _apply(session: Session, change: _Change, effect: Effect) -> None:
    data, meeting = effect.data, change.state.meeting
    if effect.kind == "extend":
        meetings.prolong(session, meeting, datetime.fromtimestamp(data["endsAt"], UTC))
    elif effect.kind == "end":
        meetings.end(session, meeting, change.at)
    elif effect.kind == "signIn":
        attendance.signed(session, meeting, data["venue"], data["heads"], data["name"], change.at)


def _name(who: str) -> str:
    """As the audit calls it: a person's login, or a hall."""
    return who[1:] if who.startswith("@") else who if who == SYSTEM else f"hall:{who}"
