"""Tickets as JSON, for the API and ``--json``: times are UNIX seconds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from collectors.desk import clock
from collectors.desk.actions import WHEN
from collectors.desk.steps import Desk, marks, standing, titles
from collectors.desk.tables import CARDS, RESTORED, RUNNING, UNFINISHED, MarkRow, StepRow, TicketRow
from collectors.faults.rows import fault_of
from collectors.faults.tables import FaultRow
from collectors.faults.words import words
from identity.people import Right

Document = dict[str, Any]

_BY_RIGHT: dict[Right, tuple[str, ...]] = {
    Right.HANDLE: (
        "take", "assign", "work", "wait", "resume", "restore", "close", "reopen", "comment", "link",
    ),
    Right.REPORT: ("close", "reopen", "comment", "withdraw"),
    Right.SUPERVISE: ("comment", "correct", "withdraw-card"),
}  # fmt: skip
"""What a right lets one do to a ticket; REPORT to those of one's own units."""


def needed(action: str) -> tuple[Right, ...]:
    """The rights any of which an action needs."""
    return tuple(right for right, actions in _BY_RIGHT.items() if action in actions)


def seconds(moment: datetime | None) -> float | None:
    """UNIX seconds, or null."""
    return None if moment is None else moment.timestamp()


def possible(ticket: TicketRow, rights: Collection[Right], cards: Collection[str]) -> list[str]:
    """What somebody with these rights may do to it now."""
    found = []
    for action, states in WHEN.items():
        if ticket.state not in states or not set(needed(action)) & set(rights):
            continue
        if ticket.parent is not None and action in ("take", "assign", "work", "wait", "resume", "restore", "link"):
            continue
        if action == "withdraw-card" and not set(CARDS) & set(cards):
            continue
        if (action == "link" and ticket.kind != "report") or (action == "withdraw" and ticket.kind == "fault"):
            continue
        if action == "reopen" and ticket.outcome in ("granted", "deemed-granted"):
            continue
        found.append(action)
    return found


def summary(
    desk: Desk, ticket: TicketRow, fired: Mapping[str, MarkRow], children: int, rights: Collection[Right]
) -> Document:
    """A ticket in a list."""
    site_zh, site_en = desk.names(ticket.site)
    class_zh, class_en = desk.class_of(ticket)
    stands = standing(dict(fired))
    spent = clock.spent(ticket, desk.rules.calendar, desk.now())
    return {
        "id": ticket.id,
        "kind": ticket.kind,
        "request": ticket.request,
        "class": ticket.class_name,
        "class_zh": class_zh,
        "class_en": class_en,
        "subject": ticket.subject,
        "subject_en": titles(ticket)[1],
        "text": ticket.text,
        "site": ticket.site,
        "site_zh": site_zh,
        "site_en": site_en,
        "organisation": ticket.organisation,
        "fault": ticket.fault,
        "parent": ticket.parent,
        "children": children,
        "channel": ticket.channel,
        "contact": ticket.contact,
        "state": ticket.state,
        "outcome": ticket.outcome,
        "opened_by": ticket.opened_by,
        "opened_at": seconds(ticket.opened_at),
        "team": ticket.team,
        "assignee": ticket.assignee,
        "accepted_at": seconds(ticket.accepted_at),
        "restored_at": seconds(ticket.restored_at),
        "closed_at": seconds(ticket.closed_at),
        "changed_at": seconds(ticket.changed_at),
        "clock": {
            "light": clock.light(ticket, stands),
            "running": ticket.counting_from is not None,
            "working": ticket.working,
            "waiting_why": ticket.waiting_why,
            "respond_due_at": seconds(ticket.respond_due_at),
            "yellow_at": seconds(ticket.yellow_at),
            "due_at": seconds(ticket.due_at),
            "spent_s": round(spent, 1),
            "limit_s": ticket.limit_s,
            "share": round(spent / ticket.limit_s, 4) if ticket.limit_s else 0.0,
        },
        "cards": [_card(kind, fired[kind]) for kind in CARDS if kind in fired],
        "satisfaction": ticket.satisfaction,
        "may": possible(ticket, rights, stands),
    }


def summaries(
    session: Session, desk: Desk, tickets: Sequence[TicketRow], rights: Collection[Right] = ()
) -> list[Document]:
    """Tickets in a list, with their cards and how many reports hang on each."""
    fired = marks(session, [ticket.id for ticket in tickets])
    parents = select(TicketRow.parent, func.count()).where(TicketRow.parent.is_not(None)).group_by(TicketRow.parent)
    children: dict[int | None, int] = {row[0]: row[1] for row in session.execute(parents)}
    return [summary(desk, ticket, fired.get(ticket.id, {}), children.get(ticket.id, 0), rights) for ticket in tickets]


