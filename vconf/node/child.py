"""What a node hears of its parent: that it is there, the meetings of its halls, who they are; and hands over to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from vconf.bus.bus import Bus, NoAnswer, Subscription, pack, unpack
from vconf.chair import document
from vconf.chair.state import Conference
from vconf.meeting import Meeting, from_heard
from vconf.node import handed
from vconf.node.handed import Handed

LOST_S = 1.4
"""Without a sign of life for so long the parent is lost: three heartbeats."""

DOUBT_S = 0.8
"""Silent for so long, its door is knocked at: the kernel of a machine that is merely busy answers."""

BUSY_S = 6.0
"""A parent whose door opens and that says nothing is lost after this."""

STABLE_S = 0.6
"""Heard for so long, by two heartbeats at least, it is back."""

LOOK_S = 0.1
ASK_S = 5.0
ASK_AGAIN_S = 0.5
ANSWER_S = 3.0
ASK_ANSWER_S = 1.0
"""What is asked before the line stands is lost: ask again soon."""

logger = logging.getLogger(__name__)


async def _nobody() -> bool:
    return False


class Child:
    """Hears until it is closed.

    Args:
        bus: Started by its owner.
        name: This tier's.
        parent: The tier above.
        kept: What was heard last, kept over a restart of this process; None: it is not.
        knock: Whether the parent's door opens; asked while it is silent.
        now: Monotonic seconds.
    """

    def __init__(
        self,
        bus: Bus,
        name: str,
        parent: str,
        kept: Path | None,
        knock: Callable[[], Awaitable[bool]] = _nobody,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.meetings: dict[int, Meeting] = {}
        self.states: dict[int, Conference] = {}
        self.devices: dict[str, str] = {}
        self.up: bool | None = None  # None: nobody knows yet
        self.turned = asyncio.Event()
        """Set when ``up`` has changed; whoever acts on it clears it."""
        self.on_state: Callable[[Conference], None] = lambda state: None
        self._bus, self._name, self._parent, self._kept, self._now = bus, name, parent, kept, now
        self._knock = knock
        self._knocking: asyncio.Task[None] | None = None
        self._sign_s = self._opened_s = now()
        self._since_s: float | None = None  # heartbeats come since
        self._unknown = asyncio.Event()  # a meeting goes on that we were not told of
        self._subscriptions: list[Subscription] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to listen."""
        if self._kept is not None:
            await asyncio.to_thread(self._remember)
        self._sign_s = self._now()
        for word, handler in (("beat", self._beat), ("state", self._state)):
            subject = f"tier.{self._parent}.{self._name}.{word}"
            self._subscriptions.append(await self._bus.subscribe(subject, handler))
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._watch(), name="parent"), loop.create_task(self._ask(), name="ask")]

    async def close(self) -> None:
        """Listen no more."""
        tasks = [*self._tasks, *([self._knocking] if self._knocking is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for subscription in self._subscriptions:
            await subscription.end()

    def alive(self) -> None:
        """The parent was heard another way: something came over a connection to it."""
        if self.up:
            self._sign_s = self._now()

    async def hand_over(self, found: Handed) -> None:
        """Give the parent an account; NoAnswer when it could not take it, ValueError when it never will."""
        for part in found.parts():
            message = pack({"handOver": handed.written(part)})
            answer = unpack(await self._bus.request(f"up.{self._parent}.{self._name}", message, ANSWER_S))
            if answer.get("taken") != part.serial:
                raise ValueError(f"{self._parent}: {answer.get('bad')}")

    # -- what is heard ------------------------------------------------------------------------

    async def _beat(self, subject: str, message: bytes) -> None:
        now = self._now()
        if self._since_s is None or now - self._sign_s > LOST_S:
            self._since_s = now
        self._sign_s = now

    async def _state(self, subject: str, message: bytes) -> None:
        try:
            self._heard(unpack(message))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            logger.warning("bus: %s: %r", subject, error)

    def _heard(self, found: dict[str, Any]) -> None:
        state = document.from_whole(found)
        known = self.states.get(state.meeting)
        if known is None or (state.epoch, state.number) > (known.epoch, known.number):
            self.states[state.meeting] = state
            self.on_state(state)
            if state.meeting not in self.meetings:
                self._unknown.set()

    async def _watch(self) -> None:
        while True:
            now = self._now()
            silent = now - self._sign_s > LOST_S
            if silent:
                self._since_s = None
            if self.up and now - self._sign_s > DOUBT_S and (self._knocking is None or self._knocking.done()):
                self._knocking = asyncio.get_running_loop().create_task(self._ask_door(), name="knock")
            if now - self._opened_s < LOST_S and now - self._sign_s < BUSY_S:
                silent = False
            if self.up is not False and silent:
                self._turn(False)
            elif not self.up and self._since_s is not None and now - self._since_s >= STABLE_S:
                self._turn(True)
            await asyncio.sleep(LOOK_S)

    async def _ask_door(self) -> None:
        if await self._knock():
            self._opened_s = self._now()

    def _turn(self, up: bool) -> None:
        self.up = up
        logger.warning("the tier above, %s, is %s", self._parent, "there" if up else "lost: going on alone")
        self.turned.set()

    async def _ask(self) -> None:
        """All of it, now and then: what was missed, who was paired, what was booked."""
        while True:
            try:
                answer = await self._bus.request(f"up.{self._parent}.{self._name}", pack({"ask": "all"}), ASK_ANSWER_S)
                await self._take(unpack(answer))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(ASK_S):
                        await self._unknown.wait()
                self._unknown.clear()
            except NoAnswer:
                await asyncio.sleep(ASK_AGAIN_S)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                logger.warning("bus: %s: %r", self._parent, error)
                await asyncio.sleep(ASK_S)

    async def _take(self, found: dict[str, Any]) -> None:
        meetings = [from_heard(each) for each in found["meetings"]]
        devices = {str(digest): str(hall) for digest, hall in found["devices"].items()}
        changed = (self.meetings, self.devices) != ({each.id: each for each in meetings}, devices)
        self.meetings, self.devices = {each.id: each for each in meetings}, devices
        numbers = {key: (state.epoch, state.number) for key, state in self.states.items()}
        for each in found["states"]:
            self._heard(each)
        self.states = {key: state for key, state in self.states.items() if key in self.meetings}
        changed = changed or numbers != {key: (state.epoch, state.number) for key, state in self.states.items()}
        if changed and self._kept is not None:
            await asyncio.to_thread(self._keep)

    # -- over a restart, in threads -----------------------------------------------------------

    def _keep(self) -> None:
        found = {
            "meetings": [meeting.as_heard() for meeting in list(self.meetings.values())],
            "states": [document.whole(state) for state in list(self.states.values())],
            "devices": self.devices,
        }
        try:
            assert self._kept is not None
            write_whole(self._kept, json.dumps(found, ensure_ascii=False))
        except OSError as error:
            logger.error("%s: %s; what was heard is lost when this process restarts", self._kept, error)

    def _remember(self) -> None:
        assert self._kept is not None
        try:
            found = json.loads(self._kept.read_text())
            meetings = [from_heard(each) for each in found["meetings"]]
            states = [document.from_whole(each) for each in found["states"]]
            self.devices = dict(found["devices"])
        except FileNotFoundError:
            return
        except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
            logger.warning("%s: %r: beginning without it", self._kept, error)
            return
        self.meetings = {each.id: each for each in meetings}
        self.states = {each.meeting: each for each in states}


def write_whole(path: Path, text: str) -> None:
    """Replace a file, readable by us alone; all of it or nothing; OSError."""
    fresh = path.with_suffix(".new")
    fresh.touch(0o600)
    with fresh.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
