"""Polls every device, each in its own slot of the interval.

What to read is learned by walks (slow loop) and asked for by GET afterwards: the device answers a plain question
instead of walking its tables (devices, not the poller, are what polling overloads).  It is learned again when the
device was restarted, when its interface table changed, when an object is gone or another one answers, and every ten
minutes.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from collectors.snmp import ber
from collectors.snmp.exposition import Page, Result, exposition
from collectors.snmp.plan import Mismatch, Packet, packets, size
from collectors.snmp.readings import TABLE, UPTIME, Reading, ordered
from collectors.snmp.session import ErrorStatus, Port, Session, SnmpError
from collectors.snmp.usm import Community, User

log = logging.getLogger("sanwang.collect")

INTERVAL_S = 30.0
_LEARN_S = 600.0
_AT_ONCE = 64
_LEARN_AT_ONCE = 4
_RETRY_S = 2.5


class Learner(Protocol):
    """Finds out what to read of a device."""

    async def learn(self, session: Session) -> list[Reading]:
        """By walks.

        Raises:
            SnmpError: no answer, or an error.
        """


@dataclass(slots=True)
class Target:
    """One device and what is known of it."""

    host: str
    address: str
    learner: Learner
    who: Community | User = field(repr=False)
    port: int = 161
    fresh_s: float = 2.5 * INTERVAL_S
    session: Session | None = None
    learned_at: float = 0.0
    learned: list[Reading] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)  # those of them that the device has
    packets: list[Packet] = field(default_factory=list)
    settled: bool = False  # the packets are as few as the answers need
    page: Page | None = None
    result: Result | None = None
    polls: int = 0
    failures: int = 0
    silent: int = 0  # failures in a row
    error: str = ""

    def fresh(self, now: float) -> bool:
        """True when the device answered lately."""
        return not self.error and self.result is not None and now - self.result.at < self.fresh_s

    @property
    def repeated(self) -> int:
        """Requests sent again."""
        return self.session.costs.repeated if self.session is not None else 0


class Poller:
    """Owns the targets; ``on_change`` is called when the set of answering devices changed."""

    def __init__(
        self,
        targets: list[Target],
        links: Mapping[tuple[str, str], str],
        on_change: Callable[[frozenset[str]], None],
        interval_s: float = INTERVAL_S,
    ) -> None:
        """``links``: (host, port) -> link's name."""
        self.targets = {target.host: target for target in targets}
        self._links = links
        self._on_change = on_change
        self._interval_s = interval_s
        self._answering: frozenset[str] = frozenset()
        self._socket = Port()
        self._gate, self._learn_gate = asyncio.Semaphore(_AT_ONCE), asyncio.Semaphore(_LEARN_AT_ONCE)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            count = max(1, len(self.targets))
            for number, target in enumerate(self.targets.values()):
                group.create_task(self._keep_polling(target, number / count))

    async def _keep_polling(self, target: Target, phase: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self.turn(target)
            slots = loop.time() / self._interval_s - phase
            pause = (1 - slots % 1.0) * self._interval_s
            # A silent device is asked again sooner: it may be coming up, or somebody is repairing it.
            await asyncio.sleep(min(pause, _RETRY_S * min(target.silent, 6)) if target.silent else pause)

    async def turn(self, target: Target) -> None:
        """Poll one device, and take down whether it answered."""
        async with self._gate:
            try:
                await self.poll(target)
                target.error, target.silent = "", 0
            except (SnmpError, Mismatch, ValueError) as problem:
                target.failures += 1
                target.silent += 1
                target.learned_at = 0.0
                if target.silent >= 2 and target.session is not None:
                    target.session.forget()
                if not target.error:
                    log.warning("snmp %s: %s", target.host, problem)
                target.error = str(problem) or type(problem).__name__
            target.polls += 1
        if (not target.error) != (target.host in self._answering):
            self._answering ^= {target.host}
            self._on_change(self._answering)

    def exposition(self) -> bytes:
        """All samples of all targets."""
        return exposition(self.targets.values())

    def exposition_of(self, host: str) -> bytes | None:
        """One target's, None when there is none of this name."""
        target = self.targets.get(host)
        return None if target is None else exposition((target,))

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    async def poll(self, target: Target) -> None:
        """Ask one device now.

        Raises:
            SnmpError: no answer, or an error.
            Mismatch, ValueError: an answer that makes no sense, even after learning anew.
        """
        began = time.monotonic()
        if target.session is None:
            target.session = self._socket.session(target.address, target.who, target.port)
        learned = began - target.learned_at > _LEARN_S or target.learned_at == 0.0
        if learned:
            await self._learn(target, target.session, began)
            began = time.monotonic()
        try:
            values = await self._values(target, target.session)
            again = not learned and self._changed(target, values)
        except Mismatch:
            if learned:
                raise
            again = True
        if again:
            await self._learn(target, target.session, began)
            began = time.monotonic()
            values = await self._values(target, target.session)
        if not target.settled:
            values = self._settle(target, values)
        self._note(target, values, began)

    @staticmethod
    def _changed(target: Target, values: Sequence[ber.Value]) -> bool:
        """True when what was learned may hold no longer: an object is gone, another table, a later start."""
        if any(packet.absent for packet in target.packets):
            return True
        if target.result is None:
            return False
        before = target.result.values
        for place, reading in enumerate(target.readings[:2]):
            now, then = values[place], before[place]
            if reading.metric == TABLE and now != then:
                return True
            if reading.metric == UPTIME and isinstance(now, int) and isinstance(then, int) and now < then:
                return True
        return False

    async def _learn(self, target: Target, session: Session, now: float) -> None:
        async with self._learn_gate:
            readings = ordered(await target.learner.learn(session))
        if readings != target.learned:
            target.learned, target.result = readings, None
            self._read(target, readings)
        elif len(readings) != len(target.readings):  # what was not there may be there now
            self._read(target, readings)
        target.learned_at = now

    def _read(self, target: Target, readings: list[Reading], sizes: Sequence[int] = ()) -> None:
        assert target.session is not None
        target.readings, target.settled = readings, bool(sizes)
        target.packets = packets([reading.oid for reading in readings], target.session.room, sizes)
        target.page = Page.of(target.host, readings, self._links)

    async def _values(self, target: Target, session: Session) -> list[ber.Value]:
        while True:
            try:
                answers = await session.ask(target.packets)
            except ErrorStatus as problem:
                bad = session.smaller(problem)
                self._read(target, [reading for reading in target.readings if reading.oid != bad])
                continue
            return list(itertools.chain.from_iterable(answers))

    def _settle(self, target: Target, values: list[ber.Value]) -> list[ber.Value]:
        """As few packets as the answers need, without what the device does not have (until it is learned again)."""
        pairs = zip(target.readings, values, strict=True)
        kept = [(reading, value) for reading, value in pairs if not isinstance(value, ber.Absent)]
        values = [value for _, value in kept]
        self._read(target, [reading for reading, _ in kept], [size(value) for value in values])
        return values

    @staticmethod
    def _note(target: Target, values: list[ber.Value], at: float) -> None:
        assert target.session is not None
        assert target.page is not None
        before = target.result
        if before is not None:
            old, now = (next(iter(some), None) for some in (before.values, values))
            restarted = isinstance(old, int) and isinstance(now, int) and now < old
            same = len(before.values) == len(values) and not restarted
            before = replace(before, before=None) if same else None
        took_s = time.monotonic() - at
        target.result = Result(at, took_s, target.session.costs.varbind_s, target.page, values, before)
