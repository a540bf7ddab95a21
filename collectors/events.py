"""Events: what happened, numbered, kept for a while in memory, and told to whoever follows."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

_KEPT = 1000
_FOLLOWER_QUEUE = 256


@dataclass(frozen=True, slots=True)
class Event:
    """Something changed.  ``kind``: link, host, service, bfd, ospf, tunnel, route, fault, trap, syslog ..."""

    number: int
    at: float  # UNIX seconds
    kind: str
    subject: str  # "ring-c1-c2", "c1-core", "c1-core/ospfd" ...
    state: str
    detail: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As JSON shows it."""
        return asdict(self)


class Follower:
    """One reader of the stream, behind a bounded queue; drops are counted."""

    def __init__(self, size: int) -> None:
        self.queue: asyncio.Queue[Event] = asyncio.Queue(size)
        self.dropped = 0

    def offer(self, event: Event) -> None:
        """Queue an event, or count it as dropped."""
        try:
            self.queue.put_nowait(event)
        except asyncio.QueueFull:
            self.dropped += 1


class Events:
    """The stream of one collector."""

    def __init__(self) -> None:
        self.recent: deque[Event] = deque(maxlen=_KEPT)
        self.journal: Callable[[Event], None] | None = None
        """Told of every event before anybody else is; it must not block."""
        self._followers: set[Follower] = set()
        self._number = time.time_ns() // 1_000_000

    def continue_after(self, number: int) -> None:
        """Give only numbers above this one: those of the store, which a clock set back would give once more."""
        self._number = max(self._number, number)

    def emit(self, kind: str, subject: str, state: str, /, **detail: Any) -> Event:
        """Tell everyone."""
        self._number += 1
        event = Event(self._number, round(time.time(), 3), kind, subject, state, detail)
        if self.journal is not None:
            self.journal(event)
        self.recent.append(event)
        for follower in self._followers:
            follower.offer(event)
        return event

    @contextmanager
    def follow(self, size: int = _FOLLOWER_QUEUE) -> Iterator[Follower]:
        """Events from now on, at most ``size`` of them waiting."""
        follower = Follower(size)
        self._followers.add(follower)
        try:
            yield follower
        finally:
            self._followers.discard(follower)

    def since(self, number: int) -> list[Event]:
        """Kept events later than that number."""
        return [event for event in self.recent if event.number > number]
