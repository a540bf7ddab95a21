"""``/api/desk``: tickets, reports and requests, shifts, the supervision board, scores, service levels, the calendar.

Every route names its right.  A person whose rights hold for named units (a unit's clerk) sees and touches the tickets
of these units alone; a ticket of another one is not found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from collectors.desk import actions, filing, scores, shifts, sla, view
from collectors.desk.board import board
from collectors.desk.classes import calendar_document, classes_document
from collectors.desk.months import month_of
from collectors.desk.steps import Desk, DeskError, NoSuchTicket, Refused, get
from collectors.desk.tables import TicketRow
from dashboards.access import Access, Person, asker_key, said
from dashboards.desk.grant import granting
from identity.people import Right
from identity.refusal import Refusal
from inventory.model import NetworkModel
from store.base import utc_now
from store.engine import Store
from store.once import KeyReused, once

Document = dict[str, Any]

READERS = (Right.WATCH, Right.HANDLE, Right.SUPERVISE, Right.LEAD, Right.REPORT)
_BOARD = (Right.SUPERVISE, Right.LEAD, Right.WATCH)

_NO_DESK = Refusal(
    "the county's files have no section supervision: write supervision.yml and calendar.yml (copy those of the county "
    "xiao), then 'sanwang county check'",
    "本县数据没有 supervision.yml 和 calendar.yml：可从示例县 xiao 复制，然后运行 sanwang county check",
)


_KEY_REUSED = Refusal("this page asked for something else with the same key: reload it", "请求重复：请刷新页面后再试")


class _Body(BaseModel):
    """What a page sends; nothing unknown."""

    model_config = ConfigDict(extra="forbid")


Words = Annotated[str, Field(max_length=4000)]
Short = Annotated[str, Field(max_length=200)]


class Action(_Body):
    """The body of an action; which fields count depends on it."""

    why: Words = ""
    to: Short = ""
    text: Words = ""
    outcome: Short = ""
    cause: Words = ""
    satisfaction: int | None = None
    parent: int | None = None
    card: Short = ""


class ReportBody(_Body):
    """A fault that a unit reports (报障)."""

    site: Short
    text: Words
    organisation: Short = ""
    service: Short = ""
    contact: Short = ""
    channel: Literal["page", "phone", "desk"] = "page"


class RequestBody(_Body):
    """What a unit asks for."""

    site: Short
    request: Short
    text: Words
    detail: dict[str, Any]
    organisation: Short = ""
    contact: Short = ""
    channel: Literal["page", "phone", "desk"] = "page"


class ShiftBody(_Body):
    """A step of the shift log."""

    why: Words = ""
    text: Words = ""
    to: Short = ""
    ticket: int | None = None


class Why(_Body):
    """A reason."""

    why: Words = ""


def build_desk_api(
    model: NetworkModel, store: Store, access: Access, now: Callable[[], datetime] = utc_now
) -> APIRouter:
    """The router."""
    router = APIRouter(prefix="/api/desk")
    grant = granting(model, now)
    anybody = Depends(access.needs(*Right))
    reader, watcher = Depends(access.needs(*READERS)), Depends(access.needs(*_BOARD))
    filer, handler = Depends(access.needs(Right.HANDLE, Right.REPORT)), Depends(access.needs(Right.HANDLE))
    on_duty = Depends(access.needs(Right.HANDLE, Right.WATCH, Right.SUPERVISE))
    supervisor = Depends(access.needs(Right.SUPERVISE))
    own_key = Depends(asker_key)

    def desk() -> Desk:
        if model.supervision is None:
            raise said(404, _NO_DESK)
        return Desk(model, model.supervision, now)

    @contextmanager
    def writing() -> Iterator[Session]:
        try:
            with store.session() as session:
                yield session
        except NoSuchTicket as wrong:
            raise said(404, wrong) from None
        except Refused as wrong:
            raise said(409, wrong) from None
        except DeskError as wrong:
            raise said(422, wrong) from None
        except KeyReused:
            raise said(422, _KEY_REUSED) from None
        except IntegrityError:
            both = Refusal("somebody else did the same at this moment: look again", "此刻已有他人操作：请刷新后再试")
            raise said(409, both) from None

    @contextmanager
    def reading() -> Iterator[Session]:
        try:
            with store.reading() as session:
                yield session
        except DeskError as wrong:
            raise said(422, wrong) from None

    def own(session: Session, person: Person, number: int) -> TicketRow:
        try:
            ticket = get(session, number)
        except NoSuchTicket as wrong:
            raise said(404, wrong) from None
        if not person.covers(ticket.site):
            raise said(404, Refusal(f"ticket {number}: there is none of your units", f"贵单位没有工单 {number}"))
        return ticket

    def of_unit(person: Person, site: str) -> None:
        if not person.covers(site):
            own_units = ", ".join(person.units)
            en = f"{person.login} may not file for {site}: only for {own_units}"
            raise said(403, Refusal(en, f"您只能为 {own_units} 报障和申请，不能为 {site}"))

    @router.get("/classes")
    def classes(person: Person = reader) -> Document:
        return classes_document(desk(), person.units)

    @router.get("/tickets")
    def tickets(
        state: str = "active",
        kind: str = "",
        site: str = "",
        team: str = "",
        assignee: str = "",
        light: Literal["", "yellow", "red"] = "",
        text: Annotated[str, Query(max_length=100)] = "",
        before: int | None = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        person: Person = reader,
    ) -> Document:
        if state not in view.STATES:
            raise HTTPException(422, f"state: found {state!r}, expected one of {', '.join(view.STATES)}")
        if site and not person.covers(site):
            raise said(403, Refusal(f"{person.login} may not see {site}", f"您不能查看 {site} 的工单"))
        sites = (site,) if site else person.units
        with reading() as session:
            found = view.find(
                session, state=state, kind=kind, sites=sites, team=team, assignee=assignee, light=light, text=text,
                before=before, limit=limit + 1,
            )  # fmt: skip
            return {
                "tickets": view.summaries(session, desk(), found[:limit], person.rights),
                "more": len(found) > limit,
                "counts": view.counts(session, sites=person.units, login=person.login),
            }

    @router.get("/tickets/{number}")
    def ticket(number: int, person: Person = reader) -> Document:
        with reading() as session:
            return view.detail(session, desk(), own(session, person, number), person.rights, person.units)

    @router.get("/known")
    def known(site: str, person: Person = filer) -> Document:
        of_unit(person, site)
        with reading() as session:
            found = filing.known_at(session, desk(), site)
            zh, en = filing.known_words(desk(), found)
            shown = view.summaries(session, desk(), [found] if found else [], person.rights)
            return {"site": site, "tickets": shown, "zh": zh, "en": en}

    @router.post("/reports")
    def report(body: ReportBody, key: str = own_key, person: Person = filer) -> Document:
        of_unit(person, body.site)
        fields = body.model_dump()
        with writing() as session:
            number = once(
                session, person.login, "report", key, fields, now(),
                lambda: filing.report(session, desk(), who=person.login, **fields)[0].id,
            )  # fmt: skip
            filed = get(session, number)
            found = get(session, filed.parent) if filed.parent else None
            known = None
            if found is not None:
                zh, en = filing.known_words(desk(), found)
                known = {"ticket": view.summaries(session, desk(), [found], person.rights)[0], "zh": zh, "en": en}
            return {"ticket": view.detail(session, desk(), filed, person.rights, person.units), "known": known}

    @router.post("/requests")
    def request(body: RequestBody, key: str = own_key, person: Person = filer) -> Document:
        of_unit(person, body.site)
        fields = body.model_dump()
        fields["kind"] = fields.pop("request")
        with writing() as session:
            number = once(
                session, person.login, "request", key, fields, now(),
                lambda: filing.request(session, desk(), who=person.login, **fields).id,
            )  # fmt: skip
            return {"ticket": view.detail(session, desk(), get(session, number), person.rights, person.units)}

    def acted(session: Session, number: int, action: str, body: Action, who: str) -> int:
        why, at = body.why, desk()
        match action:
            case "take":
                row = actions.take(session, at, number, who, why)
            case "assign":
                row = actions.assign(session, at, number, who, body.to, why)
            case "work":
                row = actions.work(session, at, number, who, why)
            case "wait":
                row = actions.wait(session, at, number, who, why)
            case "resume":
                row = actions.resume(session, at, number, who, why)
            case "restore":
                row = actions.restore(session, at, number, who, why, body.cause, body.outcome, grant)
            case "close":
                row = actions.close(session, at, number, who, body.satisfaction, why)
            case "reopen":
                row = actions.reopen(session, at, number, who, why)
            case "comment":
                row = actions.comment(session, at, number, who, body.text)
            case "link":
                row = actions.link(session, at, number, who, body.parent or 0, why)
            case "withdraw":
                row = actions.withdraw(session, at, number, who, why)
            case "correct":
                row = actions.correct(session, at, number, who, why)
            case _:
                row = actions.withdraw_card(session, at, number, who, body.card, why)
        session.flush()
        return row.id

    def act(number: int, action: str, body: Action, key: str, person: Person) -> Document:
        with writing() as session:
            own(session, person, number)
            done = once(
                session, person.login, f"{action} {number}", key, body.model_dump(), now(),
                lambda: acted(session, number, action, body, person.login),
            )  # fmt: skip
            return view.detail(session, desk(), get(session, done), person.rights, person.units)

    for name in actions.WHEN:  # one route for each action, so that each names its own rights
        route = _action(name, act, own_key, Depends(access.needs(*view.needed(name))))
        router.add_api_route(f"/tickets/{{number}}/{name}", route, methods=["POST"])

    def shift_document(session: Session, person: Person) -> Document:
        at = desk()
        running = shifts.current(session)
        return {
            "current": shifts.document(session, at, running),
            "mine": running is not None and running.login == person.login,
            "handover": shifts.document(session, at, shifts.handed_over(session)),
            "open": view.summaries(session, at, view.find(session, state="unfinished"), person.rights),
        }

    @router.get("/shift")
    def shift(person: Person = on_duty) -> Document:
        with reading() as session:
            return shift_document(session, person)

    @router.get("/shifts")
    def shift_log(
        limit: Annotated[int, Query(ge=1, le=200)] = 30,
        before: int | None = None,
        person: Person = on_duty,
    ) -> Document:
        with reading() as session:
            rows = shifts.log(session, limit=limit, before=before)
            return {"shifts": [shifts.document(session, desk(), row) for row in rows]}

    @router.post("/shift/{step}")
    def shift_step(
        step: Literal["on", "off", "note", "handover"], body: ShiftBody,
        key: str = own_key, person: Person = handler,
    ) -> Document:  # fmt: skip
        at, who = desk(), person.login

        def stepped(session: Session) -> int:
            if step == "on":
                return shifts.on(session, at, who, body.why).id
            if step == "off":
                return shifts.off(session, at, who, body.why).id
            if step == "note":
                return shifts.note(session, at, who, body.text, body.ticket).id
            return shifts.handover(session, at, who, body.to, body.text).id

        with writing() as session:
            once(session, who, f"shift {step}", key, body.model_dump(), now(), lambda: stepped(session))
            session.flush()
            return shift_document(session, person)

    @router.get("/board")
    def supervision_board(person: Person = watcher) -> Document:
        with reading() as session:
            return board(session, desk(), person.rights, person.units)

    @router.get("/scores")
    def month_scores(month: str = "", person: Person = watcher) -> Document:
        with reading() as session:
            return scores.scores(session, desk(), month or month_of(now()))

    @router.post("/scores/{month}/publish")
    def publish(month: str, body: Why, person: Person = supervisor) -> Document:
        with writing() as session:
            return scores.publish(session, desk(), month, person.login, body.why)

    @router.get("/published", dependencies=[anybody])
    def published() -> Document:
        with reading() as session:
            return {"months": scores.published(session)}

    @router.get("/sla")
    def levels(month: str = "", person: Person = reader) -> Document:
        with reading() as session:
            found = sla.availability(session, desk(), month or month_of(now()))
        if person.units:
            found["sites"] = [each for each in found["sites"] if each["site"] in person.units]
        return found

    @router.get("/calendar", dependencies=[anybody])
    def calendar(year: Annotated[int | None, Query(ge=2000, le=2100)] = None) -> Document:
        return calendar_document(desk(), year or date.fromisoformat(f"{month_of(now())}-01").year)

    return router


def _action(
    name: str, act: Callable[[int, str, Action, str, Person], Document], own_key: Any, doer: Any
) -> Callable[..., Document]:
    """A route's function, with a name of its own."""

    def route(number: int, body: Action, key: str = own_key, person: Person = doer) -> Document:
        return act(number, name, body, key, person)

    route.__name__ = f"ticket_{name.replace('-', '_')}"
    return route
