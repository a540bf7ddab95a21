"""What people do with a ticket.  Every function works in the caller's session, and checks the ticket's state first."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session

from collectors.desk import clock
from collectors.desk.steps import (
    Desk,
    DeskError,
    Refused,
    get,
    marks,
    mistake,
    notify,
    recipients,
    standing,
    step,
    titles,
)
from collectors.desk.tables import (
    ACCEPTED,
    CARDS,
    CLOSED,
    IN_HAND,
    OPENED,
    REOPENED,
    RESTORED,
    UNFINISHED,
    WAITING,
    TicketRow,
)
from collectors.faults.tables import FaultRow

Grant = Callable[[Session, TicketRow, str], str]
"""Does what a granted request asks for, in the same transaction (session, ticket, who); returns words for the history.
Raises DeskError when it cannot be done."""

WHEN: dict[str, tuple[str, ...]] = {
    "take": (OPENED, REOPENED, ACCEPTED, IN_HAND, WAITING),
    "assign": UNFINISHED,
    "work": (ACCEPTED, REOPENED),
    "wait": (ACCEPTED, IN_HAND),
    "resume": (WAITING,),
    "restore": UNFINISHED,
    "close": (RESTORED,),
    "reopen": (RESTORED, CLOSED),
    "comment": (*UNFINISHED, RESTORED, CLOSED),
    "link": UNFINISHED,
    "withdraw": UNFINISHED,
    "correct": (*UNFINISHED, RESTORED),
    "withdraw-card": (*UNFINISHED, RESTORED, CLOSED),
}
"""In which states an action is possible."""

ANSWERS = ("granted", "refused")

_STATES = {
    OPENED: "待受理", ACCEPTED: "已受理", IN_HAND: "处理中", WAITING: "等待单位", RESTORED: "已恢复", CLOSED: "已关闭",
    REOPENED: "重新打开",
}  # fmt: skip


def take(session: Session, desk: Desk, number: int, who: str, why: str = "") -> TicketRow:
    """Accept it: the response clock is satisfied, and it is one's own."""
    ticket = _begin(session, number, "take")
    ticket.assignee, ticket.team = who, desk.rules.team_of(who) or ticket.team
    _accepted(ticket, desk)
    step(session, ticket, desk.now(), who, "take", why)
    return ticket


def assign(session: Session, desk: Desk, number: int, who: str, to: str, why: str = "") -> TicketRow:
    """Hand it to a person (who is told) or to a team; a person's name on it means that it is accepted."""
    ticket = _begin(session, number, "assign")
    if to in desk.rules.teams:
        ticket.team, ticket.assignee = to, ""
    elif to in desk.model.people and desk.rules.team_of(to):
        ticket.team, ticket.assignee = desk.rules.team_of(to), to
        _accepted(ticket, desk)
    else:
        members = sorted({login for team in desk.rules.teams.values() for login in team.members})
        teams = ", ".join(desk.rules.teams)
        expected = f"a team ({teams}) or one of its members ({', '.join(members)})"
        raise DeskError(mistake("to", to, expected, f"班组（{teams}）或其成员（{'、'.join(members)}）"))
    row = step(session, ticket, desk.now(), who, "assign", why, to=to)
    session.flush()
    title_zh, title_en = titles(ticket)
    zh, en = f"工单 {ticket.id} 转给您：{title_zh}", f"Ticket {ticket.id} is yours now: {title_en}"
    key = f"ticket-{ticket.id}:assign-{row.id}"
    notify(session, key, desk.now(), recipients(desk, ticket, "team"), "info", f"ticket:{ticket.id}", zh, en)
    return ticket


def work(session: Session, desk: Desk, number: int, who: str, why: str = "") -> TicketRow:
    """Work on it has begun."""
    ticket = _begin(session, number, "work")
    ticket.state = IN_HAND
    step(session, ticket, desk.now(), who, "work", why)
    return ticket


def wait(session: Session, desk: Desk, number: int, who: str, why: str) -> TicketRow:
    """Nothing can be done without the unit: the clock stands, and the unit has its own time to answer."""
    ticket = _begin(session, number, "wait")
    if not why.strip():
        raise DeskError(mistake("why", "", "what the unit has to do", "需要单位做的事"))
    now = desk.now()
    clock.stop(ticket, desk.rules.calendar, now)
    ticket.state, ticket.waiting_why = WAITING, why
    ticket.answer_due_at = desk.rules.answer.deadline(desk.rules.calendar, now)
    row = step(session, ticket, now, who, "wait", why)
    session.flush()
    zh, en = f"工单 {ticket.id} 等待贵单位：{why}", f"Ticket {ticket.id} waits for your unit: {why}"
    whom = recipients(desk, ticket, "unit")
    notify(session, f"ticket-{ticket.id}:wait-{row.id}", now, whom, "info", f"ticket:{ticket.id}", zh, en)
    return ticket


def resume(session: Session, desk: Desk, number: int, who: str, why: str = "") -> TicketRow:
    """The unit has answered: the clock runs on from where it stood."""
    ticket = _begin(session, number, "resume")
    ticket.state, ticket.waiting_why, ticket.answer_due_at = IN_HAND, "", None
    clock.start(ticket, desk.rules.calendar, desk.now())
    step(session, ticket, desk.now(), who, "resume", why)
    return ticket


