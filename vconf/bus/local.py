"""The bus within one process: tiers that live together, and tests."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from vconf.bus.bus import Handler, Inbox, NoAnswer, checked, checked_pattern, matches


class Exchange:
    """What the buses of one process have in common."""

    def __init__(self) -> None:
        self.members: list[_Member] = []


class LocalBus:
    """One member's connection; ``cut`` True plays a cable that was cut."""

    def __init__(self, exchange: Exchange) -> None:
        self.dropped = 0
        self.cut = False
        self._exchange = exchange

    async def start(self) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """End every subscription."""
        for member in [each for each in self._exchange.members if each.bus is self]:
            await member.end()

    def publish(self, subject: str, message: bytes) -> None:
        checked(subject, message)
        if self.cut:
            self.dropped += 1
            return
        for member in self._heard(subject):
            member.inbox.put(subject, message, None)

    async def subscribe(self, pattern: str, handler: Handler) -> _Member:
        checked_pattern(pattern)
        member = _Member(self, self._exchange, pattern, Inbox(handler, self._drop))
        self._exchange.members.append(member)
        return member

    async def request(self, subject: str, message: bytes, timeout_s: float) -> bytes:
        checked(subject, message)
        heard = [] if self.cut else self._heard(subject)
        if not heard:
            raise NoAnswer(f"{subject}: nobody listens")
        answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def answer(found: bytes) -> None:
            if not answered.done():
                answered.set_result(found)

        for member in heard:
            member.inbox.put(subject, message, answer)
        try:
            async with asyncio.timeout(timeout_s):
                return await answered
        except TimeoutError:
            raise NoAnswer(f"{subject}: no answer within {timeout_s:g} s") from None

    def _heard(self, subject: str) -> list[_Member]:
        return [each for each in self._exchange.members if not each.bus.cut and matches(each.pattern, subject)]

    def _drop(self) -> None:
        self.dropped += 1


@dataclass(eq=False, slots=True)
class _Member:
    """One subscription."""

    bus: LocalBus
    exchange: Exchange
    pattern: str
    inbox: Inbox

    async def end(self) -> None:
        if self in self.exchange.members:
            self.exchange.members.remove(self)
        await self.inbox.end()
