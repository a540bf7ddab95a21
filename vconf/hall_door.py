"""A hall's own door: ``POST /meet/pair`` and ``/meet/hall...`` (docs/protocol.md, "A hall at home").

A request carries the token of a browser that was paired with the hall, or a hall's link; it never opens another hall.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field

from identity.tokens import TokenRefused, Tokens
from inventory.model import NetworkModel
from store.engine import Store
from vconf import hall_devices, line_tests, links, meetings
from vconf.cascade import Cascade
from vconf.hall_devices import NotPaired
from vconf.limits import Buckets
from vconf.loop import Loops
from vconf.rooms.refusal import Refused

Document = dict[str, Any]
Probes = Callable[[str], Awaitable[Mapping[str, Any] | None]]
"""The network's own figures of a hall's path (``collectors.probe.halls``); None: not known now."""

MOST_NEXT = 5
LOOK_S = 2.0


async def unprobed(hall: str) -> None:
    """Where nobody measures the network."""


class _Pair(BaseModel):
    code: Annotated[str, Field(pattern=r"^[0-9]{10}$")]


class _Token(BaseModel):
    token: Annotated[str, Field(min_length=1, max_length=4096)]


class _Join(_Token):
    meeting: int


class _Line(_Token):
    request: Annotated[str, Field(max_length=40)]
    data: dict[str, Any] = {}


class _Test(_Token):
    model_config = ConfigDict(extra="forbid")

    result: line_tests.Result


class HallDoor:
    """Routes of a hall at home.

    Args:
        store: Meetings, paired browsers, line tests.
        tokens: Of links and join tokens.
        model: The county's halls.
        relay: Carries the test room; its owner starts and stops it.
        answer: What a link of this seat is answered with.
        probes: The network's own figures.
    """

    def __init__(
        self,
        store: Store,
        tokens: Tokens,
        model: NetworkModel,
        relay: Cascade,
        answer: Callable[[links.Seat], Awaitable[Document]],
        probes: Probes = unprobed,
    ) -> None:
        self._store, self._tokens, self._model = store, tokens, model
        self._answer, self._probes = answer, probes
        self._loops = Loops(relay)
        self._found: tuple[float, list[meetings.Meeting]] | None = None
        self._asked: dict[str, float] = {}  # hall -> when somebody last asked it for a line test, UNIX seconds
        self._codes = Buckets(rate=0.1, burst=5)  # by address: ten digits are not to be tried out
        self._all_codes = Buckets(rate=0.5, burst=60)  # nor from many addresses
        self._knocks = Buckets(rate=2, burst=30)  # by address
        self._steps = Buckets(rate=5, burst=60)  # by hall
        self.posts: dict[str, Callable[..., Awaitable[Document]]] = {  # path under /meet -> what answers a POST
            "/pair": self._pair,
            "/hall": self._home,
            "/hall/join": self._join,
            "/hall/line": self._line,
            "/hall/test": self._test,
        }

    def ask_tests(self, halls: Iterable[str]) -> None:
        """Halls at home test their line at their next look, within some ten seconds."""
        self._asked.update(dict.fromkeys(halls, time.time()))

    async def _pair(self, request: Request, body: _Pair) -> Document:
        """The code on the card for this browser's token."""
        address = _address(request)
        if not self._codes.take(address) or not self._all_codes.take(""):
            raise HTTPException(429, "too many attempts: wait a minute")

        def exchange() -> tuple[str, str]:
            with self._store.session() as session:
                return hall_devices.pair(session, body.code, address, self._model.halls.keys(), datetime.now(UTC))

        try:
            hall, token = await asyncio.to_thread(exchange)
        except NotPaired as refused:
            raise HTTPException(401, str(refused)) from None
        return {"token": token, "hall": self._named(hall)}

    async def _home(self, request: Request, body: _Token) -> Document:
        """What a hall at home shows: the meetings it is booked for, the next first."""
        hall = await self._hall(request, body.token)
        now = datetime.now(UTC)

        wanted = [one for one in await self._coming(now) if hall in one.halls]
        return {
            "now": now.isoformat(),
            "hall": self._named(hall),
            "county": {"zh": self._model.zh, "en": self._model.en},
            "duty": duty(self._model),
            "meetings": [one.as_invitation() | {"state": one.state(now)} for one in wanted[:MOST_NEXT]],
            "test": self._asked.get(hall, 0.0),
        }

    async def _coming(self, now: datetime) -> list[meetings.Meeting]:
        """Meetings that go on or will, by start; looked up once for all the halls that ask within two seconds."""

        def look() -> list[meetings.Meeting]:
            with self._store.reading() as session:
                found = (*meetings.running(session, now), *meetings.upcoming(session, now))
            return sorted({one.id: one for one in found}.values(), key=lambda one: (one.start_at, one.id))

        if not self._found or time.monotonic() - self._found[0] > LOOK_S:
            self._found = time.monotonic(), await asyncio.to_thread(look)
        return self._found[1]

    async def _join(self, request: Request, body: _Join) -> Document:
        """A join token for one of the hall's meetings, as for a link."""
        return await self._answer(links.Seat(await self._hall(request, body.token), body.meeting))

    async def _line(self, request: Request, body: _Line) -> Any:
        """One request of the test room, in the signalling's shapes."""
        hall = await self._hall(request, body.token)
        if not self._steps.take(hall):
            raise HTTPException(429, "too many requests: wait a moment")
        try:
            return await self._loops.request(hall, body.request, body.data)
        except Refused as refused:
            raise HTTPException(503 if refused.code == "relay-away" else 409, str(refused)) from None

    async def _test(self, request: Request, body: _Test) -> Document:
        """What the page measured: judged beside the network's own figures, and kept for the chair."""
        hall = await self._hall(request, body.token)
        network = await self._probes(hall)

        def note() -> Document:
            with self._store.session() as session:
                return line_tests.keep(session, hall, body.result, network, datetime.now(UTC))

        return await asyncio.to_thread(note)

    async def _hall(self, request: Request, token: str) -> str:
        """Whose token this is: a paired browser's, or that of a hall's link."""
        if not self._knocks.take(_address(request)):
            raise HTTPException(429, "too many requests: wait a moment")

        def look() -> str:
            with self._store.reading() as session:
                return hall_devices.hall_of(session, token)

        try:
            hall = self._linked(token) if "." in token else await asyncio.to_thread(look)
        except (NotPaired, TokenRefused) as refused:
            raise HTTPException(401, str(refused)) from None
        if hall not in self._model.halls:
            raise HTTPException(401, "this county has no such hall any more")
        return hall

    def _linked(self, token: str) -> str:
        seat = links.read_link(self._tokens, token)
        if seat.role != "venue":
            raise TokenRefused("this link is not a hall's")
        return seat.hall

    def _named(self, code: str) -> Document:
        hall = self._model.halls[code]
        return {"code": code, "zh": hall.zh, "en": hall.en}


def duty(model: NetworkModel) -> Document | None:
    """Whom a hall calls: the contact of the house that the management host stands in; None: nobody is named."""
    contact = model.supervision.contacts.get(model.hosts[model.nms].site) if model.supervision else None
    return {"zh": contact.name, "en": contact.name, "phone": contact.phone} if contact else None


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
