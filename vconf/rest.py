"""``/api/meet``: book meetings, chair them and read them from another program; OpenAPI at ``/api/meet/openapi.json``.

Who asks shows a chair's token of that meeting (``Authorization: Bearer``, RFC 6750), or is a person signed in to the
operations pages who may hold meetings and whose units the main venue belongs to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from identity.tokens import TokenRefused, Tokens
from inventory.impact import ImpactMap
from inventory.model import NetworkModel
from store import audit
from store.engine import Store
from vconf import attendance, line_tests, links, meetings, openapi, sheet, wall
from vconf.booking import routes
from vconf.booking.checker import Checker
from vconf.chair import document
from vconf.chair.act import ACTIONS
from vconf.chair.state import OPERATOR
from vconf.recording import library
from vconf.report import routes as report_routes
from vconf.report.routes import Reports
from vconf.rooms.refusal import Refused
from vconf.rooms.rooms import Rooms
from vconf.rooms.stored import recorded
from vconf.whip import rest as streams

Document = dict[str, Any]
Code = Annotated[str, Field(min_length=1, max_length=32)]


Probes = Callable[[], Awaitable[Mapping[str, Mapping[str, Any]]]]


class Caller(Protocol):
    """Who asks."""

    @property
    def login(self) -> str:
        """For the audit."""

    def covers(self, unit: str) -> bool:
        """True when the site is one of the caller's own."""


@dataclass(frozen=True, slots=True)
class _Bearer:
    """Somebody with a chair's token of one meeting."""

    login: str
    meeting: int

    def covers(self, unit: str) -> bool:
        return True


def _no_bearer(caller: Caller) -> None:
    if isinstance(caller, _Bearer):
        raise HTTPException(403, "a chair's token is for its own meeting: sign in to book another")


class Act(BaseModel):
    """One action of the chair's table (docs/protocol.md)."""

    model_config = ConfigDict(extra="forbid")

    action: Annotated[str, Field(max_length=32)]
    args: Document = {}


class Guests(BaseModel):
    """Whether guests are asked in."""

    model_config = ConfigDict(extra="forbid")

    on: bool


