"""What a hall of a load is given, and what it lives through."""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Way:
    """How halls come to the meeting.

    ``token(hall)`` gives a join token, good once; ``place(hall, make)`` calls ``make``, which opens a socket, where the
    hall is; ``address(hall)`` is where its page's WebSocket goes.
    """

    address: Callable[[str], str]  # "wss://10.32.2.6/meet/ws"
    token: Callable[[str], str]
    tls: ssl.SSLContext | None = None
    place: Callable[[str, Callable[[], None]], None] = lambda hall, make: make()


@dataclass(slots=True)
class HallFigures:
    """What one hall lived through.  Times in milliseconds, lists in the order that things happened."""

    joins: int = 0
    join_ms: list[float] = field(default_factory=list)  # from the first packet to the server to media's handshake
    first_packet_ms: list[float] = field(default_factory=list)  # from the beginning of a join
    first_keyframe_ms: list[float] = field(default_factory=list)
    switch_ms: list[float] = field(default_factory=list)  # from the notification of another view to its keyframe
    packets: int = 0
    octets: int = 0
    lost: int = 0
    repaired: int = 0
    asked: int = 0
    wrong: int = 0
    sent: int = 0
    sent_octets: int = 0
    resent: int = 0
    keyframe_requests: int = 0
    interruptions: Counter[str] = field(default_factory=Counter)  # why it had to join again
    refusals: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Habits:
    """What a hall does besides."""

    quiet: bool = False  # its microphone is off while the chair lets nobody hear it
    max_layer: int | None = None  # the highest simulcast layer that its screen needs
