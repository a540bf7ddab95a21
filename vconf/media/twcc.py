"""Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01).

The receiver notes when each transport-wide sequence number arrived and tells the sender every 50 ms.  ``Recorder``
does so towards venues that send; ``summary`` reads what venues that receive tell us.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from vconf.media.rtcp import RTPFB, TRANSPORT_CC, RtcpError

_TICK_US = 250
_REFERENCE_US = 64_000
_LOST, _SMALL, _LARGE = 0, 1, 2
_FEEDBACK = struct.Struct("!HHI")
_MOST = 512  # statuses in one feedback packet, so that it stays below the MTU


class Recorder:
    """Arrival times of one transport, turned into feedback packets.

    >>> recorder = Recorder()
    >>> recorder.arrived(7, 1_000_000)
    >>> len(recorder.feedback(sender=1, media=2)) % 4
    0
    """

    def __init__(self) -> None:
        self._arrivals: dict[int, int] = {}  # unwrapped sequence -> arrival, microseconds, monotonic
        self._highest = -1  # unwrapped, -1 before the first packet
        self._next = 0  # first sequence the next feedback reports
        self._count = 0

    def arrived(self, sequence: int, now_us: int) -> None:
        """Note a 16-bit transport-wide sequence number; late ones that were reported lost are left out."""
        if self._highest < 0:
            unwrapped = sequence + 0x10000
            self._next = unwrapped
        else:
            unwrapped = self._highest + ((sequence - self._highest + 0x8000) & 0xFFFF) - 0x8000
        self._highest = max(self._highest, unwrapped)
        if unwrapped >= self._next:
            self._arrivals[unwrapped] = now_us

    def feedback(self, *, sender: int, media: int) -> bytes | None:
        """The next RTCP packet, or None when nothing arrived since the last."""
        if not self._arrivals:
            return None
        first = min(self._arrivals)
        if first - self._next > _MOST:  # a jump: what lies between was never sent to us
            self._next = first
        base = self._next
        last = min(max(self._arrivals), base + _MOST - 1)
        times = [self._arrivals.pop(sequence, None) for sequence in range(base, last + 1)]
        self._next = last + 1
        known = [time for time in times if time is not None]
        reference = known[0] // _REFERENCE_US
        statuses: list[int] = []
        deltas = bytearray()
        clock = reference * _REFERENCE_US // _TICK_US
        for time in times:
            if time is None:
                statuses.append(_LOST)
                continue
            tick = time // _TICK_US
            delta = max(-0x8000, min(0x7FFF, tick - clock))
            clock += delta
            if 0 <= delta <= 0xFF:
                statuses.append(_SMALL)
                deltas.append(delta)
            else:
                statuses.append(_LARGE)
                deltas += struct.pack("!h", delta)
        body = (
            struct.pack("!IIHHI", sender, media, base & 0xFFFF, len(times), (reference & 0xFFFFFF) << 8 | self._count)
            + _chunks(statuses)
            + bytes(deltas)
        )
        self._count = (self._count + 1) & 0xFF
        pad = -len(body) & 3
        first_byte = 0x80 | TRANSPORT_CC
        if pad:
            body += b"\0" * (pad - 1) + bytes((pad,))
            first_byte |= 0x20
        return struct.pack("!BBH", first_byte, RTPFB, len(body) >> 2) + body


def _chunks(statuses: list[int]) -> bytes:
    """Run-length chunks for runs of seven and more, two-bit status vectors for the rest."""
    out = bytearray()
    at = 0
    while at < len(statuses):
        run = 1
        while at + run < len(statuses) and statuses[at + run] == statuses[at] and run < 0x1FFF:
            run += 1
        if run >= 7:
            out += struct.pack("!H", statuses[at] << 13 | run)
            at += run
            continue
        some = statuses[at : at + 7]
        some += [_LOST] * (7 - len(some))
        vector = 0xC000
        for index, status in enumerate(some):
            vector |= status << (12 - 2 * index)
        out += struct.pack("!H", vector)
        at += 7
    return bytes(out)


class Summary(NamedTuple):
    """One feedback: ``packets`` numbers from ``base`` on, of which ``received`` came.

    ``first`` and ``last`` are sequence numbers (16 bits) of packets that came, with their arrival in microseconds of
    the receiver's clock, which begins anew every 12 days (24 bits of 64 ms).  With none received they are 0.
    """

    base: int
    packets: int
    received: int
    first: int
    first_us: int
    last: int
    last_us: int


def summary(packet: bytes) -> Summary:
    """Read one transport-cc RTCP packet (its four-byte head included); RtcpError when it is malformed.

    Where every status is the same, which is nearly always, no packet is looked at by itself.
    """
    size = len(packet)
    if size < 20:
        raise RtcpError(f"transport-cc of {size} bytes, at least 20")
    base, count, reference = _FEEDBACK.unpack_from(packet, 12)
    if size >= 22 + count and packet[20] << 8 | packet[21] == _SMALL << 13 | count and count:  # the commonest by far
        start_us = (reference >> 8) * _REFERENCE_US
        ticks = sum(packet[22 : 22 + count])
        last = base + count - 1 & 0xFFFF
        return Summary(*(base, count, count, base, start_us + packet[22] * _TICK_US, last, start_us + ticks * _TICK_US))
    at, seen, received, first, last = 16 + 4, 0, 0, -1, -1
    small: list[int] | None = None  # per received packet: 1 small delta, 2 large; None while all are small
    while seen < count:
        if at + 2 > size:
            raise RtcpError("transport-cc chunks run over the end")
        chunk = packet[at] << 8 | packet[at + 1]
        at += 2
        if not chunk & 0x8000:
            status, run = chunk >> 13, min(chunk & 0x1FFF, count - seen)
            statuses = [status] * run if status in (_SMALL, _LARGE) else []
            if statuses:
                first = seen if first < 0 else first
                last = seen + run - 1
            seen += run or count
        else:
            wide = chunk & 0x4000
            symbols = (
                [chunk >> shift & 3 for shift in range(12, -1, -2)]
                if wide
                else [chunk >> shift & 1 for shift in range(13, -1, -1)]
            )[: count - seen]
            statuses = [symbol for symbol in symbols if symbol in (_SMALL, _LARGE)]
            for index, symbol in enumerate(symbols):
                if symbol in (_SMALL, _LARGE):
                    first = seen + index if first < 0 else first
                    last = seen + index
            seen += len(symbols)
        if small is None and _LARGE in statuses:
            small = [_SMALL] * received
        if small is not None:
            small += statuses
        received += len(statuses)
    start_us = (reference >> 8) * _REFERENCE_US
    if not received:
        return Summary(base, count, 0, 0, 0, 0, 0)
    if small is None:
        if at + received > size:
            raise RtcpError("transport-cc deltas run over the end")
        first_ticks, ticks = packet[at], sum(packet[at : at + received])
    else:
        first_ticks, ticks = _ticks(packet, at, small)
    return Summary(
        *(base, count, received),
        *(base + first & 0xFFFF, start_us + first_ticks * _TICK_US),
        *(base + last & 0xFFFF, start_us + ticks * _TICK_US),
    )


def _ticks(packet: bytes, at: int, sizes: list[int]) -> tuple[int, int]:
    """(first delta, sum of all), some being large."""
    if at + sum(sizes) > len(packet):
        raise RtcpError("transport-cc deltas run over the end")
    first, total = None, 0
    for size in sizes:
        total += packet[at] if size == _SMALL else struct.unpack_from("!h", packet, at)[0]
        at += size
        first = total if first is None else first
    return first or 0, total
