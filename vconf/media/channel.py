"""A transport as the Python plane keeps it: address, SRTP contexts, what was sent when, and the pacer."""

from __future__ import annotations

from collections import deque
from typing import Any

from pylibsrtp import Session

from vconf.media.pacer import Pacer
from vconf.media.plane import Address, Keys
from vconf.media.rewriter import Leg, Span
from vconf.media.ring import Held
from vconf.media.srtp import session, tag_bytes

SENT_RUNS = 512


class Channel:
    """``outbound`` is libsrtp's context, None before the keys are there."""

    __slots__ = (
        *("_sessions", "address", "arrivals", "bound", "cc_extension", "cc_next", "handle", "heard_us", "inbound"),
        *("legs", "log", "octets", "outbound", "pacer", "tag"),
    )

    def __init__(self, handle: int) -> None:
        self.handle = handle
        self.address: Address | None = None
        self.inbound: Any = None
        self.outbound: Any = None
        self.tag = 0
        self.heard_us = 0
        self.cc_extension = 0
        self.arrivals: list[tuple[int, int]] = []
        self.bound: dict[int, tuple[int, bool]] = {}  # SSRC -> (stream, is RTX)
        self.legs: dict[int, Leg] = {}
        self.pacer: Pacer[tuple[Leg, Span, Held]] = Pacer()
        self.cc_next = 0  # next transport-wide sequence number, unwrapped
        self.octets = 0  # sent
        # runs that left: (first number, octets sent before, microseconds, (packets, octets))
        self.log: deque[tuple[int, int, int, tuple[int, int]]] = deque(maxlen=SENT_RUNS)
        self._sessions: tuple[Session, Session] | None = None  # keeps the contexts alive

    def set_keys(self, inbound: Keys, outbound: Keys) -> None:
        """Both directions' sessions."""
        self._sessions = session(inbound, inbound=True), session(outbound, inbound=False)
        self.inbound, self.outbound = self._sessions[0]._srtp[0], self._sessions[1]._srtp[0]
        self.tag = tag_bytes(outbound)

    def sent(self, sequence: int) -> tuple[int, int] | None:
        """(microseconds, octets sent before it) of a 16-bit number; packets of a run count alike."""
        wanted = self.cc_next - (self.cc_next - sequence & 0xFFFF)
        for first, before, at_us, (packets, octets) in reversed(self.log):  # what is asked about is recent
            if first <= wanted:
                if wanted >= first + packets:
                    return None
                return at_us, before + octets * (wanted - first) // packets
        return None
