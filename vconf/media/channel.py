"""A transport as the Python plane keeps it: address, SRTP contexts, what was sent when, and the pacer."""

from __future__ import annotations

from array import array
from typing import Any

from pylibsrtp import Session

from vconf.media.pacer import Pacer
from vconf.media.plane import Address, Keys
from vconf.media.rewriter import Leg, Span
from vconf.media.ring import Held
from vconf.media.srtp import session, tag_bytes

SENT_RUNS = 512
_FIELDS = 4  # first sequence (unwrapped), one past the last, microseconds, octets sent before


class Channel:
    """``outbound`` is libsrtp's context, None before the keys are there."""

    __slots__ = (
        *("_sent", "_sent_runs", "_sessions", "address", "arrivals", "bound", "cc_extension", "cc_next", "handle"),
        *("heard_us", "inbound", "legs", "octets", "outbound", "pacer", "tag"),
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
        self._sent = array("Q", bytes(8 * _FIELDS * SENT_RUNS))
        self._sent_runs = 0
        self._sessions: tuple[Session, Session] | None = None  # keeps the contexts alive

    def set_keys(self, inbound: Keys, outbound: Keys) -> None:
        """Both directions' sessions."""
        self._sessions = session(inbound, inbound=True), session(outbound, inbound=False)
        self.inbound, self.outbound = self._sessions[0]._srtp[0], self._sessions[1]._srtp[0]
        self.tag = tag_bytes(outbound)

    def note_sent(self, first: int, octets: int, now_us: int) -> None:
        """A run of transport-wide numbers from ``first`` up to ``cc_next`` left."""
        sent, at = self._sent, self._sent_runs % SENT_RUNS * _FIELDS
        sent[at] = first
        sent[at + 1] = self.cc_next
        sent[at + 2] = now_us
        sent[at + 3] = self.octets
        self._sent_runs += 1
        self.octets += octets

    def sent(self, sequence: int) -> tuple[int, int] | None:
        """(microseconds, octets sent before it) of a 16-bit number; packets of a run count alike."""
        wanted = self.cc_next - (self.cc_next - sequence & 0xFFFF)
        sent = self._sent
        low, high = max(0, self._sent_runs - SENT_RUNS), self._sent_runs
        while low < high:
            middle = (low + high) // 2
            at = middle % SENT_RUNS * _FIELDS
            if sent[at + 1] <= wanted:
                low = middle + 1
            elif sent[at] > wanted:
                high = middle
            else:
                after = sent[(middle + 1) % SENT_RUNS * _FIELDS + 3] if middle + 1 < self._sent_runs else self.octets
                share = (after - sent[at + 3]) * (wanted - sent[at]) // (sent[at + 1] - sent[at])
                return sent[at + 2], sent[at + 3] + share
        return None
