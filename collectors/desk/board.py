"""The supervision board (电子监察): what is late, what is about to be, who waits, and what just happened."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from collectors.desk.steps import Desk, marks, standing
from collectors.desk.tables import RED, YELLOW, DeskClockRow, StepRow, TicketRow
from collectors.desk.tick import calendar_warning
from collectors.desk.view import Document, counts, find, seconds, step_document, summaries
from identity.people import Right
from inventory.workdays import CHINA

_SHOWN = 50


def board(session: Session, desk: Desk, rights: Collection[Right], sites: Collection[str] = ()) -> Document:
    """Everything that the board shows; ``sites`` () is the whole county."""
    now = desk.now()
    unfinished = find(session, state="unfinished", sites=sites, limit=1000)
    fired = {number: standing(own) for number, own in marks(session, [each.id for each in unfinished]).items()}
    red = [ticket for ticket in unfinished if RED in fired.get(ticket.id, ())]
    yellow = [ticket for ticket in unfinished if fired.get(ticket.id, frozenset()) & {YELLOW, RED} == {YELLOW}]
    running = sorted(
        (each for each in unfinished if each.due_at is not None and each not in red),
        key=lambda each: (each.due_at or now, each.id),
    )
    waiting = [ticket for ticket in unfinished if ticket.state == "waiting"]

    def shown(tickets: Sequence[TicketRow]) -> list[Document]:
        return summaries(session, desk, tickets[:_SHOWN], rights)

    def grouped(key: Callable[[TicketRow], str], names: Callable[[str], tuple[str, str]], word: str) -> list[Document]:
        groups: dict[str, list[TicketRow]] = {}
        for ticket in unfinished:
            groups.setdefault(key(ticket), []).append(ticket)
        found = []
        for name, own in groups.items():
            zh, en = names(name)
            figures = {"active": len(own), "yellow": sum(t in yellow for t in own), "red": sum(t in red for t in own)}
            found.append({word: name, "zh": zh, "en": en, **figures})
        return sorted(found, key=lambda each: (-each["red"], -each["yellow"], -each["active"], each[word]))

    steps = session.execute(_steps(sites).order_by(StepRow.id.desc()).limit(30)).all()
    corrections = session.scalars(
        _steps(sites).with_only_columns(StepRow).where(StepRow.what == "correct").order_by(StepRow.id.desc()).limit(20)
    )
    return {
        "now_at": seconds(now),
        "counts": {**counts(session, sites=sites), **_today(session, now, sites)},
        "red": shown(red),
        "yellow": shown(yellow),
        "next": shown(running[:20]),
        "waiting": shown(waiting),
        "by_class": grouped(lambda ticket: ticket.class_name, lambda name: _class_names(desk, name), "class"),
        "by_unit": grouped(lambda ticket: ticket.site, desk.names, "site"),
        "by_team": grouped(lambda ticket: ticket.team, lambda name: _team_names(desk, name), "team"),
        "recent": [
            {**step_document(step), "ticket": step.ticket, "subject": subject, "site": site}
            for step, subject, site in steps
        ],
        "corrections": [
            {"ticket": step.ticket, "at": seconds(step.at), "who": step.who, "why": step.why} for step in corrections
        ],
        "clock": clock_document(session, desk),
    }


def clock_document(session: Session, desk: Desk) -> Document:
    """When the desk last looked at the time, whether deadlines wait for a steady clock, and where the calendar ends."""
    seen = session.get(DeskClockRow, 1)
    ends, warning = calendar_warning(desk, desk.now())
    return {
        "at": seconds(seen.at) if seen else None,
        "settling": bool(seen and seen.settling),
        "calendar_ends": ends.isoformat() if ends else None,
        "warning": warning,
    }


def _steps(sites: Collection[str]) -> Select[StepRow, str, str]:
    query = select(StepRow, TicketRow.subject, TicketRow.site).join(TicketRow, TicketRow.id == StepRow.ticket)
    return query.where(TicketRow.site.in_(sites)) if sites else query


def _today(session: Session, now: datetime, sites: Collection[str]) -> Document:
    midnight = now.astimezone(CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
    own = [TicketRow.site.in_(sites)] if sites else []
    closed = session.scalar(select(func.count(TicketRow.id)).where(TicketRow.closed_at >= midnight, *own)) or 0
    deemed = session.scalar(
        select(func.count(TicketRow.id)).where(
            TicketRow.outcome == "deemed-granted", TicketRow.restored_at >= midnight, *own
        )
    )
    opened = session.scalar(select(func.count(TicketRow.id)).where(TicketRow.opened_at >= midnight, *own)) or 0
    return {"opened_today": opened, "closed_today": closed, "deemed_today": deemed or 0}


def _class_names(desk: Desk, name: str) -> tuple[str, str]:
    known = desk.rules.classes.get(name)
    return (known.zh, known.en) if known else (name, name)


def _team_names(desk: Desk, name: str) -> tuple[str, str]:
    known = desk.rules.teams.get(name)
    return (known.zh, known.en) if known else (name, name)
