"""What everything at the desk does to a ticket: one step in its history, one entry in the audit, messages by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from collectors.desk.tables import MarkRow, NotificationRow, StepRow, TicketRow
from identity.refusal import Refusal
from inventory.model import NetworkModel
from inventory.supervision import Supervision
from store import audit

MONITOR = "collect"
"""Who acts where nobody does: the desk's own tick."""


Words = tuple[str, str]
"""(English, Chinese), as ``identity.refusal`` has them."""

_FIELDS = {
    "why": "原因", "to": "转给", "text": "说明", "outcome": "答复", "satisfaction": "满意度", "parent": "上级工单",
    "card": "牌", "site": "单位", "organisation": "部门", "channel": "渠道", "service": "业务", "request": "申请种类",
    "month": "月份", "detail.networks": "网络", "detail.name": "名称", "detail.address": "地址", "detail.rate": "带宽",
    "detail.source": "源", "detail.target": "目的", "detail.protocol": "协议", "detail.ports": "端口",
    "detail.until": "有效期", "detail.title": "会议名称", "detail.start_at": "开始时间", "detail.minutes": "时长",
    "detail.halls": "会场",
}  # fmt: skip


def mistake(field: str, found: object, expected: str, zh: str) -> Words:
    """One mistake of a form: what was found in a field, and what was expected."""
    shown = "nothing" if found in ("", None) else str(found)
    shown_zh = "空" if found in ("", None) else str(found)
    return f"{field}: found {shown}, expected {expected}", f"{_FIELDS.get(field, field)}：现为 {shown_zh}，应为{zh}"


class DeskError(Refusal):
    """Something that cannot be; the messages say what was found, what was expected and what to do."""

    def __init__(self, *problems: Words) -> None:
        super().__init__("; ".join(en for en, _ in problems), "；".join(zh for _, zh in problems))


class Refused(DeskError):
    """The ticket's state does not allow it."""


class NoSuchTicket(DeskError):
    """No ticket has that number."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What every function here needs: the county, its rules, and the time (UTC, aware)."""

    model: NetworkModel
    rules: Supervision
    now: Callable[[], datetime]

    def names(self, site: str) -> tuple[str, str]:
        """A site's (zh, en); the code itself where the model does not know it any more."""
        known = self.model.sites.get(site)
        return (known.zh, known.en) if known else (site, site)

    def class_of(self, ticket: TicketRow) -> tuple[str, str]:
        """(zh, en) of the ticket's class; its name where the county's files no longer have it."""
        known = self.rules.classes.get(ticket.class_name)
        return (known.zh, known.en) if known else (ticket.class_name, ticket.class_name)


def desk_of(model: NetworkModel, now: Callable[[], datetime]) -> Desk | None:
    """The county's desk; None where its files have no ``supervision:``."""
    return Desk(model, model.supervision, now) if model.supervision is not None else None


def titles(ticket: TicketRow) -> tuple[str, str]:
    """A ticket's subject in (zh, en); a unit's own words are the same in both."""
    return ticket.subject, ticket.detail.get("subject_en") or ticket.subject


def get(session: Session, number: int, *, lock: bool = False) -> TicketRow:
    """One ticket, ``lock``: nobody else may change it meanwhile.  Raises NoSuchTicket."""
    found = session.get(TicketRow, number, with_for_update=lock or None)
    if found is None:
        raise NoSuchTicket((f"ticket {number}: there is none; 'sanwang ticket list' shows them", f"没有工单 {number}"))
    return found


def step(
    session: Session, ticket: TicketRow, at: datetime, who: str, what: str, why: str = "", **detail: Any
) -> StepRow:
    """One line of the ticket's history, and the same in the audit."""
    row = StepRow(ticket=ticket.id, at=at, who=who, what=what, why=why, detail={**detail, "state": ticket.state})
    session.add(row)
    ticket.changed_at = at
    audit.record(session, who, f"ticket.{what}", why, {"ticket": ticket.id, **detail})
    return row


def marks(session: Session, tickets: Iterable[int]) -> dict[int, dict[str, MarkRow]]:
    """What fired, by ticket and kind."""
    found: dict[int, dict[str, MarkRow]] = {}
    wanted = list(tickets)
    for begin in range(0, len(wanted), 500):  # SQLite takes so many parameters
        query = (
            select(MarkRow).where(MarkRow.ticket.in_(wanted[begin : begin + 500])).order_by(MarkRow.at, MarkRow.kind)
        )
        for row in session.scalars(query):
            found.setdefault(row.ticket, {})[row.kind] = row
    return found


def standing(fired: dict[str, MarkRow]) -> frozenset[str]:
    """Kinds that fired and were not withdrawn."""
    return frozenset(kind for kind, row in fired.items() if row.withdrawn_at is None)


def recipients(desk: Desk, ticket: TicketRow | None, whom: str) -> tuple[str, ...]:
    """Logins (or ``unit:CODE``) behind a word of the escalation chain: a role, a login, team, unit."""
    if whom == "team":
        team = desk.rules.teams.get(ticket.team) if ticket else None
        own = (ticket.assignee,) if ticket and ticket.assignee else ()
        return tuple(dict.fromkeys((*own, *(team.members if team else ()))))
    if whom == "unit":
        return (f"unit:{ticket.site}",) if ticket and ticket.site else ()
    if whom in desk.model.people:
        return (whom,)
    return tuple(login for login, person in desk.model.people.items() if whom in person.roles)


def notify(
    session: Session,
    key: str,
    at: datetime,
    whom: Iterable[str],
    level: str,
    subject: str,
    zh: str,
    en: str,
    attachment: Callable[[str], str] | None = None,
) -> None:
    """A message for each recipient, once for each key; ``attachment``: recipient -> a calendar for the mail."""
    for recipient in dict.fromkeys(whom):
        own = f"{key}:{recipient}"
        if session.get(NotificationRow, own) is None:
            session.add(
                NotificationRow(
                    key=own,
                    at=at,
                    recipient=recipient,
                    level=level,
                    subject=subject,
                    zh=zh,
                    en=en,
                    attachment=attachment(recipient) if attachment is not None else None,
                )
            )
    session.flush()
