"""RTP payloads to whole frames, without decoding: H.264 (RFC 6184), VP8 (RFC 7741), Opus (RFC 7587).

Payloads come from outside.  What is malformed spoils its own frame, is counted, and raises nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from vconf.media.payload import vp8_header

FRAME_BYTES = 4 << 20
"""A larger frame is nonsense: a keyframe of 4K at the highest rate has a tenth of it."""

_IDR, _SEI, _SPS, _PPS, _DELIMITER, _FILLER = 5, 6, 7, 8, 9, 12
_STAP_A, _FU_A = 24, 28
_DROPPED = frozenset({_DELIMITER, _FILLER})


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture or one packet of sound, as MP4 keeps it (H.264: NAL units behind four octets of length)."""

    timestamp: int  # 32 bits, in the codec's clock
    data: bytes
    keyframe: bool
    config: bytes = b""  # H.264: SPS and PPS behind two octets of length each; b"" where it is not a keyframe


class Depacketiser(Protocol):
    """Packets of one stream, in order, into frames."""

    @property
    def malformed(self) -> int:
        """Payloads that could not be read."""

    def packet(self, timestamp: int, payload: bytes, marker: bool) -> Frame | None:
        """The frame that is whole with this packet, if one is."""

    def lost(self) -> None:
        """Packets are missing before the next one."""


class Opus:
    """Each packet is a frame."""

    malformed = 0

    def packet(self, timestamp: int, payload: bytes, marker: bool) -> Frame | None:
        """See ``Depacketiser``."""
        return Frame(timestamp, payload, True) if payload else None

    def lost(self) -> None:
        """See ``Depacketiser``."""


class H264:
    """Access units with their parameter sets in them: a keyframe that came without gets the last that were seen."""

    def __init__(self) -> None:
        self.malformed = 0
        self._timestamp = -1
        self._units: list[bytes] = []
        self._part = bytearray()  # of a fragmented unit
        self._size = 0
        self._spoilt = self._gap = False
        self._sps = self._pps = b""

    def packet(self, timestamp: int, payload: bytes, marker: bool) -> Frame | None:
        """See ``Depacketiser``; a frame without its first or last packet is not given."""
        if timestamp != self._timestamp:
            self._begin(timestamp)
            self._spoilt = self._gap and not _begins(payload)
        elif self._gap:
            self._spoilt = True
        self._gap = False
        if payload:
            try:
                self._payload(payload)
            except (IndexError, ValueError):
                self.malformed += 1
                self._spoilt = True
        if not marker:
            return None
        frame = self._whole()
        self._begin(-1)
        return frame

    def lost(self) -> None:
        """See ``Depacketiser``."""
        self._gap = True

    def _begin(self, timestamp: int) -> None:
        self._timestamp, self._units, self._size, self._spoilt = timestamp, [], 0, False
        self._part.clear()

    def _payload(self, payload: bytes) -> None:
        kind = payload[0] & 0x1F
        if 0 < kind < _STAP_A:
            self._unit(payload)
        elif kind == _STAP_A:
            at = 1
            while at < len(payload):
                size = payload[at] << 8 | payload[at + 1]
                if not size or at + 2 + size > len(payload):
                    raise ValueError("a unit runs over its packet")
                self._unit(payload[at + 2 : at + 2 + size])
                at += 2 + size
        elif kind == _FU_A:
            self._fragment(payload)
        else:
            raise ValueError(f"packet type {kind}")

    def _fragment(self, payload: bytes) -> None:
        head = payload[1]
        if head & 0x80:
            self._part[:] = bytes((payload[0] & 0xE0 | head & 0x1F,))
        elif not self._part or self._part[0] & 0x1F != head & 0x1F:
            raise ValueError("a fragment without its beginning")
        self._part += payload[2:]
        if self._size + len(self._part) > FRAME_BYTES:
            raise ValueError("too large")
        if head & 0x40:
            self._unit(bytes(self._part))
            self._part.clear()

    def _unit(self, unit: bytes) -> None:
        kind = unit[0] & 0x1F
        if kind == 0 or kind >= _STAP_A or self._size + len(unit) > FRAME_BYTES:
            raise ValueError("not a unit")
        if kind == _SPS:
            if not 4 <= len(unit) <= 0xFFFF:
                raise ValueError("a parameter set of a wrong size")
            self._sps = unit
        elif kind == _PPS:
            if not 2 <= len(unit) <= 0xFFFF:
                raise ValueError("a parameter set of a wrong size")
            self._pps = unit
        if kind not in _DROPPED:
            self._units.append(unit)
            self._size += len(unit)

    def _whole(self) -> Frame | None:
        if self._part:
            self.malformed += 1
            return None
        kinds = [unit[0] & 0x1F for unit in self._units]
        if self._spoilt or not any(1 <= kind <= _IDR for kind in kinds):
            return None
        units, config = self._units, b""
        if _IDR in kinds:
            if not self._sps or not self._pps:
                return None
            units = [*(each for each, kind in ((self._sps, _SPS), (self._pps, _PPS)) if kind not in kinds), *units]
            config = b"".join(len(each).to_bytes(2) + each for each in (self._sps, self._pps))
        data = b"".join(len(unit).to_bytes(4) + unit for unit in units)
        return Frame(self._timestamp, data, _IDR in kinds, config)


def _begins(payload: bytes) -> bool:
    """True when an access unit surely begins here: with its parameter sets, as a keyframe's does."""
    at = 3 if payload[:1] and payload[0] & 0x1F == _STAP_A else 0
    return at < len(payload) and payload[at] & 0x1F == _SPS


class Vp8:
    """Frames of VP8; the descriptors are taken off."""

    def __init__(self) -> None:
        self.malformed = 0
        self._timestamp = -1
        self._parts: list[bytes] = []
        self._spoilt = self._gap = False

    def packet(self, timestamp: int, payload: bytes, marker: bool) -> Frame | None:
        """See ``Depacketiser``."""
        if timestamp != self._timestamp:
            self._timestamp, self._parts, self._spoilt = timestamp, [], False
        elif self._gap:
            self._spoilt = True
        self._gap = False
        if payload:
            head = vp8_header(payload)
            begins = payload[0] & 0x17 == 0x10  # start of partition 0
            if head is None or head >= len(payload) or begins == bool(self._parts):
                self.malformed += head is None or head >= len(payload)
                self._spoilt = True
            elif sum(map(len, self._parts)) + len(payload) > FRAME_BYTES:
                self._spoilt = True
            else:
                self._parts.append(payload[head:])
        if not marker:
            return None
        data, spoilt = b"".join(self._parts), self._spoilt
        self._timestamp, self._parts, self._spoilt = -1, [], False
        if spoilt or not data:
            return None
        keyframe = not data[0] & 1
        if keyframe and (len(data) < 10 or data[3:6] != b"\x9d\x01\x2a"):
            self.malformed += 1
            return None
        return Frame(timestamp, data, keyframe)

    def lost(self) -> None:
        """See ``Depacketiser``; the next frame is whole if its first packet, which says so, is there."""
        self._gap = True


def of(mime: str) -> Depacketiser:
    """For "video/h264", "video/vp8" or "audio/opus"; KeyError for another."""
    made: dict[str, type[Opus | H264 | Vp8]] = {"video/h264": H264, "video/vp8": Vp8, "audio/opus": Opus}
    return made[mime]()
