"""The WebSocket of a page (docs/protocol.md): the first message, requests, answers; the same in every tier.

Whatever a page sends is checked; what is malformed is answered with an error and never ends the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from identity.tokens import TokenRefused
from vconf.limits import Bucket
from vconf.links import Seat
from vconf.rooms.peers import Outbox, Peer, Room
from vconf.rooms.refusal import Refused
from vconf.rooms.rooms import Rooms

PROTOCOL = "sanwang.meet.1"
MESSAGE_BYTES = 64 * 1024
HELLO_S = 5.0
IceServers = Callable[[Peer], list[dict[str, Any]]]
MOST_BAD = 20
"""Malformed messages after which a connection is closed."""

logger = logging.getLogger(__name__)


class Conversations:
    """Pages' WebSockets.

    Args:
        rooms: Where they come in.
        read_join: Whose join token this is; TokenRefused.
    """

    def __init__(self, rooms: Rooms, read_join: Callable[[str], Seat]) -> None:
        self.rooms = rooms
        self._read_join = read_join

    async def serve(self, socket: WebSocket, ice_servers: IceServers = lambda peer: []) -> None:
        """One connection that was accepted, until it ends; ``ice_servers``: what this peer is offered (TURN)."""
        outbox = Outbox()
        writing = asyncio.create_task(_write(socket, outbox))
        try:
            await self._converse(socket, outbox, ice_servers)
        except (WebSocketDisconnect, TimeoutError, RuntimeError) as end:  # RuntimeError: closed on our side
            logger.debug("a page: %s", type(end).__name__)
        finally:
            outbox.close()
            with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(writing, 2)

    async def _converse(self, socket: WebSocket, outbox: Outbox, ice_servers: IceServers) -> None:
        async with asyncio.timeout(HELLO_S):
            entered = await self._enter(await socket.receive_text(), outbox)
        if entered is None:
            return
        room, peer = entered
        peer.ice_servers = ice_servers(peer)
        bucket = Bucket(rate=50, burst=200)
        bad = 0
        try:
            while True:
                text = await socket.receive_text()
                if peer.outbox is not outbox:
                    return  # another page took the seat
                peer.heard_s = time.monotonic()
                if not bucket.take():
                    bad += 1
                    outbox.put(_error(None, "limit", "too many messages"))
                elif not await self._message(room, peer, text, outbox):
                    bad += 1
                if bad > MOST_BAD:
                    outbox.close(1008)
                if outbox.closed:
                    return
        finally:
            self.rooms.unplug(peer, outbox)

    async def _enter(self, text: str, outbox: Outbox) -> tuple[Room, Peer] | None:
        """The first message: a join token, or the key of a session to go on with."""
        message = parse(text)
        if message is None or message[1] != "hello":
            outbox.put(_error(message[0] if message else None, "bad", "the first message is hello"))
            return None
        number, _, data = message
        try:
            if isinstance(data.get("token"), str):
                seat = self._read_join(data["token"])
                room, peer = await self.rooms.join(seat, outbox)
            elif isinstance(data.get("peer"), str) and isinstance(data.get("resumeKey"), str):
                room, peer = self.rooms.resume(data["peer"], data["resumeKey"], outbox)
            else:
                raise Refused("bad", "hello needs token, or peer and resumeKey")
        except TokenRefused as refused:
            outbox.put(_error(number, "token", str(refused)))
            return None
        except Refused as refused:
            outbox.put(_error(number, refused.code, str(refused), refused.zh))
            return None
        outbox.put({"id": number, "data": self.rooms.welcome(room, peer)})
        return room, peer

    async def _message(self, room: Room, peer: Peer, text: str, outbox: Outbox) -> bool:
        """One message of a page that is in; False when it was malformed."""
        message = parse(text)
        if message is None:
            outbox.put(
                _error(None, "bad", f"expected one JSON object with id, type, data; at most {MESSAGE_BYTES} bytes")
            )
            return False
        number, kind, data = message
        if kind == "ping":
            outbox.put({"id": number, "data": {"now": datetime.now(UTC).isoformat()}})
        elif kind == "leave":
            outbox.put({"id": number, "data": {}})
            self.rooms.leave(room, peer, "left")
        else:
            try:
                outbox.put({"id": number, "data": await self.rooms.request(room, peer, kind, data) or {}})
            except Refused as refused:
                outbox.put(_error(number, refused.code, str(refused), refused.zh))
        return True


def offered(socket: WebSocket) -> bool:
    """Whether the page speaks our protocol."""
    return PROTOCOL in socket.scope.get("subprotocols", [])


async def _write(socket: WebSocket, outbox: Outbox) -> None:
    while (message := await outbox.get()) is not None:
        try:
            await socket.send_text(json.dumps(message, ensure_ascii=False, separators=(",", ":")))
        except (WebSocketDisconnect, RuntimeError):
            outbox.close()
            return
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await socket.close(outbox.code)


def parse(text: str) -> tuple[Any, str, dict[str, Any]] | None:
    """(id, type, data) of a message; None when it is malformed."""
    if len(text) > MESSAGE_BYTES:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    number, kind, data = found.get("id"), found.get("type"), found.get("data", {})
    if not isinstance(number, int | None) or not isinstance(kind, str) or not isinstance(data, dict):
        return None
    return number, kind, data


def _error(number: Any, code: str, text: str, zh: str = "") -> dict[str, Any]:
    error = {"code": code, "text": text} | ({"zh": zh} if zh else {})
    return {"id": number, "error": error}
