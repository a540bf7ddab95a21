"""STAMP packets, unauthenticated mode (RFC 8762, sections 4.2.1 and 4.3.1): 44 octets both ways, and TLVs after them
(RFC 8972, section 4).

Time is NTP's 64-bit format: seconds since 1900 in the upper half, fractions in the lower.  Inside the program a time
is an int of nanoseconds since 1970.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

PORT = 862
SIZE = 44
TTL = 255  # whoever receives less is not on the same line (RFC 5082)
NTP_OFFSET_S = 2208988800  # 1900 to 1970
_SENDER = struct.Struct("!IQHH28x")
_REFLECTOR = struct.Struct("!IQHHQIQHHB3x")
_TLV = struct.Struct("!BBH")  # flags, type, length of the value
_UNRECOGNISED, _MALFORMED = 0x80, 0x40  # flags U and M (RFC 8972, section 4)
_EXTRA_PADDING, _FOLLOW_UP = 1, 7  # RFC 8972, sections 4.1 and 4.7
_FOLLOW_UP_VALUE = struct.Struct("!IQB3x")  # reflector's sequence, time, how the time was taken
_BY_SOFTWARE = 2  # the operating system's stamp
_TLVS = 16  # looked at in one packet
_UNSYNCHRONISED = 0x0001  # error estimate: S = 0 (no claim), Z = 0 (NTP format), scale 0, multiplier 1
_SECOND_NS = 1_000_000_000


class BadPacket(ValueError):
    """Not a STAMP packet."""


class SenderPacket(NamedTuple):
    """Session-Sender test packet."""

    sequence: int
    sent_ns: int
    session: int  # SSID (RFC 8972, section 3), 0 = none


class ReflectorPacket(NamedTuple):
    """Session-Reflector test packet."""

    sequence: int  # the reflector's own count in this session (stateful mode)
    sent_ns: int  # T3, when it left the reflector
    session: int
    received_ns: int  # T2, when the sender's packet arrived there
    sender_sequence: int
    sender_sent_ns: int  # T1
    sender_ttl: int
    follow_up: FollowUp | None = None


class FollowUp(NamedTuple):
    """When the answer before really left (RFC 8972, section 4.7): by the kernel's stamp, known only afterwards."""

    sequence: int  # the reflector's own
    sent_ns: int


def to_ntp(time_ns: int) -> int:
    """Nanoseconds since 1970 -> NTP 64-bit (era 0 wraps in 2036, as the format does)."""
    seconds, rest = divmod(time_ns, _SECOND_NS)
    return ((seconds + NTP_OFFSET_S) & 0xFFFFFFFF) << 32 | (rest << 32) // _SECOND_NS


def from_ntp(value: int) -> int:
    """NTP 64-bit -> nanoseconds since 1970, rounded up: ``from_ntp(to_ntp(t))`` is ``t``.

    Values with the top bit clear are read as era 1 (after 2036), as RFC 4330 section 3 does.
    """
    seconds, fraction = value >> 32, value & 0xFFFFFFFF
    if not seconds & 0x80000000:
        seconds += 1 << 32
    return (seconds - NTP_OFFSET_S) * _SECOND_NS + -(-fraction * _SECOND_NS >> 32)


def tlvs(size: int = 0) -> bytes:
    """What follows a sender's 44 octets: it asks for the follow-up, and with ``size`` pads the packet to so many octets
    of UDP payload."""
    asked = _TLV.pack(_UNRECOGNISED, _FOLLOW_UP, _FOLLOW_UP_VALUE.size) + bytes(_FOLLOW_UP_VALUE.size)
    length = size - SIZE - len(asked) - _TLV.size
    return asked + (_TLV.pack(_UNRECOGNISED, _EXTRA_PADDING, length) + bytes(length) if length >= 0 else b"")


def build_sender(packet: SenderPacket, more: bytes = b"") -> bytes:
    """What a sender puts on the wire: 44 octets, and what ``tlvs`` made."""
    return _SENDER.pack(packet.sequence, to_ntp(packet.sent_ns), _UNSYNCHRONISED, packet.session) + more


def parse_sender(data: bytes) -> SenderPacket:
    """Octets that came to the reflector's port.

    Raises:
        BadPacket: shorter than 44 octets.
    """
    if len(data) < SIZE:
        raise BadPacket(f"{len(data)} octets, expected at least {SIZE}")
    sequence, sent, _error, session = _SENDER.unpack_from(data)
    return SenderPacket(sequence, from_ntp(sent), session)


def build_reflector(packet: ReflectorPacket, request: bytes) -> bytes:
    """The answer to ``request``, as long as it is: the sender's own time and error estimate are copied octet by octet,
    its TLVs too, with their flags set as RFC 8972 section 4 says."""
    _sequence, sent, error, _session = _SENDER.unpack_from(request)
    answer = _REFLECTOR.pack(
        packet.sequence & 0xFFFFFFFF,
        to_ntp(packet.sent_ns),
        _UNSYNCHRONISED,
        packet.session,
        to_ntp(packet.received_ns),
        packet.sender_sequence,
        sent,
        error,
        0,
        packet.sender_ttl,
    )
    return answer if len(request) == SIZE else answer + _reflected(request, packet.follow_up)


def _reflected(request: bytes, follow_up: FollowUp | None) -> bytes:
    """The request's TLVs as they go back."""
    answer = bytearray(request[SIZE:])
    offset = 0
    for _ in range(_TLVS):
        if len(answer) - offset < _TLV.size:
            break
        flags, kind, length = _TLV.unpack_from(answer, offset)
        if length > len(answer) - offset - _TLV.size:
            answer[offset] = flags | _MALFORMED
            break
        known = kind == _EXTRA_PADDING
        if kind == _FOLLOW_UP and length == _FOLLOW_UP_VALUE.size:
            known = True
            if follow_up is not None:
                value = follow_up.sequence & 0xFFFFFFFF, to_ntp(follow_up.sent_ns), _BY_SOFTWARE
                _FOLLOW_UP_VALUE.pack_into(answer, offset + _TLV.size, *value)
        answer[offset] = flags & ~_UNRECOGNISED & 0xFF if known else flags | _UNRECOGNISED
        offset += _TLV.size + length
    return bytes(answer)


def parse_reflector(data: bytes) -> ReflectorPacket:
    """Octets that came back to the sender.

    Raises:
        BadPacket: shorter than 44 octets.
    """
    if len(data) < SIZE:
        raise BadPacket(f"{len(data)} octets, expected at least {SIZE}")
    sequence, sent, _error, session, received, s_sequence, s_sent, _s_error, _mbz, ttl = _REFLECTOR.unpack_from(data)
    return ReflectorPacket(
        sequence, from_ntp(sent), session, from_ntp(received), s_sequence, from_ntp(s_sent), ttl, _followed(data)
    )


def _followed(data: bytes) -> FollowUp | None:
    """Of the first TLV alone: it is where ``tlvs`` puts it."""
    if len(data) < SIZE + _TLV.size + _FOLLOW_UP_VALUE.size:
        return None
    flags, kind, length = _TLV.unpack_from(data, SIZE)
    if kind != _FOLLOW_UP or length != _FOLLOW_UP_VALUE.size or flags & (_UNRECOGNISED | _MALFORMED):
        return None
    sequence, sent, method = _FOLLOW_UP_VALUE.unpack_from(data, SIZE + _TLV.size)
    return FollowUp(sequence, from_ntp(sent)) if method else None
