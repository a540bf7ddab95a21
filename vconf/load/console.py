"""A chair's page without a picture: it decides, and is told of every venue."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from vconf.client.channel import Channel
from vconf.load.way import Way

_PING_S = 1.0


class Console:
    """One person's; ``code`` is the participant, "@li".  ``conference`` is what it was told last."""

    def __init__(self, code: str, way: Way) -> None:
        self.code = code
        self.conference: dict[str, Any] = {}
        self._way = way
        self._channel: Channel
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Come in; Lost or Refusal when that fails."""
        made: list[socket.socket] = []
        self._way.place(self.code, lambda: made.append(socket.socket(socket.AF_INET, socket.SOCK_STREAM)))
        self._channel = await Channel.open(self._way.address(self.code), self._way.tls, made[0], self._heard)
        self._tasks.append(asyncio.create_task(self._channel.read(), name="console"))
        self.conference = (await self._channel.request("hello", token=self._way.token(self.code)))["conference"]
        self._tasks.append(asyncio.create_task(self._ping(), name="console pings"))

    async def act(self, action: str, args: dict[str, Any]) -> None:
        """One action of the chair's table, done and kept; Refusal when the rules refuse it."""
        await self._channel.request("act", action=action, **args)

    async def close(self) -> None:
        """Leave; raises what it stumbled over meanwhile."""
        ended = [task for task in self._tasks if task.done() and not task.cancelled()]
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._channel.leave()
        for task in ended:
            task.result()

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(_PING_S)
            await self._channel.request("ping")

    def _heard(self, kind: str, data: dict[str, Any]) -> None:
        if kind == "conference":
            self.conference = data
