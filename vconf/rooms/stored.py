"""The county's ledger: meetings, states and attendance in the store, each change with its audit entry."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from inventory.model import NetworkModel
from store import audit
from store.engine import Store
from vconf import attendance, meetings
from vconf.chair import document
from vconf.chair.effects import Effect
from vconf.chair.state import Conference, opened
from vconf.meeting import Meeting
from vconf.rooms.ledger import Change, LedgerError
from vconf.tables import ConferenceRow

logger = logging.getLogger(__name__)


class Stored:
    """A ``Ledger`` in the store.

    Args:
        store: Where it is kept.
        model: The county's halls: their names.
    """

    def __init__(self, store: Store, model: NetworkModel) -> None:
        self._store = store
        self._model = model

    def meeting(self, number: int) -> Meeting | None:
        with self._store.reading() as session:
            return meetings.get(session, number)

    def taken_up(self, meeting: Meeting, now: float) -> Conference:
        with self._store.reading() as session:
            row = session.get(ConferenceRow, meeting.id)
        if row is not None:
            try:
                return document.taken_up(document.from_whole(json.loads(row.state)), now)
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

    def keep(self, changes: Sequence[Change]) -> None:
        newest = {change.state.meeting: change.state for change in changes}
        try:
            with self._store.session() as session:
                for state in newest.values():
                    write(session, state)
                for change in changes:
                    for effect in change.effects:
                        _apply(session, change, effect)
                    if change.action:
                        detail = {"meeting": change.state.meeting, "number": change.state.number, **change.args}
                        audit.record(session, change.who, f"meeting.{change.action}", "", detail)
        except SQLAlchemyError as error:
            raise LedgerError(str(error)) from error

    def joined(self, meeting: int, venue: str, at: datetime) -> int:
        with self._store.session() as session:
            return attendance.joined(session, meeting, venue, at)

    def left(self, stay: int, at: datetime, why: str) -> None:
        with self._store.session() as session:
            attendance.left(session, stay, at, why)

    def nobody(self, at: datetime) -> None:
        with self._store.session() as session:
            attendance.close_open_stays(session, at)


def recorded(session: Session, meeting: int) -> Conference | None:
    """The state as the store has it, for command line and reports; None: nobody was in it yet."""
    row = session.get(ConferenceRow, meeting)
    return document.from_whole(json.loads(row.state)) if row is not None else None


def write(session: Session, state: Conference) -> None:
    """The whole state, in place of what was there."""
    row = session.get(ConferenceRow, state.meeting) or ConferenceRow(meeting_id=state.meeting)
    session.add(row)
    row.epoch, row.number = state.epoch, state.number
    row.state = json.dumps(document.whole(state), ensure_ascii=False, separators=(",", ":"))


def _apply(session: Session, change: Change, effect: Effect) -> None:
    data, meeting = effect.data, change.state.meeting
    if effect.kind == "extend":
        meetings.prolong(session, meeting, datetime.fromtimestamp(data["endsAt"], UTC))
    elif effect.kind == "end":
        meetings.end(session, meeting, change.at)
    elif effect.kind == "signIn":
        attendance.signed(session, meeting, data["venue"], data["heads"], data["name"], change.at)
