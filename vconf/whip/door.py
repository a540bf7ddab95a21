"""The HTTP of WHIP (RFC 9725) and WHEP (draft-ietf-wish-whep): ``/meet/whip``, ``/meet/whep`` and what they create.

The meeting is known by the bearer token alone, so that the address is the same for every encoder of the county.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from fastapi import APIRouter, FastAPI, HTTPException, Request, Response

from store import audit
from store.engine import Store
from vconf.limits import Buckets
from vconf.rooms.refusal import Refused
from vconf.rooms.rooms import Rooms
from vconf.turn import Turn, links
from vconf.whip import tickets, wire
from vconf.whip.sessions import Session, Sessions
from vconf.whip.tickets import Kind, Ticket, TicketRefused

SDP, FRAGMENT = "application/sdp", "application/trickle-ice-sdpfrag"
_STATUS = {"early": 409, "over": 409, "cancelled": 409, "waiting": 403, "limit": 429, "relay-away": 503, "refused": 422}
_AGAIN = {429: "10", 503: "2"}


class StreamDoor:
    """Routes; their lifespan ends the sessions.

    Args:
        store: Tickets.
        rooms: The meetings that go on.
        turn: What programs outside are offered; None: this county has no such server.
    """

    def __init__(self, store: Store, rooms: Rooms, turn: Turn | None = None) -> None:
        self._store = store
        self._turn = turn
        self.sessions = Sessions(rooms, self._good)
        self._knocks = Buckets(rate=0.5, burst=30)  # by address: encoders come again every few seconds
        self._crowds = Buckets(rate=5, burst=120)  # by meeting
        self.router = APIRouter(prefix="/meet", lifespan=self._lifespan, tags=["streams"])
        for kind in tickets.KINDS:
            self._routes(kind)

    @contextlib.asynccontextmanager
    async def _lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self.sessions.close()

    def _routes(self, kind: Kind) -> None:
        router = self.router

        @router.post(f"/{kind}", status_code=201, response_class=Response)
        async def begin(request: Request) -> Response:
            """An SDP offer, answered with SDP; the session's resource is in ``Location``."""
            ticket = await self._ticket(request, kind)
            if not self._crowds.take(str(ticket.meeting)):
                raise _refusal(Refused("limit", "too many connect to this meeting at once: wait a moment"))
            text = await _body(request, SDP)
            try:
                make = self.sessions.publish if kind == "whip" else self.sessions.view
                session = await make(ticket, text)
            except wire.SdpError as error:
                raise HTTPException(400 if error.malformed else 422, str(error)) from None
            except Refused as refused:
                raise _refusal(refused) from None
            await asyncio.to_thread(self._note, session, _address(request))
            headers = {"Location": f"/meet/{kind}/{session.id}", "ETag": _tag(session), "Accept-Patch": FRAGMENT}
            answer = Response(session.answer, 201, headers, SDP)
            servers = self._turn.ice_servers(_address(request), session.peer.code) if self._turn is not None else []
            for link in links(servers):
                answer.headers.append("Link", link)
            return answer

        @router.options(f"/{kind}", include_in_schema=False)
        def able() -> Response:
            """RFC 9725 section 4.7: what may be posted."""
            return Response(status_code=204, headers={"Accept-Post": SDP})

        @router.patch(f"/{kind}/{{resource}}", response_class=Response)
        async def change(resource: str, request: Request) -> Response:
            """Trickled candidates (204: an ICE-lite relay learns addresses from checks) or an ICE restart (200)."""
            session = await self._session(request, kind, resource)
            text = await _body(request, FRAGMENT)
            wanted = request.headers.get("if-match", "")
            if not wanted:
                raise HTTPException(428, 'If-Match: expected the ETag of the session, or "*" for an ICE restart')
            credentials = wire.fragment(text)
            if wanted.strip() in ("*", '"*"') and credentials is not None:
                try:
                    made = await self.sessions.restart(session)
                except Refused as refused:
                    raise _refusal(refused) from None
                return Response(made, 200, {"ETag": _tag(session)}, FRAGMENT)
            if wanted.strip() != _tag(session):
                raise HTTPException(412, "this is not the session's ICE generation any more")
            return Response(status_code=204)

        @router.delete(f"/{kind}/{{resource}}", response_class=Response)
        async def end(resource: str, request: Request) -> Response:
            """The session is over."""
            self.sessions.end(await self._session(request, kind, resource), "left")
            return Response(status_code=200)

    async def _session(self, request: Request, kind: Kind, resource: str) -> Session:
        """A session of the one who asks; another's is not there."""
        ticket = await self._ticket(request, kind)
        session = self.sessions.held.get(resource)
        if session is None or session.ticket.number != ticket.number:
            raise HTTPException(404, "this session is over")
        return session

    async def _ticket(self, request: Request, kind: Kind) -> Ticket:
        if not self._knocks.take(_address(request)):
            raise HTTPException(429, "too many requests: wait a moment", {"Retry-After": _AGAIN[429]})
        scheme, _, token = request.headers.get("authorization", "").partition(" ")

        def look() -> Ticket:
            with self._store.reading() as session:
                return tickets.read(session, token.strip(), kind, datetime.now(UTC))

        try:
            if scheme.lower() != "bearer":
                raise TicketRefused("expected Authorization: Bearer and the token of the link")
            return await asyncio.to_thread(look)
        except TicketRefused as refused:
            raise HTTPException(401, str(refused), {"WWW-Authenticate": 'Bearer realm="meet"'}) from None

    async def _good(self, ticket: Ticket) -> bool:
        def look() -> bool:
            with self._store.reading() as session:
                return tickets.good(session, ticket.number, datetime.now(UTC))

        return await asyncio.to_thread(look)

    def _note(self, session: Session, address: str) -> None:
        ticket = session.ticket
        detail = {"meeting": ticket.meeting, "id": ticket.number, "venue": session.peer.code, "address": address}
        with self._store.session() as writing:
            audit.record(writing, f"stream:{ticket.name}", f"meeting.{ticket.kind}Start", "", detail)


async def _body(request: Request, kind: str) -> str:
    """Text of that media type; 415, 413 or 400 when it is something else."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != kind:
        raise HTTPException(415, f"Content-Type: expected {kind}", {"Accept-Post": SDP, "Accept-Patch": FRAGMENT})
    data = await request.body()
    if len(data) > wire.MOST_CHARACTERS:
        raise HTTPException(413, f"expected at most {wire.MOST_CHARACTERS} bytes")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise HTTPException(400, "the body is not UTF-8") from None


def _refusal(refused: Refused) -> HTTPException:
    status = _STATUS.get(refused.code, 409 if refused.code.startswith("refused-") else 404)
    text = {
        "waiting": "the meeting is locked, or its chair has cut this venue: it has to admit it",
    }.get(refused.code, str(refused))
    return HTTPException(status, text, {"Retry-After": _AGAIN[status]} if status in _AGAIN else None)


def _tag(session: Session) -> str:
    return f'"{session.version}"'


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
