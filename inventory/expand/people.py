"""Phase of the people: a key belongs to one person, or an approval by "another" would mean nothing.

The three administrators (三员: system, security, audit) are three people who do nothing else.
"""

from __future__ import annotations

import base64
import difflib
from collections.abc import Mapping

from inventory.errors import Report
from inventory.model import Site
from inventory.people import ADMINISTRATORS, OF_UNITS, Person
from inventory.schema import Intent, PersonIntent

_ADVICE = "let {login} make one with `sanwang approve keygen`"


def expand_people(intent: Intent, sites: Mapping[str, Site], report: Report) -> dict[str, Person]:
    """Everybody who works with the system, by login."""
    owners: dict[str, str] = {}
    for login, person in intent.people.items():
        key = person.public_key
        place, advice = ("people", login, "public_key"), _ADVICE.format(login=login)
        # The last character has two bits to spare: one key could be written in four ways, and seem to be four.
        if base64.b64encode(base64.b64decode(key)).decode() != key:
            report.error(place, "base64 whose last bits are not zero", "32 bytes as base64 writes them", advice)
        elif key and key in owners:
            report.error(place, f"the key of {owners[key]}", "a key of the person's own", advice)
        owners.setdefault(key, login)
        _roles(login, person, report)
        _units(login, person, sites, report)
    return {
        login: Person(login, person.zh, person.en, person.roles, person.public_key, person.units)
        for login, person in intent.people.items()
    }


def _roles(login: str, person: PersonIntent, report: Report) -> None:
    for role in ADMINISTRATORS:
        if role in person.roles and len(person.roles) > 1:
            others = ", ".join(other for other in person.roles if other != role)
            expected = f"{role} alone: system, security and audit administrators (三员) do nothing else"
            report.error(("people", login, "roles"), f"{role} beside {others}", expected, "give it to another person")
            return


def _units(login: str, person: PersonIntent, sites: Mapping[str, Site], report: Report) -> None:
    place = ("people", login, "units")
    for code in person.units:
        if code not in sites:
            near = difflib.get_close_matches(code, sites, n=1)
            hint = f"did you mean {near[0]}?" if near else "`sanwang county show` lists the sites"
            report.error(place, repr(code), "a site of the county", hint)
    bound = [role for role in person.roles if role in OF_UNITS]
    if bound and not person.units:
        report.error(place, f"no units of the {bound[0]}", "the sites that the role holds for", "write units: [t01]")
