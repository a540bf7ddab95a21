"""One incoming stream (one SSRC): loss, jitter, retransmission requests, and the ring others resend from.

RFC 3550 sections 6.4.1 and A.3, A.8 for the report's figures; RFC 4585 for NACK.
"""

from __future__ import annotations

from dataclasses import dataclass

from vconf.media.payload import h264_keyframe, vp8_keyframe
from vconf.media.rtcp import ReportBlock, SenderReport
from vconf.media.rtp import Packet

RING = 1024
_NACK_TRIES = 8
_NACK_AGAIN_S = 0.06
_NACK_MOST = 200  # missing at once: beyond that a keyframe is cheaper
_PLI_EVERY_S = 0.5


@dataclass(slots=True)
class _Missing:
    first_s: float
    asked_s: float
    tries: int


class Source:
    """Reception state of one SSRC of a producer."""

    def __init__(self, ssrc: int, *, kind: str, codec: str, clock_hz: int, payload_type: int, rid: str = "") -> None:
        self.ssrc = ssrc
        self.kind = kind  # "audio" or "video"
        self.codec = codec  # "h264", "vp8", "opus"
        self.clock_hz = clock_hz
        self.payload_type = payload_type
        self.rid = rid
        self.packets = 0
        self.octets = 0
        self.duplicates = 0
        self.recovered = 0  # arrived after a NACK
        self.keyframes = 0
        self.last_arrival_s = 0.0
        self.report: SenderReport | None = None
        self.report_at_s = 0.0
        self._ring: list[Packet | None] = [None] * RING
        self._highest = -1  # extended sequence number
        self._base = 0
        self._jitter = 0.0
        self._transit = 0.0
        self._prior_expected = 0
        self._prior_received = 0
        self._missing: dict[int, _Missing] = {}  # extended sequence -> what was asked
        self._wants_keyframe = False
        self._asked_keyframe_s = -1e9

    @property
    def lost(self) -> int:
        """Packets expected and never seen (a late one counts back)."""
        return self._highest + 1 - self._base - self.packets if self._highest >= 0 else 0

    def receive(self, packet: Packet, now_s: float) -> bool:
        """Take one packet in; False for a duplicate or one too old for the ring, which goes no further."""
        if self._highest < 0:
            extended = packet.sequence + 0x10000
            self._base = extended
            self._highest = extended - 1
        else:
            extended = self._highest + ((packet.sequence - self._highest + 0x8000) & 0xFFFF) - 0x8000
        distance = extended - self._highest
        if distance > 0:
            self._note_missing(extended, now_s)
            self._highest = extended
        else:
            if distance <= -RING or extended < self._base:
                self.duplicates += 1
                return False
            held = self._ring[extended % RING]
            if held is not None and held.sequence == packet.sequence:
                self.duplicates += 1
                return False
            if self._missing.pop(extended, None) is not None:
                self.recovered += 1
        self.packets += 1
        self.octets += len(packet.payload)
        self.last_arrival_s = now_s
        self._note_jitter(packet.timestamp, now_s)
        if self.kind == "video" and self._starts_keyframe(packet.payload):
            packet.keyframe = True
            self.keyframes += 1
            self._wants_keyframe = False
        self._ring[extended % RING] = packet
        return True

    def find(self, sequence: int) -> Packet | None:
        """The packet of that 16-bit sequence number while the ring holds it."""
        if self._highest < 0:
            return None
        extended = self._highest + ((sequence - self._highest + 0x8000) & 0xFFFF) - 0x8000
        held = self._ring[extended % RING]
        return held if held is not None and held.sequence == sequence else None

    def nacks(self, now_s: float) -> list[int]:
        """Sequence numbers to ask for now, ascending; gives up after a while and wants a keyframe instead."""
        due: list[int] = []
        for extended, state in list(self._missing.items()):
            if state.tries >= _NACK_TRIES or extended <= self._highest - RING:
                del self._missing[extended]
                self._wants_keyframe = self.kind == "video"
            elif now_s - state.asked_s >= _NACK_AGAIN_S:
                state.asked_s = now_s
                state.tries += 1
                due.append(extended & 0xFFFF)
        return due

    def ask_keyframe(self) -> None:
        """A receiver needs a keyframe."""
        self._wants_keyframe = True

    def keyframe_due(self, now_s: float) -> bool:
        """True when a PLI should go out now; requests within half a second become one."""
        if not self._wants_keyframe or now_s - self._asked_keyframe_s < _PLI_EVERY_S:
            return False
        self._asked_keyframe_s = now_s
        return True

    def sender_report(self, report: SenderReport, now_s: float) -> None:
        """Keep the sender's clock for lip-sync and the next receiver report."""
        self.report = report
        self.report_at_s = now_s

    def report_block(self, now_s: float) -> ReportBlock | None:
        """The block for the next receiver report; None before the first packet."""
        if self._highest < 0:
            return None
        expected = self._highest + 1 - self._base
        expected_now = expected - self._prior_expected
        lost_now = expected_now - (self.packets - self._prior_received)
        self._prior_expected, self._prior_received = expected, self.packets
        fraction = min(255, (lost_now << 8) // expected_now) if expected_now > 0 and lost_now > 0 else 0
        lsr = dlsr = 0
        if self.report is not None:
            lsr = self.report.ntp >> 16 & 0xFFFFFFFF
            dlsr = min(0xFFFFFFFF, int((now_s - self.report_at_s) * 65536))
        return ReportBlock(
            self.ssrc, fraction, self.lost, self._highest & 0xFFFFFFFF, int(self._jitter) & 0xFFFFFFFF, lsr, dlsr
        )

    def _starts_keyframe(self, payload: bytes) -> bool:
        return h264_keyframe(payload) if self.codec == "h264" else vp8_keyframe(payload)

    def _note_missing(self, extended: int, now_s: float) -> None:
        gap = extended - self._highest - 1
        if gap <= 0 or self.kind != "video":  # Opus conceals: a resent packet would come too late
            return
        if gap + len(self._missing) > _NACK_MOST:
            self._missing.clear()
            self._wants_keyframe = True
            return
        for sequence in range(self._highest + 1, extended):
            self._missing[sequence] = _Missing(now_s, -1e9, 0)

    def _note_jitter(self, timestamp: int, now_s: float) -> None:
        transit = now_s * self.clock_hz - timestamp
        if self.packets > 1:
            change = abs(transit - self._transit) % 0x100000000
            if change < self.clock_hz:  # a wrapped timestamp is no jitter
                self._jitter += (change - self._jitter) / 16
        self._transit = transit
