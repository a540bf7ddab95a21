"""Asking a host that has fallen silent whether it lives: a TCP connection to its agent's port, answered by its kernel.

Taken or refused, the host lives (and refused, its agent does not run); without an answer twice in a row it does not,
or cannot be reached.  A host that all its neighbours have lost is not asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import time

from collectors.county import LAG_S, County
from collectors.judge import SILENT_S, Asked

AGENT_PORT = 9100
_LOOK_S = 0.1
_ANSWER_S = 0.25
_AGAIN_S = 1.0
_AT_ONCE = 40


class Asker:
    """Looks for silent hosts and keeps ``Judge.asked``; ``run`` is its owner's task."""

    def __init__(self, county: County) -> None:
        self._county = county
        self._asking: set[str] = set()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._addresses = {
            host.name: str(host.management) for host in county.model.linux_appliances() if host.management is not None
        }
        self.asked = 0

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                now = time.monotonic()
                for name, view in self._county.views.items():
                    if view.heard_at is None or (view.connected and now - view.heard_at < SILENT_S):
                        continue
                    before = self._county.judge.asked.get(name)
                    old = before is None or before.at < view.heard_at or now - before.at > _AGAIN_S
                    if old and name not in self._asking and self._county.hosts_how(name) != "dark":
                        self._asking.add(name)
                        group.create_task(self._ask(name))
                await asyncio.sleep(_LOOK_S)

    async def _ask(self, name: str) -> None:
        view, judge = self._county.views[name], self._county.judge
        heard = view.heard_at
        before = judge.asked.get(name)
        failures = before.failures if before is not None and heard is not None and before.at > heard else 0
        try:
            for _ in range(2):
                alive = await self._answers(self._addresses[name])
                if alive is None:
                    continue
                failures = 0 if alive else failures + 1
                judge.asked[name] = Asked(time.monotonic(), alive, failures)
                if alive or view.heard_at != heard:
                    break
        finally:
            self._asking.discard(name)
        self._county.touched()

    async def _answers(self, address: str) -> bool | None:
        """None when we had no time to listen ourselves."""
        async with self._slots:
            self.asked += 1
            began = time.monotonic()
            try:
                async with asyncio.timeout(_ANSWER_S):
                    _, writer = await asyncio.open_connection(address, AGENT_PORT)
            except ConnectionRefusedError:
                return True
            except OSError:  # no answer in time, no route, no such neighbour
                return None if time.monotonic() - began > _ANSWER_S + LAG_S else False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True
