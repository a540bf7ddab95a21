"""A lower tier's account meets the meeting as it goes on here."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from vconf.chair.merge import settled
from vconf.chair.state import Conference
from vconf.node.handed import Handed
from vconf.rooms.rooms import Rooms

_KEPT_S = 1.0


async def settle(rooms: Rooms, found: Handed) -> bool:
    """Make one state of two, if the meeting goes on here; True when what was decided here stays."""
    meeting = await rooms.meeting(found.meeting)
    if meeting is None or meeting.state(datetime.now(UTC)) != "open":
        return True
    before = await rooms.conferences.open(meeting)
    after = settled(before, found.account, rooms.conferences.now())
    await asyncio.wait([rooms.conferences.adopt(after)], timeout=_KEPT_S)
    return _decisions(after) == _decisions(before)


def _decisions(state: Conference) -> tuple[object, ...]:
    return (state.programme, state.mute_all, state.locked, state.banner, state.floor, state.co_chairs, state.viewers)