class Rest:
    """The routes.

    Args:
        store: Meetings.
        tokens: Made with the private key ``links.KEY``.
        model: The county's halls.
        rooms: The meetings that go on; None in a county without a relay.
        operator: Dependency: the person signed in who may hold meetings, or HTTPException; its attribute ``rights``
            names what it asks for.
        network: The live document of the operations pages, for ``wall.faults``.
        ask_tests: Asks halls at home to test their line; None in a county without a relay.
        checker: Whether the network carries a meeting; None: by the county's files alone.
        reports: Makes the reports after a meeting; None: there are none.
        probes: The network's own figures of each hall's path (``collectors.probe.halls``).
    """

    def __init__(
        self,
        store: Store,
        tokens: Tokens,
        model: NetworkModel,
        rooms: Rooms | None,
        operator: Callable[[Request], Caller],
        network: Callable[[], Mapping[str, Any]] = dict,
        ask_tests: Callable[[Iterable[str]], None] | None = None,
        checker: Checker | None = None,
        reports: Reports | None = None,
        probes: Probes | None = None,
    ) -> None:
        self._probes = probes
        self._store = store
        self._tokens = tokens
        self._model = model
        self._rooms = rooms
        self._network = network
        self._ask_tests = ask_tests
        self.recorder: Callable[[str], Document | None] = lambda name: None  # what a recorder that runs says of itself

        def caller(request: Request) -> Caller:
            kind, _, text = request.headers.get("authorization", "").partition(" ")
            if kind.lower() != "bearer":
                return operator(request)
            try:
                seat = links.read_chair(tokens, text.strip())
            except TokenRefused as refused:
                raise HTTPException(401, str(refused)) from None
            return _Bearer(seat.hall, seat.meeting)

        caller.rights = getattr(operator, "rights", ())  # type: ignore[attr-defined]  # as the operator's own
        self.router = APIRouter(prefix="/api/meet", tags=["meetings"])
        checker = checker or Checker(ImpactMap(model), {})
        desk = routes.Desk(store, model, checker, _no_bearer, self._meeting, self._links)
        routes.add(self.router, Depends(caller), desk)
        if reports is not None:
            report_routes.add(self.router, Depends(caller), store, self._meeting, reports)
        self.documented = [self.router]
        """Routers whose routes the OpenAPI document describes."""
        streams.add(self.router, Depends(caller), store, self._meeting, lambda: links.pages_address(model))
        self._routes(Depends(caller))

    def _routes(self, who: Any) -> None:
        router = self.router

        @router.get("/openapi.json", include_in_schema=False, dependencies=[who])
        def described() -> Document:
            return openapi.described([route for each in self.documented for route in each.routes])

        @router.get("/actions", dependencies=[who])
        def actions() -> Document:
            """Every action of the chair: who may, arguments, what it does."""
            rows = {name: found for name, found in ACTIONS.items() if found.may != "system"}
            return {
                "actions": {
                    name: {"may": row.may, "args": list(row.args), "needs": list(row.needs), "line": row.line}
                    for name, row in rows.items()
                }
            }

        @router.get("/meetings")
        def listed(caller: Caller = who, everything: Annotated[bool, Query(alias="all")] = False) -> Document:
            """Meetings that are not over; ``all``: past and cancelled ones too."""
            with self._store.reading() as session:
                found = meetings.upcoming(session, datetime.now(UTC), everything=everything)
            return {"meetings": [each.as_json() for each in found if self._concerns(caller, each)]}

        @router.get("/meetings/{number}")
        def shown(number: int, caller: Caller = who) -> Document:
            """A meeting, and the conference as the store has it (null: nobody was in it yet)."""
            meeting = self._meeting(number, caller)
            with self._store.reading() as session:
                state = recorded(session, number)
            return {"meeting": meeting.as_json(), "state": document.whole(state) if state else None}

        @router.get("/meetings/{number}/links")
        def linked(number: int, caller: Caller = who) -> Document:
            """Every hall's link, and a chair's for who asks."""
            return self._links(self._meeting(number, caller), caller)

        @router.get("/meetings/{number}/lines")
        def lines(number: int, caller: Caller = who) -> Document:
            """The last line test of each of its halls; null: never tested."""
            meeting = self._meeting(number, caller)
            with self._store.reading() as session:
                return {"venues": line_tests.latest(session, meeting.halls)}

        @router.post("/meetings/{number}/lines", status_code=202)
        def test_lines(number: int, caller: Caller = who) -> Document:
            """Ask its halls that are at home to test their line now; the results come within half a minute."""
            meeting = self._meeting(number, caller)
            if self._ask_tests is None:
                raise HTTPException(409, "this county has no relay")
            self._ask_tests(meeting.halls)
            return {"asked": list(meeting.halls)}

        @router.post("/meetings/{number}/guests")
        def guests(number: int, body: Guests, caller: Caller = who) -> Document:
            """Ask phones and notebooks in by one link and a PIN, or no longer."""
            meeting = self._meeting(number, caller)
            link = None
            if body.on:
                link = self._signed(links.guest_link, meeting)
            with self._store.session() as session:
                meeting = meetings.ask_guests(session, number, caller.login, on=body.on)
            return {"guest_link": link, "pin": meeting.guest_pin}

        @router.post("/meetings/{number}/act")
        async def act(number: int, body: Act, caller: Caller = who) -> Document:
            """Do what the chair does; 409 with code and words when it is refused."""
            meeting = await asyncio.to_thread(self._meeting, number, caller)
            if self._rooms is None:
                raise HTTPException(409, "this county has no relay: no meeting can go on")
            if (state := meeting.state(datetime.now(UTC))) != "open":
                raise HTTPException(409, {"code": state, "zh": "会议未开放", "en": f"the meeting is {state}"})
            await self._rooms.conferences.open(meeting)
            try:
                return await self._rooms.act(number, OPERATOR, body.action, body.args, by=caller.login)
            except Refused as refused:
                words = {"code": refused.code, "zh": refused.zh, "en": str(refused)}
                raise HTTPException(409, words) from None

        @router.get("/meetings/{number}/wall")
        async def walled(number: int, caller: Caller = who) -> Document:
            """Each venue's quality now, beside it the network's own probes of its path, and faults."""
            meeting = await asyncio.to_thread(self._meeting, number, caller)
            measured = await self._rooms.quality(number) if self._rooms is not None else {}
            probed = await self._probes() if self._probes is not None else {}
            paths = {code: found for code in meeting.halls if (found := probed.get(code)) and found.get("fresh")}
            faults = wall.faults(self._network(), self._model, meeting.halls)
            return {"quality": measured, "paths": paths, **faults}

        @router.post("/meetings/{number}/console")
        def console(number: int, caller: Caller = who) -> Document:
            """A token that opens the chair's page (``/chair/#token=``) in the name of who asks."""
            meeting = self._meeting(number, caller)
            try:
                token = links.chair_token(self._tokens, meeting, caller.login, datetime.now(UTC))
            except TokenRefused as refused:
                raise HTTPException(409, str(refused)) from None
            with self._store.session() as session:
                audit.record(session, caller.login, "meeting.console", "", {"meeting": number})
            return {"token": token}

        @router.get("/meetings/{number}/recordings")
        def recordings(number: int, caller: Caller = who) -> Document:
            """Its recordings, deleted ones too; ``recorder``: figures of the process that records one now."""
            self._meeting(number, caller)
            with self._store.reading() as session:
                rows = library.listed(session, number, everything=True)
            return {"recordings": [library.as_json(row, self.recorder) for row in rows]}

        @router.get("/meetings/{number}/attendance")
        def attended(number: int, caller: Caller = who) -> Document:
            """The sign-in sheet."""
            meeting = self._meeting(number, caller)
            lines, name = self._sheet(meeting)
            return {
                "meeting": meeting.as_json(),
                "venues": [line.as_json() | {"zh": name(line.hall)} for line in lines],
            }

        @router.get("/meetings/{number}/attendance.html", response_class=Response)
        def printed(number: int, caller: Caller = who) -> Response:
            """The sign-in sheet to print."""
            meeting = self._meeting(number, caller)
            page = sheet.html(meeting, *self._sheet(meeting), datetime.now().astimezone())
            return Response(page, media_type="text/html; charset=utf-8")

    def _meeting(self, number: int, caller: Caller) -> meetings.Meeting:
        with self._store.reading() as session:
            found = meetings.get(session, number)
        if found is None or (isinstance(caller, _Bearer) and caller.meeting != number):
            raise HTTPException(404, f"meeting {number}: not found")
        if not self._concerns(caller, found):
            raise HTTPException(403, f"meeting {number}: its main venue {found.main} is not in your unit")
        return found

    def _concerns(self, caller: Caller, meeting: meetings.Meeting) -> bool:
        if isinstance(caller, _Bearer):
            return caller.meeting == meeting.id
        hall = self._model.halls.get(meeting.main)
        return caller.covers(hall.site if hall else "")

    def _sheet(self, meeting: meetings.Meeting) -> tuple[list[attendance.Line], sheet.Names]:
        with self._store.reading() as session:
            lines = attendance.sheet(session, meeting, datetime.now(UTC))
            return lines, sheet.names(self._model, recorded(session, meeting.id))

    def _links(self, meeting: meetings.Meeting, caller: Caller) -> Document:
        halls = {hall: self._signed(links.link, meeting, hall) for hall in meeting.halls}
        # in the caller's own name: nobody is handed somebody else's
        return {"links": halls, "chair_link": self._signed(links.chair_link, meeting, caller.login)}

    def _signed(self, make: Callable[..., str], meeting: meetings.Meeting, *subject: str) -> str:
        now = datetime.now(UTC)
        if (state := meeting.state(now)) in ("cancelled", "over"):
            raise HTTPException(409, f"meeting {meeting.id} is {state}")
        try:
            address = links.pages_address(self._model, subject[0] if make is links.link else "")
            return make(self._tokens, address, meeting, *subject, now)
        except LookupError as lack:
            raise HTTPException(409, str(lack)) from None
