"""The control side's view of one incoming layer: what to ask its sender for, and what to tell it.

RFC 4585 for NACK and PLI, RFC 3550 section 6.4.1 for the report.  Packets themselves are the plane's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vconf.media.plane import RING, StreamState
from vconf.media.rtcp import ReportBlock, SenderReport

_NACK_TRIES = {"video": 8, "audio": 2}  # a voice that is late is concealed by then
_NACK_AGAIN_S = 0.06
_NACK_MOST = 200  # missing at once: beyond that a keyframe is cheaper
_PLI_EVERY_S = 0.3  # as often as browsers answer; sixty halls that switch do not all ask in time for the first one
_RATE_OVER_S = 1.0
_OFFERED_US = 2_500_000


@dataclass(slots=True)
class _Missing:
    asked_s: float
    tries: int


class Source:
    """One SSRC of a producer; ``stream`` is its handle in the plane."""

    def __init__(self, stream: int, ssrc: int, kind: str, rid: str = "") -> None:
        self.stream = stream
        self.ssrc = ssrc
        self.kind = kind  # "audio" or "video"
        self.rid = rid
        self._tries = _NACK_TRIES[kind]
        self.seen_us = 0  # when it was pinned, for one that was not announced
        self.bps = 0  # as received, over the last second
        self.fraction_lost = 0  # as last reported, 0..255
        self.nacked = self.plis = 0
        self.offered_bps: int | None = None  # at the other end of a pipe, where it may be had
        self._offered_us = 0
        self.report: SenderReport | None = None
        self.report_at_s = 0.0
        self._prior_expected = self._prior_received = 0
        self._missing: dict[int, _Missing] = {}  # extended sequence -> what was asked
        self._wants_keyframe = False
        self._asked_keyframe_s = -1e9
        self._measured: tuple[float, int] = (0.0, 0)

    def offer(self, value: int, now_us: int) -> bool:
        """The other end of the pipe has it, at ``value - 1`` bit/s, or not (0); True when that is new."""
        before = self.offered(now_us)
        self.offered_bps, self._offered_us = (value - 1 if value else None), now_us
        return before is not (value > 0)

    def offered(self, now_us: int) -> bool:
        """Whether the other end of the pipe has it."""
        return self.offered_bps is not None and now_us - self._offered_us < _OFFERED_US

    def rate(self) -> int:
        """Bit/s as it arrives, or as the other end of the pipe has it; 0 when not known yet."""
        return max(self.bps, self.offered_bps or 0)

    def gap(self, first: int, missing: int) -> None:
        """Extended sequence numbers that did not come."""
        if missing + len(self._missing) > _NACK_MOST:
            self._missing.clear()
            self._wants_keyframe = self.kind == "video"
            return
        for extended in range(first, first + missing):
            self._missing[extended] = _Missing(-1e9, 0)

    def nacks(self, now_s: float, state: StreamState, holds: Callable[[int, int], bool]) -> list[int]:
        """Sequence numbers to ask for now, ascending; gives up after a while and wants a keyframe instead."""
        due: list[int] = []
        for extended, asked in list(self._missing.items()):
            if holds(self.stream, extended):
                del self._missing[extended]
            elif asked.tries >= self._tries or extended <= state.highest - RING:
                del self._missing[extended]
                self._wants_keyframe = self.kind == "video"
            elif now_s - asked.asked_s >= _NACK_AGAIN_S:
                asked.asked_s = now_s
                asked.tries += 1
                due.append(extended & 0xFFFF)
        self.nacked += len(due)
        return due

    @property
    def is_missing(self) -> bool:
        """Whether there is something to ask for."""
        return bool(self._missing)

    def ask_keyframe(self) -> None:
        """A receiver needs a keyframe."""
        self._wants_keyframe = True

    def keyframe_came(self) -> None:
        """Whoever asked has it."""
        self._wants_keyframe = False

    def keyframe_due(self, now_s: float) -> bool:
        """True when a PLI should go out now; requests within 0.3 s become one."""
        if not self._wants_keyframe or now_s - self._asked_keyframe_s < _PLI_EVERY_S:
            return False
        self._asked_keyframe_s = now_s
        self.plis += 1
        return True

    def sender_report(self, report: SenderReport, now_s: float) -> None:
        """Keep the sender's clock for lip-sync and the next receiver report."""
        self.report = report
        self.report_at_s = now_s

    def measure(self, state: StreamState, now_s: float) -> None:
        """Called now and then: the rate over the last second or so."""
        since_s, octets = self._measured
        if now_s - since_s >= _RATE_OVER_S:
            if since_s:
                self.bps = int((state.octets - octets) * 8 / (now_s - since_s))
            self._measured = (now_s, state.octets)

    def report_block(self, state: StreamState, now_s: float) -> ReportBlock | None:
        """The block for the next receiver report; None before the first packet."""
        if state.highest < 0:
            return None
        expected = state.highest + 1 - state.base
        expected_now = expected - self._prior_expected
        lost_now = expected_now - (state.packets - self._prior_received)
        self._prior_expected, self._prior_received = expected, state.packets
        fraction = min(255, (lost_now << 8) // expected_now) if expected_now > 0 and lost_now > 0 else 0
        self.fraction_lost = fraction
        lsr = dlsr = 0
        if self.report is not None:
            lsr = self.report.ntp >> 16 & 0xFFFFFFFF
            dlsr = min(0xFFFFFFFF, int((now_s - self.report_at_s) * 65536))
        lost = expected - state.packets
        return ReportBlock(self.ssrc, fraction, lost, state.highest & 0xFFFFFFFF, state.jitter, lsr, dlsr)
