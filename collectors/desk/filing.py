"""How tickets come to be: from faults, a unit's report (报障) or request; and what is known at a site already."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from collectors.desk import clock, impacts
from collectors.desk.actions import attach
from collectors.desk.steps import MONITOR, Desk, DeskError, Words, mistake, notify, recipients, step, titles
from collectors.desk.tables import OPENED, UNFINISHED, TicketRow
from collectors.faults.rows import fault_of
from collectors.faults.tables import FaultRow
from collectors.faults.words import words
from inventory.supervision import REQUESTS, TicketClass

CHANNELS = ("page", "phone", "desk")
LONGEST_TEXT = 4000
PROTOCOLS = ("tcp", "udp", "icmp")
LONGEST_MEETING_MIN = 12 * 60

_RATE = re.compile(r"[1-9][0-9]{0,3}[MG]")
_PORTS = re.compile(r"[0-9]{1,5}(-[0-9]{1,5})?(,[0-9]{1,5}(-[0-9]{1,5})?){0,15}")
_SOONEST = timedelta(minutes=1)
_FELT_EARLIER = timedelta(minutes=10)
"""A unit may feel a fault, and say so, before it is measured."""


def open_ticket(
    session: Session, desk: Desk, rules: TicketClass, *, who: str, subject: str, text: str, site: str,
    opened_at: datetime, channel: str, organisation: str = "", contact: str = "", fault: int | None = None,
    detail: Mapping[str, Any] | None = None, latest: datetime | None = None,
) -> TicketRow:  # fmt: skip
    """A new ticket with its clock running; ``latest``: an answer after that moment would be none."""
    calendar = desk.rules.calendar
    limit_s, working = rules.restore.seconds(calendar, opened_at), rules.restore.working
    if latest is not None and latest < rules.restore.deadline(calendar, opened_at):
        limit_s, working = max(_SOONEST, latest - opened_at).total_seconds(), False
    ticket = TicketRow(
        kind=rules.kind, request=rules.request, class_name=rules.name, subject=subject, text=text, site=site,
        organisation=organisation, fault=fault, parent=None, channel=channel, contact=contact,
        detail=dict(detail or {}), state=OPENED, outcome="", cause="", opened_by=who, opened_at=opened_at,
        changed_at=opened_at, team=rules.team, assignee="",
        respond_due_at=rules.respond.deadline(calendar, opened_at), limit_s=limit_s, working=working,
        yellow_share=rules.yellow_share, spent_s=0.0, waiting_why="", slow_answers=0, reopened=0,
    )  # fmt: skip
    clock.start(ticket, calendar, opened_at)
    session.add(ticket)
    session.flush()
    step(session, ticket, opened_at, who, "opened", text, subject=subject, channel=channel)
    title_zh, title_en = titles(ticket)
    zh = f"新工单 {ticket.id}（{rules.zh}）：{title_zh}"
    en = f"New ticket {ticket.id} ({rules.en}): {title_en}"
    level = "warning" if rules.cuts else "info"
    whom = recipients(desk, ticket, "team")
    notify(session, f"ticket-{ticket.id}:opened", opened_at, whom, level, f"ticket:{ticket.id}", zh, en)
    return ticket


def of_fault(session: Session, desk: Desk, fault: FaultRow) -> TicketRow:
    """The one ticket of a fault; its clock has run since the fault began."""
    rules = desk.rules.fault_class(fault.severity, impacts.cuts(fault.impact))
    said = words(desk.model, fault_of(fault))
    ticket = open_ticket(
        session, desk, rules, who=MONITOR, subject=said.zh, text=impacts.words(fault.impact)[0], site=fault.site,
        opened_at=fault.opened_at, channel="monitor", fault=fault.id, detail={"subject_en": said.en},
    )  # fmt: skip
    for early in _reported_already(session, desk, fault):
        attach(session, desk, early, ticket, MONITOR, "known fault")
    return ticket


def _reported_already(session: Session, desk: Desk, fault: FaultRow) -> list[TicketRow]:
    """Units' reports of a fault that came before its ticket, and that nobody works on yet."""
    query = (
        select(TicketRow)
        .where(TicketRow.kind == "report", TicketRow.state == OPENED, TicketRow.parent.is_(None))
        .where(TicketRow.opened_at >= fault.opened_at - _FELT_EARLIER)
        .order_by(TicketRow.id)
    )
    return [row for row in session.scalars(query) if impacts.felt_at(desk.model, fault, row.site)]


