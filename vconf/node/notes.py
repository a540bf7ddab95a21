"""The ledger of a node that is alone: what was decided, who was there, what was done, until it is handed over.

Kept in one file, so that a node that restarts alone goes on where it was.
"""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from vconf.chair import merge
from vconf.chair.merge import Stay
from vconf.chair.state import Conference, opened
from vconf.meeting import Meeting
from vconf.node import handed
from vconf.node.child import write_whole
from vconf.node.handed import Act, Handed
from vconf.rooms.ledger import Change, LedgerError

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Note:
    serial: str
    began: float
    state: Conference
    stays: dict[int, Stay] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)


class Notes:
    """A ``Ledger``; its methods are called in threads.

    Args:
        tier: This node's name.
        halls: Its own: code -> name in Chinese and English.
        meeting: A meeting as the parent told it; None: it told nothing of such a one.
        heard: The state that was heard last.
        kept: The file; None: nothing is kept over a restart.
    """

    def __init__(
        self,
        tier: str,
        halls: Mapping[str, tuple[str, str]],
        meeting: Callable[[int], Meeting | None],
        heard: Callable[[int], Conference | None],
        kept: Path | None,
    ) -> None:
        self.meeting = meeting
        self._tier, self._halls, self._heard, self._kept = tier, halls, heard, kept
        self._notes: dict[int, _Note] = {}
        self._stays = 0
        self._of_stay: dict[int, int] = {}  # stay -> meeting
        self._taken: set[str] = set()  # serials of children's accounts; one a child, meeting and time alone
        self._lock = threading.Lock()
        if kept is not None:
            self._remember(kept)

    def taken_up(self, meeting: Meeting, now: float) -> Conference:
        with self._lock:
            note = self._notes.get(meeting.id)
            heard = note.state if note is not None else self._heard(meeting.id)
            state = merge.alone(heard or self._new(meeting), self._halls, now)
            if note is None:
                note = self._notes[meeting.id] = _Note(secrets.token_hex(8), now, state)
                note.acts.append(Act(now, f"node:{self._tier}", "alone", {"epoch": state.epoch}, state.number))
            note.state = state
            return state

    def keep(self, changes: Sequence[Change]) -> None:
        with self._lock:
            for change in changes:
                note = self._notes[change.state.meeting]
                note.state = change.state
                if change.action:
                    at, number = change.at.timestamp(), change.state.number
                    note.acts.append(Act(at, change.who, change.action, dict(change.args), number))
            self._write()

    def joined(self, meeting: int, venue: str, at: datetime) -> int:
        with self._lock:
            self._stays += 1
            note = self._notes[meeting]
            note.stays[self._stays] = Stay(venue, at.timestamp())
            note.acts.append(Act(at.timestamp(), f"hall:{venue}", "join", {}, 0))
            self._of_stay[self._stays] = meeting
            self._write_if_can()
            return self._stays

    def left(self, stay: int, at: datetime, why: str) -> None:
        with self._lock:
            note = self._notes.get(self._of_stay.get(stay, 0))
            if note is not None:
                _leaves(note, stay, at, why)
                self._write_if_can()

    def nobody(self, at: datetime) -> None:
        with self._lock:
            for note in self._notes.values():
                for stay in note.stays:
                    _leaves(note, stay, at, "tier")
            self._write_if_can()

    def took(self, found: Handed) -> None:
        """A child of ours was alone while we are: what it did becomes part of what we hand over."""
        with self._lock:
            if found.serial in self._taken:
                return
            self._taken.add(found.serial)
            note = self._notes.get(found.meeting)
            if note is None:
                note = self._notes[found.meeting] = _Note(secrets.token_hex(8), found.began, found.account.state)
            for stay in found.account.stays:
                self._stays += 1
                note.stays[self._stays] = stay
            note.acts.extend(found.acts)
            self._write()

    def handed(self, now: float) -> list[Handed]:
        """Everything there is to hand over."""
        with self._lock:
            return self._handed(now)

    def forget(self, found: Handed) -> None:
        """It was taken."""
        with self._lock:
            note = self._notes.get(found.meeting)
            if note is not None and note.serial == found.serial:
                del self._notes[found.meeting]
                self._of_stay = {stay: meeting for stay, meeting in self._of_stay.items() if meeting != found.meeting}
                self._write()

    def set_aside(self, found: Handed) -> None:
        """The parent will never take it: it stays on the disk, for a person to read, and holds nobody up."""
        if self._kept is not None:
            write_whole(self._kept.with_name(f"refused-{found.serial}.json"), json.dumps(handed.written(found)))
        self.forget(found)

    def _new(self, meeting: Meeting) -> Conference:
        return opened(
            meeting=meeting.id,
            venues={code: self._halls.get(code, (code, code)) for code in meeting.halls},
            main=meeting.main,
            owner=meeting.owner,
            starts_at=meeting.start_at.timestamp(),
            ends_at=meeting.end_at.timestamp(),
        )

    def _handed(self, now: float) -> list[Handed]:
        return [
            Handed(
                note.serial,
                self._tier,
                meeting,
                note.began,
                merge.account(note.state, now, note.stays.values()),
                tuple(note.acts),
            )
            for meeting, note in self._notes.items()
        ]

    def _write(self) -> None:
        if self._kept is None:
            return
        found = [handed.written(each) for each in self._handed(datetime.now(UTC).timestamp())]
        try:
            write_whole(self._kept, json.dumps(found, ensure_ascii=False))
        except OSError as error:
            raise LedgerError(f"{self._kept}: {error.strerror}") from error

    def _write_if_can(self) -> None:
        """What fails is written with the next change."""
        with contextlib.suppress(LedgerError):
            self._write()

    def _remember(self, kept: Path) -> None:
        try:
            found = [handed.read(each) for each in json.loads(kept.read_text())]
        except FileNotFoundError:
            return
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            logger.error("%s: %r: what was done alone before cannot be handed over", kept, error)
            kept.rename(kept.with_suffix(".bad"))
            return
        for each in found:
            note = _Note(each.serial, each.began, each.account.state, acts=list(each.acts))
            for stay in sorted(each.account.stays, key=lambda stay: stay.joined):
                self._stays += 1
                note.stays[self._stays] = stay
            self._notes[each.meeting] = note


def _leaves(note: _Note, stay: int, at: datetime, why: str) -> None:
    found = note.stays.get(stay)
    if found is not None and found.left is None:
        note.stays[stay] = Stay(found.venue, found.joined, at.timestamp())
        note.acts.append(Act(at.timestamp(), f"hall:{found.venue}", "leave", {"why": why}, 0))
