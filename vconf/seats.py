"""What a control side keeps of each transport, producer and consumer: on which relay it is."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True)
class Seat:
    """A transport: where, and whose."""

    relay: str
    room: str
    peer: str


@dataclass(slots=True)
class Stream:
    """A producer; ``copies`` by relay, ``sources``: which relay each comes from."""

    relay: str
    room: str
    kind: str
    transport: str
    copies: dict[str, asyncio.Task[str]] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Share:
    """A consumer: where, for whom, and of which producer; a place outlives what it shows ("": nothing that we know)."""

    relay: str
    transport: str
    producer: str = ""
    is_place: bool = False
