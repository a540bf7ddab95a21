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
from vconf.media.runs import VIEW, Batch, Run, group
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
        self._sendmsg = port.sendmsg
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
        batches: dict[tuple[int, int], Batch] = {}
        batch: Batch | None = None
        plain: list[Leg] = []  # of this batch, one after the other
        is_video = stream.ring.form.kind == "video"
        for leg in list(stream.legs):
            channel = leg.channel
            if channel.outbound is None or channel.address is None:
                continue
            if batch is None or batch.tag != channel.tag or batch.padding_most != leg.padding_most:
                if batch is not None:
                    self._send(batch, plain, now_us)
                    plain = []
                form = channel.tag, leg.padding_most
                batch = batches.get(form)
                if batch is None:
                    batch = batches[form] = Batch(stream.pending, *form)
            span, pacer = leg.span, channel.pacer
            assert span is not None
            is_paced = is_video and not pacer.is_idle
            if (
                not (span.picture or span.tl0 or leg.types)
                and batch.lowest >= span.first
                and (not is_paced or pacer.admits(batch.total, now_us))
            ):
                plain.append(leg)
                continue
            self._send(batch, plain, now_us)
            plain = []
            self._emit(channel, leg, batch.runs, is_paced, now_us)
        if batch is not None:
            self._send(batch, plain, now_us)
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
            self._emit(channel, leg, group(packets, channel.tag, leg.padding_most), paced, now_us)

    def _emit(self, channel: Channel, leg: Leg, runs: list[Run], paced: bool, now_us: int) -> None:
        """Runs of one stream to one receiver, or into its queue."""
        span = leg.span
        assert span is not None
        for run in runs:
            if run.lowest.extended < span.first:  # from before the switch: their place in the sequence is taken
                rest = [held for held in run.packets if held.extended >= span.first]
                if rest:
                    self._emit(channel, leg, group(rest, channel.tag, leg.padding_most), paced, now_us)
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
                self.write(channel, leg, leg.heads, span, run, now_us)
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
                for run in group([held for _, _, held in due[begin:index]], channel.tag, leg.padding_most):
                    self.write(channel, leg, leg.heads, span, run, now_us)
            begin = index
        if not channel.pacer.queue:
            self.queued.pop(channel, None)

    def send_rtx(self, leg: Leg, packets: list[Held], now_us: int) -> None:
        """Send packets that were made for this leg's RTX stream, at once."""
        channel = leg.channel
        if channel.outbound is None or channel.address is None:
            return
        for run in group(packets, channel.tag, leg.padding_most):
            channel.pacer.spend(run.total)
            self.write(channel, leg, leg.rtx_heads, _SAME, run, now_us)

    def _send(self, batch: Batch, legs: list[Leg], now_us: int) -> None:
        """The hot path: the batch to each of these, as it is but for their numbers."""
        view, length, patch, protect, sendmsg = VIEW, _LENGTH, _PATCH, lib.srtp_protect, self._sendmsg
        port, counters, count, octets, highest = self._port, self._counters, batch.count, batch.octets, batch.highest
        for leg in legs:
            channel, span, heads, step, tos = leg.channel, leg.span, leg.heads, leg.counted, leg.form.tos
            context, address = channel.outbound, channel.address
            assert span is not None
            assert address is not None
            move, later = span.sequence, span.timestamp
            for run in batch.runs:
                number = channel.cc_next if step else 0
                view[: run.total] = run.template
                for sequence, timestamp, at, pointer, size, words in run.heads:
                    patch(
                        view,
                        at,
                        sequence + move & 0xFFFF,
                        timestamp + later & 0xFFFFFFFF,
                        heads[words],
                        number & 0xFFFF,
                    )
                    number += step
                    length[0] = size
                    if protect(context, pointer, length):
                        counters.rejected += 1
                        break
                else:
                    if step:
                        channel.log.append((channel.cc_next, channel.octets, now_us, run.sent))
                        channel.cc_next = number
                        channel.octets += run.total
                    if run.tos != tos:
                        run.tos, run.marks = tos, port.marks(tos, run.segment if run.count > 1 else 0)
                    try:
                        if not port.is_free:
                            raise BlockingIOError
                        sendmsg(run.wire, run.marks, 0, address)
                    except OSError:
                        port.write(run.wire[0], run.segment, run.count, tos, address)
                    else:
                        counters.sends += 1
                        counters.packets_out += run.count
                        counters.bytes_out += run.total
                    counters.padded_bytes += run.padded
            leg.packets += count
            leg.octets += octets
            if leg.newest is None or highest.extended > leg.newest.extended:
                leg.newest = highest

    def write(self, channel: Channel, leg: Leg, heads: list[bytes], span: Span, run: Run, now_us: int) -> None:
        """A receiver's copy of a run, protected and sent: the way of everything that is not plain."""
        view, patch = VIEW, _PATCH
        view[: run.total] = run.template
        step = leg.counted
        number = channel.cc_next if step else 0
        for held, (sequence, timestamp, at, pointer, size, words) in zip(run.packets, run.heads, strict=True):
            if span.picture or span.tl0:
                moved = renumbered(held.layout[held.payload_at : held.payload_at + VP8_HEAD], span, held)
                view[at - 2 + held.payload_at : at - 2 + held.payload_at + len(moved)] = moved
            if leg.types:
                view[at - 1] = view[at - 1] & 0x80 | leg.types[view[at - 1] & 0x7F]
            moved_on = sequence + span.sequence & 0xFFFF, timestamp + span.timestamp & 0xFFFFFFFF
            patch(view, at, *moved_on, heads[words], number & 0xFFFF)
            number += step
            _LENGTH[0] = size
            if lib.srtp_protect(channel.outbound, pointer, _LENGTH):
                self._counters.rejected += 1
                return
        if step:
            channel.log.append((channel.cc_next, channel.octets, now_us, run.sent))
            channel.cc_next = number
            channel.octets += run.total
        self._counters.padded_bytes += run.padded
        assert channel.address is not None
        self._port.write(run.wire[0], run.segment, run.count, leg.form.tos, channel.address)