def restore(
    session: Session, desk: Desk, number: int, who: str, why: str = "", cause: str = "", outcome: str = "",
    grant: Grant | None = None,
) -> TicketRow:  # fmt: skip
    """It works again; of a request: it is answered, ``granted`` (and done at once where that can be) or ``refused``.

    Raises:
        Refused: The monitoring still sees the fault.
        DeskError: A request without an answer, or one that cannot be granted.
    """
    ticket = _begin(session, number, "restore")
    if ticket.kind == "request" and outcome not in ANSWERS:
        raise DeskError(mistake("outcome", outcome, f"one of {', '.join(ANSWERS)}", "准予（granted）或不予（refused）"))
    if ticket.kind == "request" and outcome == "refused" and not why.strip():
        raise DeskError(mistake("why", "", "the reason that the unit is given", "告知单位的理由"))
    fault = session.get(FaultRow, ticket.fault) if ticket.fault is not None else None
    if fault is not None and fault.cleared_at is None:
        en = f"ticket {number}: fault {fault.id} ({fault.key}) is still there; it is restored when it clears"
        raise Refused((en, f"工单 {number}：故障 {fault.id}（{fault.key}）仍未消失，消失后自动恢复"))
    done = grant(session, ticket, who) if outcome == "granted" and grant is not None else ""
    ticket.cause = cause or ticket.cause
    restored(session, desk, ticket, who, why, outcome or "done", **({"done": done} if done else {}))
    return ticket


def restored(
    session: Session, desk: Desk, ticket: TicketRow, who: str, why: str, outcome: str, **detail: object
) -> None:
    """Stop the clock; the same for the reports that hang on it."""
    now = desk.now()
    if ticket.counting_from is not None:
        clock.stop(ticket, desk.rules.calendar, now)
    ticket.state, ticket.outcome, ticket.restored_at = RESTORED, outcome, now
    ticket.close_due_at = desk.rules.close_after.deadline(desk.rules.calendar, now)
    ticket.waiting_why, ticket.answer_due_at, ticket.respond_due_at = "", None, None
    step(session, ticket, now, who, "restore", why, outcome=outcome, **detail)
    for child in _children(session, ticket, UNFINISHED):
        restored(session, desk, child, who, f"ticket {ticket.id}", "done")


def close(
    session: Session, desk: Desk, number: int, who: str, satisfaction: int | None = None, why: str = ""
) -> TicketRow:
    """Finished; ``satisfaction`` 1 (bad) to 5 is the unit's."""
    ticket = _begin(session, number, "close")
    if satisfaction is not None and not 1 <= satisfaction <= 5:
        raise DeskError(mistake("satisfaction", satisfaction, "1 to 5", " 1 到 5"))
    ticket.satisfaction = satisfaction
    closed(session, desk, ticket, who, why)
    return ticket


def closed(session: Session, desk: Desk, ticket: TicketRow, who: str, why: str) -> None:
    """The end; the same for the reports that hang on it."""
    ticket.state, ticket.closed_at, ticket.close_due_at = CLOSED, desk.now(), None
    step(session, ticket, desk.now(), who, "close", why, satisfaction=ticket.satisfaction)
    for child in _children(session, ticket, (RESTORED,)):
        closed(session, desk, child, who, f"ticket {ticket.id}")


def reopen(session: Session, desk: Desk, number: int, who: str, why: str) -> TicketRow:
    """It was not restored after all: the clock runs on from where it stood, nothing starts anew."""
    ticket = _begin(session, number, "reopen")
    if not why.strip():
        raise DeskError(mistake("why", "", "what is still wrong", "仍有什么问题"))
    if ticket.outcome in ("granted", "deemed-granted"):
        en = f"ticket {number}: what was granted is not reopened; file another request"
        raise Refused((en, f"工单 {number} 已准予，不能重新打开；请另行申请"))
    ticket.state, ticket.outcome, ticket.restored_at, ticket.closed_at = REOPENED, "", None, None
    ticket.parent = ticket.close_due_at = None  # it is looked after for itself now
    ticket.reopened += 1
    clock.start(ticket, desk.rules.calendar, desk.now())
    row = step(session, ticket, desk.now(), who, "reopen", why)
    session.flush()
    zh, en = f"工单 {ticket.id} 重新打开：{why}", f"Ticket {ticket.id} was reopened: {why}"
    whom, key = recipients(desk, ticket, "team"), f"ticket-{ticket.id}:reopen-{row.id}"
    notify(session, key, desk.now(), whom, "warning", f"ticket:{ticket.id}", zh, en)
    return ticket


def comment(session: Session, desk: Desk, number: int, who: str, text: str) -> TicketRow:
    """Words for the history."""
    ticket = _begin(session, number, "comment")
    if not text.strip():
        raise DeskError(mistake("text", "", "words", "文字"))
    step(session, ticket, desk.now(), who, "comment", text)
    return ticket


