"""One outgoing stream: what a receiver gets of one producer, with its own SSRC, sequence and clock.

A receiver sees one unbroken stream, whatever layers it is fed from: sequence numbers, timestamps and VP8's
picture numbers are moved by offsets that change only where a keyframe starts.
"""

from __future__ import annotations

import secrets
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from vconf.media import rtcp, rtp
from vconf.media.payload import vp8_numbers, vp8_renumber
from vconf.media.source import Source

ExtensionsOf = Callable[[rtp.Packet], dict[str, bytes]]
_SPANS = 4  # earlier layer switches that a NACK can still reach behind


@dataclass(frozen=True, slots=True)
class _Span:
    """From this incoming sequence number on, one source's numbers are moved by these offsets."""

    source: Source
    first: int
    sequence: int
    timestamp: int
    picture: int = 0
    tl0: int = 0


@dataclass(frozen=True, slots=True)
class SinkFormat:
    """How the receiver was told to expect the stream."""

    ssrc: int
    payload_type: int
    cname: str
    mid: bytes
    mid_extension: int
    rtx_ssrc: int = 0  # 0: retransmit the packet itself
    rtx_payload_type: int = 0
    passed_extensions: tuple[tuple[str, int], ...] = ()  # (URI, id the receiver expects)


@dataclass(slots=True)
class SinkCounters:
    """What one receiver got, and what it told us."""

    packets: int = 0
    octets: int = 0
    retransmitted: int = 0
    not_held: int = 0  # asked for, no longer in the ring
    keyframe_requests: int = 0
    fraction_lost: int = 0  # last report, 0..255
    jitter: int = 0


