"""``/api/meet``, the part before a meeting: book, change, cancel, calendars to take in and to subscribe to."""

from __future__ import annotations

import json
from asyncio import to_thread
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Header, HTTPException, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from inventory.model import NetworkModel
from store.base import utc_now
from store.engine import Store
from store.once import KeyReused, once
from vconf import links
from vconf.booking import book as booking
from vconf.booking import feeds
from vconf.booking.book import Change, Wanted
from vconf.booking.checker import Checker
from vconf.booking.conflicts import Clash, Clashes
from vconf.booking.groups import groups, spread
from vconf.booking.ical_read import read
from vconf.booking.imports import Importer
from vconf.meetings import Meeting, MeetingError

Document = dict[str, Any]
Code = Annotated[str, Field(min_length=1, max_length=40)]
_FEED = "text/calendar; charset=utf-8"


class Booking(BaseModel):
    """A meeting to book, once or again and again."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(max_length=200)]
    start: AwareDatetime | None = None  # None: now
    minutes: Annotated[int, Field(ge=1, le=720)] = 120
    halls: Annotated[list[Code], Field(min_length=1, max_length=1000)]  # codes, and groups (GET /groups)
    main: Annotated[str, Field(max_length=32)] = ""
    chair: Annotated[str, Field(max_length=64)] = ""
    repeat: Annotated[str, Field(max_length=300)] = ""  # value of an RRULE: FREQ=WEEKLY;COUNT=10
    force: bool = False  # although a hall is in another meeting then


class Changing(BaseModel):
    """What is to be otherwise; what is not named stays."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(max_length=200)] | None = None
    start: AwareDatetime | None = None
    minutes: Annotated[int, Field(ge=1, le=720)] | None = None
    halls: Annotated[list[Code], Field(min_length=1, max_length=1000)] | None = None
    main: Annotated[str, Field(max_length=32)] | None = None
    chair: Annotated[str, Field(max_length=64)] | None = None
    series: bool = False  # all of the series that have not begun
    force: bool = False


class Cancelling(BaseModel):
    """A reason for the audit."""

    model_config = ConfigDict(extra="forbid")

    why: Annotated[str, Field(max_length=500)] = ""
    series: bool = False


class Subscribing(BaseModel):
    """Whose calendar: a hall's code, @ and a login, or county."""

    model_config = ConfigDict(extra="forbid")

    of: Annotated[str, Field(min_length=1, max_length=72)]


class Caller(Protocol):
    """Who asks."""

    @property
    def login(self) -> str:
        """For the audit."""

    def covers(self, unit: str) -> bool:
        """True when the site is one of the caller's own."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the routes stand on; ``person`` turns away who holds a chair's token of one meeting."""

    store: Store
    model: NetworkModel
    checker: Checker
    person: Callable[[Any], Any]
    found: Callable[[int, Any], Meeting]
    links: Callable[[Meeting, Any], Document]

    def covers(self, caller: Caller, hall: str) -> bool:
        """Whether a hall is of the caller's units."""
        held = self.model.halls.get(hall)
        return caller.covers(held.site if held else "")

    def may_force(self, caller: Caller, clashes: list[Clash]) -> None:
        """Only whoever may change the other meetings; HTTPException."""
        for each in clashes:
            if not self.covers(caller, each.main):
                raise HTTPException(
                    403, f"meeting {each.meeting}: is not in your unit, and cannot be overridden by you"
                )

    def clash(self, clashes: list[Clash]) -> HTTPException:
        """409 with each hall named."""
        said = [each.words(self.model.halls[each.hall].zh if each.hall in self.model.halls else "") for each in clashes]
        words = {"zh": "；".join(zh for zh, _ in said[:10]), "en": "; ".join(en for _, en in said[:10])}
        return HTTPException(409, {"code": "clash", **words, "clashes": [each.as_json() for each in clashes]})


