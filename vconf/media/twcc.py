"""Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01).

The receiver notes when each transport-wide sequence number arrived and tells the sender every 50 ms; the
browser's own estimator does the rest.
"""

from __future__ import annotations

import struct

from vconf.media.rtcp import RTPFB, TRANSPORT_CC

_TICK_US = 250
_REFERENCE_US = 64_000
_LOST, _SMALL, _LARGE = 0, 1, 2
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
