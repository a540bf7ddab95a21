"""One incoming stream: its packets as they leave, what is missing, and the reception's figures.

Packets are laid out for sending once, when they arrive (``plane``'s layout); receivers differ in 22 octets of it.
RFC 3550 sections 6.4.1 and A.3, A.8 for the figures.
"""

from __future__ import annotations

from vconf.media.payload import h264_keyframe, vp8_keyframe, vp8_numbers
from vconf.media.plane import RING, SILENT_LEVEL, StreamFormat, StreamState
from vconf.media.rtp import Packet

KEPT_US = 2_000_000
"""Older packets are let go: nobody waits for them any more."""

_BLANK = bytes(22)  # sequence .. transport-wide sequence: patched for each receiver


class Held:
    """A packet as it leaves, without a receiver's numbers and without padding."""

    __slots__ = ("arrival_us", "extended", "keyframe", "layout", "payload_at", "picture", "timestamp", "words")

    def __init__(self, extended: int, timestamp: int, layout: bytes, payload_at: int, words: int, now_us: int) -> None:
        self.extended = extended  # sequence number with roll-overs
        self.timestamp = timestamp
        self.layout = layout
        self.payload_at = payload_at
        self.words = words  # of the header extension
        self.arrival_us = now_us
        self.keyframe = False  # it begins one
        self.picture: tuple[int, int] | None = None  # VP8's (picture id, TL0PICIDX or -1)


class Ring:
    """Reception of one SSRC."""

    __slots__ = (
        *("_first_kept", "_held", "_transit", "arrival_us", "base", "duplicates", "form", "highest", "jitter"),
        *("keyframes", "level", "octets", "packets"),
    )

    def __init__(self, form: StreamFormat) -> None:
        self.form = form
        self.packets = self.octets = self.duplicates = self.keyframes = self.arrival_us = 0
        self.base, self.highest, self.jitter, self.level = 0, -1, 0.0, SILENT_LEVEL
        self._held: list[Held | None] = [None] * RING
        self._first_kept = 0
        self._transit = 0.0

    def take(self, packet: Packet, now_us: int) -> tuple[Held, int] | None:
        """Keep a packet; with how many are missing before it.  None for a duplicate and one that is too old."""
        gap = 0
        if self.highest < 0:
            extended = packet.sequence + 0x10000
            self.base = self._first_kept = extended
        else:
            extended = self.extend(packet.sequence)
        if extended > self.highest:
            gap = extended - self.highest - 1 if self.highest >= 0 else 0
            self.highest = extended
        elif extended < self._first_kept or extended <= self.highest - RING:
            self.duplicates += 1
            return None
        else:
            there = self._held[extended % RING]
            if there is not None and there.extended == extended:
                self.duplicates += 1
                return None
        self.packets += 1
        self.octets += len(packet.payload)
        self.arrival_us = now_us
        self._note_jitter(packet.timestamp, now_us)
        held = self._lay_out(packet, extended, now_us)
        self._held[extended % RING] = held
        self._forget(now_us)
        return held, gap

    def extend(self, sequence: int) -> int:
        """The extended number nearest to the highest of a 16-bit one."""
        return self.highest + ((sequence - self.highest + 0x8000) & 0xFFFF) - 0x8000

    def find(self, extended: int) -> Held | None:
        """The packet while it is held."""
        held = self._held[extended % RING]
        return held if held is not None and held.extended == extended else None

    def newest(self, count: int) -> list[Held]:
        """At most so many of the newest, newest first."""
        wanted = range(self.highest, max(self.highest - count, self._first_kept - 1), -1)
        return [held for extended in wanted if (held := self.find(extended)) is not None]

    def state(self) -> StreamState:
        """Figures."""
        return StreamState(
            self.packets,
            self.octets,
            self.duplicates,
            self.keyframes,
            self.base,
            self.highest,
            int(self.jitter) & 0xFFFFFFFF,
            self.arrival_us,
            self.level,
        )

    def _lay_out(self, packet: Packet, extended: int, now_us: int) -> Held:
        form, payload = self.form, packet.payload
        passed = b""
        for theirs, ours in form.passed:
            value = packet.extensions.get(theirs)
            if value and len(value) <= 16:
                passed += bytes((ours << 4 | len(value) - 1,)) + value
        if form.level_extension and (value := packet.extensions.get(form.level_extension)):
            self.level = value[0] & 0x7F
        if passed:
            passed += bytes(-len(passed) & 3)
        head = bytes((0x90, packet.marker << 7 | form.out_payload_type))
        held = Held(
            extended,
            packet.timestamp,
            head + _BLANK + passed + payload,
            24 + len(passed),
            2 + (len(passed) >> 2),
            now_us,
        )
        if form.codec == "h264":
            held.keyframe = h264_keyframe(payload)
        elif form.codec == "vp8":
            held.keyframe = vp8_keyframe(payload)
            held.picture = vp8_numbers(payload)
        self.keyframes += held.keyframe
        return held

    def _forget(self, now_us: int) -> None:
        oldest = now_us - KEPT_US
        at = max(self._first_kept, self.highest - RING + 1)
        held = self._held
        while at < self.highest:
            there = held[at % RING]
            if there is not None:
                if there.extended == at and there.arrival_us >= oldest:
                    break
                if there.extended <= at:
                    held[at % RING] = None
            at += 1
        self._first_kept = at

    def _note_jitter(self, timestamp: int, now_us: int) -> None:
        clock_hz = self.form.clock_hz
        transit = now_us * clock_hz / 1_000_000 - timestamp
        if self.packets > 1:
            change = abs(transit - self._transit) % 0x100000000
            if change < clock_hz:  # a wrapped timestamp is no jitter
                self.jitter += (change - self.jitter) / 16
        self._transit = transit
