"""The test room: what a hall sends to the relay comes back to it, without a meeting and without being seen by others.

A hall's loop is a room of its own on the relay, taken down when the page says so, when the hall tests again, or after
``LONGEST_S``.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vconf.cascade import Cascade
from vconf.media.capabilities import router_capabilities
from vconf.relay_client import RelayError
from vconf.rooms.refusal import Refused

LONGEST_S = 60.0
MOST_LOOPS = 60
"""Halls that may test at once."""

_MOST = 2  # transports, streams and shares of one hall: one each way
_PASSED = {
    "connectTransport": ("transport", ("dtlsParameters",)),
    "restartIce": ("transport", ()),
    "pauseConsumer": ("consumer", ("paused",)),
    "closeConsumer": ("consumer", ()),
    "closeProducer": ("producer", ()),
}
"""Requests with the one id that must be the hall's own, and what else is passed on."""


@dataclass(slots=True)
class _Loop:
    peer: str = field(default_factory=lambda: secrets.token_hex(6))
    own: dict[str, set[str]] = field(default_factory=lambda: {"transport": set(), "producer": set(), "consumer": set()})
    ending: asyncio.TimerHandle | None = None


class Loops:
    """The halls that test their line now."""

    def __init__(self, relay: Cascade) -> None:
        self._relay = relay
        self._loops: dict[str, _Loop] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def request(self, hall: str, kind: str, data: Mapping[str, Any]) -> Any:
        """One request of a hall's page, in the shapes of the signalling; Refused."""
        if kind == "capabilities":
            await self._open(hall)
            return router_capabilities()
        if kind == "close":
            await self.close(hall)
            return {}
        loop = self._loops.get(hall)
        if loop is None:
            raise Refused("gone", "this test is over: begin again")
        try:
            return await self._ask(hall, loop, kind, data) or {}
        except RelayError as error:
            raise Refused("relay-away" if error.code == "away" else "refused", str(error)) from None

    async def close(self, hall: str) -> None:
        """End a hall's test; twice is fine."""
        loop = self._loops.pop(hall, None)
        if loop is None:
            return
        if loop.ending is not None:
            loop.ending.cancel()
        with contextlib.suppress(RelayError):  # the relay's own watch ends what is silent
            await self._relay.request("closePeer", room=_room(hall), peer=loop.peer)

    async def _open(self, hall: str) -> None:
        await self.close(hall)
        if len(self._loops) >= MOST_LOOPS:
            raise Refused("limit", "too many halls test at once: wait a moment")
        loop = self._loops[hall] = _Loop()
        loop.ending = asyncio.get_running_loop().call_later(LONGEST_S, self._late, hall)

    def _late(self, hall: str) -> None:
        task = asyncio.get_running_loop().create_task(self.close(hall))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, hall: str, loop: _Loop, kind: str, data: Mapping[str, Any]) -> Any:
        if kind == "createTransport":
            relay = self._relay.homes.get(hall, "")
            return await self._make(loop, "transport", kind, room=_room(hall), peer=loop.peer, relay=relay)
        if kind == "produce":
            return await self._make(
                loop,
                "producer",
                kind,
                transport=_own(loop, data, "transport"),
                kind=data.get("kind"),
                rtpParameters=data.get("rtpParameters"),
                paused=False,
                source="microphone" if data.get("kind") == "audio" else "camera",
            )
        if kind == "consume":
            return await self._make(
                loop,
                "consumer",
                kind,
                transport=_own(loop, data, "transport"),
                producer=_own(loop, data, "producer"),
                rtpCapabilities=data.get("rtpCapabilities"),
                cname=loop.peer,
            )
        if kind not in _PASSED:
            raise Refused("unknown", f"no request of a line test is called {kind!r}")
        key, more = _PASSED[kind]
        asked = {key: _own(loop, data, key), **{name: data.get(name) for name in more}}
        return await self._relay.request(kind, **asked)

    async def _make(self, loop: _Loop, what: str, method: str, /, **params: Any) -> Any:
        if len(loop.own[what]) >= _MOST:
            raise Refused("limit", f"a line test has {_MOST} {what}s")
        made = await self._relay.request(method, **params)
        loop.own[what].add(made["id"])
        return made


def _room(hall: str) -> str:
    return f"test-{hall}"


def _own(loop: _Loop, data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str) or value not in loop.own[key]:
        raise Refused("unknown", f"{key}: not one of yours")
    return value