@dataclass(slots=True)
class Sink:
    """State of one consumer's stream; ``rewrite`` and ``resend`` return plaintext RTP."""

    kind: str
    format: SinkFormat
    paused: bool = True
    wanted: Source | None = None
    counters: SinkCounters = field(default_factory=SinkCounters)
    _spans: deque[_Span] = field(default_factory=lambda: deque(maxlen=_SPANS))
    _last: tuple[int, int, float] = (0, 0, 0.0)  # outgoing sequence, timestamp, when
    _last_picture: tuple[int, int] = (0, -1)
    _rtx_sequence: int = 0
    _mid_block: bytes = b""
    _restart: bool = False  # after a pause: begin a new span, so that no gap shows

    def __post_init__(self) -> None:
        # libsrtp and browsers guess the roll-over counter: a start in the lower half cannot be misread
        self._last = (secrets.randbelow(0x7000), secrets.randbits(32), 0.0)
        self._rtx_sequence = secrets.randbelow(0x7000)
        self._mid_block = rtp.pack_extensions([(self.format.mid_extension, self.format.mid)])

    @property
    def current(self) -> Source | None:
        """The source that is being sent, None until the first keyframe."""
        return self._spans[-1].source if self._spans else None

    def want(self, source: Source | None) -> None:
        """Switch to this source as soon as it can be switched to."""
        self.wanted = source
        if source is not None and self.kind == "video" and source is not self.current:
            source.ask_keyframe()

    def resume(self) -> None:
        """Send again after this receiver's pause."""
        if self.paused:
            self.paused = False
            self.restart()

    def restart(self) -> None:
        """Go on without a gap in the numbers, video from the next keyframe on."""
        self._restart = True
        if self.wanted is not None and self.kind == "video":
            self.wanted.ask_keyframe()

    def rewrite(self, packet: rtp.Packet, source: Source, extensions: dict[str, bytes], now_s: float) -> bytes | None:
        """The receiver's version of a packet; None when it is not for this receiver."""
        if self.paused:
            return None
        if self._restart or not self._spans or self._spans[-1].source is not source:
            if source is not self.wanted or (self.kind == "video" and not packet.keyframe):
                return None
            self._spans.append(self._switch(packet, source, now_s))
            self._restart = False
        span = self._spans[-1]
        if (packet.sequence - span.first) & 0xFFFF >= 0x8000:
            return None  # from before the switch: its place in the sequence is taken
        data = self._pack(packet, span, extensions)
        sequence = (packet.sequence + span.sequence) & 0xFFFF
        if rtp.newer(sequence, self._last[0]):
            self._last = (sequence, (packet.timestamp + span.timestamp) & 0xFFFFFFFF, now_s)
            if source.codec == "vp8" and (numbers := vp8_numbers(packet.payload)) is not None:
                self._last_picture = (numbers[0] + span.picture & 0x7FFF, numbers[1] + span.tl0 & 0xFF)
        self.counters.packets += 1
        self.counters.octets += len(packet.payload)
        return data

    def resend(self, sequence: int, extensions_of: ExtensionsOf) -> bytes | None:
        """The retransmission of an outgoing sequence number, as RTX when the receiver has it."""
        for span in reversed(self._spans):
            original = (sequence - span.sequence) & 0xFFFF
            if (original - span.first) & 0xFFFF < 0x8000:
                packet = span.source.find(original)
                break
        else:
            packet = None
        if packet is None:
            self.counters.not_held += 1
            return None
        self.counters.retransmitted += 1
        data = self._pack(packet, span, extensions_of(packet))
        if not self.format.rtx_ssrc:
            return data
        return self._as_rtx(data)

    def sender_report(self, report: rtcp.SenderReport, source: Source) -> bytes | None:
        """The sender's report in this receiver's numbers, with the CNAME; None for a source not being sent."""
        if self.paused or not self._spans or self._spans[-1].source is not source:
            return None
        moved = rtcp.SenderReport(
            self.format.ssrc,
            report.ntp,
            (report.timestamp + self._spans[-1].timestamp) & 0xFFFFFFFF,
            self.counters.packets & 0xFFFFFFFF,
            self.counters.octets & 0xFFFFFFFF,
        )
        return rtcp.pack_sender_report(moved) + rtcp.pack_sdes(self.format.ssrc, self.format.cname)

    def _switch(self, packet: rtp.Packet, source: Source, now_s: float) -> _Span:
        sequence, timestamp, at_s = self._last
        elapsed = max(1, int((now_s - at_s) * source.clock_hz)) if at_s else 1
        picture = tl0 = 0
        numbers = vp8_numbers(packet.payload) if source.codec == "vp8" else None
        if numbers is not None and self._spans:
            picture = (self._last_picture[0] + 1 - numbers[0]) & 0x7FFF
            tl0 = (self._last_picture[1] + 1 - numbers[1]) & 0xFF
        return _Span(
            source,
            packet.sequence,
            (sequence + 1 - packet.sequence) & 0xFFFF,
            (timestamp + elapsed - packet.timestamp) & 0xFFFFFFFF,
            picture,
            tl0,
        )

    def _pack(self, packet: rtp.Packet, span: _Span, extensions: dict[str, bytes]) -> bytes:
        form = self.format
        block = self._mid_block
        if extensions:
            elements = [(form.mid_extension, form.mid)]
            for uri, identifier in form.passed_extensions:
                value = extensions.get(uri)
                if value:
                    elements.append((identifier, value))
            block = rtp.pack_extensions(elements)
        payload = packet.payload
        if span.picture or span.tl0:
            payload = vp8_renumber(payload, span.picture, span.tl0)
        return (
            rtp.HEADER.pack(
                0x90,
                packet.marker << 7 | form.payload_type,
                (packet.sequence + span.sequence) & 0xFFFF,
                (packet.timestamp + span.timestamp) & 0xFFFFFFFF,
                form.ssrc,
            )
            + block
            + payload
        )

    def _as_rtx(self, data: bytes) -> bytes:
        """RFC 4588: same header but SSRC, payload type and sequence; the original number before the payload."""
        first, second, sequence, timestamp, _ = rtp.HEADER.unpack_from(data)
        self._rtx_sequence = (self._rtx_sequence + 1) & 0xFFFF
        body = 16 + 4 * (data[14] << 8 | data[15])  # every packet of ours carries the mid extension
        return (
            rtp.HEADER.pack(
                first,
                second & 0x80 | self.format.rtx_payload_type,
                self._rtx_sequence,
                timestamp,
                self.format.rtx_ssrc,
            )
            + data[12:body]
            + struct.pack("!H", sequence)
            + data[body:]
        )
