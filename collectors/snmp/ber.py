"""BER as SNMP uses it (RFC 3417 section 8): encode what we ask, decode whatever a device or an attacker sends.

Values are plain Python: int for all numbers, bytes for OCTET STRING, IpAddress and Opaque, dotted str for OBJECT
IDENTIFIER, None for NULL, and :class:`Absent` for the exceptions of RFC 3416.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

INTEGER, OCTETS, NULL, OID, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
IP_ADDRESS, COUNTER32, GAUGE32, TICKS, OPAQUE, COUNTER64 = 0x40, 0x41, 0x42, 0x43, 0x44, 0x46
GET, GET_NEXT, RESPONSE, SET, GET_BULK, INFORM, TRAP, REPORT = 0xA0, 0xA1, 0xA2, 0xA3, 0xA5, 0xA6, 0xA7, 0xA8
UNSIGNED = frozenset({COUNTER32, GAUGE32, TICKS, COUNTER64})
_PDUS = frozenset({GET, GET_NEXT, RESPONSE, SET, GET_BULK, INFORM, TRAP, REPORT})
LONGEST_NUMBER = 9  # octets: Counter64 with its leading zero
_MOST_ARCS = 128  # RFC 2578 section 3.5


class BerError(ValueError):
    """Not the BER of an SNMP message; the text says what was found where."""


class Absent(enum.Enum):
    """What stands in place of a value (RFC 3416 section 3)."""

    OBJECT = 0x80
    INSTANCE = 0x81
    END = 0x82


Value = int | bytes | str | None | Absent


@dataclass(frozen=True, slots=True)
class Pdu:
    """One PDU of RFC 3416; GETBULK's non-repeaters and max-repetitions stand in the two error fields."""

    kind: int
    request_id: int
    error_status: int
    error_index: int
    rows: tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Security:
    """UsmSecurityParameters (RFC 3414 section 2.4); ``mac_at`` is where the MAC begins in the datagram."""

    engine_id: bytes
    boots: int
    time_s: int
    user: bytes
    mac: bytes
    mac_at: int
    salt: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """One datagram: v1 and v2c have a community, v3 has security; ``pdu`` is None while it is still encrypted."""

    version: int  # 0 v1, 1 v2c, 3 v3
    community: bytes = b""
    message_id: int = 0
    flags: int = 0
    security: Security | None = None
    encrypted: bytes = b""
    pdu: Pdu | None = None


def tlv(tag: int, content: bytes) -> bytes:
    """Tag, definite length in its shortest form, content."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    if size < 0x100:
        return bytes((tag, 0x81, size)) + content
    return bytes((tag, 0x82, size >> 8, size & 0xFF)) + content


@lru_cache(4096)
def integer(value: int) -> bytes:
    """A signed INTEGER in its fewest octets."""
    return tlv(INTEGER, value.to_bytes((value if value >= 0 else ~value).bit_length() // 8 + 1, "big", signed=True))


def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER with its header.

    Raises:
        BerError: not at least two numbers with dots between.
    """
    try:
        arcs = [int(arc) for arc in dotted.strip(".").split(".")]
    except ValueError:
        arcs = []
    if len(arcs) < 2 or min(arcs) < 0 or arcs[0] > 2 or max(arcs) > 0xFFFFFFFF or len(arcs) > _MOST_ARCS:
        raise BerError(f"OID: found {dotted!r}, expected 2 to {_MOST_ARCS} numbers such as 1.3.6.1.2.1.1.3.0")
    content = bytearray()
    for arc in (arcs[0] * 40 + arcs[1], *arcs[2:]):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        content += bytes(reversed(groups))
    return tlv(OID, bytes(content))


def pdu(kind: int, request_id: int, names: Iterable[bytes], first: int = 0, second: int = 0) -> bytes:
    """A question: ``names`` are encoded OIDs, each asked with NULL; first and second are GETBULK's two numbers."""
    rows = b"".join(tlv(SEQUENCE, name + b"\x05\x00") for name in names)
    return tlv(kind, integer(request_id) + integer(first) + integer(second) + tlv(SEQUENCE, rows))


