"""A month's performance score per unit and per team, with every point accounted for; publishing freezes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from collectors.desk.months import bounds
from collectors.desk.steps import Desk, Refused, marks
from collectors.desk.tables import LATE_RESPONSE, RED, UNFINISHED, YELLOW, MarkRow, ScoreRow, StepRow, TicketRow
from collectors.desk.view import Document, seconds
from inventory.supervision import Scoring
from store import audit

_POINTS = (
    ("yellow", "黄牌", "yellow cards"),
    ("red", "红牌", "red cards"),
    ("late_response", "受理超时", "late responses"),
    ("correction", "责令改正", "corrections"),
    ("reopened", "重新打开", "reopened"),
    ("slow_answer", "单位逾期未答复", "slow answers of the unit"),
)
BEST_MARK = 5


@dataclass(slots=True)
class Tally:
    """What counts for one unit or team."""

    tickets: int = 0
    finished: int = 0
    on_time: int = 0
    overdue: int = 0  # unfinished, with a red card
    marks: list[int] = field(default_factory=list)
    points: dict[str, int] = field(default_factory=lambda: dict.fromkeys((name for name, _, _ in _POINTS), 0))


def points(tally: Tally, rules: Scoring) -> tuple[float | None, list[Document]]:
    """The score, 0 to 100, and the lines that give it; None without tickets."""
    judged = tally.finished + tally.overdue
    lines: list[Document] = []
    if judged:
        weight = rules.on_time if tally.marks else rules.on_time + rules.satisfaction
        share = tally.on_time / judged
        lines.append(_line("按时办结", "in time", f"{tally.on_time}/{judged}", weight * share))
    if tally.marks:
        weight = rules.satisfaction if judged else rules.on_time + rules.satisfaction
        mean = sum(tally.marks) / len(tally.marks)
        lines.append(_line("满意度", "satisfaction", f"{mean:.1f}/{BEST_MARK}", weight * mean / BEST_MARK))
    if not lines:
        return None, []
    for name, zh, en in _POINTS:
        if number := tally.points[name]:
            lines.append(_line(zh, en, f"{number}", -number * getattr(rules, name)))
    return max(0.0, round(sum(line["points"] for line in lines), 1)), lines


def _line(zh: str, en: str, figure: str, value: float) -> Document:
    return {"zh": f"{zh} {figure}", "en": f"{en}: {figure}", "points": round(value, 2)}


def scores(session: Session, desk: Desk, month: str) -> Document:
    """Units (by site) and teams of that month.  A published month is as it was published.  Raises DeskError."""
    kept = session.get(ScoreRow, month)
    if kept is not None:
        return {**kept.document, "published": {"at": seconds(kept.at), "who": kept.who}}
    start, end = bounds(month, desk.now())
    units, teams = _tallies(session, start, end)
    rules = desk.rules.scoring

    def named(tallies: dict[str, Tally], names: Callable[[str], tuple[str, str]]) -> list[Document]:
        found = []
        for name, tally in sorted(tallies.items()):
            zh, en = names(name)
            found.append({"name": name, "zh": zh, "en": en, **_document(tally, rules)})
        return sorted(found, key=lambda each: (each["score"] is None, -(each["score"] or 0), each["name"]))

    def team(name: str) -> tuple[str, str]:
        known = desk.rules.teams.get(name)
        return (known.zh, known.en) if known else (name, name)

    return {
        "month": month,
        "published": None,
        "units": named(units, desk.names),
        "teams": named(teams, team),
        "rules": {name: getattr(rules, name) for name in ("on_time", "satisfaction", *(each[0] for each in _POINTS))},
    }


def publish(session: Session, desk: Desk, month: str, who: str, why: str = "") -> Document:
    """Freeze and publish a month.  Raises Refused when it is not over, or published already."""
    if session.get(ScoreRow, month) is not None:
        raise Refused((f"{month} is published already", f"{month} 已经公布"))
    _, end = bounds(month, desk.now())
    if end > desk.now():
        raise Refused((f"{month} is not over", f"{month} 尚未结束"))
    document = scores(session, desk, month)
    session.add(ScoreRow(month=month, at=desk.now(), who=who, document=document))
    audit.record(session, who, "score.publish", why, {"month": month})
    session.flush()
    return scores(session, desk, month)


def published(session: Session) -> list[Document]:
    """All published months, newest first."""
    rows = session.scalars(select(ScoreRow).order_by(ScoreRow.month.desc()))
    return [
        {
            "month": row.month,
            "at": seconds(row.at),
            "who": row.who,
            "units": row.document["units"],
            "teams": row.document["teams"],
        }
        for row in rows
    ]


def _tallies(session: Session, start: datetime, end: datetime) -> tuple[dict[str, Tally], dict[str, Tally]]:
    query = select(TicketRow).where(
        TicketRow.opened_at < end, or_(TicketRow.state.in_(UNFINISHED), TicketRow.restored_at >= start)
    )
    tickets = {ticket.id: ticket for ticket in session.scalars(query)}
    fired = marks(session, tickets)
    steps = session.execute(
        select(StepRow.ticket, StepRow.what).where(
            StepRow.at >= start, StepRow.at < end, StepRow.what.in_(("correct", "reopen", "slow-answer"))
        )
    ).all()
    units: dict[str, Tally] = {}
    teams: dict[str, Tally] = {}

    def groups(ticket: TicketRow) -> Iterable[Tally]:
        if ticket.site:
            yield units.setdefault(ticket.site, Tally())
        yield teams.setdefault(ticket.team, Tally())

    for ticket in tickets.values():
        own = fired.get(ticket.id, {})
        for tally in groups(ticket):
            _count(tally, ticket, own, start, end)
    for number, what in steps:
        if number not in tickets:
            continue
        ticket = tickets[number]
        name = {"correct": "correction", "reopen": "reopened", "slow-answer": "slow_answer"}[what]
        for tally in groups(ticket):
            if name != "slow_answer" or tally is units.get(ticket.site):  # the unit's own fault, not the team's
                tally.points[name] += 1
    return units, teams


def _count(tally: Tally, ticket: TicketRow, fired: dict[str, MarkRow], start: datetime, end: datetime) -> None:
    if ticket.outcome == "withdrawn":
        return
    tally.tickets += 1
    done = ticket.restored_at is not None and start <= ticket.restored_at < end
    if done and ticket.satisfaction is not None:
        tally.marks.append(ticket.satisfaction)
    if ticket.parent is not None:
        return  # judged on the ticket that it hangs on
    stands = {kind: row for kind, row in fired.items() if row.withdrawn_at is None and row.at < end}
    tally.finished += done
    tally.on_time += done and RED not in stands
    tally.overdue += not done and RED in stands
    for kind, name in ((YELLOW, "yellow"), (RED, "red"), (LATE_RESPONSE, "late_response")):
        tally.points[name] += kind in stands and stands[kind].at >= start


def _document(tally: Tally, rules: Scoring) -> Document:
    score, lines = points(tally, rules)
    judged = tally.finished + tally.overdue
    return {
        "tickets": tally.tickets,
        "finished": tally.finished,
        "on_time": tally.on_time,
        "on_time_share": round(tally.on_time / judged, 4) if judged else None,
        "yellow": tally.points["yellow"],
        "red": tally.points["red"],
        "late_responses": tally.points["late_response"],
        "reopened": tally.points["reopened"],
        "corrections": tally.points["correction"],
        "slow_answers": tally.points["slow_answer"],
        "satisfaction": round(sum(tally.marks) / len(tally.marks), 2) if tally.marks else None,
        "rated": len(tally.marks),
        "score": score,
        "lines": lines,
    }