def known_at(session: Session, desk: Desk, site: str) -> TicketRow | None:
    """The unfinished ticket of an open fault that this site feels, the one that cuts it off before others."""
    query = (
        select(TicketRow, FaultRow)
        .join(FaultRow, FaultRow.id == TicketRow.fault)
        .where(TicketRow.state.in_(UNFINISHED), TicketRow.parent.is_(None), FaultRow.cleared_at.is_(None))
        .order_by(TicketRow.id)
    )
    felt = [(impacts.felt_at(desk.model, fault, site), ticket) for ticket, fault in session.execute(query)]
    felt = [pair for pair in felt if pair[0]]
    return max(felt, key=lambda pair: pair[0])[1] if felt else None


def known_words(desk: Desk, ticket: TicketRow | None) -> tuple[str, str]:
    """What a clerk is told at once: known, and who is on it."""
    if ticket is None:
        return "", ""
    zh, en = desk.class_of(ticket)
    person = desk.model.people.get(ticket.assignee)
    team = desk.rules.teams.get(ticket.team)
    who_zh = person.zh if person else team.zh if team else ""
    who_en = person.en if person else team.en if team else ""
    doing_zh = {"opened": "已派单", "waiting": "等待中"}.get(ticket.state, "正在处理")
    doing_en = {"opened": "was called", "waiting": "waits"}.get(ticket.state, "is on it")
    title_zh, title_en = titles(ticket)
    return (
        f"已知：{zh}（工单 {ticket.id}：{title_zh}），{who_zh}{doing_zh}。您的报障会并入该工单。",
        f"Known: {en} (ticket {ticket.id}: {title_en}), {who_en} {doing_en}. Your report joins that ticket.",
    )


def report(
    session: Session, desk: Desk, *, who: str, site: str, text: str, organisation: str = "", service: str = "",
    contact: str = "", channel: str = "page",
) -> tuple[TicketRow, TicketRow | None]:  # fmt: skip
    """A unit's report; it hangs on the ticket of a known fault of its site.  Returns the two.  Raises DeskError."""
    problems = _common(desk, site, organisation, text, channel)
    if service and service not in desk.model.services:
        names = ", ".join(desk.model.services)
        problems.append(mistake("service", service, f"one of {names}", f"其中之一：{names}"))
    _settle(problems)
    now = desk.now()
    name = desk.names(site)[0]
    subject = f"{organisation or name}{'：' + desk.model.services[service].zh if service else ''}"
    ticket = open_ticket(
        session, desk, desk.rules.of_kind("report"), who=who, subject=subject, text=text.strip(), site=site,
        organisation=organisation, contact=contact, channel=channel, opened_at=now,
        detail={"service": service} if service else {},
    )  # fmt: skip
    known = known_at(session, desk, site)
    if known is not None:
        attach(session, desk, ticket, known, MONITOR, "known fault")
    return ticket, known


def request(
    session: Session, desk: Desk, *, who: str, site: str, kind: str, text: str, detail: Mapping[str, Any],
    organisation: str = "", contact: str = "", channel: str = "page",
) -> TicketRow:  # fmt: skip
    """A unit's request; its detail is checked now, so that what silence grants can be done.  Raises DeskError."""
    problems = _common(desk, site, organisation, text, channel)
    if kind not in REQUESTS:
        names = ", ".join(REQUESTS)
        _settle([*problems, mistake("request", kind, f"one of {names}", f"其中之一：{names}")])
    now = desk.now()
    checked, more = _CHECKS[kind](desk, detail, now)
    _settle(problems + more)
    rules = desk.rules.of_kind("request", kind)
    latest = datetime.fromtimestamp(checked["start_at"], UTC) if kind == "meeting" else None
    subject = {
        "meeting": checked.get("title"),
        "new-site": checked.get("name"),
        "bandwidth": checked.get("rate"),
        "opening": f"{checked.get('source')} -> {checked.get('target')}",
    }[kind]
    return open_ticket(
        session, desk, rules, who=who, subject=f"{desk.names(site)[0]}：{subject}", text=text.strip(), site=site,
        organisation=organisation, contact=contact, channel=channel, opened_at=now, detail=checked, latest=latest,
    )  # fmt: skip


