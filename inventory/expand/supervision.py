"""Phase of supervision: the calendar is whole, every ticket finds its class, and everybody who is named is there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import date, time, timedelta
from typing import get_args

from inventory.errors import Key, Report
from inventory.model import Service, Site, SiteKind
from inventory.people import Duty, Person
from inventory.schema import Intent
from inventory.supervision import (
    GRANTABLE,
    LASTING_S,
    REQUESTS,
    Contact,
    Escalation,
    Scoring,
    Supervision,
    Team,
    TicketClass,
)
from inventory.supervision_schema import CalendarIntent, ClassIntent, SupervisionIntent, TargetsIntent
from inventory.workdays import Limit, SpecialDay, WorkCalendar

HANDLERS = ("engineer", "operator")
"""Roles that may work on tickets."""

_TOLD = ("team", "unit")
_LIMIT = re.compile(r"(\d+)([a-z]+)")


def expand_supervision(
    intent: Intent, sites: Mapping[str, Site], services: Mapping[str, Service], people: Mapping[str, Person],
    report: Report,
) -> Supervision | None:  # fmt: skip
    """The desk's rules; None where the county wrote none."""
    written = intent.supervision
    if written is None:
        return None
    if intent.calendar is None:
        report.error(("supervision",), "no section calendar", "working hours and days off", "copy calendar.yml of xiao")
        return None
    calendar = expand_calendar(intent.calendar, report)
    _check_classes(written, report)
    _check_people(written, people, report)
    _check_known(("supervision", "contacts"), written.contacts, sites, report)
    _check_known(("supervision", "targets", "sites"), written.targets.sites, [kind.value for kind in SiteKind], report)
    _check_known(("supervision", "targets", "services"), written.targets.services, services, report)
    return Supervision(
        calendar=calendar,
        classes={name: _class(name, each) for name, each in written.classes.items()},
        teams={name: Team(name, each.zh, each.en, each.members) for name, each in written.teams.items()},
        contacts={site: Contact(each.name, each.phone, each.mail or "") for site, each in written.contacts.items()},
        escalation=tuple(
            Escalation(step.at, limit(step.after) if step.after else None, step.to) for step in written.escalation
        ),
        scoring=Scoring(**written.scoring.model_dump()),
        answer=limit(written.answer),
        close_after=limit(written.close_after),
        site_targets=_targets(written.targets, written.targets.sites),
        service_targets=_targets(written.targets, written.targets.services),
    )


def limit(text: str) -> Limit:
    """A limit of a shape that the schema has checked."""
    found = _LIMIT.fullmatch(text)
    assert found is not None
    return Limit(text, int(found[1]), found[2])


def expand_calendar(written: CalendarIntent, report: Report) -> WorkCalendar:
    """Working hours in order, and every day that differs from the week."""
    hours: list[tuple[time, time]] = []
    for index, text in enumerate(written.hours):
        begin, end = (time.fromisoformat(part) for part in text.split("-"))
        if end <= begin or (hours and begin < hours[-1][1]):
            report.error(("calendar", "hours", index), text, "hours that follow one another", "correct the order")
        hours.append((begin, end))
    days: dict[date, SpecialDay] = {}
    for year, notice in written.years.items():
        for index, holiday in enumerate(notice.holidays):
            key: Key = ("calendar", "years", year, "holidays", index)
            if holiday.last < holiday.first or {holiday.first.year, holiday.last.year} != {int(year)}:
                report.error(key, f"{holiday.first} to {holiday.last}", f"days of {year}, in order", "correct them")
                continue
            length = (holiday.last - holiday.first).days + 1
            for day in (holiday.first + timedelta(days=number) for number in range(length)):
                _day(days, day, SpecialDay(False, holiday.zh, holiday.en), key, report)
            for place, day in enumerate(holiday.work):
                if day.weekday() < 5:
                    advice = "a make-up day is on a weekend"
                    report.error((*key, "work", place), f"{day}, a {day:%A}", "a Saturday or Sunday", advice)
                made_up = SpecialDay(True, f"{holiday.zh}调休上班", f"Made up for {holiday.en}")
                _day(days, day, made_up, (*key, "work", place), report)
    return WorkCalendar(tuple(hours), days, {int(year): notice.source for year, notice in written.years.items()})