def link(session: Session, desk: Desk, number: int, who: str, parent: int, why: str = "") -> TicketRow:
    """The same matter as another ticket: its clock stands, and it ends with that one."""
    ticket = _begin(session, number, "link")
    other = get(session, parent)
    if ticket.kind == "request":
        raise Refused((f"ticket {number}: a request is answered for itself", f"工单 {number} 是申请，须单独答复"))
    if ticket.fault is not None:
        en = f"ticket {number}: a fault's ticket stands for itself; link reports to it"
        raise Refused((en, f"工单 {number} 是故障单，只能把报障并入它"))
    if parent == number or other.parent is not None or other.state not in UNFINISHED or other.kind == "request":
        expected = "an unfinished one that is no duplicate itself"
        raise DeskError(mistake("parent", f"ticket {parent}", expected, "未办结且本身未并入他单的工单"))
    attach(session, desk, ticket, other, who, why)
    return ticket


def attach(session: Session, desk: Desk, ticket: TicketRow, other: TicketRow, who: str, why: str) -> None:
    """Hang a report on the ticket of the same matter."""
    clock.stop(ticket, desk.rules.calendar, desk.now())
    ticket.parent, ticket.respond_due_at = other.id, None
    ticket.team, ticket.assignee = other.team, other.assignee
    step(session, ticket, desk.now(), who, "link", why, parent=other.id)
    step(session, other, desk.now(), who, "linked", why or ticket.text, child=ticket.id, site=ticket.site)
    for child in _children(session, ticket, UNFINISHED):
        attach(session, desk, child, other, who, why)


def withdraw(session: Session, desk: Desk, number: int, who: str, why: str) -> TicketRow:
    """The unit takes its request or report back."""
    ticket = _begin(session, number, "withdraw")
    if ticket.kind == "fault":
        en = f"ticket {number}: a fault is not withdrawn; it ends when it clears"
        raise Refused((en, f"工单 {number} 是故障单，不能撤回；故障消失即结束"))
    if not why.strip():
        raise DeskError(mistake("why", "", "the reason", "理由"))
    restored(session, desk, ticket, who, why, "withdrawn")
    closed(session, desk, ticket, who, why)
    return ticket


def correct(session: Session, desk: Desk, number: int, who: str, why: str) -> TicketRow:
    """A supervisor orders a correction (责令改正); those who handle it are told."""
    ticket = _begin(session, number, "correct")
    if not why.strip():
        raise DeskError(mistake("why", "", "what has to be corrected", "须改正的事项"))
    row = step(session, ticket, desk.now(), who, "correct", why)
    session.flush()
    zh, en = f"责令改正（工单 {ticket.id}）：{why}", f"Correction ordered (ticket {ticket.id}): {why}"
    whom, key = recipients(desk, ticket, "team"), f"ticket-{ticket.id}:correct-{row.id}"
    notify(session, key, desk.now(), whom, "critical", f"ticket:{ticket.id}", zh, en)
    return ticket


def withdraw_card(session: Session, desk: Desk, number: int, who: str, card: str, why: str) -> TicketRow:
    """A supervisor takes a card back, for example one that a wrong clock gave; it stays in the history."""
    ticket = _begin(session, number, "withdraw-card")
    if not why.strip():
        raise DeskError(mistake("why", "", "the reason", "理由"))
    fired = marks(session, [number]).get(number, {})
    if card not in CARDS or card not in standing(fired):
        held = ", ".join(kind for kind in CARDS if kind in standing(fired)) or "none"
        raise DeskError(mistake("card", card, f"one that the ticket has: {held}", f"该工单现有的牌：{held}"))
    mark = fired[card]
    mark.withdrawn_at, mark.withdrawn_by, mark.withdrawn_why = desk.now(), who, why
    step(session, ticket, desk.now(), who, "withdraw-card", why, card=card)
    return ticket


def _begin(session: Session, number: int, action: str) -> TicketRow:
    ticket = get(session, number, lock=True)
    if ticket.state not in WHEN[action]:
        possible = ", ".join(WHEN[action])
        en = f"ticket {number} is {ticket.state}: {action} is possible while it is {possible}"
        raise Refused((en, f"工单 {number} 现为“{_STATES[ticket.state]}”，不能进行此操作；请刷新后再试"))
    if ticket.parent is not None and action in ("take", "assign", "work", "wait", "resume", "restore"):
        en = f"ticket {number} hangs on ticket {ticket.parent}: work on that one"
        raise Refused((en, f"工单 {number} 已并入工单 {ticket.parent}：请在该工单上处理"))
    return ticket


def _accepted(ticket: TicketRow, desk: Desk) -> None:
    if ticket.accepted_at is None:
        ticket.accepted_at, ticket.respond_due_at = desk.now(), None
    if ticket.state in (OPENED, REOPENED):
        ticket.state = ACCEPTED


def _children(session: Session, ticket: TicketRow, states: tuple[str, ...]) -> list[TicketRow]:
    query = select(TicketRow).where(TicketRow.parent == ticket.id, TicketRow.state.in_(states)).order_by(TicketRow.id)
    return list(session.scalars(query))