def detail(
    session: Session, desk: Desk, ticket: TicketRow, rights: Collection[Right] = (), sites: Collection[str] = ()
) -> Document:
    """One ticket with its history, what hangs on it, and its fault; ``sites``: without other units' reports."""
    steps = session.scalars(select(StepRow).where(StepRow.ticket == ticket.id).order_by(StepRow.id)).all()
    hanging = session.scalars(select(TicketRow).where(TicketRow.parent == ticket.id).order_by(TicketRow.id)).all()
    if sites:
        steps = [each for each in steps if each.what != "linked" or each.detail.get("site") in sites]
        hanging = [each for each in hanging if each.site in sites]
    fault = session.get(FaultRow, ticket.fault) if ticket.fault is not None else None
    return {
        **summaries(session, desk, [ticket], rights)[0],
        "history": [step_document(step) for step in steps],
        "linked": summaries(session, desk, hanging, rights),
        "request_detail": ticket.detail if ticket.kind == "request" else {},
        "service": ticket.detail.get("service", "") if ticket.kind == "report" else "",
        "cause": ticket.cause,
        "fault_detail": fault_document(desk, fault) if fault is not None else None,
        "escalations": [
            {"step": step.detail["step"], "at": seconds(step.at), "to": step.detail["to"]}
            for step in steps
            if step.what == "escalate"
        ],
        "corrections": [
            {"at": seconds(step.at), "who": step.who, "why": step.why} for step in steps if step.what == "correct"
        ],
    }


def step_document(step: StepRow) -> Document:
    """A line of a ticket's history."""
    return {
        "id": step.id,
        "at": seconds(step.at),
        "who": step.who,
        "what": step.what,
        "why": step.why,
        "detail": step.detail,
    }


def fault_document(desk: Desk, fault: FaultRow) -> Document:
    """A fault as the store has it, in words, with the next step."""
    said = words(desk.model, fault_of(fault))
    return {
        "zh": said.zh,
        "en": said.en,
        "next_step": said.next_step,
        "id": fault.id,
        "key": fault.key,
        "kind": fault.kind,
        "subject": fault.subject,
        "site": fault.site,
        "severity": fault.severity,
        "opened_at": seconds(fault.opened_at),
        "cleared_at": seconds(fault.cleared_at),
        "detail": fault.detail,
        "impact": fault.impact,
        "acknowledged_by": fault.acknowledged_by,
        "acknowledged_at": seconds(fault.acknowledged_at),
        "acknowledged_why": fault.acknowledged_why,
        "window": fault.window,
    }


STATES: dict[str, tuple[str, ...] | None] = {
    "active": (*UNFINISHED, RESTORED),
    "unfinished": UNFINISHED,
    "running": RUNNING,
    "waiting": ("waiting",),
    "restored": ("restored",),
    "closed": ("closed",),
    "all": None,
}
"""Words of a filter, and the states that they mean."""


def find(
    session: Session, *, state: str = "active", kind: str = "", sites: Iterable[str] = (), team: str = "",
    assignee: str = "", light: str = "", text: str = "", before: int | None = None, limit: int = 100,
) -> Sequence[TicketRow]:  # fmt: skip
    """Tickets, newest first; ``sites`` () is the whole county, ``light`` one of yellow and red."""
    query = select(TicketRow).order_by(TicketRow.id.desc()).limit(limit)
    states = STATES[state]
    if states is not None:
        query = query.where(TicketRow.state.in_(states))
    wanted = list(sites)
    for column, value in ((TicketRow.kind, kind), (TicketRow.team, team), (TicketRow.assignee, assignee)):
        if value:
            query = query.where(column == value)
    if wanted:
        query = query.where(TicketRow.site.in_(wanted))
    if before is not None:
        query = query.where(TicketRow.id < before)
    if text:
        pattern = f"%{text.replace('%', '').replace('_', '')}%"
        query = query.where(TicketRow.subject.ilike(pattern) | TicketRow.text.ilike(pattern))
    if light:
        query = query.where(_has_card(light))
        if light == "yellow":
            query = query.where(~_has_card("red"))
    return session.scalars(query).all()


def counts(session: Session, *, sites: Iterable[str] = (), login: str = "") -> Document:
    """How many tickets there are of each sort, of these sites or of all."""
    wanted = list(sites)
    own = [TicketRow.site.in_(wanted)] if wanted else []

    def number(*conditions: Any) -> int:
        return session.scalar(select(func.count(TicketRow.id)).where(*own, *conditions)) or 0

    unfinished = TicketRow.state.in_(UNFINISHED)
    return {
        "active": number(TicketRow.state.in_((*UNFINISHED, RESTORED))),
        "waiting": number(TicketRow.state == "waiting"),
        "restored": number(TicketRow.state == RESTORED),
        "yellow": number(unfinished, _has_card("yellow"), ~_has_card("red")),
        "red": number(unfinished, _has_card("red")),
        "late_response": number(unfinished, _has_card("late-response"), TicketRow.accepted_at.is_(None)),
        "mine": number(unfinished, TicketRow.assignee == login) if login else 0,
    }


def _has_card(kind: str) -> Any:
    held = select(MarkRow.ticket).where(
        MarkRow.ticket == TicketRow.id, MarkRow.kind == kind, MarkRow.withdrawn_at.is_(None)
    )
    return held.exists()


def _card(kind: str, row: MarkRow) -> Document:
    withdrawn = None
    if row.withdrawn_at is not None:
        withdrawn = {"who": row.withdrawn_by, "at": seconds(row.withdrawn_at), "why": row.withdrawn_why}
    return {"kind": kind, "at": seconds(row.at), "due_at": seconds(row.due_at), "withdrawn": withdrawn}
