"""Run every check over a subject."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import provision.comply.access
import provision.comply.boundary
import provision.comply.management
import provision.comply.people
import provision.comply.switches
import provision.comply.transmission  # noqa: F401  (importing a module of checks is what fills their table)
from provision.comply.findings import CHECKS, GROUPS, ITEMS, Check, Found, Status
from provision.comply.subject import Subject

STANDARD = "GB/T 22239-2019"
LEVEL = 3


@dataclass(frozen=True, slots=True)
class Report:
    """Every result, in the order of the clauses."""

    county: str
    zh: str
    instance: str  # "" when nothing ran: live facts are then not assessable
    at: datetime
    results: tuple[tuple[Check, Found], ...]

    @property
    def failures(self) -> int:
        """How many results are failures."""
        return sum(found.status is Status.FAIL for _, found in self.results)

    def counts(self) -> dict[str, dict[str, int]]:
        """Clause group -> status -> number of results: a table of contents, not a score."""
        counts = Counter((check.group, found.status.value) for check, found in self.results)
        return {group: {status.value: counts[group, status.value] for status in Status} for group in GROUPS}

    def document(self) -> dict[str, Any]:
        """For ``--json``."""
        at = self.at.isoformat(timespec="seconds")
        return {
            "standard": STANDARD,
            "level": LEVEL,
            "county": self.county,
            "instance": self.instance,
            "at": at,
            "counts": self.counts(),
            "results": [
                {
                    "check": check.name,
                    "clause": check.clause,
                    "group": f"{check.group} {GROUPS[check.group][0]}",
                    "item": f"{check.item} {ITEMS[check.item][0]}",
                    "zh": check.zh,
                    "en": check.en,
                    "status": found.status.value,
                    "device": found.device,
                    "evidence": found.evidence,
                    "at": at,
                }
                for check, found in self.results
            ],
        }


def assess(subject: Subject) -> Report:
    """Every check on every device, by clause; a check that finds nothing to look at says so."""
    results: list[tuple[Check, Found]] = []
    for check in sorted(CHECKS.values(), key=lambda each: each.clause):
        found = list(check.run(subject)) or [Found(Status.UNKNOWN, "", "nothing of this kind was given to look at")]
        results += ((check, each) for each in found)
    return Report(subject.model.name, subject.model.zh, subject.facts.instance, subject.now, tuple(results))
