"""Learned packets: a question that is only patched, and an answer that is compared with the one before.

A device that is asked the same OIDs again answers with the same octets except for the values, and mostly the values
are as long as they were.  So the rows of an answer are one big number: under a mask of all that must not differ it
equals the learned one, and one ``struct`` takes all values out.  A value that grew by an octet costs that packet a walk
row by row, which learns the new layout.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from operator import sub

from collectors.snmp import ber

ROOM = 1320
"""Octets of an answer's rows that fit an Ethernet frame with the headers of IP, UDP and SNMPv3 about them."""

_LONGEST_VALUE = 2 + ber.LONGEST_NUMBER


class Mismatch(Exception):
    """The answer is not of these objects: what was learned holds no longer."""


class Layout:
    """Where the numbers of an answer stand, and all octets that are not theirs."""

    __slots__ = ("_constants", "_expected", "_mask", "_signs", "_size", "_unpack")

    def __init__(self, rows: bytes, places: Sequence[tuple[int, int, bool]]) -> None:
        """``places``: (start, octets, signed) of every number in ``rows``, in order."""
        size = self._size = len(rows)
        mask = bytearray(b"\xff" * size)
        form, at = [">"], 0
        constants: list[int] = []
        self._signs: list[tuple[int, int, int]] = []
        for place, (start, octets, signed) in enumerate(places):
            end = start + octets
            free = min(octets, 8)  # of Counter64's nine octets the first is zero, and stays so
            mask[end - free : end] = bytes(free)
            # Eight octets that end with the number; those before it are known, and taken off again.
            form.append(f"{end - 8 - at}xQ")
            constants.append(int.from_bytes(rows[end - 8 : end - free]) << 8 * free)
            if signed:
                self._signs.append((place, 1 << 8 * free - 1, 1 << 8 * free))
            at = end
        form.append(f"{size - at}x")
        self._constants = constants
        self._mask = int.from_bytes(mask)
        self._expected = int.from_bytes(rows) & self._mask
        self._unpack = struct.Struct("".join(form)).unpack

    def read(self, rows: bytes) -> list[int] | None:
        """The numbers; None when anything but them differs."""
        if len(rows) != self._size or int.from_bytes(rows) & self._mask != self._expected:
            return None
        numbers = list(map(sub, self._unpack(rows), self._constants))
        for place, half, whole in self._signs:
            if numbers[place] >= half:
                numbers[place] -= whole
        return numbers


Learned = tuple[bytes, bytes, bytes]
"""A message made once: what names the sender and the device, the octets before the request id, those after it."""


class Packet:
    """Some objects asked for by one GET."""

    __slots__ = ("_layout", "absent", "learned", "names", "oids")

    def __init__(self, oids: Sequence[str], names: Sequence[bytes] = ()) -> None:
        """``oids``: instances; ``names``: the same, encoded."""
        self.oids = tuple(oids)
        self.names = tuple(names) or tuple(map(ber.oid, oids))
        self.absent = False  # an object of the last answer is not there
        self.learned: Learned | None = None
        self._layout: Layout | None = None

    def pdu(self, request_id: int) -> bytes:
        """The question."""
        return ber.pdu(ber.GET, request_id, self.names)

    def read(self, rows: bytes) -> Sequence[ber.Value]:
        """Values in the order asked, from the variable bindings of an answer.

        Raises:
            Mismatch: other objects than these.
            ber.BerError: not BER.
        """
        if self._layout is not None and (numbers := self._layout.read(rows)) is not None:
            return numbers
        return self._walk(rows)

    def take(self, rows: Sequence[tuple[str, ber.Value]]) -> Sequence[ber.Value]:
        """The same from rows that are decoded already.

        Raises:
            Mismatch: other objects than these.
        """
        if tuple(oid for oid, _ in rows) != self.oids:
            raise Mismatch("another object than was asked for")
        values = [value for _, value in rows]
        self.absent = any(isinstance(value, ber.Absent) for value in values)
        return values

    def _walk(self, rows: bytes) -> list[ber.Value]:
        found: list[ber.Value] = []
        places: list[tuple[int, int, bool]] = []
        at, size = 0, len(rows)
        for name in self.names:
            start, stop = ber.element(rows, at, size, ber.SEQUENCE)
            if not rows.startswith(name, start):
                raise Mismatch("another object than was asked for")
            tag, begin, end = ber.header(rows, start + len(name), stop)
            found.append(ber.value(tag, rows[begin:end]))
            octets = end - begin
            # Numbers are 8 octets or more into their row; a ninth octet that counts would need a bigger integer.
            if (tag == ber.INTEGER or tag in ber.UNSIGNED) and (octets < ber.LONGEST_NUMBER or rows[begin] == 0):
                places.append((begin, octets, tag == ber.INTEGER and octets < ber.LONGEST_NUMBER))
            at = stop
        if at != size:
            raise Mismatch("more objects than were asked for")
        self.absent = any(isinstance(value, ber.Absent) for value in found)
        self._layout = Layout(rows, places) if len(places) == len(found) and found else None
        return found


def packets(oids: Sequence[str], room: int = ROOM, sizes: Sequence[int] = ()) -> list[Packet]:
    """The objects in as few packets as their answers allow; each answer's rows fit ``room`` octets, or are one row.

    ``sizes``: octets of each value with its header, where they are known; else they may be the longest numbers.
    """
    found: list[Packet] = []
    names: list[bytes] = []
    first, used = 0, 0
    for number, oid in enumerate(oids):
        name = ber.oid(oid)
        need = 2 + len(name) + (sizes[number] if sizes else _LONGEST_VALUE)
        if names and used + need > room:
            found.append(Packet(oids[first:number], names))
            names, first, used = [], number, 0
        names.append(name)
        used += need
    if names:
        found.append(Packet(oids[first:], names))
    return found


def size(value: ber.Value) -> int:
    """Octets that a value takes with its header, and one more for a number that grows."""
    if isinstance(value, int):
        return 2 + value.bit_length() // 8 + 2
    return 2 + len(value) if isinstance(value, bytes | str) else 2
