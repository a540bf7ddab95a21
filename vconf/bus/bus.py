"""What a bus does: publish, subscribe, request.  Nothing is stored: who needs all of it asks for it."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

MOST_BYTES = 1 << 20
"""The largest message (NATS: max_payload)."""

WAITING = 256
"""Messages that may wait for one subscriber; the oldest is dropped for another."""

Handler = Callable[[str, bytes], Awaitable[bytes | None]]
"""Called with subject and message, one at a time in order; what it returns answers a request."""

_WORD = r"[A-Za-z0-9_@-]+"
_SUBJECT = re.compile(rf"{_WORD}(\.{_WORD})*")
_PATTERN = re.compile(rf"({_WORD}|\*)(\.({_WORD}|\*))*(\.>)?|>")

logger = logging.getLogger(__name__)


class NoAnswer(Exception):
    """Nobody listens there, or nobody answered in time."""


class Subscription(Protocol):
    """What ``subscribe`` gives."""

    async def end(self) -> None:
        """No message is handed over from now on."""


class Bus(Protocol):
    """A connection to the other tiers; every method may be used at any time after ``start``."""

    dropped: int
    """Messages that were not handed over: no connection, or a subscriber that is too slow."""

    async def start(self) -> None:
        """Connect, and stay connected: returns at once."""

    async def close(self) -> None:
        """Hang up."""

    def publish(self, subject: str, message: bytes) -> None:
        """To every subscriber that can be reached now; ValueError for a bad subject or a message that is too large."""

    async def subscribe(self, pattern: str, handler: Handler) -> Subscription:
        """Have messages handed over, also those of reconnections to come."""

    async def request(self, subject: str, message: bytes, timeout_s: float) -> bytes:
        """The answer of one of the subscribers; NoAnswer."""


def checked(subject: str, message: bytes) -> None:
    """ValueError for what cannot be published."""
    if not _SUBJECT.fullmatch(subject):
        raise ValueError(f"subject: found {subject!r}, expected words joined by dots")
    if len(message) > MOST_BYTES:
        raise ValueError(f"{subject}: {len(message)} bytes, expected at most {MOST_BYTES}")


def checked_pattern(pattern: str) -> None:
    """ValueError for what cannot be subscribed to."""
    if not _PATTERN.fullmatch(pattern):
        raise ValueError(f"pattern: found {pattern!r}, expected words, * or a last >, joined by dots")


def matches(pattern: str, subject: str) -> bool:
    """Whether a subscription hears a subject.

    >>> matches("tier.*.beat", "tier.shili.beat"), matches("tier.>", "tier"), matches("tier.>", "tier.shili.beat")
    (True, False, True)
    """
    wanted, words = pattern.split("."), subject.split(".")
    if wanted[-1] == ">":
        return len(words) >= len(wanted) and all(a in ("*", b) for a, b in zip(wanted[:-1], words, strict=False))
    return len(words) == len(wanted) and all(a in ("*", b) for a, b in zip(wanted, words, strict=True))


def pack(document: dict[str, Any]) -> bytes:
    """A JSON object as a message."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def unpack(message: bytes) -> dict[str, Any]:
    """The JSON object of a message; ValueError when it is something else."""
    try:
        found = json.loads(message)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError("expected a JSON object")
    return found


class Inbox:
    """Messages of one subscription: handed over one at a time, in order, without making the sender wait."""

    def __init__(self, handler: Handler, dropped: Callable[[], None]) -> None:
        self._handler = handler
        self._dropped = dropped
        self._queue: asyncio.Queue[tuple[str, bytes, Callable[[bytes], None] | None]] = asyncio.Queue(WAITING)
        self._task = asyncio.get_running_loop().create_task(self._run(), name="bus inbox")

    def put(self, subject: str, message: bytes, answer: Callable[[bytes], None] | None) -> None:
        """One more; the oldest makes room when the handler is too slow."""
        if self._queue.full():
            self._queue.get_nowait()
            self._dropped()
        self._queue.put_nowait((subject, message, answer))

    async def end(self) -> None:
        """Hand nothing over any more."""
        self._task.cancel()
        if self._task is not asyncio.current_task():
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            subject, message, answer = await self._queue.get()
            try:
                found = await self._handler(subject, message)
            except Exception:  # one bad message must not end the subscription; the asker hears nothing
                logger.exception("bus: %s", subject)
                continue
            if found is not None and answer is not None:
                answer(found)
