"""What time does to tickets: everything that has come due, once each, however late or often somebody looks.

``pending`` asks without writing, so that a county at rest costs one short read; ``tick`` does what is due in one
transaction: when it fails half way, nothing of it happened, and the next one does it.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from collectors.alerts.tables import WindowRow
from collectors.desk import clock, impacts
from collectors.desk.actions import Grant, closed, restored
from collectors.desk.filing import of_fault
from collectors.desk.steps import MONITOR, Desk, DeskError, marks, notify, recipients, step, titles
from collectors.desk.tables import (
    LATE_RESPONSE,
    OPENED,
    RED,
    RESTORED,
    RUNNING,
    UNFINISHED,
    WAITING,
    YELLOW,
    DeskClockRow,
    MarkRow,
    TicketRow,
)
from collectors.faults.tables import FaultRow
from inventory.workdays import CHINA

_WORDS = {
    LATE_RESPONSE: ("未按时受理", "was not accepted in time", "warning"),
    YELLOW: ("黄牌：即将超时", "yellow card: its time is nearly over", "warning"),
    RED: ("红牌：已超时", "red card: its time is over", "critical"),
}
_FAULTS_SINCE = timedelta(days=1)
"""A fault that came and went while nobody looked still gets its ticket, unless it is old news."""

_IMPACT_WITHIN = timedelta(seconds=5)
_CLOCK_EVERY = timedelta(minutes=1)
_CALENDAR_AHEAD = timedelta(days=30)


def pending(session: Session, desk: Desk, now: datetime, *, steady: bool) -> bool:
    """True when ``tick`` has something to do."""
    if _new_faults(session, desk, now) or session.execute(_cleared().limit(1)).first():
        return True
    if any(_class_rank(desk, fault) < _rank(desk, ticket.class_name) for ticket, fault in session.execute(_grown())):
        return True
    seen = session.get(DeskClockRow, 1)
    if seen is None or seen.settling is steady or abs(now - seen.at) >= _CLOCK_EVERY:
        return True
    return steady and bool(_due(session, desk, now))


def tick(session: Session, desk: Desk, now: datetime, *, steady: bool, grant: Grant | None = None) -> None:
    """Do everything that is due; while the clock is not ``steady``, deadlines wait."""
    at = Desk(desk.model, desk.rules, lambda: now)
    for fault in _new_faults(session, at, now):
        of_fault(session, at, fault)
    for ticket, fault in session.execute(_cleared()):
        if ticket.counting_from is not None and fault.cleared_at is not None:
            clock.stop(ticket, at.rules.calendar, fault.cleared_at)  # then, not when somebody looked
        outcome = "self-cleared" if ticket.state == OPENED else "done"
        restored(session, at, ticket, MONITOR, "the fault is over", outcome)
        ticket.restored_at = fault.cleared_at
    for ticket, fault in session.execute(_grown()):
        if _class_rank(at, fault) < _rank(at, ticket.class_name):
            _reclass(session, at, ticket, fault)
    if steady:
        for ticket, kind, due in _due(session, at, now):
            _fire(session, at, ticket, kind, due, grant)
        _calendar_ends(session, at, now)
    seen = session.get(DeskClockRow, 1) or DeskClockRow(id=1)
    seen.at, seen.settling = now, not steady
    session.add(seen)


def _new_faults(session: Session, desk: Desk, now: datetime) -> list[FaultRow]:
    """Faults that lasted long enough and have no ticket, once it is known what they hurt: the class goes by that."""
    recent = or_(FaultRow.cleared_at.is_(None), FaultRow.opened_at > now - _FAULTS_SINCE)
    ticket = select(TicketRow.id).where(TicketRow.fault == FaultRow.id).exists()
    over = select(WindowRow.id).where(WindowRow.id == FaultRow.window, WindowRow.end_at <= now).exists()
    unplanned = or_(FaultRow.window.is_(None), over)  # planned work has no ticket; what it leaves behind has
    query = select(FaultRow).where(recent, unplanned, ~ticket).order_by(FaultRow.id)
    known = [fault for fault in session.scalars(query) if fault.impact or now - fault.opened_at > _IMPACT_WITHIN]
    return [fault for fault in known if _lasted(desk, fault, now)]


def _lasted(desk: Desk, fault: FaultRow, now: datetime) -> bool:
    """A fault that heals by itself in seconds opens no clock; one that comes again and again is one of its own kind."""
    rules = desk.rules.fault_class(fault.severity, impacts.cuts(fault.impact))
    return (fault.cleared_at or now) - fault.opened_at >= timedelta(seconds=rules.lasting_s)


def _cleared() -> Select[TicketRow, FaultRow]:
    over = and_(FaultRow.id == TicketRow.fault, FaultRow.cleared_at.is_not(None))
    return select(TicketRow, FaultRow).join(FaultRow, over).where(TicketRow.state.in_(UNFINISHED))


def _grown() -> Select[TicketRow, FaultRow]:
    there = and_(FaultRow.id == TicketRow.fault, FaultRow.cleared_at.is_(None))
    return select(TicketRow, FaultRow).join(FaultRow, there).where(TicketRow.state.in_(UNFINISHED))


def _rank(desk: Desk, name: str) -> int:
    names = list(desk.rules.classes)
    return names.index(name) if name in names else len(names)


def _class_rank(desk: Desk, fault: FaultRow) -> int:
    return _rank(desk, desk.rules.fault_class(fault.severity, impacts.cuts(fault.impact)).name)


def _reclass(session: Session, desk: Desk, ticket: TicketRow, fault: FaultRow) -> None:
    """The fault has grown: the stricter class and its whole time from now on."""
    now, calendar = desk.now(), desk.rules.calendar
    rules = desk.rules.fault_class(fault.severity, impacts.cuts(fault.impact))
    ticket.class_name, ticket.yellow_share = rules.name, rules.yellow_share
    clock.change_limit(ticket, calendar, now, rules.restore.seconds(calendar, now), rules.restore.working)
    if ticket.respond_due_at is not None:
        ticket.respond_due_at = min(ticket.respond_due_at, rules.respond.deadline(calendar, now))
    step(session, ticket, now, MONITOR, "reclass", impacts.words(fault.impact)[0], to=rules.name)


Due = tuple[TicketRow, str, datetime]


def _due(session: Session, desk: Desk, now: datetime) -> list[Due]:
    """Every (ticket, kind, moment) that has come due and did not fire yet, earliest first."""
    reached = or_(
        TicketRow.respond_due_at <= now, TicketRow.yellow_at <= now, TicketRow.due_at <= now,
        TicketRow.answer_due_at <= now, TicketRow.close_due_at <= now,
    )  # fmt: skip
    fired_once = select(MarkRow.ticket).where(MarkRow.ticket == TicketRow.id).exists()
    open_ = TicketRow.state.in_((*UNFINISHED, RESTORED))
    tickets = list(session.scalars(select(TicketRow).where(open_, or_(reached, fired_once)).order_by(TicketRow.id)))
    fired = marks(session, [ticket.id for ticket in tickets])
    found: list[Due] = []
    for ticket in tickets:
        own = fired.get(ticket.id, {})
        found += [(ticket, kind, due) for kind, due in _moments(desk, ticket, own) if due <= now and kind not in own]
    return sorted(found, key=lambda each: (each[2], each[0].id))


def _moments(desk: Desk, ticket: TicketRow, fired: dict[str, MarkRow]) -> list[tuple[str, datetime]]:
    """What may fire of one ticket, and when."""
    moments: list[tuple[str, datetime | None]] = []
    if ticket.parent is None:
        if ticket.accepted_at is None and ticket.state in RUNNING:
            moments.append((LATE_RESPONSE, ticket.respond_due_at))
        if ticket.state in RUNNING:
            moments += [(YELLOW, ticket.yellow_at), (RED, ticket.due_at)]
            if ticket.due_at is not None and _deemed(desk, ticket):
                moments.append(("deemed", ticket.due_at))
        if ticket.state == WAITING:
            moments.append((f"slow-answer-{ticket.slow_answers + 1}", ticket.answer_due_at))
        if ticket.state in UNFINISHED:
            moments += _escalations(desk, fired)
    if ticket.state == RESTORED:
        moments.append(("close", ticket.close_due_at))
    return [(kind, due) for kind, due in moments if due is not None]


def _escalations(desk: Desk, fired: dict[str, MarkRow]) -> list[tuple[str, datetime | None]]:
    found: list[tuple[str, datetime | None]] = []
    for number, chain in enumerate(desk.rules.escalation, 1):
        card = fired.get(LATE_RESPONSE if chain.at == "respond" else chain.at)
        if card is not None and card.withdrawn_at is None:
            due = chain.after.deadline(desk.rules.calendar, card.at) if chain.after else card.at
            found.append((f"told-{number}", due))
    return found


def _deemed(desk: Desk, ticket: TicketRow) -> bool:
    rules = desk.rules.classes.get(ticket.class_name)
    return rules is not None and rules.deemed_granted


def _fire(session: Session, desk: Desk, ticket: TicketRow, kind: str, due: datetime, grant: Grant | None) -> None:
    """Once: the mark's key is (ticket, kind)."""
    now = desk.now()
    if kind == "close":
        closed(session, desk, ticket, MONITOR, "nobody objected")
        return
    if kind != "deemed" and ticket.state == RESTORED:
        return  # granted by silence a moment ago
    session.add(MarkRow(ticket=ticket.id, kind=kind, at=now, due_at=due, withdrawn_by="", withdrawn_why=""))
    session.flush()
    if kind == "deemed":
        _grant_by_silence(session, desk, ticket, grant)
    elif kind.startswith("told-"):
        _tell(session, desk, ticket, int(kind.removeprefix("told-")))
    elif kind.startswith("slow-answer-"):
        ticket.slow_answers += 1
        ticket.answer_due_at = None
        step(session, ticket, now, MONITOR, "slow-answer", ticket.waiting_why, due=due.timestamp())
        zh, en = (
            f"工单 {ticket.id} 仍在等待贵单位：{ticket.waiting_why}",
            f"Ticket {ticket.id} still waits for your unit",
        )
        whom = (*recipients(desk, ticket, "unit"), *recipients(desk, ticket, "team"))
        notify(session, f"ticket-{ticket.id}:{kind}", now, whom, "warning", f"ticket:{ticket.id}", zh, en)
    else:
        step(session, ticket, now, MONITOR, kind, "", due=due.timestamp())


