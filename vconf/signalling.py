"""The meetings' door: ``POST /meet/link`` and the WebSocket ``/meet/ws`` (docs/protocol.md).

Whatever a page sends is checked; what is malformed is answered with an error and never ends the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException, Request, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, Field

from identity.tokens import TokenRefused, Tokens
from inventory.model import NetworkModel
from store.engine import Store
from vconf import links, meetings
from vconf.cascade import Cascade
from vconf.hall_door import HallDoor, Probes, duty, unprobed
from vconf.limits import Bucket, Buckets
from vconf.rooms.peers import Outbox, Peer, Room
from vconf.rooms.refusal import Refused
from vconf.rooms.rooms import Rooms, invited
from vconf.rooms.stored import Stored

PROTOCOL = "sanwang.meet.1"
MESSAGE_BYTES = 64 * 1024
HELLO_S = 5.0
MOST_BAD = 20
"""Malformed messages after which a connection is closed."""

logger = logging.getLogger(__name__)


class _Link(BaseModel):
    link: str = Field(min_length=1, max_length=4096)


class _Guest(_Link):
    pin: str = Field(pattern=r"^[0-9]{6}$")
    name: str = Field(min_length=1, max_length=40)


class Signalling:
    """Routes under ``/meet`` and rooms of one process; the application's lifespan starts and stops the rooms.

    Args:
        store: Meetings and attendance.
        tokens: Made with the private key ``links.KEY``.
        model: The county's halls.
        relay: Not started yet.
        probes: The network's own figures of a hall's path.
    """

    def __init__(
        self,
        store: Store,
        tokens: Tokens,
        model: NetworkModel,
        relay: Cascade,
        probes: Probes = unprobed,
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._model = model
        self.relay = relay
        self.rooms = Rooms(Stored(store, model), relay)
        self._knocks = Buckets(rate=5, burst=120)  # by address: a house's halls may share one
        self._pins = Buckets(rate=0.1, burst=5)  # by address: six digits are not to be tried out
        self._guests = Buckets(rate=1, burst=60)  # by meeting, from however many addresses
        self._crowds = Buckets(rate=50, burst=600)  # by meeting: all halls may come back at once
        self.router = APIRouter(prefix="/meet", lifespan=self._lifespan)
        self.router.add_api_route("/link", self._exchange, methods=["POST"])
        self.router.add_api_route("/guest", self._guest, methods=["POST"])
        self.halls = HallDoor(store, tokens, model, relay, self._answer, probes)
        for path, answer in self.halls.posts.items():
            self.router.add_api_route(path, answer, methods=["POST"])
        self.router.add_api_websocket_route("/ws", self._socket)

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        await self.rooms.start()
        try:
            yield
        finally:
            await self.rooms.close()

    async def _exchange(self, request: Request, body: _Link) -> dict[str, Any]:
        """A hall's link for what the page shows, and a join token while the meeting is open."""
        if not self._knocks.take(request.client.host if request.client else ""):
            raise HTTPException(429, "too many attempts: wait a moment")
        try:
            seat = links.read_link(self._tokens, body.link)
        except TokenRefused as refused:
            raise HTTPException(401, str(refused)) from None
        return await self._answer(seat)

    async def _answer(self, seat: links.Seat) -> dict[str, Any]:
        """What the page of this seat shows, and a join token while the meeting is open."""
        if not self._crowds.take(str(seat.meeting)):
            raise HTTPException(429, "too many come into this meeting at once: wait a moment")
        meeting = await asyncio.to_thread(self._meeting, seat.meeting)
        hall = self._model.halls.get(seat.hall)
        if meeting is None or not invited(meeting, seat):
            raise HTTPException(404, "this hall is not booked for this meeting")
        now = datetime.now(UTC)
        state = meeting.state(now)
        return {
            "state": state,
            "now": now.isoformat(),
            "role": seat.role,
            "meeting": meeting.as_invitation(),
            "hall": {"code": seat.participant, "zh": hall.zh, "en": hall.en}
            if hall is not None and seat.role == "venue"
            else {"code": seat.participant, "zh": seat.name or seat.hall, "en": seat.name or seat.hall},
            "county": {"zh": self._model.zh, "en": self._model.en},
            "duty": duty(self._model),
            "join": links.join_token(self._tokens, seat) if state == "open" else None,
        }

    async def _guest(self, request: Request, body: _Guest) -> dict[str, Any]:
        """The guests' link, the PIN and a name for a link of the guest's own."""
        if not self._pins.take(request.client.host if request.client else ""):
            raise HTTPException(429, "too many attempts: wait a minute")
        try:
            meeting = await asyncio.to_thread(self._meeting, links.read_guest(self._tokens, body.link))
        except TokenRefused as refused:
            raise HTTPException(401, str(refused)) from None
        if meeting is None or meeting.guest_pin is None:
            raise HTTPException(404, "this meeting has no guests")
        if not self._guests.take(str(meeting.id)):
            raise HTTPException(429, "too many come into this meeting at once: wait a moment")
        if not hmac.compare_digest(body.pin, meeting.guest_pin):
            raise HTTPException(401, "the PIN is not right")
        name = body.name.strip()
        if not name.isprintable() or not name:
            raise HTTPException(422, "name: expected a printable name")
        try:
            return {"link": links.guest_seat(self._tokens, meeting, name, datetime.now(UTC))}
        except TokenRefused as refused:
            raise HTTPException(401, str(refused)) from None

    def _meeting(self, meeting: int) -> meetings.Meeting | None:
        with self._store.reading() as session:
            return meetings.get(session, meeting)

    async def _socket(self, socket: WebSocket) -> None:
        host = socket.client.host if socket.client else ""
        if not self._knocks.take(host) or PROTOCOL not in socket.scope.get("subprotocols", []):
            await socket.close(1008)
            return
        await socket.accept(subprotocol=PROTOCOL)
        outbox = Outbox()
        writing = asyncio.create_task(_write(socket, outbox))
        try:
            await self._converse(socket, outbox)
        except (WebSocketDisconnect, TimeoutError, RuntimeError) as end:  # RuntimeError: closed on our side
            logger.debug("%s: %s", host, type(end).__name__)
        finally:
            outbox.close()
            with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(writing, 2)

    async def _converse(self, socket: WebSocket, outbox: Outbox) -> None:
        async with asyncio.timeout(HELLO_S):
            entered = await self._enter(await socket.receive_text(), outbox)
        if entered is None:
            return
        room, peer = entered
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
        message = _parse(text)
        if message is None or message[1] != "hello":
            outbox.put(_error(message[0] if message else None, "bad", "the first message is hello"))
            return None
        number, _, data = message
        try:
            if isinstance(data.get("token"), str):
                seat = links.read_join(self._tokens, data["token"])
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
        message = _parse(text)
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


async def _write(socket: WebSocket, outbox: Outbox) -> None:
    while (message := await outbox.get()) is not None:
        try:
            await socket.send_text(json.dumps(message, ensure_ascii=False, separators=(",", ":")))
        except (WebSocketDisconnect, RuntimeError):
            outbox.close()
            return
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await socket.close(outbox.code)


def _parse(text: str) -> tuple[Any, str, dict[str, Any]] | None:
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
