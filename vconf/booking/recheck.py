"""Meetings of the next day are checked against the network again and again: faults open, and the county changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from store import audit
from vconf import meetings
from vconf.booking.checker import SOON, Checker
from vconf.meetings import Meeting
from vconf.tables import MeetingRow

CHECKER = "network"
"""Who says so in the audit."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A meeting of which something else was found than the last time."""

    meeting: Meeting
    found: dict[str, Any]  # ``Checker.document``

    @property
    def ok(self) -> bool:
        """It is carried."""
        return bool(self.found["ok"])

    @property
    def words(self) -> list[tuple[str, str]]:
        """Chinese and English, the worst first."""
        return [(each["zh"], each["en"]) for each in self.found["words"]]


def recheck(session: Session, checker: Checker, now: datetime) -> list[Verdict]:
    """Check what begins within a day or runs; reads only, for it takes its time."""
    news = []
    for each in meetings.found_by(
        session,
        MeetingRow.cancelled_at.is_(None),
        MeetingRow.ended_at.is_(None),
        MeetingRow.end_at > now,
        MeetingRow.start_at <= now + SOON,
    ):
        found = checker.document(session, each.halls, [(each.start_at, each.end_at)], now, {each.id})
        if each.capacity is None or _essence(each.capacity) != _essence(found):
            news.append(Verdict(each, found))
    return news


def keep(session: Session, news: Iterable[Verdict]) -> list[Verdict]:
    """Write down what is new; gives what people must hear.

    What was found stands in the meeting's row, so a restart says nothing twice.  Of one carried before and after, what
    one more cut would do is on the page; nobody is called for it.
    """
    worth = []
    for each in news:
        session.get_one(MeetingRow, each.meeting.id).capacity = each.found
        before = each.meeting.capacity
        if (before is None or before["ok"]) and each.ok:
            continue
        worth.append(each)
        detail = {"meeting": each.meeting.id, "ok": each.ok, "lost": each.found["lost"], "shortages": _now(each.found)}
        audit.record(session, CHECKER, "meeting.capacity", "; ".join(en for _, en in each.words[:3]), detail)
    return worth


def _essence(found: Mapping[str, Any]) -> tuple[Any, ...]:
    """What of a check is worth telling: figures that only grow or shrink a little are not."""
    short = sorted((each["link"], each["way"], each["cut"]) for each in found["shortages"])
    return found["ok"], tuple(found["lost"]), tuple(short), tuple(sorted(found["single"]))


def _now(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in found["shortages"] if not each["cut"]]