def header(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """(tag, start, stop) of the element at ``at``; it ends within ``end``.

    Raises:
        BerError: cut off, or a form of length that SNMP does not have.
    """
    if at + 2 > end:
        raise BerError(f"cut off at octet {at}")
    size, start = data[at + 1], at + 2
    if size >= 0x80:
        octets = size & 0x7F
        if not 1 <= octets <= 4 or start + octets > end:
            raise BerError(f"length at octet {at + 1}: found form {size:#x}")
        size = int.from_bytes(data[start : start + octets])
        start += octets
    if start + size > end:
        raise BerError(f"octet {at}: {size} octets announced, {end - start} are there")
    return data[at], start, start + size


def element(data: bytes, at: int, end: int, tag: int) -> tuple[int, int]:
    """(start, stop) of an element that must have this tag."""
    found, start, stop = header(data, at, end)
    if found != tag:
        raise BerError(f"octet {at}: found tag {found:#x}, expected {tag:#x}")
    return start, stop


def value(tag: int, content: bytes) -> Value:
    """What an element means.

    Raises:
        BerError: a tag no value has, or a content it cannot have.
    """
    if tag == INTEGER or tag in UNSIGNED:
        if not 1 <= len(content) <= LONGEST_NUMBER:
            raise BerError(f"number of {len(content)} octets")
        return int.from_bytes(content, signed=tag == INTEGER)
    if tag in (OCTETS, IP_ADDRESS, OPAQUE):
        return content
    if tag == OID:
        return dotted(content)
    if tag == NULL:
        return None
    if 0x80 <= tag <= 0x82:
        return Absent(tag)
    raise BerError(f"found tag {tag:#x} in place of a value")


@lru_cache(4096)
def dotted(content: bytes) -> str:
    """An OBJECT IDENTIFIER's content as numbers with dots."""
    if not content or content[-1] & 0x80 or len(content) > 5 * _MOST_ARCS:
        raise BerError(f"OID of {len(content)} octets does not end")
    arcs, arc = [], 0
    for octet in content:
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(arc)
            arc = 0
    if len(arcs) >= _MOST_ARCS or max(arcs[1:], default=0) > 0xFFFFFFFF:
        raise BerError("OID beyond RFC 2578 section 3.5")
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def read_pdu(data: bytes, at: int, end: int) -> Pdu:
    """The PDU at ``at``.

    Raises:
        BerError: not one of RFC 3416.
    """
    kind, at, end = header(data, at, end)
    if kind not in _PDUS:
        raise BerError(f"found PDU {kind:#x}")
    request_id, at = _number(data, at, end)
    error_status, at = _number(data, at, end)
    error_index, at = _number(data, at, end)
    at, end = element(data, at, end, SEQUENCE)
    return Pdu(kind, request_id, error_status, error_index, read_rows(data, at, end))


def read_rows(data: bytes, at: int, end: int) -> tuple[tuple[str, Value], ...]:
    """Variable bindings.

    Raises:
        BerError: something else.
    """
    rows = []
    while at < end:
        start, stop = element(data, at, end, SEQUENCE)
        name, name_end = element(data, start, stop, OID)
        tag, begin, value_end = header(data, name_end, stop)
        rows.append((dotted(data[name:name_end]), value(tag, data[begin:value_end])))
        at = stop
    return tuple(rows)


def read_scoped(data: bytes) -> Pdu:
    """The PDU of a ScopedPDU (RFC 3412 section 6.8); what a cipher padded after it does not count."""
    start, stop = element(data, 0, len(data), SEQUENCE)
    for _ in ("context engine id", "context name"):
        _, start = element(data, start, stop, OCTETS)
    return read_pdu(data, start, stop)


def decode(datagram: bytes) -> Message:
    """One datagram of SNMP v1, v2c or v3 (a v1 trap apart).

    Raises:
        BerError: it is none.
    """
    at, end = element(datagram, 0, len(datagram), SEQUENCE)
    version, at = _number(datagram, at, end)
    if version in (0, 1):
        start, stop = element(datagram, at, end, OCTETS)
        return Message(version, datagram[start:stop], pdu=read_pdu(datagram, stop, end))
    if version != 3:
        raise BerError(f"found version {version}")
    start, stop = element(datagram, at, end, SEQUENCE)
    message_id, start = _number(datagram, start, stop)
    _, start = _number(datagram, start, stop)
    flags_at, flags_end = element(datagram, start, stop, OCTETS)
    if flags_end != flags_at + 1:
        raise BerError("flags are one octet")
    model, _ = _number(datagram, flags_end, stop)
    if model != 3:
        raise BerError(f"found security model {model}, expected USM (3)")
    start, at = element(datagram, stop, end, OCTETS)
    security = _security(datagram, start, at)
    flags = datagram[flags_at]
    if flags & 2:
        start, stop = element(datagram, at, end, OCTETS)
        return Message(3, b"", message_id, flags, security, datagram[start:stop])
    return Message(3, b"", message_id, flags, security, pdu=read_scoped(datagram[at:end]))


def _security(data: bytes, at: int, end: int) -> Security:
    at, end = element(data, at, end, SEQUENCE)
    engine_at, at = element(data, at, end, OCTETS)
    engine_id = data[engine_at:at]
    boots, at = _number(data, at, end)
    time_s, at = _number(data, at, end)
    user_at, at = element(data, at, end, OCTETS)
    user = data[user_at:at]
    mac_at, at = element(data, at, end, OCTETS)
    mac = data[mac_at:at]
    salt_at, at = element(data, at, end, OCTETS)
    return Security(engine_id, boots, time_s, user, mac, mac_at, data[salt_at:at])


def _number(data: bytes, at: int, end: int) -> tuple[int, int]:
    start, stop = element(data, at, end, INTEGER)
    if not 1 <= stop - start <= LONGEST_NUMBER:
        raise BerError(f"octet {at}: number of {stop - start} octets")
    return int.from_bytes(data[start:stop], signed=True), stop
