"""Starts, watches and ends recorders, each a process of its own, so that the state of every meeting is true.

What the chair wishes is in the conference; what is so is told back to it (system action ``recorder``).  A recorder that
dies or falls silent is started again; without room on the disk none is, and it is tried again until there is.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from sqlalchemy.exc import SQLAlchemyError

from identity.tokens import Tokens
from inventory.places import CHECKOUT
from store.base import utc_now
from store.engine import Store
from vconf import links, meetings
from vconf.chair.act import SYSTEM
from vconf.chair.state import Recording
from vconf.recording import library, sealed
from vconf.rooms.conferences import Conferences
from vconf.rooms.peers import RECORDER

LOOK_S = 0.5
SPACE_S = 5.0
SILENT_S = 6.0
"""A recorder says something every second; one that is silent for so long is dead."""

HOUSE_S = 60.0
STOP_S = 5.0
_AGAIN_S = (0.5, 1.0, 2.0, 5.0, 10.0)

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Running:
    """One recorder."""

    meeting: int
    recording: Recording
    name: str
    process: asyncio.subprocess.Process
    heard_s: float
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    said: dict[str, Any] = field(default_factory=dict)
    problem: str = ""  # of the disk, in its words


@dataclass(slots=True)
class _Failed:
    """Not before ``again_s``."""

    count: int = 0
    again_s: float = 0.0


class Keeper:
    """All recorders of one signalling process.

    Args:
        store: Where recordings are listed.
        conferences: The meetings that go on.
        tokens: Made with the private key ``links.KEY``.
        county_key: The secret ``sealed.KEY``.
        folder: Where recordings lie, each in a folder of its own.
        limits: Room and time.
        address: The signalling, "wss://10.32.2.6/meet/ws".
        authority: PEM that its certificate is checked against.
        now: UTC.
    """

    def __init__(
        self,
        store: Store,
        conferences: Conferences,
        tokens: Tokens,
        county_key: str,
        folder: Path,
        limits: library.Limits,
        address: str,
        authority: str,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store, self._conferences, self._tokens, self._county_key = store, conferences, tokens, county_key
        self._folder, self._limits, self._address, self._authority, self._now = folder, limits, address, authority, now
        self._running: dict[int, _Running] = {}
        self._failed: dict[int, _Failed] = {}

    def running(self, name: str) -> dict[str, Any] | None:
        """What the recorder of a recording says of itself: {pid, octets, streams, lost, ...}; None: there is none."""
        found = next((each for each in self._running.values() if each.name == name), None)
        return {"pid": found.process.pid, **found.said} if found is not None else None

    def router(self, failed: Callable[[asyncio.Task[None]], None] = lambda task: None) -> APIRouter:
        """No routes: its life within an application's; ``failed`` hears the end of its task."""

        @contextlib.asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncIterator[None]:
            keeping = asyncio.create_task(self.run(), name="recordings")
            keeping.add_done_callback(failed)
            try:
                yield
            finally:
                keeping.cancel()
                await asyncio.gather(keeping, return_exceptions=True)

        return APIRouter(lifespan=lifespan)

    async def run(self) -> None:
        """For life; recorders end with it."""
        loop = asyncio.get_running_loop()
        spaced_s = housed_s = -1e9
        try:
            while True:
                try:
                    await self._look(loop.time())
                    if self._running and loop.time() - spaced_s >= SPACE_S:
                        spaced_s = loop.time()
                        await self._room()
                    if loop.time() - housed_s >= HOUSE_S:
                        housed_s = loop.time()
                        await asyncio.to_thread(self._keep_house)
                except (SQLAlchemyError, OSError) as error:
                    logger.error("recordings: %s", error)
                await asyncio.sleep(LOOK_S)
        finally:
            await asyncio.gather(*(self._stop(each) for each in list(self._running.values())))

    async def _look(self, now_s: float) -> None:
        """What is wished, and what is."""
        wished = {
            state.meeting: state.recording
            for state in self._conferences.all()
            if state.recording is not None and not state.ended
        }
        for meeting, running in list(self._running.items()):
            wish = wished.get(meeting)
            if wish is None or wish.number != running.recording.number:
                await self._stop(running)
                await asyncio.to_thread(self._end, running.name)
            elif running.process.returncode is not None or now_s - running.heard_s > SILENT_S:
                await self._died(running, now_s)
        for meeting in [meeting for meeting in self._failed if meeting not in wished]:
            del self._failed[meeting]
        for meeting, recording in wished.items():
            failed = self._failed.get(meeting)
            if meeting not in self._running and (failed is None or now_s >= failed.again_s):
                await self._start(meeting, recording, now_s)

    async def _start(self, meeting: int, recording: Recording, now_s: float) -> None:
        name = library.identifier(meeting, recording.number)
        try:
            key, began_s = await asyncio.to_thread(self._begin, meeting, recording)
            lacking = await asyncio.to_thread(self._limits.lacking, self._folder)
        except (OSError, ValueError) as error:  # the disk, or a key that cannot be opened
            logger.error("recording %s: %s", name, error)
            await self._tell(meeting, recording, name, "disk", "")
            self._later(meeting, now_s)
            return
        if lacking:
            await self._tell(meeting, recording, name, "space", lacking)
            self._later(meeting, now_s)
            return
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "vconf.recording.process", name),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
            limit=1 << 18,
        )
        running = _Running(meeting, recording, name, process, now_s + SILENT_S)  # it takes its time to begin
        self._running[meeting] = running
        self._write(
            running,
            recording=name,
            folder=str(self._folder / name),
            key=base64.b64encode(key).decode(),
            address=self._address,
            ca=self._authority,
            began_s=began_s,
        )
        running.tasks.append(asyncio.create_task(self._read(running)))
        logger.info("recording %s: process %d", name, process.pid)

    async def _read(self, running: _Running) -> None:
        """What a recorder says."""
        assert running.process.stdout is not None
        while line := await running.process.stdout.readline():
            running.heard_s = asyncio.get_running_loop().time()
            try:
                said = json.loads(line)
            except ValueError:
                logger.warning("recording %s: says %r", running.name, line[:200])
                continue
            if said.get("token"):
                seat = links.Seat(RECORDER, running.meeting, "recorder")
                self._write(running, token=links.join_token(self._tokens, seat))
            elif "problem" in said:
                running.problem = str(said["problem"])
            elif "state" in said:
                recording = said["state"] == "recording"
                if recording:
                    self._failed.pop(running.meeting, None)
                await self._tell(
                    running.meeting, running.recording, running.name, "" if recording else "interrupted", ""
                )
            else:
                running.said = said

    def _write(self, running: _Running, **message: Any) -> None:
        assert running.process.stdin is not None
        with contextlib.suppress(ConnectionError, RuntimeError):
            running.process.stdin.write(json.dumps(message).encode() + b"\n")

    async def _died(self, running: _Running, now_s: float) -> None:
        """It ended though it should not have, or does not answer."""
        code = running.process.returncode
        await self._stop(running, kill=True)
        why = running.problem or (
            f"the recorder ended with code {code}" if code is not None else "the recorder was silent"
        )
        logger.error("recording %s: %s", running.name, why)
        await self._tell(running.meeting, running.recording, running.name, "disk" if running.problem else "died", why)
        self._later(running.meeting, now_s)

    def _later(self, meeting: int, now_s: float) -> None:
        failed = self._failed.setdefault(meeting, _Failed())
        failed.again_s = now_s + _AGAIN_S[min(failed.count, len(_AGAIN_S) - 1)]
        failed.count += 1

    async def _stop(self, running: _Running, *, kill: bool = False) -> None:
        """End a recorder: it ends its files, or is killed."""
        self._running.pop(running.meeting, None)
        if running.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                if kill:
                    running.process.kill()
                elif running.process.stdin is not None:
                    running.process.stdin.close()
            try:
                await asyncio.wait_for(running.process.wait(), STOP_S)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    running.process.kill()
                await running.process.wait()
        for task in running.tasks:
            task.cancel()
        for ended in await asyncio.gather(*running.tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                logger.error("recording %s: %r", running.name, ended)

    async def _room(self) -> None:
        """Recorders end in good order before the disk is full."""
        lacking = await asyncio.to_thread(self._limits.lacking, self._folder)
        for running in list(self._running.values()) if lacking else ():
            await self._stop(running)
            await self._tell(running.meeting, running.recording, running.name, "space", lacking)
            self._later(running.meeting, asyncio.get_running_loop().time())

    async def _tell(self, meeting: int, recording: Recording, name: str, problem: str, why: str) -> None:
        """The chair, by the state; the store, when it has a reason."""
        state = self._conferences.get(meeting)
        if state is None or state.recording is None or state.recording.number != recording.number:
            return
        told = {"recording": recording.number, "running": not problem, "problem": problem}
        changed = (state.recording.running, state.recording.problem) != (not problem, problem)
        self._conferences.act(meeting, SYSTEM, "recorder", told)
        if why and changed:
            await asyncio.to_thread(self._trouble, name, why)

    # -- the store and the disk, called in threads ----------------------------------------------

    def _begin(self, meeting: int, recording: Recording) -> tuple[bytes, float]:
        """The recording's key, and when it began, by the clock that all processes of this machine share."""
        name = library.identifier(meeting, recording.number)
        now, now_s = self._now(), time.monotonic()
        (self._folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._store.session() as session:
            row = library.begin(session, meeting, recording.number, recording.by, now, self._county_key)
            if row.key is None:
                raise library.RecordingError(f"recording {name}: deleted, and cannot go on")
            return sealed.unwrap(self._county_key, name, row.key), now_s - max(
                0.0, (now - row.begun_at).total_seconds()
            )

    def _end(self, name: str) -> None:
        with self._store.session() as session:
            octets = library.octets_in(self._folder / name)
            library.end(session, name, self._now(), octets, self._limits.keep_days)

    def _trouble(self, name: str, why: str) -> None:
        with self._store.session() as session:
            library.trouble(session, name, why)

    def _keep_house(self) -> None:
        """What an earlier process left unfinished is ended with its meeting; what nobody may keep longer is deleted."""
        now = self._now()
        running = {each.name for each in self._running.values()}
        with self._store.reading() as session:
            left = []
            for row in library.unfinished(session):
                state = self._conferences.get(row.meeting_id)
                meeting = meetings.get(session, row.meeting_id)
                over = meeting is None or meeting.state(now) in ("over", "cancelled")
                wished = state is not None and state.recording is not None
                if row.id not in running and (over or (state is not None and not wished)):
                    left.append(row.id)
            expired = library.expired(session, now)
        for name in left:
            at = _written(self._folder / name) or now
            with self._store.session() as session:
                octets = library.octets_in(self._folder / name)
                library.end(session, name, at, octets, self._limits.keep_days)
        for name in expired:
            with self._store.session() as session:
                library.delete(session, self._folder, name, "retention", f"kept for {self._limits.keep_days} days", now)


def _written(folder: Path) -> datetime | None:
    """When something was last written there."""
    times = [path.stat().st_mtime for path in folder.iterdir()] if folder.is_dir() else []
    return datetime.fromtimestamp(max(times), UTC) if times else None
