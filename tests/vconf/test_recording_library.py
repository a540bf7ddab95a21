"""Recordings are listed, kept as long as the county says, given away for a reason, and forgotten for good."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from bench.soak_centre import Ground
from inventory.load import load
from store.audit import AuditEntry
from store.engine import Store
from vconf import meetings
from vconf.chair.act import SYSTEM, act
from vconf.chair.state import Conference, opened
from vconf.recording import library, sealed
from vconf.recording.keeper import Keeper
from vconf.rooms.conferences import Conferences

KEY = "QUJD" * 10 + "QUI="
START = datetime(2027, 5, 1, 1, tzinfo=UTC)


def booked(store: Store, start: datetime = START) -> int:
    with store.session() as session:
        made = meetings.book(
            session,
            title="x",
            start_at=start,
            duration=timedelta(hours=1),
            halls=["t01"],
            who="li",
            known_halls=["t01"],
        )
        return made.id


def recorded(store: Store, folder: Path, meeting: int, number: int = 1) -> str:
    with store.session() as session:
        name = library.begin(session, meeting, number, "@li", START, KEY).id
    (folder / name).mkdir(parents=True)
    (folder / name / "t01-video.0001.swr").write_bytes(bytes(1000))
    return name


def test_a_recording_is_given_away_for_a_reason_and_forgotten(store: Store, tmp_path: Path) -> None:
    name = recorded(store, tmp_path, booked(store))
    with store.session() as session:
        key = library.get(session, name).key
        again = library.begin(session, 1, 1, "@wang", START + timedelta(minutes=5), KEY)
        assert (again.key, again.begun_at, again.begun_by) == (key, START, "@li")
        with pytest.raises(library.RecordingError, match="is being recorded"):
            library.delete(session, tmp_path, name, "li", "x", START)
        library.end(session, name, START + timedelta(hours=1), library.octets_in(tmp_path / name), 30)
    with store.session() as session:
        assert len(library.open_key(session, name, KEY, "chen", "training", "programme")) == 32
        with pytest.raises(library.RecordingError, match="expected the reason"):
            library.open_key(session, name, KEY, "chen", "  ", "programme")
        with pytest.raises(library.RecordingError, match="not sealed by this county's secret"):
            library.open_key(session, name, "QUJE" * 10 + "QUI=", "chen", "x", "all")
        with pytest.raises(library.RecordingError, match="recording 9-9: not found"):
            library.get(session, "9-9")
        assert library.expired(session, START + timedelta(days=30)) == []
        assert library.expired(session, START + timedelta(days=31)) == [name]
        library.delete(session, tmp_path, name, "li", "mistake", START)
    assert not (tmp_path / name).exists()
    with store.session() as session:
        assert library.listed(session) == []
        row = library.listed(session, 1, everything=True)[0]
        assert (row.key, row.octets) == (None, 1000)
        assert library.as_json(row)["deleted"] is not None
        with pytest.raises(library.RecordingError, match="deleted"):
            library.open_key(session, name, KEY, "chen", "x", "all")
        with pytest.raises(library.RecordingError, match="deleted already"):
            library.delete(session, tmp_path, name, "li", "again", START)
        told = [entry.what for entry in session.query(AuditEntry).order_by(AuditEntry.number)]
    assert told == ["meeting.book", *(f"meeting.recording{what}" for what in ("Ended", "Opened", "Deleted"))]


def test_room_is_what_the_county_allows(tmp_path: Path) -> None:
    assert library.Limits(free_bytes=1).lacking(tmp_path) == ""
    (tmp_path / "x").write_bytes(bytes(2 << 20))
    full = library.Limits(quota_bytes=1 << 20, free_bytes=1).lacking(tmp_path)
    assert "found 2 MB of recordings, expected less than 1 MB" in full
    assert "MB free, expected" in library.Limits(free_bytes=1 << 60).lacking(tmp_path)


class _Meetings:
    """Conferences without a page in them."""

    def __init__(self, *states: Conference) -> None:
        self.states = {state.meeting: state for state in states}

    def all(self) -> list[Conference]:
        return list(self.states.values())

    def get(self, meeting: int) -> Conference | None:
        return self.states.get(meeting)

    def act(self, meeting: int, who: str, action: str, args: dict[str, Any]) -> None:
        self.states[meeting] = act(self.states[meeting], who, action, args, 0.0).state


def keeper(store: Store, folder: Path, known: _Meetings, now: Callable[[], datetime]) -> Keeper:
    limits = library.Limits(keep_days=10, free_bytes=1)
    ground = Ground(folder / "ground")
    conferences = cast(Conferences, known)
    return Keeper(store, conferences, ground.tokens, KEY, folder, limits, "wss://127.0.0.1:1/x", "", now)


def test_what_an_earlier_process_left_is_ended_with_its_meeting_and_expires(store: Store, tmp_path: Path) -> None:
    now = [START + timedelta(minutes=10)]
    name = recorded(store, tmp_path, booked(store))
    kept = keeper(store, tmp_path, _Meetings(), lambda: now[0])
    kept._keep_house()
    with store.reading() as session:
        assert library.get(session, name).ended_at is None  # the meeting may be taken up again
    now[0] = START + timedelta(hours=3)
    kept._keep_house()
    with store.reading() as session:
        row = library.get(session, name)
        assert row.ended_at is not None
        assert row.expires_at is not None
        assert row.expires_at == row.ended_at + timedelta(days=10)
        now[0] = row.expires_at
    kept._keep_house()
    with store.reading() as session:
        assert library.get(session, name).deleted_at is not None
        last = session.query(AuditEntry).order_by(AuditEntry.number.desc()).first()
    assert last is not None
    assert (last.who, last.what, last.why) == ("retention", "meeting.recordingDeleted", "kept for 10 days")
    assert not (tmp_path / name).exists()


def test_a_recorder_that_cannot_begin_is_told_and_tried_again_later(tmp_path: Path, store: Store) -> None:
    """Nobody listens at the address: it runs, and records nothing; one that is killed at once is started again."""
    meeting = booked(store)
    state = opened(meeting=meeting, venues={"t01": ("a", "a")}, main="t01", owner="@li", starts_at=0.0, ends_at=1.0)
    state = act(
        act(state, SYSTEM, "arriveConsole", {"console": "@li"}, 0.0).state, "@li", "startRecording", {}, 0.0
    ).state
    known = _Meetings(state)
    kept = keeper(store, tmp_path, known, lambda: START)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        await kept._look(loop.time())
        first = kept.running(f"{meeting}-1")
        assert first is not None
        running = kept._running[meeting]
        running.process.kill()
        await running.process.wait()
        await kept._look(loop.time())
        found = known.states[meeting].recording
        assert found is not None
        assert (found.running, found.problem) == (False, "died")
        await kept._look(loop.time())
        assert kept.running(f"{meeting}-1") is None, "not at once"
        await kept._look(loop.time() + 1.0)
        second = kept.running(f"{meeting}-1")
        assert second is not None
        assert second["pid"] != first["pid"]
        known.act(meeting, "@li", "stopRecording", {})
        await kept._look(loop.time())
        assert kept.running(f"{meeting}-1") is None

    asyncio.run(run())
    with store.reading() as session:
        row = library.get(session, f"{meeting}-1")
        assert row.ended_at == START
        assert "ended with code -9" in row.problem


def test_the_county_says_how_long_they_are_kept() -> None:
    assert load("xiao").intent.recording.keep_days == 180
    assert sealed.KEY == "psk/recordings"
