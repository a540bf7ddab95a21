"""Who is connected to which meeting: rooms and peers as the signalling keeps them, without any network."""

from __future__ import annotations

import asyncio
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from vconf.limits import Bucket

RECORDER = "#recorder"
"""Code of the peer that records: no participant of the conference."""

OUTBOX = 256
"""Messages that may wait for one page; a page that reads slower is cut off and comes back."""


class Outbox:
    """Messages to one page, written by the connection's own task; never blocks the others."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue(OUTBOX)
        self.closed = False
        self.code = 1000

    def put(self, message: dict[str, Any]) -> None:
        """Queue a message; the connection is closed when the page does not read."""
        if self.closed:
            return
        if self._queue.qsize() >= OUTBOX - 1:
            self.close(1013)
            return
        self._queue.put_nowait(message)

    def close(self, code: int = 1000) -> None:
        """End the connection after what was queued; RFC 6455 section 7.4 lists the codes."""
        if not self.closed:
            self.closed, self.code = True, code
            self._queue.put_nowait(None)

    async def get(self) -> dict[str, Any] | None:
        """The next message; None when the connection is to be closed."""
        return await self._queue.get()


@dataclass(slots=True)
class Stream:
    """A producer as others see it."""

    id: str
    kind: str
    source: str  # "camera", "slides" or "microphone"
    own_pause: bool = False  # by its own page
    paused: bool = False  # nothing of it leaves the relay: by its own page, or by the chair's decisions

    def as_json(self) -> dict[str, Any]:
        """For the page."""
        return {"id": self.id, "kind": self.kind, "source": self.source, "paused": self.paused}


@dataclass(slots=True)
class Share:
    """A consumer: one receiver's share of a stream."""

    id: str
    producer: str
    sender: str  # peer
    source: str
    own_pause: bool = True  # by its own page; it starts so
    paused: bool = True  # as the relay was told


@dataclass(slots=True)
class Peer:
    """One page in one meeting: a venue's, or a chair's console."""

    code: str  # as a participant: "t01", "@li"
    zh: str
    en: str
    console: bool = False
    recorder: bool = False  # no participant: it is told everything, may receive everything, and sends nothing
    id: str = field(default_factory=lambda: secrets.token_hex(6))
    resume_key: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    outbox: Outbox | None = None
    inside: bool = False  # let in: not in the waiting room
    transports: set[str] = field(default_factory=set)
    streams: dict[str, Stream] = field(default_factory=dict)
    shares: dict[str, Share] = field(default_factory=dict)
    heard_s: float = field(default_factory=time.monotonic)  # last message of its page
    unplugged_s: float = 0.0  # when its WebSocket went; 0 while it is there
    silent: bool = False  # no sign of life from its media for some seconds
    connected: bool = False  # its media came to be at least once since its transports were made
    sending: str = ""  # the transport it sends with
    silent_transports: set[str] = field(default_factory=set)
    stay: asyncio.Task[int] | None = None  # gives its line in the attendance
    report: dict[str, Any] = field(default_factory=dict)  # what the page measured
    ice_servers: list[dict[str, Any]] = field(default_factory=list)  # the way for who comes from outside (TURN)
    told: dict[str, Any] = field(default_factory=dict)  # of the conference, last
    acts: Bucket = field(default_factory=lambda: Bucket(rate=5, burst=30))  # each may be told to all others

    @property
    def listed(self) -> bool:
        """Others see it: it is a venue that was let in."""
        return self.inside and not self.console and not self.recorder

    def tell(self, kind: str, /, **data: Any) -> None:
        """Send a notification, if its page is connected."""
        if self.outbox is not None:
            self.outbox.put({"type": kind, "data": data})

    def as_json(self) -> dict[str, Any]:
        """For the other pages."""
        return {
            "id": self.id,
            "hall": self.code,
            "zh": self.zh,
            "en": self.en,
            "silent": self.silent,
            "producers": [stream.as_json() for stream in self.streams.values()],
        }


@dataclass(slots=True)
class Room:
    """One meeting's peers."""

    meeting: int
    booked: int = 2  # how many halls it was booked for
    peers: dict[str, Peer] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The room's name on the relay."""
        return f"m{self.meeting}"

    @property
    def layers(self) -> int:
        """How many layers a camera sends: one picture is enough while it fills the screens it goes to."""
        return 1 if self.booked <= 4 else 3

    def tell_others(self, peer: Peer, kind: str, /, **data: Any) -> None:
        """A notification about a venue to everybody else that was let in."""
        if not peer.listed:
            return
        for other in self.peers.values():
            if other is not peer and other.inside:
                other.tell(kind, **data)

    def of(self, participant: str) -> Peer | None:
        """The page of that participant."""
        return next((peer for peer in self.peers.values() if peer.code == participant), None)

    def others(self, peer: Peer) -> list[dict[str, Any]]:
        """The other venues, as the page reads them."""
        if not peer.inside:
            return []
        return [other.as_json() for other in self.peers.values() if other is not peer and other.listed]
