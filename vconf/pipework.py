"""The pipes between relays: one a pair, for the streams of every room and both ways, opened when first wanted.

The control side hands each relay the other's address and key over its own channel, which is mutual TLS.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Set
from typing import Any

from vconf.relay_client import RelayClient, RelayError

Pair = frozenset[str]
ROOM = "pipes"
"""What relays are told as the pipes' room: streams in them name their own."""

logger = logging.getLogger(__name__)


class Pipework:
    """All pipes of one control side.

    ``lost(pair)`` is called when one is gone that was not given up; what is left of it is closed after what that gives
    is done: shares are fed by the copies in it until they have others.
    """

    def __init__(self, relays: Mapping[str, RelayClient], lost: Callable[[Pair], Awaitable[Any]]) -> None:
        self._relays = relays
        self._lost = lost
        self._pipes: dict[Pair, asyncio.Task[dict[str, str]]] = {}  # relay -> the end there
        self._closing: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Forget; the relays end what nobody owns."""
        for task in (*self._pipes.values(), *self._closing):
            task.cancel()
        await asyncio.gather(*self._pipes.values(), *self._closing, return_exceptions=True)

    async def between(self, here: str, there: str) -> tuple[str, str]:
        """The ends of the pipe of these two, opened when it is not there; RelayError."""
        pair = frozenset((here, there))
        task = self._pipes.get(pair)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._pipes[pair] = asyncio.ensure_future(self._open(here, there))
        ends = await asyncio.shield(task)
        return ends[here], ends[there]

    def ends(self) -> set[str]:
        """The transports of all that are open."""
        return {end for ends in map(_made, self._pipes.values()) for end in ends.values()}

    def closed(self, transport: str) -> None:
        """A relay gave this end up: it did not hear the other one."""
        self._drop([pair for pair, task in self._pipes.items() if transport in _made(task).values()])

    def checked(self, relay: str, alive: Set[str]) -> None:
        """That relay has these transports only."""
        mine = [(pair, task) for pair, task in self._pipes.items() if relay in pair and task.done()]
        self._drop([pair for pair, task in mine if _made(task).get(relay) not in alive])

    def spare(self, used: Set[Pair]) -> None:
        """Close those that carry nothing."""
        for pair in [pair for pair, task in self._pipes.items() if pair not in used and task.done()]:
            self._own(self._shut(self._pipes.pop(pair)))

    def _drop(self, pairs: list[Pair]) -> None:
        tasks = [self._pipes.pop(pair) for pair in pairs]
        for pair in pairs:
            logger.warning("the pipe %s is gone", " - ".join(sorted(pair)))
        replacing = [self._lost(pair) for pair in pairs]

        async def close() -> None:
            await asyncio.gather(*replacing)
            await asyncio.gather(*map(self._shut, tasks))

        self._own(close())

    async def _open(self, here: str, there: str) -> dict[str, str]:
        async def ask(relay: str, method: str, **params: Any) -> Any:
            return await self._relays[relay].request(method, **params)

        one, two = await asyncio.gather(
            ask(here, "openPipe", room=ROOM, peer=there), ask(there, "openPipe", room=ROOM, peer=here)
        )
        await asyncio.gather(
            *(
                ask(relay, "joinPipe", transport=own["transport"], **{key: end[key] for key in ("ip", "port", "key")})
                for relay, own, end in ((here, one, two), (there, two, one))
            )
        )
        return {here: one["transport"], there: two["transport"]}

    async def _shut(self, task: asyncio.Task[dict[str, str]]) -> None:
        for relay, transport in _made(task).items():
            with contextlib.suppress(RelayError):
                await self._relays[relay].request("closeTransport", transport=transport)

    def _own(self, work: Coroutine[Any, Any, None]) -> None:
        closing = asyncio.ensure_future(work)
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)


def _made(task: asyncio.Task[dict[str, str]]) -> dict[str, str]:
    """The ends, {} while or when there are none."""
    return task.result() if task.done() and not task.cancelled() and task.exception() is None else {}
