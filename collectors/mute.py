"""Switches whose management answers while their SNMP does not: nothing of ours runs there that could say so itself.

A switch that does not answer SNMP is asked for its SSH port; answers that, it is mute (``County.mute``), which is a
fault.  One that answers neither is judged by its cables.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from collectors.county import County

SSH_PORT = 22
LOST_S, NEVER_S = 30.0, 300.0
"""So long its management answers and SNMP does not: more than the poller waits before it asks a silent device again; a
box that has never answered may still be being set up."""
_LOOK_S = 5.0
_ANSWER_S = 2.0


class Mute:
    """Keeps ``County.mute``; ``run`` is its owner's task."""

    def __init__(self, county: County, port: int = SSH_PORT, now: Callable[[], float] = time.monotonic) -> None:
        self._county, self._port, self._now = county, port, now
        self._addresses = {name: str(county.model.hosts[name].management) for name in county.expected.switches}
        self._since: dict[str, float] = {}
        self._known: set[str] = set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Once."""
        county = self._county
        self._known |= county.snmp_ok & self._addresses.keys()
        silent = [name for name in self._addresses if name not in county.snmp_ok and self._judged_up(name)]
        answers = await asyncio.gather(*(self._answers(self._addresses[name]) for name in silent))
        there = [name for name, answered in zip(silent, answers, strict=True) if answered]
        now = self._now()
        self._since = {name: self._since.get(name, now) for name in there}
        mute = frozenset(
            name for name, since in self._since.items() if now - since >= (LOST_S if name in self._known else NEVER_S)
        )
        if mute != county.mute:
            county.mute = mute
            county.touched()

    def _judged_up(self, name: str) -> bool:
        seen = self._county.hosts.get(name)
        return seen is not None and seen.state == "up"

    async def _answers(self, address: str) -> bool:
        try:
            async with asyncio.timeout(_ANSWER_S):
                _, writer = await asyncio.open_connection(address, self._port)
        except OSError:
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True
