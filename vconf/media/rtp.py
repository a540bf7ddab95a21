"""RTP packets and their header extensions (RFC 3550 section 5.1, RFC 8285), RTX (RFC 4588).

Parsers take bytes from outside and raise :class:`RtpError` for anything malformed, nothing else.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

HEADER = struct.Struct("!BBHII")
_ONE_BYTE = 0xBEDE


class RtpError(ValueError):
    """The bytes are not an RTP packet."""


class Packet:
    """One RTP packet in plain text; ``payload`` excludes padding.

    A class with slots and no checks: one is made for every packet that arrives.
    """

    __slots__ = ("extensions", "keyframe", "marker", "payload", "payload_type", "sequence", "ssrc", "timestamp")

    def __init__(
        self,
        payload_type: int,
        sequence: int,
        timestamp: int,
        ssrc: int,
        payload: bytes,
        *,
        marker: int = 0,
        extensions: dict[int, bytes] | None = None,
    ) -> None:
        self.payload_type = payload_type
        self.sequence = sequence  # 16 bits
        self.timestamp = timestamp  # 32 bits, clock of the codec
        self.ssrc = ssrc
        self.payload = payload
        self.marker = marker  # 0 or 1
        self.extensions = extensions if extensions is not None else {}  # id -> bytes
        self.keyframe = False  # set by the source: this packet starts a keyframe


def is_rtcp(data: bytes) -> bool:
    """True for RTCP on a port shared with RTP (RFC 5761 section 4: payload types 64..95)."""
    return len(data) >= 2 and 192 <= data[1] <= 223


def newer(a: int, b: int) -> bool:
    """True when 16-bit sequence ``a`` comes after ``b`` (at most half the circle ahead)."""
    return a != b and ((a - b) & 0xFFFF) < 0x8000


def parse(data: bytes) -> Packet:
    """Parse one packet, padding taken off, contributing sources skipped."""
    size = len(data)
    if size < 12:
        raise RtpError(f"{size} bytes, a header has 12")
    first, second, sequence, timestamp, ssrc = HEADER.unpack_from(data)
    if first >> 6 != 2:
        raise RtpError(f"version {first >> 6}")
    offset = 12 + 4 * (first & 0x0F)
    extensions: dict[int, bytes] | None = None
    if first & 0x10:
        if offset + 4 > size:
            raise RtpError("header extension runs over the end")
        profile, words = struct.unpack_from("!HH", data, offset)
        start = offset + 4
        offset = start + 4 * words
        if offset > size:
            raise RtpError("header extension runs over the end")
        extensions = parse_extensions(profile, data[start:offset])
    end = size
    if first & 0x20:
        end -= data[-1]
        if data[-1] == 0:
            raise RtpError("padding of zero bytes")
    if end < offset:
        raise RtpError("padding or sources run over the header")
    return Packet(second & 0x7F, sequence, timestamp, ssrc, data[offset:end], marker=second >> 7, extensions=extensions)


def parse_extensions(profile: int, block: bytes) -> dict[int, bytes]:
    """The elements of a header extension block; an unknown profile gives none (RFC 8285 section 4)."""
    found: dict[int, bytes] = {}
    offset, size = 0, len(block)
    if profile == _ONE_BYTE:
        while offset < size:
            head = block[offset]
            offset += 1
            if head == 0:  # padding
                continue
            identifier, length = head >> 4, (head & 0x0F) + 1
            if identifier == 15:
                break
            if offset + length > size:
                raise RtpError("extension element runs over its block")
            found[identifier] = block[offset : offset + length]
            offset += length
    elif profile & 0xFFF0 == 0x1000:
        while offset < size:
            identifier = block[offset]
            offset += 1
            if identifier == 0:
                continue
            if offset >= size or offset + 1 + block[offset] > size:
                raise RtpError("extension element runs over its block")
            length = block[offset]
            found[identifier] = block[offset + 1 : offset + 1 + length]
            offset += 1 + length
    return found


def pack_extensions(elements: Iterable[tuple[int, bytes]]) -> bytes:
    """A one-byte-header block incl. its four-byte head; ids 1..14, values 1..16 bytes; b"" for no element."""
    body = b"".join(bytes((identifier << 4 | (len(value) - 1),)) + value for identifier, value in elements)
    if not body:
        return b""
    body += b"\0" * (-len(body) & 3)
    return struct.pack("!HH", _ONE_BYTE, len(body) >> 2) + body


def serialise(packet: Packet) -> bytes:
    """The bytes of a packet, without padding or contributing sources."""
    block = pack_extensions(packet.extensions.items())
    first = 0x90 if block else 0x80
    return (
        HEADER.pack(first, packet.marker << 7 | packet.payload_type, packet.sequence, packet.timestamp, packet.ssrc)
        + block
        + packet.payload
    )


def unwrap_rtx(packet: Packet, payload_type: int, ssrc: int) -> Packet | None:
    """The original of a retransmission (RFC 4588 section 4); None for a bandwidth probe without payload."""
    if len(packet.payload) < 3:
        return None
    return Packet(
        payload_type,
        packet.payload[0] << 8 | packet.payload[1],
        packet.timestamp,
        ssrc,
        packet.payload[2:],
        marker=packet.marker,
        extensions=packet.extensions,
    )
