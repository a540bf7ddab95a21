"""One stream as it comes in: packets put in order, missing ones asked for again, then given up.

A picture that lost a packet for good is waited for until its next keyframe, which is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from vconf.media import rtcp, rtp
from vconf.recording.clock import StreamClock
from vconf.recording.depacketise import Depacketiser, Frame

HOLD_S = 0.8
"""How long what came after a missing packet waits for it."""

_ASK_AGAIN_S, _ASK_MOST = 0.06, 8
_KEYFRAME_AGAIN_S = 0.5
_JUMP = 2000  # a larger gap is a new start
_MOST = 4000  # packets that wait


@dataclass(slots=True)
class Figures:
    """What came and what did not."""

    packets: int = 0
    octets: int = 0
    lost: int = 0
    repaired: int = 0
    frames: int = 0
    dropped: int = 0  # frames that nothing could be made of before a keyframe
    keyframes_asked: int = 0


@dataclass(slots=True)
class _Waiting:
    packet: rtp.Packet
    arrived_s: float


@dataclass(slots=True)
class Inbound:
    """Packets in, frames with their time out.  ``video``: it begins with a keyframe, and again after a loss."""

    ssrc: int
    video: bool
    depacketiser: Depacketiser
    clock: StreamClock
    nack: bool = True
    figures: Figures = field(default_factory=Figures)
    broken: bool = False
    _next: int = -1  # unwrapped number of the packet that is due
    _highest: int = -1
    _held: dict[int, _Waiting] = field(default_factory=dict)
    _asked: dict[int, tuple[int, float]] = field(default_factory=dict)  # missing -> (times, when last)
    _keyframe_s: float = 0.0
    _reported: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        self.broken = self.video

    def packet(self, packet: rtp.Packet, now_s: float) -> Iterator[tuple[float, Frame]]:
        """One packet in its own numbers; frames that are whole with it, and when they were taken."""
        figures = self.figures
        figures.packets += 1
        figures.octets += len(packet.payload)
        if self._next < 0:
            self._next = packet.sequence + 0x10000
        number = self._next + ((packet.sequence - self._next + 0x8000) & 0xFFFF) - 0x8000
        if abs(number - self._next) > _JUMP:
            self._held.clear()
            self._asked.clear()
            self._next = self._highest = number
            self._gap()
        if number < self._next or number in self._held:
            return
        figures.repaired += self._asked.pop(number, None) is not None
        self._held[number] = _Waiting(packet, now_s)
        for gap in range(max(self._next, self._highest + 1), number):
            self._asked[gap] = (0, 0.0)
        self._highest = max(self._highest, number)
        yield from self._ready()

    def tick(self, now_s: float) -> Iterator[tuple[float, Frame]]:
        """Called every 20 ms: what was waited for too long is given up."""
        while self._held and (
            now_s - min(each.arrived_s for each in self._held.values()) > HOLD_S or len(self._held) > _MOST
        ):
            first = min(self._held)
            for gap in range(self._next, first):
                self._asked.pop(gap, None)
            self.figures.lost += first - self._next
            self._next = first
            self._gap()
            yield from self._ready()

    def feedback(self, own: int, now_s: float) -> bytes:
        """NACK (RFC 4585) and keyframe requests that are due, as RTCP; b"" for nothing."""
        data = b""
        if self.nack:
            due = [
                gap for gap, (times, at_s) in self._asked.items() if times < _ASK_MOST and now_s - at_s >= _ASK_AGAIN_S
            ]
            for gap in due:
                self._asked[gap] = self._asked[gap][0] + 1, now_s
            if due:
                data += rtcp.pack_nack(own, self.ssrc, [gap & 0xFFFF for gap in due])
        if self.broken and self._next >= 0:
            data += self.ask_keyframe(own, now_s)
        return data

    def ask_keyframe(self, own: int, now_s: float) -> bytes:
        """A keyframe request, at most every half second."""
        if not self.video or now_s - self._keyframe_s < _KEYFRAME_AGAIN_S:
            return b""
        self._keyframe_s = now_s
        self.figures.keyframes_asked += 1
        return rtcp.pack_pli(own, self.ssrc)

    def block(self) -> rtcp.ReportBlock | None:
        """For the receiver report; None before the first packet."""
        if self._next < 0:
            return None
        expected, lost = self._next - self._reported[0], self.figures.lost - self._reported[1]
        fraction = max(0, min(255, 256 * lost // expected)) if expected > 0 else 0
        self._reported = self._next, self.figures.lost
        return rtcp.ReportBlock(self.ssrc, fraction, self.figures.lost, self._next - 1 & 0xFFFFFFFF, 0, 0, 0)

    def _gap(self) -> None:
        self.depacketiser.lost()
        self.broken = self.video

    def _ready(self) -> Iterator[tuple[float, Frame]]:
        while (waiting := self._held.pop(self._next, None)) is not None:
            self._next += 1
            packet = waiting.packet
            if not packet.payload:  # padding alone
                continue
            frame = self.depacketiser.packet(packet.timestamp, packet.payload, bool(packet.marker))
            if frame is None:
                continue
            if self.broken and not frame.keyframe:
                self.figures.dropped += 1
                continue
            self.broken = False
            self.figures.frames += 1
            yield self.clock.time(frame.timestamp, waiting.arrived_s), frame