def _common(desk: Desk, site: str, organisation: str, text: str, channel: str) -> list[Words]:
    problems: list[Words] = []
    known = desk.model.sites.get(site)
    if known is None or known.kind.outside:
        problems.append(
            mistake("site", site, "a site of the county; 'sanwang county show' lists them", "本县单位的代码")
        )
    elif organisation and organisation not in {name for pair in known.organisations for name in pair}:
        names = ", ".join(zh for zh, _ in known.organisations) or "none"
        problems.append(
            mistake("organisation", organisation, f"one that shares {site}: {names}", f"{site} 内的部门：{names}")
        )
    if not 1 <= len(text.strip()) <= LONGEST_TEXT:
        found = f"{len(text.strip())} characters"
        problems.append(mistake("text", found, f"1 to {LONGEST_TEXT}", f" 1 到 {LONGEST_TEXT} 字"))
    if channel not in CHANNELS:
        names = ", ".join(CHANNELS)
        problems.append(mistake("channel", channel, f"one of {names}", f"其中之一：{names}"))
    return problems


def _settle(problems: Iterable[Words]) -> None:
    if found := list(problems):
        raise DeskError(*found)


Checked = tuple[dict[str, Any], list[Words]]


def _text(detail: Mapping[str, Any], key: str, problems: list[Words], longest: int = 200) -> str:
    found = str(detail.get(key) or "").strip()
    if not 1 <= len(found) <= longest:
        problems.append(mistake(f"detail.{key}", found[:20], f"1 to {longest} characters", f" 1 到 {longest} 字"))
    return found


def _new_site(desk: Desk, detail: Mapping[str, Any], now: datetime) -> Checked:
    problems: list[Words] = []
    networks = [str(each) for each in detail.get("networks") or ["gov"]]
    for name in networks:
        if name not in desk.model.networks or name == "mgmt":
            known = ", ".join(each for each in desk.model.networks if each != "mgmt")
            problems.append(mistake("detail.networks", name, f"some of {known}", f"其中几个：{known}"))
    name, address = _text(detail, "name", problems), _text(detail, "address", problems)
    return {"name": name, "address": address, "networks": networks}, problems


def _bandwidth(desk: Desk, detail: Mapping[str, Any], now: datetime) -> Checked:
    rate = str(detail.get("rate") or "")
    good = _RATE.fullmatch(rate)
    wrong = mistake("detail.rate", rate, "a rate like 100M or 1G", " 100M、1G 这样的带宽")
    return {"rate": rate}, [] if good else [wrong]


def _opening(desk: Desk, detail: Mapping[str, Any], now: datetime) -> Checked:
    problems: list[Words] = []
    source, target = _text(detail, "source", problems), _text(detail, "target", problems)
    protocol, ports = str(detail.get("protocol") or "tcp"), str(detail.get("ports") or "")
    if protocol not in PROTOCOLS:
        names = ", ".join(PROTOCOLS)
        problems.append(mistake("detail.protocol", protocol, f"one of {names}", f"其中之一：{names}"))
    if protocol != "icmp" and not _PORTS.fullmatch(ports):
        expected = "443 or 8000-8010,8443"
        problems.append(mistake("detail.ports", ports, f"ports like {expected}", " 443 或 8000-8010,8443 这样的端口"))
    until = str(detail.get("until") or "")
    if until:
        try:
            if date.fromisoformat(until) <= now.date():
                problems.append(mistake("detail.until", until, "a day to come", "今后的日期"))
        except ValueError:
            problems.append(
                mistake("detail.until", until, "a day like 2027-06-30, or nothing", " 2027-06-30 这样的日期")
            )
    return {"source": source, "target": target, "protocol": protocol, "ports": ports, "until": until}, problems


def _meeting(desk: Desk, detail: Mapping[str, Any], now: datetime) -> Checked:
    problems: list[Words] = []
    title = _text(detail, "title", problems)
    start_at, minutes = detail.get("start_at"), detail.get("minutes")
    if not isinstance(start_at, int | float) or not now.timestamp() < start_at < now.timestamp() + 366 * 86400:
        problems.append(mistake("detail.start_at", start_at, "a moment to come, UNIX seconds", "今后一年内的时间"))
        start_at = now.timestamp()
    if not isinstance(minutes, int) or not 1 <= minutes <= LONGEST_MEETING_MIN:
        expected = f"1 to {LONGEST_MEETING_MIN}"
        problems.append(mistake("detail.minutes", minutes, expected, f" 1 到 {LONGEST_MEETING_MIN} 分钟"))
    halls = [str(each) for each in detail.get("halls") or []]
    unknown = [hall for hall in halls if hall not in desk.model.halls]
    if unknown or not halls:
        names = ", ".join(desk.model.halls)
        problems.append(mistake("detail.halls", ", ".join(unknown), f"some of {names}", f"其中几个：{names}"))
    return {"title": title, "start_at": float(start_at), "minutes": minutes, "halls": halls}, problems


_CHECKS = {"new-site": _new_site, "bandwidth": _bandwidth, "opening": _opening, "meeting": _meeting}
