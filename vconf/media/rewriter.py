"""One outgoing stream in its receiver's numbers: an unbroken sequence, whatever layers feed it.

Sequence numbers, timestamps and VP8's picture numbers are moved by offsets (a span) that change only where a switch or
a pause ends, which is at a keyframe for video.
"""

from __future__ import annotations

import struct
from collections import deque
from typing import TYPE_CHECKING

from vconf.media.payload import vp8_renumber
from vconf.media.plane import MID_BYTES, MID_ID, PAD_MOST, TRANSPORT_CC_ID, LegFormat, LegState, StreamFormat
from vconf.media.ring import Held

if TYPE_CHECKING:
    from vconf.media.channel import Channel
    from vconf.media.stream import Stream

_SPANS = 4  # earlier switches that a NACK can still reach behind
_HEAD = struct.Struct("!IHHB4sB")
_MOST_WORDS = 12
VP8_HEAD = 6
_PROBE = 255  # octets of padding


class Span:
    """From the stream's extended sequence number ``first`` on, its numbers are moved by these offsets."""

    __slots__ = ("first", "picture", "sequence", "stream", "timestamp", "tl0")

    def __init__(
        self, stream: Stream | None, first: int, sequence: int, timestamp: int, picture: int = 0, tl0: int = 0
    ) -> None:
        self.stream = stream
        self.first = first
        self.sequence = sequence
        self.timestamp = timestamp
        self.picture = picture
        self.tl0 = tl0


def heads(ssrc: int, mid: bytes, counted: bool) -> list[bytes]:
    """SSRC and the first octets of the header extension, by its number of words: octets 8 to 22 of the layout."""
    if len(mid) != MID_BYTES:
        raise ValueError(f"mid {mid!r}: expected {MID_BYTES} octets")
    return [
        _HEAD.pack(ssrc, 0xBEDE, words, MID_ID << 4 | MID_BYTES - 1, mid, TRANSPORT_CC_ID << 4 | 1 if counted else 0)
        for words in range(_MOST_WORDS)
    ]


class Leg:
    """State of one receiver's share."""

    __slots__ = (
        *("_last", "channel", "counted", "dropped", "form", "handle", "heads", "newest", "not_held", "octets"),
        *("packets", "padding_most", "paused", "resent", "restart", "rtx_heads", "rtx_sequence", "span", "spans"),
        *("switches", "types", "wanted"),
    )

    def __init__(self, handle: int, channel: Channel, form: LegFormat) -> None:
        self.handle = handle
        self.channel = channel
        self.form = form
        self.types = form.types
        self.heads = heads(form.ssrc, form.mid, form.rtx_ssrc != 0)
        self.rtx_heads = heads(form.rtx_ssrc, form.mid, True)
        self.rtx_sequence = form.rtx_sequence
        # without RTX the very packet is sent again: anything else would be a second message under its nonce
        self.counted = 1 if form.rtx_ssrc else 0
        self.padding_most = PAD_MOST if form.rtx_ssrc else 0
        self.paused = True
        self.restart = False  # go on with a new span, because something was left out
        self.wanted: Stream | None = None
        self.span: Span | None = None
        self.spans: deque[Span] = deque(maxlen=_SPANS)
        self.newest: Held | None = None  # of the present span, by sequence
        self._last: tuple[int, int, int, tuple[int, int] | None] = (form.sequence, form.timestamp, 0, None)
        self.packets = self.octets = self.resent = self.not_held = self.dropped = self.switches = 0

    @property
    def fed(self) -> Stream | None:
        """The stream whose packets are sent now."""
        return self.span.stream if self.span is not None and not self.paused and not self.restart else None

    @property
    def waits_for(self) -> Stream | None:
        """The stream whose next keyframe (or voice packet) begins a new span."""
        if self.paused or self.wanted is None or self.wanted is self.fed:
            return None
        return self.wanted

    def begin(self, stream: Stream, held: Held, now_us: int) -> bool:
        """A new span with this packet as its first; True when the stream is another one than before."""
        before, newest = self.span, self.newest
        if before is not None and newest is not None:
            pictures = None
            if newest.picture is not None:
                pictures = newest.picture[0] + before.picture, newest.picture[1] + before.tl0
            self._last = (
                newest.extended + before.sequence,
                newest.timestamp + before.timestamp,
                newest.arrival_us,
                pictures,
            )
        sequence, timestamp, at_us, last = self._last
        elapsed = max(1, (now_us - at_us) * stream.ring.form.clock_hz // 1_000_000) if at_us else 1
        picture = tl0 = 0
        if held.picture is not None and last is not None:
            picture, tl0 = last[0] + 1 - held.picture[0] & 0x7FFF, last[1] + 1 - held.picture[1] & 0xFF
        switched = before is None or before.stream is not stream
        self.span = Span(
            stream,
            held.extended,
            sequence + 1 - held.extended & 0xFFFF,
            timestamp + elapsed - held.timestamp & 0xFFFFFFFF,
            picture,
            tl0,
        )
        self.spans.append(self.span)
        self.newest = None
        self.restart = False
        self.switches += switched
        return switched

    def find(self, sequence: int) -> tuple[Span, Held] | None:
        """What was sent under an outgoing sequence number, while it is held."""
        for span in reversed(self.spans):
            if span.stream is None:
                continue
            extended = span.stream.ring.extend(sequence - span.sequence & 0xFFFF)
            if extended >= span.first:
                held = span.stream.ring.find(extended)
                return (span, held) if held is not None else None
        return None

    def as_rtx(self, span: Span, held: Held) -> Held:
        """RFC 4588: same header but SSRC, payload type and sequence; the original number before the payload."""
        layout, at = held.layout, held.payload_at
        payload = renumbered(layout[at:], span, held)
        timestamp = held.timestamp + span.timestamp & 0xFFFFFFFF
        original = held.extended + span.sequence & 0xFFFF
        assert span.stream is not None
        self.rtx_sequence = self.rtx_sequence + 1 & 0xFFFF
        second = layout[1] & 0x80 | span.stream.ring.form.out_rtx_payload_type
        body = bytes((layout[0], second)) + layout[2:at] + original.to_bytes(2) + payload
        return Held(self.rtx_sequence, timestamp, body, at, held.words, held.arrival_us)

    def padding(self, form: StreamFormat, timestamp: int) -> Held:
        """An RTX packet that carries nothing (RFC 3550 section 5.1, padding alone)."""
        self.rtx_sequence = self.rtx_sequence + 1 & 0xFFFF
        layout = bytes((0xB0, form.out_rtx_payload_type)) + bytes(22 + _PROBE - 1) + bytes((_PROBE,))
        return Held(self.rtx_sequence, timestamp, layout, 24, 2, 0)

    def state(self) -> LegState:
        """Figures."""
        fed = self.span.stream if self.span is not None else None
        return LegState(
            fed.handle if fed is not None else 0,
            self.span.timestamp if self.span is not None else 0,
            *(self.packets, self.octets, self.resent, self.not_held, self.dropped, self.switches),
        )


def renumbered(payload: bytes, span: Span, held: Held) -> bytes:
    """A VP8 payload (or its first ``VP8_HEAD`` octets) with the span's picture numbers; any other as it is."""
    if held.picture is None or not (span.picture or span.tl0):
        return payload
    return vp8_renumber(payload, span.picture, span.tl0)
