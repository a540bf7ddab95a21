"""Phase of the people: a key belongs to one person, or an approval by "another" would mean nothing."""

from __future__ import annotations

import base64

from inventory.errors import Report
from inventory.model import Person
from inventory.schema import Intent

_ADVICE = "let {login} make one with `sanwang approve keygen`"


def expand_people(intent: Intent, report: Report) -> dict[str, Person]:
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
    return {
        login: Person(login, person.zh, person.en, person.roles, person.public_key)
        for login, person in intent.people.items()
    }
