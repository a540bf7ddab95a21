"""A tier's word to its children: its heartbeat, each change of a meeting's state, all when asked; and what it takes.

Each child has subjects of its own (``tier.<parent>.<child>.beat``, ``.state``; requests on ``up.<parent>.<child>``), so
that a township hears of its own meetings alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Protocol

from vconf.bus.bus import Bus, pack, unpack
from vconf.chair import document
from vconf.chair.state import Conference
from vconf.meeting import Meeting
from vconf.node import handed
from vconf.node.handed import Handed

BEAT_S = 0.4

logger = logging.getLogger(__name__)


class Upper(Protocol):
    """What a tier knows and takes."""

    def states(self) -> Iterable[Conference]:
        """Of the meetings that go on."""

    async def meetings(self) -> Iterable[Meeting]:
        """Those that go on or will."""

    async def devices(self, halls: Collection[str]) -> Mapping[str, str]:
        """Digest of a paired browser's token -> its hall."""

    async def take(self, found: Handed) -> None:
        """A child's account; raises what keeps it from being taken, and then it comes again."""


class Parent:
    """Tells and takes until it is closed.

    Args:
        bus: Started by its owner.
        name: This tier's.
        children: Their names, and the halls below each.
        upper: What is told.
    """

    def __init__(self, bus: Bus, name: str, children: Mapping[str, Collection[str]], upper: Upper) -> None:
        self.name = name
        self._bus = bus
        self._children = {child: frozenset(halls) for child, halls in children.items()}
        self._upper = upper
        self._changed: dict[int, Conference] = {}
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to tell."""
        for child in self._children:
            await self._bus.subscribe(f"up.{self.name}.{child}", self._asked)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._beat(), name="beat"), loop.create_task(self._tell(), name="states")]

    async def close(self) -> None:
        """Fall silent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def changed(self, state: Conference) -> None:
        """A meeting's state is another."""
        self._changed[state.meeting] = state
        self._news.set()

    async def _beat(self) -> None:
        while True:
            message = pack({"at": time.time()})
            for child in self._children:
                self._bus.publish(f"tier.{self.name}.{child}.beat", message)
            await asyncio.sleep(BEAT_S)

    async def _tell(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            changed, self._changed = self._changed, {}
            for state in changed.values():
                message = pack(document.whole(state))
                for child, halls in self._children.items():
                    if not halls.isdisjoint(state.venues):
                        self._bus.publish(f"tier.{self.name}.{child}.state", message)
            await asyncio.sleep(0.02)  # what changes at once is told once

    async def _asked(self, subject: str, message: bytes) -> bytes:
        child = subject.rpartition(".")[2]  # the bus knows who may ask here
        try:
            found = unpack(message)
            if "handOver" in found:
                account = handed.read(found["handOver"])
                if account.tier != child:
                    raise ValueError(f"tier: found {account.tier!r}, expected {child!r}")
                await self._upper.take(account)
                return pack({"taken": account.serial})
            return pack(await self._all(self._children[child]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            logger.warning("bus: %s: %r", subject, error)
            return pack({"bad": f"{type(error).__name__}: {error}"})

    async def _all(self, halls: frozenset[str]) -> dict[str, Any]:
        return {
            "meetings": [m.as_heard() for m in await self._upper.meetings() if not halls.isdisjoint(m.halls)],
            "states": [document.whole(state) for state in self._upper.states() if not halls.isdisjoint(state.venues)],
            "devices": dict(await self._upper.devices(halls)),
        }
