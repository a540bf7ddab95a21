"""The halls of the load tool and the chair's console, in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Iterable
from types import TracebackType
from typing import Any, TypeVar

from drills.conference.seats import CONSOLE, Seats
from vconf.client.channel import Lost, Refusal
from vconf.load import clip
from vconf.load.console import Console
from vconf.load.crowd import Crowd
from vconf.load.hall import Hall
from vconf.load.way import Habits, Way

JOINS_PER_S = 4.0
_BITS_PER_S = 100_000  # of a hall's picture
_AT_ONCE, _PATIENCE_S = 4, 20.0  # so many on their way at a time, so long for one that does not come
_ANSWER_S = 30.0
_Found = TypeVar("_Found")


class Halls:
    """Everybody of ``seats.load``; each method asks the thread and waits for its answer."""

    def __init__(self, seats: Seats, way: Way) -> None:
        self._seats = seats
        self._way = way
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="halls of the drill", daemon=True)
        self._crowd: Crowd
        self._console: Console

    def __enter__(self) -> Halls:
        self._thread.start()
        self._ask(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with contextlib.suppress(TimeoutError, Lost):  # the figures are taken already
                self._ask(self._close(), 60.0)
            self._ask(_end())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def come(self) -> None:
        """All join, some each second or as fast as they come in; the chair lets guests in as they come."""
        for code in self._seats.load:
            self._ask(self._join(code))
            end_s = time.monotonic() + _PATIENCE_S
            time.sleep(1 / JOINS_PER_S)
            while self._coming() > _AT_ONCE and time.monotonic() < end_s:
                self.admit()
                time.sleep(0.1)
        self.admit()

    def _coming(self) -> int:
        """How many are at the door or in the waiting room."""
        return sum(not inside for inside in self.read(lambda hall: hall.inside).values())

    def admit(self) -> None:
        """Whoever waits comes in."""
        if self.told()[CONSOLE].get("waiting"):
            self.act("admitAll")

    def act(self, action: str, who: str = CONSOLE, **args: Any) -> float:
        """One action of the chair's table, done and kept; when it was asked for (monotonic seconds).

        Raises:
            Refusal: The meeting's rules refuse it.
        """
        return self._ask(self._act(who, action, args))

    def told(self) -> dict[str, dict[str, Any]]:
        """What each hall and the console was told of the conference last, those that are in."""
        return self._ask(self._told())

    def read(self, each: Callable[[Hall], _Found], codes: Iterable[str] | None = None) -> dict[str, _Found]:
        """What a function finds at each hall."""
        return self._ask(self._read(each, codes))

    def figures(self) -> dict[str, Any]:
        """Sums and quantiles of the whole load."""

        async def made() -> dict[str, Any]:
            return self._crowd.figures()

        return self._ask(made())

    def _ask(self, work: Coroutine[Any, Any, _Found], within_s: float = _ANSWER_S) -> _Found:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(within_s)

    async def _open(self) -> None:
        # small pictures, a packet each, and a microphone that is off while nobody is to hear it: two cores carry sixty
        self._crowd = Crowd(self._way, clip.make(bits_per_s=_BITS_PER_S), Habits(quiet=True, max_layer=0))
        self._console = Console(CONSOLE, self._way)
        await self._console.open()

    async def _close(self) -> None:
        await self._crowd.leave(list(self._crowd.halls))
        await self._console.close()

    async def _join(self, code: str) -> None:
        self._crowd.join(code)

    async def _act(self, who: str, action: str, args: dict[str, Any]) -> float:
        asked_s = time.monotonic()
        doer = self._console if who == CONSOLE else self._crowd.halls[who]
        while True:
            try:
                await doer.act(action, args)
                return asked_s
            except Refusal as refusal:
                if refusal.code != "limit":
                    raise
                await asyncio.sleep(0.3)
                asked_s = time.monotonic()

    async def _told(self) -> dict[str, dict[str, Any]]:
        found = {code: hall.conference for code, hall in self._crowd.halls.items() if hall.conference and not hall.over}
        return found | {CONSOLE: self._console.conference}

    async def _read(self, each: Callable[[Hall], _Found], codes: Iterable[str] | None) -> dict[str, _Found]:
        wanted = self._crowd.halls if codes is None else codes
        return {code: each(self._crowd.halls[code]) for code in wanted}


async def _end() -> None:
    """Whatever still runs is cancelled."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=5.0)
