"""The county's signalling as the tier above its townships' nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from store import audit
from store.audit import AuditEntry
from store.engine import Store
from vconf import attendance, hall_devices, meetings
from vconf.chair.state import Conference
from vconf.meeting import Meeting
from vconf.node.handed import Handed
from vconf.node.settle import settle
from vconf.rooms.rooms import Rooms
from vconf.tables import AttendanceRow, SignInRow

AHEAD = timedelta(hours=24)
"""Meetings that begin within this are told: a township may be alone when they do."""


class County:
    """What townships hear and hand over; ``rooms`` hold the meetings, ``store`` everything that is kept."""

    def __init__(self, store: Store, rooms: Rooms) -> None:
        self._store = store
        self._rooms = rooms

    def states(self) -> Iterable[Conference]:
        return self._rooms.conferences.all()

    async def meetings(self) -> Iterable[Meeting]:
        def look() -> list[Meeting]:
            now = datetime.now(UTC)
            with self._store.reading() as session:
                found = [*meetings.running(session, now), *meetings.upcoming(session, now)]
            return list({each.id: each for each in found if each.start_at <= now + AHEAD}.values())

        return await asyncio.to_thread(look)

    async def devices(self, halls: Collection[str]) -> Mapping[str, str]:
        def look() -> dict[str, str]:
            with self._store.reading() as session:
                return hall_devices.digests(session, halls)

        return await asyncio.to_thread(look)

    async def take(self, found: Handed) -> None:
        """Its decisions are settled with ours, its attendance joins ours, what was done there is audited here."""
        if await asyncio.to_thread(self._known, found.serial):
            return
        ours = await settle(self._rooms, found)
        await asyncio.to_thread(self._note, found, ours)

    def _known(self, serial: str) -> bool:
        with self._store.reading() as session:
            return _merged(session, serial)

    def _note(self, found: Handed, ours: bool) -> None:
        with self._store.session() as session:
            if _merged(session, found.serial) or meetings.get(session, found.meeting) is None:
                return
            _attendance(session, found)
            why = f"{found.tier} was alone"
            for act in found.acts:
                detail = {"meeting": found.meeting, "number": act.number, "tier": found.tier, "at": act.at, **act.args}
                audit.record(session, act.who, f"meeting.{act.action}", why, detail)
            detail = {
                "meeting": found.meeting,
                "serial": found.serial,
                "tier": found.tier,
                "began": found.began,
                "acts": len(found.acts),
                "decisions": "county" if ours else found.tier,
            }
            audit.record(session, f"node:{found.tier}", "meeting.merge", why, detail)


def _attendance(session: Session, found: Handed) -> None:
    """A union: what we have already is left, what we have not is added."""
    query = select(AttendanceRow).where(AttendanceRow.meeting_id == found.meeting)
    known = {(row.hall, row.joined_at): row for row in session.scalars(query)}
    for stay in found.account.stays:
        joined = datetime.fromtimestamp(stay.joined, UTC)
        left = datetime.fromtimestamp(stay.left, UTC) if stay.left is not None else datetime.now(UTC)
        row = known.get((stay.venue, joined))
        if row is None:
            session.add(AttendanceRow(meeting_id=found.meeting, hall=stay.venue, joined_at=joined, left_at=left))
    for venue, sign in found.account.signed.items():
        at = datetime.fromtimestamp(sign.at, UTC)
        kept = session.get(SignInRow, (found.meeting, venue))
        if kept is None or kept.signed_at < at:
            attendance.signed(session, found.meeting, venue, sign.heads, sign.name, at)


def _merged(session: Session, serial: str) -> bool:
    query = select(AuditEntry.number).where(
        AuditEntry.what == "meeting.merge", AuditEntry.detail.contains(f'"serial":"{serial}"', autoescape=True)
    )
    return session.scalar(query.limit(1)) is not None