def _day(days: dict[date, SpecialDay], day: date, special: SpecialDay, key: Key, report: Report) -> None:
    if day in days:
        report.error(key, f"{day} again", "each day once", "remove one of the two")
    days[day] = special


def _check_classes(written: SupervisionIntent, report: Report) -> None:
    for name, each in written.classes.items():
        key = ("supervision", "classes", name)
        if each.team not in written.teams:
            report.error((*key, "team"), each.team, f"one of {', '.join(written.teams)}", "correct the team")
        if (each.kind == "request") != bool(each.request):
            report.error((*key, "request"), each.request or "nothing", "the request's kind, for requests", "correct it")
        if each.kind != "fault" and (each.severity, each.cuts, each.lasting_s) != ("", None, None):
            report.error(key, "severity, cuts or lasting_s", "these for faults alone", "remove them")
        if each.overdue == "grant" and each.request not in GRANTABLE:
            expected = f"escalate: silence grants only {', '.join(GRANTABLE)}, which harms nobody and can be taken back"
            report.error((*key, "overdue"), f"grant for {each.request or each.kind}", expected, "write escalate")
        if _rough(each.respond) >= _rough(each.restore):
            report.error((*key, "respond"), each.respond, f"less than restore, {each.restore}", "correct one of them")
    kinds: list[tuple[str, str]] = [(each.kind, each.request) for each in written.classes.values()]
    for wanted in (("report", ""), *(("request", request) for request in REQUESTS)):
        if kinds.count(wanted) != 1:
            words = " ".join(filter(None, wanted))
            report.error(("supervision", "classes"), f"{kinds.count(wanted)} of {words}", "one", "write one")
    for severity, cuts in ((severity, cuts) for severity in ("critical", "warning") for cuts in (True, False)):
        if not any(_class(name, each).takes(severity, cuts) for name, each in written.classes.items()):
            words = f"none for a {severity} fault that cuts {'somebody' if cuts else 'nobody'} off"
            report.error(("supervision", "classes"), words, "a class for every fault", "leave severity and cuts out")


def _rough(text: str) -> float:
    """A limit's length in hours, a working day as one of eight: only to compare two."""
    found = limit(text)
    return found.count * {"m": 1 / 60, "h": 1, "d": 24, "wm": 1 / 60, "wh": 1, "wd": 8}[found.unit]


def _check_people(written: SupervisionIntent, people: Mapping[str, Person], report: Report) -> None:
    for name, team in written.teams.items():
        for index, login in enumerate(team.members):
            key: Key = ("supervision", "teams", name, "members", index)
            if login not in people:
                report.error(key, login, f"a login of people: {', '.join(people)}", "correct it")
            elif not set(people[login].roles) & set(HANDLERS):
                report.error(key, login, f"somebody who is {' or '.join(HANDLERS)}", "give the role, or another person")
    told = {*get_args(Duty), *people, *_TOLD}
    for number, step in enumerate(written.escalation):
        for index, whom in enumerate(step.to):
            if whom not in told:
                expected = "a role, a login, team or unit"
                report.error(("supervision", "escalation", number, "to", index), whom, expected, "correct it")


def _check_known(key: Key, names: Iterable[str], known: Iterable[str], report: Report) -> None:
    known = list(known)
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            advice = f"did you mean {near[0]}?" if near else "remove it"
            report.error((*key, name), name, "something of the county", advice)


def _class(name: str, written: ClassIntent) -> TicketClass:
    return TicketClass(
        name=name,
        zh=written.zh,
        en=written.en,
        kind=written.kind,
        request=written.request,
        team=written.team,
        respond=limit(written.respond),
        restore=limit(written.restore),
        yellow_share=written.yellow,
        deemed_granted=written.overdue == "grant",
        severity=written.severity,
        cuts=written.cuts,
        lasting_s=LASTING_S if written.lasting_s is None else written.lasting_s,
        source=written.source,
    )


def _targets(written: TargetsIntent, named: Mapping[str, float]) -> dict[str, float]:
    return {"": written.default, **named}
