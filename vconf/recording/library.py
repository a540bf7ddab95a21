"""Recordings as people know them: which there are, who had one, until when they are kept.

Every function works in the caller's session; what changes something, and whoever takes a recording away, leaves an
audit entry in the same transaction.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from store import audit
from vconf.recording import sealed
from vconf.tables import RecordingRow

FOLDER = "recordings"
"""Below the instance's ``lib``."""


class RecordingError(ValueError):
    """It cannot be; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What recordings may take, by the county's files.  ``keep_days`` 0: for good."""

    keep_days: int = 180
    quota_bytes: int = 50 << 30
    free_bytes: int = 5 << 30  # left to everybody else on that disk

    def lacking(self, folder: Path) -> str:
        """Why no more may be recorded; "" while there is room.  Blocks for as long as the disk takes."""
        used = octets_in(folder)
        if used >= self.quota_bytes:
            return (
                f"{folder}: found {used >> 20} MB of recordings, expected less than {self.quota_bytes >> 20} MB; "
                "next step: sanwang meet recording delete, or a larger quota_gb in the county's files"
            )
        free = shutil.disk_usage(folder).free
        if free < self.free_bytes:
            return (
                f"{folder}: found {free >> 20} MB free, expected {self.free_bytes >> 20} MB; "
                "next step: sanwang meet recording delete, or a larger disk"
            )
        return ""


def identifier(meeting: int, number: int) -> str:
    """Of a meeting's recordings the one of this number, from 1."""
    return f"{meeting}-{number}"


def begin(session: Session, meeting: int, number: int, by: str, at: datetime, county_key: str) -> RecordingRow:
    """The recording of that number: one that is there goes on, its key as it was."""
    name = identifier(meeting, number)
    row = session.get(RecordingRow, name)
    if row is None:
        key = sealed.wrap(county_key, name, sealed.new_key())
        row = RecordingRow(id=name, meeting_id=meeting, begun_at=at, begun_by=by, octets=0, problem="", key=key)
        session.add(row)
    row.ended_at = row.expires_at = None
    return row


def end(session: Session, name: str, at: datetime, octets: int, keep_days: int) -> None:
    """It is whole; until when it is kept counts from here."""
    row = get(session, name)
    row.ended_at, row.octets = at, octets
    row.expires_at = at + timedelta(days=keep_days) if keep_days else None
    detail = {"meeting": row.meeting_id, "recording": name, "octets": octets, "expires": str(row.expires_at or "")}
    audit.record(session, "recorder", "meeting.recordingEnded", row.problem, detail)


def trouble(session: Session, name: str, problem: str) -> None:
    """It was interrupted; the chair is told by the conference, other programs by the audit log."""
    row = get(session, name)
    row.problem = problem
    detail = {"meeting": row.meeting_id, "recording": name}
    audit.record(session, "recorder", "meeting.recordingProblem", problem, detail)


def get(session: Session, name: str) -> RecordingRow:
    """One recording; RecordingError when there is none."""
    row = session.get(RecordingRow, name)
    if row is None:
        raise RecordingError(f"recording {name}: not found; 'sanwang meet recording list' shows them")
    return row


def listed(session: Session, meeting: int | None = None, *, everything: bool = False) -> list[RecordingRow]:
    """By the time they began; ``everything``: deleted ones too."""
    query = select(RecordingRow).order_by(RecordingRow.begun_at, RecordingRow.id)
    if meeting is not None:
        query = query.where(RecordingRow.meeting_id == meeting)
    if not everything:
        query = query.where(RecordingRow.deleted_at.is_(None))
    return list(session.scalars(query))


def open_key(session: Session, name: str, county_key: str, who: str, why: str, what: str) -> bytes:
    """The key of a recording for somebody who takes it away, which is noted.

    Args:
        session: A writing session.
        name: The recording's.
        county_key: The secret ``sealed.KEY``.
        who: Login.
        why: For the audit; not empty.
        what: Which of its tracks.

    Raises:
        RecordingError: There is none, it was deleted, or nobody said why.
    """
    row = get(session, name)
    if row.key is None:
        raise RecordingError(f"recording {name}: deleted at {row.deleted_at:%Y-%m-%d %H:%M}")
    if not why.strip():
        raise RecordingError("why: found nothing, expected the reason, for the audit")
    try:
        key = sealed.unwrap(county_key, name, row.key)
    except sealed.SealError as error:
        raise RecordingError(f"{error}; next step: the identity folder of the county that recorded it") from None
    detail = {"meeting": row.meeting_id, "recording": name, "what": what}
    audit.record(session, who, "meeting.recordingOpened", why, detail)
    return key


def delete(session: Session, folder: Path, name: str, who: str, why: str, now: datetime) -> RecordingRow:
    """For good: the key first, so that what the disk still holds is noise.

    Raises:
        RecordingError: There is none, it is deleted already, or it is still being recorded.
    """
    row = get(session, name)
    if row.deleted_at is not None:
        raise RecordingError(f"recording {name}: deleted already, at {row.deleted_at:%Y-%m-%d %H:%M}")
    if row.ended_at is None:
        raise RecordingError(f"recording {name}: is being recorded; next step: sanwang meet act MEETING stopRecording")
    row.key, row.deleted_at = None, now
    detail = {"meeting": row.meeting_id, "recording": name, "octets": row.octets}
    audit.record(session, who, "meeting.recordingDeleted", why, detail)
    session.flush()
    shutil.rmtree(folder / name, ignore_errors=True)
    return row


def expired(session: Session, now: datetime) -> list[str]:
    """Recordings whose time is over."""
    query = select(RecordingRow.id).where(RecordingRow.expires_at <= now, RecordingRow.deleted_at.is_(None))
    return list(session.scalars(query))


def unfinished(session: Session) -> list[RecordingRow]:
    """Recordings that nobody has ended."""
    return list(session.scalars(select(RecordingRow).where(RecordingRow.ended_at.is_(None))))


def octets_in(folder: Path) -> int:
    """What a folder's files come to; files that go meanwhile count nothing."""
    total = 0
    for path in folder.rglob("*") if folder.is_dir() else ():
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total


def as_json(row: RecordingRow, running: Callable[[str], dict[str, Any] | None] = lambda name: None) -> dict[str, Any]:
    """For command line and API; ``running`` gives what a recorder that runs says of itself."""
    return {
        "id": row.id,
        "meeting": row.meeting_id,
        "begun": row.begun_at.isoformat(),
        "by": row.begun_by,
        "ended": row.ended_at.isoformat() if row.ended_at else None,
        "octets": row.octets,
        "problem": row.problem,
        "expires": row.expires_at.isoformat() if row.expires_at else None,
        "deleted": row.deleted_at.isoformat() if row.deleted_at else None,
        "recorder": running(row.id),
    }
