"""Meetings of the next day are checked against the network again and again: faults open, and the county changes."""

from __future__ import annotations

from collections.abc import Mapping
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
    """A meeting about which there is news; ``ok``: it is carried again."""

    meeting: Meeting
    ok: bool
    words: tuple[tuple[str, str], ...]  # Chinese, English


def recheck(session: Session, checker: Checker, now: datetime) -> list[Verdict]:
    """Check what begins within a day or runs; write down what is new, and give what people must hear.

    The caller's session writes; what was found the last time stands in the meeting's row, so a restart says nothing
    twice.
    """
    news = []
    for each in meetings.found_by(
        session,
        MeetingRow.cancelled_at.is_(None),
        MeetingRow.ended_at.is_(None),
        MeetingRow.end_at > now,
        MeetingRow.start_at <= now + SOON,
    ):
        found = checker.document(session, each.halls, [(each.start_at, each.end_at)], now, {each.id})
        before = each.capacity
        if before is not None and _essence(before) == _essence(found):
            continue
        session.get_one(MeetingRow, each.id).capacity = found
        if (before is None or before["ok"]) and found["ok"]:
            continue  # carried before and after: what one more cut would do is on the page
        words = tuple((each["zh"], each["en"]) for each in found["words"])
        news.append(Verdict(each, found["ok"], words))
        detail = {"meeting": each.id, "ok": found["ok"], "lost": found["lost"], "shortages": _now(found)}
        audit.record(session, CHECKER, "meeting.capacity", "; ".join(en for _, en in words[:3]), detail)
    return news


def _essence(found: Mapping[str, Any]) -> tuple[Any, ...]:
    """What of a check is worth telling: figures that only grow or shrink a little are not."""
    short = sorted((each["link"], each["way"], each["cut"]) for each in found["shortages"])
    return found["ok"], tuple(found["lost"]), tuple(short), tuple(sorted(found["single"]))


def _now(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in found["shortages"] if not each["cut"]]
