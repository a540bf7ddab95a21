"""The county's rules of the desk as JSON: what a form needs to offer, and what a notice on the wall would say."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from collectors.desk.steps import Desk

Document = dict[str, Any]


def classes_document(desk: Desk, units: Collection[str] = ()) -> Document:
    """Classes, teams, people, units (of ``units`` alone, () is all), halls, services, the chain, scoring, hours."""
    model, rules = desk.model, desk.rules
    handlers = dict.fromkeys(login for team in rules.teams.values() for login in team.members)
    return {
        "classes": [
            {
                "name": each.name,
                "zh": each.zh,
                "en": each.en,
                "kind": each.kind,
                "request": each.request,
                "team": each.team,
                "respond": each.respond.text,
                "restore": each.restore.text,
                "yellow_share": each.yellow_share,
                "deemed_granted": each.deemed_granted,
                "source": each.source,
            }
            for each in rules.classes.values()
        ],
        "teams": [
            {"name": name, "zh": team.zh, "en": team.en, "members": list(team.members)}
            for name, team in rules.teams.items()
        ],
        "people": [{"login": login, "zh": model.people[login].zh, "en": model.people[login].en} for login in handlers],
        "units": [
            {
                "site": code,
                "zh": site.zh,
                "en": site.en,
                "organisations": [{"zh": zh, "en": en} for zh, en in site.organisations],
                "contact": _contact(desk, code),
            }
            for code, site in model.sites.items()
            if not site.kind.outside and (not units or code in units)
        ],
        "halls": [
            {"code": code, "zh": hall.zh, "en": hall.en, "site": hall.site} for code, hall in model.halls.items()
        ],
        "services": [{"name": name, "zh": each.zh, "en": each.en} for name, each in model.services.items()],
        "escalation": [
            {"at": step.at, "after": step.after.text if step.after else "", "to": list(step.to)}
            for step in rules.escalation
        ],
        "scoring": {name: getattr(rules.scoring, name) for name in rules.scoring.__slots__},
        "answer": rules.answer.text,
        "close_after": rules.close_after.text,
        "hours": hours(desk),
    }


def hours(desk: Desk) -> list[str]:
    """Working hours as written."""
    return [f"{begin:%H:%M}-{end:%H:%M}" for begin, end in desk.rules.calendar.hours]


def calendar_document(desk: Desk, year: int) -> Document:
    """The days of a year that differ from the week, and whose word that is."""
    calendar = desk.rules.calendar
    known = year in calendar.sources
    words = "" if known else f"calendar.yml has no notice for {year}: its working days are counted by weekends only"
    return {
        "year": year,
        "known": known,
        "source": calendar.sources.get(year, ""),
        "hours": hours(desk),
        "days": {
            day.isoformat(): {"working": special.working, "zh": special.zh, "en": special.en}
            for day, special in sorted(calendar.days.items())
            if day.year == year
        },
        "warning": words,
    }


def _contact(desk: Desk, site: str) -> Document | None:
    found = desk.rules.contacts.get(site)
    return None if found is None else {"name": found.name, "phone": found.phone}
