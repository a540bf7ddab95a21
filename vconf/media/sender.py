"""The Python plane's way out: what is pending goes to every receiver, in runs, or waits in its queue.

The hot path is ``write``: for a receiver and a run, one copy of memory, then 22 octets and libsrtp for each packet,
then one sendmsg with UDP_SEGMENT.
"""

from __future__ import annotations

import struct

from pylibsrtp._binding import ffi, lib

from vconf.media import plane
from vconf.media.channel import Channel
from vconf.media.plane import Counters, Event
from vconf.media.rewriter import VP8_HEAD, Leg, Span, renumbered
from vconf.media.ring import Held
from vconf.media.runs import VIEW, Run, group
from vconf.media.stream import Stream
from vconf.media.udp import UdpPort

_PATCH = struct.Struct("!HI14sH").pack_into  # octets 2 to 24 of the layout
_LENGTH = ffi.new("int *")
_SAME = Span(None, 0, 0, 0)  # numbers as they are


def place(leg: Leg, former: Stream | None) -> None:
    """Put the leg where it belongs, after a change."""
    fed = leg.span.stream if leg.span is not None else None
    for stream in {id(each): each for each in (former, fed, leg.wanted) if each is not None}.values():
        stream.place(leg)


class Sender:
    """``dirty`` are streams with pending packets, ``queued`` transports with a queue, both in order."""

    def __init__(self, port: UdpPort, counters: Counters) -> None:
        self._port = port
        self._counters = counters
        self.events: list[Event] = []
        self.dirty: dict[Stream, None] = {}
        self.queued: dict[Channel, None] = {}

    def flush(self, now_us: int) -> int:
        """As in ``plane``."""
        wait_us = self._port.write_backlog()
        while self.dirty:
            stream = next(iter(self.dirty))
            del self.dirty[stream]
            self._fan_out(stream, now_us)
            stream.pending = []
        for channel in list(self.queued):
            self._drain(channel, now_us)
            if due := channel.pacer.wait_us():
                wait_us = min(wait_us, due) if wait_us else due
        return wait_us

    def _fan_out(self, stream: Stream, now_us: int) -> None:
        """What is pending to everybody who takes it."""
        if not stream.is_open:
            return
        starting: list[Leg] = []
        if stream.waiting and (index := stream.begins_at()) >= 0:
            starting = list(stream.waiting)
        runs: dict[int, list[Run]] = {}
        is_video = stream.ring.form.kind == "video"
        for leg in list(stream.legs):
            channel = leg.channel
            if channel.outbound is None or channel.address is None:
                continue
            made = runs.get(channel.tag)
            if made is None:
                made = runs[channel.tag] = group(stream.pending, channel.tag)
            self._emit(channel, leg, made, is_video and not channel.pacer.is_idle, now_us)
        for leg in starting:
            self._begin(stream, leg, stream.pending[index:], now_us)

    def _begin(self, stream: Stream, leg: Leg, packets: list[Held], now_us: int) -> None:
        former = leg.span.stream if leg.span is not None else None
        if leg.begin(stream, packets[0], now_us):
            self.events.append(plane.Switched(leg.handle, stream.handle))
        place(leg, former)
        channel = leg.channel
        if channel.outbound is not None and channel.address is not None:
            paced = stream.ring.form.kind == "video" and not channel.pacer.is_idle
            self._emit(channel, leg, group(packets, channel.tag), paced, now_us)

    def _emit(self, channel: Channel, leg: Leg, runs: list[Run], paced: bool, now_us: int) -> None:
        """Runs of one stream to one receiver, or into its queue."""
        span = leg.span
        assert span is not None
        for run in runs:
            if run.lowest.extended < span.first:  # from before the switch: their place in the sequence is taken
                rest = [held for held in run.packets if held.extended >= span.first]
                if rest:
                    self._emit(channel, leg, group(rest, channel.tag), paced, now_us)
                continue
            count = len(run.heads)
            if paced and not channel.pacer.admits(run.total, now_us):
                if channel.pacer.full(count):
                    self._starve(leg, count)
                    return
                for held in run.packets:
                    channel.pacer.put((leg, span, held), len(held.layout) + channel.tag)
                self._counters.paced += count
                self.queued[channel] = None
            else:
                self.write(channel, leg.heads, span, run, leg.form.tos, now_us)
            leg.packets += count
            leg.octets += run.octets
            newest = leg.newest
            if newest is None or run.highest.extended > newest.extended:
                leg.newest = run.highest

    def _starve(self, leg: Leg, count: int) -> None:
        leg.dropped += count
        self._counters.queue_full += count
        leg.restart = True
        fed = leg.span.stream if leg.span is not None else None
        place(leg, fed)
        if leg.wanted is not None:
            self.events.append(plane.Starved(leg.handle, leg.wanted.handle))

    def _drain(self, channel: Channel, now_us: int) -> None:
        """What the pacer lets go, as runs of what belongs together."""
        due = channel.pacer.due(now_us)
        begin = 0
        for index in range(1, len(due) + 1):
            leg, span, _ = due[begin]
            if index < len(due) and due[index][0] is leg and due[index][1] is span:
                continue
            if channel.outbound is not None and channel.address is not None and leg.handle in channel.legs:
                for run in group([held for _, _, held in due[begin:index]], channel.tag):
                    self.write(channel, leg.heads, span, run, leg.form.tos, now_us)
            begin = index
        if not channel.pacer.queue:
            self.queued.pop(channel, None)

    def send_rtx(self, leg: Leg, packets: list[Held], now_us: int) -> None:
        """Send packets that were made for this leg's RTX stream, at once."""
        channel = leg.channel
        if channel.outbound is None or channel.address is None:
            return
        for run in group(packets, channel.tag):
            channel.pacer.spend(run.total)
            self.write(channel, leg.rtx_heads, _SAME, run, leg.form.tos, now_us)

    def write(self, channel: Channel, heads: list[bytes], span: Span, run: Run, tos: int, now_us: int) -> None:
        """A receiver's copy of a run, protected and sent."""
        view, context, length, patch, protect = VIEW, channel.outbound, _LENGTH, _PATCH, lib.srtp_protect
        address = channel.address
        assert address is not None
        total = run.total
        view[:total] = run.template
        if span.picture or span.tl0:
            for held, head in zip(run.packets, run.heads, strict=True):
                at = head[2] - 2 + held.payload_at
                head_of = held.layout[held.payload_at : held.payload_at + VP8_HEAD]
                view[at : at + len(head_of)] = renumbered(head_of, span, held)
        move, later = span.sequence, span.timestamp
        first = number = channel.cc_next
        for sequence, timestamp, at, pointer, size, words in run.heads:
            patch(view, at, sequence + move & 0xFFFF, timestamp + later & 0xFFFFFFFF, heads[words], number & 0xFFFF)
            number += 1
            length[0] = size
            if protect(context, pointer, length):
                self._counters.rejected += 1
                return
        channel.cc_next = number
        channel.note_sent(first, total, now_us)
        self._counters.padded_bytes += run.padded
        self._port.write(view[:total], run.segment, number - first, tos, address)
