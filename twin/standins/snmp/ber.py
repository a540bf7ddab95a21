"""BER as an SNMP agent needs it (X.690, RFC 3417 section 8): questions are read, answers are written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

INTEGER, OCTETS, NULL, OID, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
ADDRESS, COUNTER, GAUGE, TICKS, COUNTER64 = 0x40, 0x41, 0x42, 0x43, 0x46
GET, NEXT, RESPONSE, SET, BULK, TRAP, REPORT = 0xA0, 0xA1, 0xA2, 0xA3, 0xA5, 0xA7, 0xA8
END_OF_VIEW = b"\x82\x00"
NO_INSTANCE = b"\x81\x00"
_WRAPS = {COUNTER: 1 << 32, COUNTER64: 1 << 64}
_MOST = {GAUGE: (1 << 32) - 1, TICKS: (1 << 32) - 1}

Name = tuple[int, ...]


class Malformed(ValueError):
    """No message of SNMPv3."""


@dataclass(frozen=True, slots=True)
class Question:
    """A message as it arrived (RFC 3412 section 6); ``body`` is the scoped PDU, in the clear or encrypted."""

    message_id: int
    largest: int
    flags: int
    engine: bytes
    boots: int
    time_s: int
    user: bytes
    mac: bytes
    mac_at: int
    salt: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Pdu:
    """What is asked; names are the content octets of object identifiers."""

    kind: int
    request_id: int
    first: int  # GETBULK: non-repeaters
    second: int  # GETBULK: max-repetitions
    names: tuple[bytes, ...]


def tlv(tag: int, content: bytes) -> bytes:
    """An element."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    if size < 0x100:
        return bytes((tag, 0x81, size)) + content
    return bytes((tag, 0x82, size >> 8, size & 0xFF)) + content


def number(value: int, tag: int = INTEGER) -> bytes:
    """A number; counters wrap, gauges and times stay at their most."""
    if tag in _WRAPS:
        value %= _WRAPS[tag]
    value = min(value, _MOST.get(tag, value))
    return tlv(tag, value.to_bytes((value if value >= 0 else ~value).bit_length() // 8 + 1, "big", signed=True))


def name(arcs: Name) -> bytes:
    """Content octets of an object identifier."""
    content = bytearray()
    for arc in (arcs[0] * 40 + arcs[1], *arcs[2:]):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(arc & 0x7F | 0x80)
        content += bytes(reversed(groups))
    return bytes(content)


def arcs(content: bytes) -> Name:
    """The numbers of an object identifier.

    Raises:
        Malformed: it does not end, or is longer than RFC 2578 section 3.5 lets it be.
    """
    if not content or content[-1] & 0x80 or len(content) > 640:
        raise Malformed("object identifier")
    found, arc = [], 0
    for octet in content:
        arc = arc << 7 | octet & 0x7F
        if not octet & 0x80:
            found.append(arc)
            arc = 0
    first = min(found[0] // 40, 2)
    return (first, found[0] - 40 * first, *found[1:])


def value(tag: int, plain: int | bytes | Name) -> bytes:
    """A value with its header."""
    if isinstance(plain, int):
        return number(plain, tag)
    return tlv(tag, plain if isinstance(plain, bytes) else name(plain))


class Reader:
    """Takes one element after the other out of an element."""

    def __init__(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        self.data, self.at, self.end = data, at, len(data) if end is None else end

    @property
    def more(self) -> bool:
        return self.at < self.end

    def element(self, *tags: int) -> tuple[int, int, int]:
        """(tag, start, stop) of the next one.

        Raises:
            Malformed: there is none, another tag than these, or one that is cut off.
        """
        data, at = self.data, self.at
        if at + 2 > self.end:
            raise Malformed("cut off")
        tag, size = data[at], data[at + 1]
        at += 2
        if size >= 0x80:
            octets = size & 0x7F
            if not 1 <= octets <= 4 or at + octets > self.end:
                raise Malformed("length")
            size = int.from_bytes(data[at : at + octets])
            at += octets
        if at + size > self.end or (tags and tag not in tags):
            raise Malformed(f"element {tag:#x} of {size} octets")
        self.at = at + size
        return tag, at, self.at

    def inside(self, tag: int = SEQUENCE) -> Reader:
        """The next one's own elements."""
        _, start, stop = self.element(tag)
        return Reader(self.data, start, stop)

    def octets(self, tag: int = OCTETS) -> bytes:
        """The next one's content."""
        _, start, stop = self.element(tag)
        return self.data[start:stop]

    def integer(self) -> int:
        """The next one as a number of at most 32 bits."""
        content = self.octets(INTEGER)
        if not 1 <= len(content) <= 4:
            raise Malformed("number")
        return int.from_bytes(content, signed=True)


def question(datagram: bytes) -> Question:
    """A datagram of SNMPv3 with USM.

    Raises:
        Malformed: it is none.
    """
    message = Reader(datagram).inside()
    if message.integer() != 3:
        raise Malformed("version")
    header = message.inside()
    message_id, largest, flags, model = header.integer(), header.integer(), header.octets(), header.integer()
    if len(flags) != 1 or model != 3:
        raise Malformed("flags or security model")
    _, start, stop = message.element(OCTETS)
    usm = Reader(datagram, start, stop).inside()
    engine, boots, time_s, user = usm.octets(), usm.integer(), usm.integer(), usm.octets()
    if boots < 0 or time_s < 0:
        raise Malformed("boots or time")
    _, mac_at, mac_end = usm.element(OCTETS)
    salt = usm.octets()
    if flags[0] & 2:
        body = message.octets()
    else:
        body_at = message.at
        message.element(SEQUENCE)
        body = datagram[body_at : message.at]
    return Question(
        message_id, largest, flags[0], engine, boots, time_s, user, datagram[mac_at:mac_end], mac_at, salt, body
    )


def scoped(body: bytes) -> tuple[bytes, Pdu]:
    """(context name, PDU) of a scoped PDU.

    Raises:
        Malformed: it is none: of what was encrypted with another key mostly.
    """
    outer = Reader(body).inside()
    outer.octets()
    context = outer.octets()
    kind, start, stop = outer.element()
    inner = Reader(body, start, stop)
    request_id, first, second = inner.integer(), inner.integer(), inner.integer()
    rows, names = inner.inside(), []
    while rows.more:
        row = rows.inside()
        names.append(row.octets(OID))
        row.element()
    return context, Pdu(kind, request_id, first, second, tuple(names))


def row(content: bytes, encoded: bytes) -> bytes:
    """One variable binding: an identifier's content and a value with its header."""
    return tlv(SEQUENCE, tlv(OID, content) + encoded)


def pdu(kind: int, request_id: int, rows: Iterable[bytes], status: int = 0, index: int = 0) -> bytes:
    """A PDU of encoded variable bindings."""
    return tlv(kind, number(request_id) + number(status) + number(index) + tlv(SEQUENCE, b"".join(rows)))
