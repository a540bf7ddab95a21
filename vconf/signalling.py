"""The meetings' door: ``POST /meet/link`` and the WebSocket ``/meet/ws`` (docs/protocol.md).

Whatever a page sends is checked; what is malformed is answered with an error and never ends the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, FastAPI, HTTPException, Request, WebSocket
from pydantic import BaseModel, Field

from identity.tokens import TokenRefused, Tokens
from inventory.model import NetworkModel
from store.engine import Store
from vconf import links, meetings
from vconf.cascade import Cascade
from vconf.conversation import PROTOCOL, Conversations, offered
from vconf.hall_door import HallDoor, Probes, duty, unprobed
from vconf.limits import Buckets
from vconf.rooms.peers import Peer
from vconf.rooms.rooms import Rooms, invited
from vconf.rooms.stored import Stored
from vconf.turn import Turn


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
        turn: What guests from outside are offered; None: this county has no such server.
    """

    def __init__(
        self,
        store: Store,
        tokens: Tokens,
        model: NetworkModel,
        relay: Cascade,
        probes: Probes = unprobed,
        turn: Turn | None = None,
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._model = model
        self._turn = turn
        self.relay = relay
        self.rooms = Rooms(Stored(store, model), relay)
        self._knocks = Buckets(rate=5, burst=120)  # by address: a house's halls may share one
        self._pins = Buckets(rate=0.1, burst=5)  # by address: six digits are not to be tried out
        self._guests = Buckets(rate=1, burst=60)  # by meeting, from however many addresses
        self._crowds = Buckets(rate=50, burst=600)  # by meeting: all halls may come back at once
        self._conversations = Conversations(self.rooms, lambda token: links.read_join(tokens, token))
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
        address = socket.client.host if socket.client else ""
        if not self._knocks.take(address) or not offered(socket):
            await socket.close(1008)
            return
        await socket.accept(subprotocol=PROTOCOL)
        await self._conversations.serve(socket, lambda peer: self._ways(address, peer))

    def _ways(self, address: str, peer: Peer) -> list[dict[str, Any]]:
        """Halls and consoles stand in the county's own networks."""
        if self._turn is None or not peer.code.startswith(links.GUEST_PREFIX):
            return []
        return self._turn.ice_servers(address, peer.code)