def add(router: APIRouter, who: Any, desk: Desk) -> None:
    """Put the routes on the router; ``who`` is the dependency that gives the caller."""
    model, store = desk.model, desk.store

    def wanted(body: Booking) -> Wanted:
        return Wanted(
            title=body.title,
            start_at=body.start or datetime.now(UTC),
            duration=timedelta(minutes=body.minutes),
            halls=tuple(spread(model, body.halls)),
            main=body.main,
            chair=body.chair,
            repeat=body.repeat,
        )

    @router.get("/groups", dependencies=[who])
    def listed() -> Document:
        """Halls, and groups of them by one name."""
        found = groups(model).values()
        return {
            "groups": [{"name": g.name, "zh": g.zh, "en": g.en, "halls": list(g.halls)} for g in found],
            "halls": [
                {"code": hall.code, "zh": hall.zh, "en": hall.en, "site": hall.site} for hall in model.halls.values()
            ],
        }

    @router.post("/meetings/check")
    def check(body: Booking, caller: Caller = who) -> Document:
        """What a booking would run into, without booking: times, halls taken, what the network lacks."""
        asked, now = wanted(body), utc_now()
        with store.reading() as session:
            try:
                moments = asked.starts()
                found = booking.meets(session, asked)
            except MeetingError as error:
                raise HTTPException(422, str(error)) from None
            capacity = desk.checker.document(session, asked.halls, [(at, at + asked.duration) for at in moments], now)
        said = [each.words(model.halls[each.hall].zh) for each in found if each.hall in model.halls]
        return {
            "starts": [at.isoformat() for at in moments],
            "clashes": [each.as_json() | {"zh": zh, "en": en} for each, (zh, en) in zip(found, said, strict=False)],
            "capacity": capacity,
        }

    @router.post("/meetings", status_code=201)
    def book(
        body: Booking, caller: Caller = who, idempotency_key: Annotated[str, Header(max_length=64)] = ""
    ) -> Document:
        """Book a meeting; answers with every hall's link and the chair's, and what the network lacks for it."""
        desk.person(caller)
        asked, now = wanted(body), utc_now()

        def made(session: Session) -> int:
            main = asked.main or asked.halls[0]
            if main in model.halls and not desk.covers(caller, main):
                raise HTTPException(403, f"main: {main} is not in your unit")
            if body.force:
                desk.may_force(caller, booking.meets(session, asked))
            found = booking.book(session, asked, caller.login, model.halls, force=body.force)
            desk.checker.keep(session, found, now)
            return found[0].id

        try:
            with store.session() as session:
                said = body.model_dump(mode="json")
                number = once(session, caller.login, "meeting.book", idempotency_key, said, now, lambda: made(session))
        except KeyReused as reused:
            raise HTTPException(422, str(reused)) from None
        except Clashes as clashes:
            raise desk.clash(list(clashes.found)) from None
        except MeetingError as error:
            raise HTTPException(422, str(error)) from None
        first = desk.found(number, caller)
        with store.reading() as session:
            every = booking.of_series(session, first)
        series = [{"id": each.id, "start": each.start_at.isoformat()} for each in every]
        return {"meeting": first.as_json(), "series": series, "capacity": first.capacity, **desk.links(first, caller)}

    @router.post("/meetings/{number}/change")
    def change(number: int, body: Changing, caller: Caller = who) -> Document:
        """Another time, other halls, another name; of one meeting or all of its series that have not begun."""
        desk.found(number, caller)
        now = utc_now()
        changes = Change(
            title=body.title,
            start_at=body.start,
            duration=timedelta(minutes=body.minutes) if body.minutes is not None else None,
            halls=tuple(spread(model, body.halls)) if body.halls is not None else None,
            main=body.main,
            chair=body.chair,
        )

        def changed(force: bool) -> list[Meeting]:
            with store.session() as session:
                found = booking.change(
                    session, number, changes, caller.login, model.halls, now, series=body.series, force=force
                )
                if not desk.covers(caller, found[0].main):
                    raise HTTPException(403, f"main: {found[0].main} is not in your unit")
                desk.checker.keep(session, found, now)
                return found

        try:
            try:
                made = changed(force=False)
            except Clashes as clashes:
                if not body.force:
                    raise desk.clash(list(clashes.found)) from None
                desk.may_force(caller, list(clashes.found))
                made = changed(force=True)
        except MeetingError as error:
            raise HTTPException(422, str(error)) from None
        return {"meetings": [desk.found(each.id, caller).as_json() for each in made]}

    @router.post("/meetings/{number}/cancel")
    def cancel(number: int, body: Cancelling, caller: Caller = who) -> Document:
        """Cancel it, or all of its series that are not over; halls that are in it are told."""
        desk.found(number, caller)
        with store.session() as session:
            gone = booking.cancel(session, number, caller.login, body.why, utc_now(), series=body.series)
        return {"meeting": gone[0].as_json(), "meetings": [each.id for each in gone]}

    @router.post("/calendar")
    async def take(
        request: Request,
        caller: Caller = who,
        halls: Annotated[str, Query(max_length=2000)] = "",
        force: bool = False,
    ) -> Document:
        """Take in a calendar (RFC 5545, METHOD REQUEST or CANCEL) that another program wrote.

        The body is the calendar (``text/calendar``), or ``{"ics": "..."}``.  ``halls``: codes and groups, instead of
        what the calendar names.
        """
        desk.person(caller)
        data = _calendar(request.headers.get("content-type", ""), await request.body())
        now = utc_now()
        importer = Importer(
            model=model,
            who=caller.login,
            now=now,
            may=lambda each: desk.covers(caller, each.main),
            halls=tuple(word.strip() for word in halls.split(",") if word.strip()),
            force=force and caller.covers(""),
        )

        def taken() -> list[Document]:
            with store.session() as session:
                done = importer.take(session, read(data))
                for each in done:
                    alive = [one for one in each.meetings if one.cancelled_at is None]
                    if alive and not desk.covers(caller, alive[0].main):
                        raise HTTPException(403, f"main: {alive[0].main} is not in your unit")
                    desk.checker.keep(session, alive, now)
                return [each.as_json() for each in done]

        try:
            return {"events": await to_thread(taken)}
        except Clashes as clashes:
            raise desk.clash(list(clashes.found)) from None
        except MeetingError as error:
            raise HTTPException(422, str(error)) from None

    @router.post("/feeds", status_code=201)
    def subscribe(body: Subscribing, caller: Caller = who) -> Document:
        """Make an address that a calendar program reads a hall's, a person's or the county's meetings from."""
        subject = _subject(desk, body, caller)
        with store.session() as session:
            token = feeds.make(session, subject, caller.login, utc_now())
        return {"subject": subject, "url": f"{links.pages_address(model)}{feeds.PATH}{token}.ics"}

    @router.post("/feeds/revoke")
    def revoke(body: Subscribing, caller: Caller = who) -> Document:
        """Every address of it is good no longer."""
        subject = _subject(desk, body, caller)
        with store.session() as session:
            return {"subject": subject, "revoked": feeds.revoke(session, subject, caller.login, utc_now())}

    @router.get("/calendar/{token}.ics", response_class=Response)
    def feed(token: str) -> Response:
        """The calendar behind such an address; whoever has it may read it."""
        with store.reading() as session:
            subject = feeds.subject(session, token)
            if subject is None:
                raise HTTPException(404, "no such calendar, or it was revoked")
            return Response(feeds.feed(session, model, subject, _halls_page(model), utc_now()), media_type=_FEED)


def _calendar(kind: str, body: bytes) -> bytes:
    if not kind.startswith("application/json"):
        return body
    try:
        found = json.loads(body)["ics"]
    except (ValueError, KeyError, TypeError, RecursionError):
        found = None
    if not isinstance(found, str):
        raise HTTPException(422, 'expected {"ics": "BEGIN:VCALENDAR..."}, or the calendar itself as text/calendar')
    return found.encode()


def _subject(desk: Desk, body: Subscribing, caller: Caller) -> str:
    desk.person(caller)
    try:
        subject = feeds.subject_of(desk.model, body.of)
    except MeetingError as error:
        raise HTTPException(422, str(error)) from None
    kind, _, name = subject.partition(":")
    own = desk.covers(caller, name) if kind == "hall" else caller.covers("") or (kind, name) == ("person", caller.login)
    if not own:
        raise HTTPException(403, f"{body.of}: is not yours to hand out")
    return subject


def _halls_page(model: NetworkModel) -> str:
    try:
        return f"{links.pages_address(model)}/hall/"
    except LookupError:
        return ""