def _tell(session: Session, desk: Desk, ticket: TicketRow, number: int) -> None:
    """One step of the escalation chain."""
    chain = desk.rules.escalation[number - 1]
    card = LATE_RESPONSE if chain.at == "respond" else chain.at
    zh, en, level = _WORDS[card]
    whom = tuple(dict.fromkeys(one for word in chain.to for one in recipients(desk, ticket, word)))
    subject = f"ticket:{ticket.id}"
    title_zh, title_en = titles(ticket)
    zh, en = f"工单 {ticket.id}（{title_zh}）{zh}", f"Ticket {ticket.id} ({title_en}) {en}"
    notify(session, f"ticket-{ticket.id}:told-{number}", desk.now(), whom, level, subject, zh, en)
    step(session, ticket, desk.now(), MONITOR, "escalate", "", step=number, card=card, to=list(whom))


def _grant_by_silence(session: Session, desk: Desk, ticket: TicketRow, grant: Grant | None) -> None:
    """超时默认: what nobody answered in time is granted, and done; when it cannot be done the red card stands alone."""
    try:
        with session.begin_nested():
            done = grant(session, ticket, MONITOR) if grant is not None else ""
    except DeskError as problem:
        step(session, ticket, desk.now(), MONITOR, "not-granted", str(problem))
        return
    restored(session, desk, ticket, MONITOR, "no answer in time", "deemed-granted", **({"done": done} if done else {}))
    zh, en = f"超时默认：工单 {ticket.id} 已准予。{done}", f"Ticket {ticket.id} is deemed granted. {done}"
    whom = (*recipients(desk, ticket, "unit"), *recipients(desk, ticket, "team"), *recipients(desk, None, "supervisor"))
    notify(session, f"ticket-{ticket.id}:deemed", desk.now(), whom, "warning", f"ticket:{ticket.id}", zh, en)


def _calendar_ends(session: Session, desk: Desk, now: datetime) -> None:
    """Say so a month before the first day that no notice covers."""
    soon = (now + _CALENDAR_AHEAD).astimezone(CHINA)
    if not desk.rules.calendar.known(soon):
        zh = f"{soon.year} 年放假通知尚未录入 calendar.yml：工作日只按周末计算"
        en = f"calendar.yml has no notice for {soon.year}: its working days are counted by weekends only"
        whom = (*recipients(desk, None, "engineer"), *recipients(desk, None, "supervisor"))
        notify(session, f"calendar-{soon.year}", now, whom, "info", "calendar", zh, en)


def calendar_warning(desk: Desk, now: datetime) -> tuple[date | None, str]:
    """The last day that a notice covers, and a warning within a month of it."""
    ends = desk.rules.calendar.ends
    known = desk.rules.calendar.known((now + _CALENDAR_AHEAD).astimezone(CHINA))
    return ends, "" if known else f"calendar.yml ends {ends}: later working days are counted by weekends only"
