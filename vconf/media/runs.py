"""Packets that leave together, laid out so that a receiver's copy is one copy of memory and some patches.

Runs for UDP_SEGMENT (udp(7)): equal sizes, the last one excepted; ``plane`` says which packets are padded.
"""

from __future__ import annotations

from collections.abc import Sequence

from pylibsrtp._binding import ffi

from vconf.media.plane import RUN_BYTES, RUN_PACKETS
from vconf.media.ring import Held

MOST_BYTES = 1_460
"""The longest packet with its tag: what an Ethernet frame takes."""

_GAP = bytes(16)
_NO_MARKS: list[tuple[int, int, bytes]] = []

BUFFER = ffi.new("char[]", RUN_BYTES + 2048)
"""Where a receiver's copy is made; one thread."""

VIEW = memoryview(ffi.buffer(BUFFER))


class Run:
    """One run; ``heads`` holds for each packet (sequence, timestamp, offset of octet 2, pointer, size, words).

    ``wire`` is the part of the buffer that it takes, as sendmsg wants it; ``sent`` is noted for each receiver.
    """

    __slots__ = (
        *("count", "heads", "highest", "lowest", "octets", "packets", "padded", "segment", "sent", "template"),
        *("marks", "tos", "total", "wire"),
    )

    def __init__(self, packets: Sequence[Held], sizes: Sequence[int], tag: int) -> None:
        self.packets = packets
        self.heads: list[tuple[int, int, int, object, int, int]] = []
        self.lowest = self.highest = packets[0]
        self.octets = self.padded = 0
        parts: list[bytes] = []
        at = 0
        for held, size in zip(packets, sizes, strict=True):
            pad = size - len(held.layout)
            if pad:
                self.padded += pad
                parts += (bytes((held.layout[0] | 0x20,)), held.layout[1:], bytes(pad - 1), bytes((pad,)), _GAP[:tag])
            else:
                parts += (held.layout, _GAP[:tag])
            self.heads.append((held.extended, held.timestamp, at + 2, BUFFER + at, size, held.words))
            self.octets += len(held.layout) - held.payload_at
            at += size + tag
            if held.extended > self.highest.extended:
                self.highest = held
            elif held.extended < self.lowest.extended:
                self.lowest = held
        self.template = b"".join(parts)
        self.count = len(packets)
        self.total = at
        self.wire = (VIEW[:at],)
        self.sent = (self.count, at)
        self.tos, self.marks = -1, _NO_MARKS  # of the last receiver's kind
        self.segment = sizes[0] + tag


def group(packets: Sequence[Held], tag: int, padding_most: int) -> list[Run]:
    """The runs of these packets, in order; ``padding_most`` octets of padding a packet."""
    runs: list[Run] = []
    begin, longest, shortest = 0, 0, 0
    for index, held in enumerate(packets):
        size = len(held.layout)
        fits = index - begin < RUN_PACKETS and (index - begin + 1) * (max(longest, size) + tag) <= RUN_BYTES
        if index == begin:
            longest = shortest = size
        elif fits and max(longest, size) - min(shortest, size) <= padding_most:
            longest, shortest = max(longest, size), min(shortest, size)
        elif fits and size < shortest:
            runs.append(Run(packets[begin : index + 1], [longest] * (index - begin) + [size], tag))
            begin = index + 1
        else:
            runs.append(Run(packets[begin:index], [longest] * (index - begin), tag))
            begin, longest, shortest = index, size, size
    if begin < len(packets):
        runs.append(Run(packets[begin:], [longest] * (len(packets) - begin), tag))
    return runs


class Batch:
    """What leaves of one stream in one flush, for all receivers with this tag and padding."""

    __slots__ = ("count", "highest", "lowest", "octets", "padding_most", "runs", "tag", "total")

    def __init__(self, packets: Sequence[Held], tag: int, padding_most: int) -> None:
        self.tag, self.padding_most = tag, padding_most
        self.runs = group(packets, tag, padding_most)
        self.count = len(packets)
        self.octets = sum(run.octets for run in self.runs)
        self.total = sum(run.total for run in self.runs)
        self.highest = max((run.highest for run in self.runs), key=lambda held: held.extended)
        self.lowest = min(run.lowest.extended for run in self.runs)
