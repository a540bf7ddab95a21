"""The report of one meeting as JSON: attendance, roll call, quality, faults, the chair's actions.

Times are UNIX seconds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from inventory.model import NetworkModel
from store.audit import AuditEntry
from vconf import attendance, fared, sheet
from vconf.meetings import Meeting
from vconf.report import words
from vconf.rooms.stored import recorded

Document = dict[str, Any]

_PREFIX = "meeting."
_OF_VENUES = ("join", "leave")
"""What venues do, not the chair: it stands in the sheet."""

_MOST = 2000


def document(
    session: Session, model: NetworkModel, meeting: Meeting, faults: Iterable[Mapping[str, Any]], now: datetime
) -> Document:
    """The report.

    Args:
        session: To read.
        model: What halls are called.
        meeting: Which.
        faults: Of the network in its time: ``{id, kind, zh, en, opened_at, cleared_at, impact}``, times in seconds.
        now: Aware; a meeting that goes on is told until now.
    """
    name = sheet.names(model, recorded(session, meeting.id))
    lines = attendance.sheet(session, meeting, now)
    quality = fared.of(session, meeting.id)
    entries = _entries(session, meeting)
    called = _called(entries)
    venues = [
        _venue(line, meeting, name(line.hall), quality.get(line.hall), called.get(line.hall, [])) for line in lines
    ]
    came = [line for line in lines if line.joined_at is not None]
    began = min((line.joined_at for line in came if line.joined_at), default=None)
    left = [line.left_at or now for line in came]
    return {
        "meeting": {
            "id": meeting.id,
            "title": meeting.title,
            "start": meeting.start_at.timestamp(),
            "end": meeting.end_at.timestamp(),
            "main": name(meeting.main),
            "chair": name(meeting.owner),
            "booked_by": meeting.booked_by,
            "state": meeting.state(now),
        },
        "county": {"zh": model.zh, "en": model.en, "name": model.name},
        "began": began.timestamp() if began else None,
        "over": max(left).timestamp() if left else None,
        "booked": len(meeting.halls),
        "came": sum(line.joined_at is not None for line in lines if line.hall in meeting.halls),
        "heads": sum(line.heads or 0 for line in lines),
        "venues": venues,
        "faults": [_fault(each, meeting, name) for each in faults],
        "actions": [
            {
                "at": at,
                "who": name(who.removeprefix("hall:")),
                **dict(zip(("zh", "en"), words.action(what), strict=True)),
                "what": what,
                "detail": words.arguments(detail, name),
            }
            for at, who, what, detail in entries
        ],
        "capacity": meeting.capacity,
    }


def _venue(line: attendance.Line, meeting: Meeting, zh: str, quality: Document | None, called: list[float]) -> Document:
    return {
        "hall": line.hall,
        "zh": zh,
        "main": line.hall == meeting.main,
        "booked": line.hall in meeting.halls,
        "heads": line.heads,
        "signed_by": line.name,
        "joined": _seconds(line.joined_at),
        "left": _seconds(line.left_at),
        "stayed_s": round(line.stayed.total_seconds()),
        "stays": line.stays,
        "called": called,  # in roll calls: only a venue that is there can be
        "quality": quality,
    }


Entry = tuple[float, str, str, dict[str, Any]]


def _entries(session: Session, meeting: Meeting) -> list[Entry]:
    """(when, who, what, detail) of everything audited about the meeting that is no coming and going."""
    query = (
        select(AuditEntry)
        .where(AuditEntry.what.like(f"{_PREFIX}%"), AuditEntry.detail.contains(f'"meeting":{meeting.id}'))
        .order_by(AuditEntry.number)
    )
    found = []
    for entry in session.scalars(query):
        detail = json.loads(entry.detail)
        what = entry.what.removeprefix(_PREFIX)
        if detail.get("meeting") == meeting.id and what not in _OF_VENUES:
            found.append((datetime.fromisoformat(entry.at).timestamp(), entry.who, what, detail))
    return found[:_MOST]


def _called(entries: Iterable[Entry]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for at, _, what, detail in entries:
        if what == "rollCall":
            found.setdefault(str(detail.get("venue")), []).append(at)
    return found


def _fault(fault: Mapping[str, Any], meeting: Meeting, name: sheet.Names) -> Document:
    """One fault, with the venues of this meeting that it touched."""
    halls = {
        each["hall"]: str(each["state"]) for each in fault["impact"].get("halls", ()) if each["hall"] in meeting.halls
    }
    return {
        "id": fault["id"],
        "kind": fault["kind"],
        "zh": fault["zh"],
        "en": fault["en"],
        "opened": fault["opened_at"],
        "cleared": fault["cleared_at"],
        "halls": [{"hall": code, "zh": name(code), "state": state} for code, state in halls.items()],
    }


def _seconds(at: datetime | None) -> float | None:
    return at.timestamp() if at is not None else None
