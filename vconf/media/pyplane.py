"""The data plane in Python: bytes patched in place, libsrtp called on our own buffer, one system call for each run.

Tables and the way in; ``sender`` is the way out.
"""

from __future__ import annotations

from collections.abc import Sequence

from pylibsrtp._binding import ffi, lib

from vconf.media import plane, rtp
from vconf.media.channel import Channel
from vconf.media.plane import Address, Counters, Event, Keys, LegFormat, LegState, StreamFormat, StreamState
from vconf.media.rewriter import Leg
from vconf.media.runs import BUFFER, MOST_BYTES, VIEW, group
from vconf.media.sender import Sender, place
from vconf.media.stream import Stream
from vconf.media.udp import UdpPort

_LENGTH = ffi.new("int *")
_READS = 256


class PyPlane:
    """``plane.Plane`` without a compiler; method docstrings are the interface's."""

    name = "python"

    def __init__(self, bind: Address) -> None:
        self.counters = Counters()
        self._port = UdpPort(bind, self.counters)
        self.address = self._port.address
        self._handles = 0
        self._channels: dict[int, Channel] = {}
        self._addresses: dict[Address, Channel] = {}
        self._streams: dict[int, Stream] = {}
        self._legs: dict[int, Leg] = {}
        self._sender = Sender(self._port, self.counters)
        self._input = ffi.new("char[]", 2048)
        self._input_view = memoryview(ffi.buffer(self._input))

    def fileno(self) -> int:
        return self._port.fileno()

    def close(self) -> None:
        self._port.close()

    def take(self) -> list[Event]:
        events, self._sender.events = self._sender.events, []
        return events

    def send(self, data: bytes, address: Address, tos: int) -> None:
        self._port.write(data, len(data), 1, tos, address)

    def send_rtcp(self, transport: int, data: bytes) -> None:
        channel = self._channels.get(transport)
        if channel is None or channel.outbound is None or channel.address is None or len(data) > MOST_BYTES:
            return
        VIEW[: len(data)] = data
        _LENGTH[0] = len(data)
        if not lib.srtp_protect_rtcp(channel.outbound, BUFFER, _LENGTH):
            size = _LENGTH[0]
            self._port.write(VIEW[:size], size, 1, plane.AF41, channel.address)

    # -- transports ---------------------------------------------------------------------------

    def add_transport(self) -> int:
        handle = self._handle()
        self._channels[handle] = Channel(handle)
        return handle

    def remove_transport(self, transport: int) -> None:
        channel = self._channels.pop(transport, None)
        if channel is None:
            return
        for leg in list(channel.legs):
            self.remove_leg(leg)
        if channel.address is not None and self._addresses.get(channel.address) is channel:
            del self._addresses[channel.address]
        self._sender.queued.pop(channel, None)

    def set_address(self, transport: int, address: Address) -> None:
        channel = self._channels.get(transport)
        if channel is None:
            return
        if channel.address is not None and self._addresses.get(channel.address) is channel:
            del self._addresses[channel.address]
        former = self._addresses.get(address)
        if former is not None:
            former.address = None
        channel.address = address
        self._addresses[address] = channel

    def set_keys(self, transport: int, inbound: Keys, outbound: Keys) -> None:
        if channel := self._channels.get(transport):
            channel.set_keys(inbound, outbound)

    def set_transport_cc(self, transport: int, extension: int) -> None:
        if channel := self._channels.get(transport):
            channel.cc_extension = extension

    def set_rate(self, transport: int, bps: int) -> None:
        if channel := self._channels.get(transport):
            channel.pacer.set_rate(bps)

    def arrivals(self, transport: int) -> list[tuple[int, int]]:
        channel = self._channels.get(transport)
        if channel is None:
            return []
        found, channel.arrivals = channel.arrivals, []
        return found

    def sent(self, transport: int, sequence: int) -> tuple[int, int] | None:
        channel = self._channels.get(transport)
        return channel.sent(sequence) if channel is not None else None

    def heard_us(self, transport: int) -> int:
        channel = self._channels.get(transport)
        return channel.heard_us if channel is not None else 0

    # -- streams ------------------------------------------------------------------------------

    def add_stream(self, form: StreamFormat) -> int:
        handle = self._handle()
        self._streams[handle] = Stream(handle, form)
        return handle

    def remove_stream(self, stream: int) -> None:
        known = self._streams.pop(stream, None)
        if known is None:
            return
        for channel in self._channels.values():
            channel.bound = {ssrc: entry for ssrc, entry in channel.bound.items() if entry[0] != stream}
        for leg in known.legs:
            leg.restart = True
        for leg in [*known.legs, *known.waiting]:
            if leg.wanted is known:
                leg.wanted = None  # what another stream feeds goes on
        known.legs, known.waiting = [], []
        self._sender.dirty.pop(known, None)

    def bind(self, transport: int, ssrc: int, stream: int, *, rtx: bool = False) -> None:
        if channel := self._channels.get(transport):
            channel.bound[ssrc] = (stream, rtx)

    def set_open(self, stream: int, is_open: bool) -> None:
        known = self._streams.get(stream)
        if known is None or known.is_open is is_open:
            return
        known.is_open = is_open
        if is_open:
            for leg in list(known.legs):
                leg.restart = True
                known.place(leg)
        else:
            known.pending.clear()

    def stream_state(self, stream: int) -> StreamState:
        known = self._streams.get(stream)
        return known.ring.state() if known is not None else StreamState()

    def holds(self, stream: int, extended: int) -> bool:
        known = self._streams.get(stream)
        return known is not None and known.ring.find(extended) is not None

    # -- legs ---------------------------------------------------------------------------------

    def add_leg(self, transport: int, form: LegFormat) -> int:
        channel = self._channels.get(transport)
        if channel is None:
            return 0
        handle = self._handle()
        self._legs[handle] = channel.legs[handle] = Leg(handle, channel, form)
        return handle

    def remove_leg(self, leg: int) -> None:
        known = self._legs.pop(leg, None)
        if known is not None:
            known.paused = True
            place(known, known.wanted)
            known.channel.legs.pop(leg, None)

    def want(self, leg: int, stream: int) -> None:
        known, wanted = self._legs.get(leg), self._streams.get(stream)
        if known is None or known.wanted is wanted:
            return
        former, known.wanted = known.wanted, wanted
        if wanted is None or wanted.ring.form.kind == "audio":
            known.restart = True
        place(known, former)

    def set_paused(self, leg: int, paused: bool) -> None:
        known = self._legs.get(leg)
        if known is None or known.paused is paused:
            return
        known.paused = paused
        if not paused:
            known.restart = True
        place(known, known.wanted)

    def leg_state(self, leg: int) -> LegState:
        known = self._legs.get(leg)
        return known.state() if known is not None else LegState()

    def resend(self, leg: int, sequences: Sequence[int], now_us: int) -> int:
        known = self._legs.get(leg)
        if known is None:
            return 0
        found = [each for sequence in sequences if (each := known.find(sequence)) is not None]
        known.not_held += len(sequences) - len(found)
        known.resent += len(found)
        self.counters.resent += len(found)
        channel = known.channel
        if known.form.rtx_ssrc:
            self._sender.send_rtx(known, [known.as_rtx(span, held) for span, held in found], now_us)
        elif channel.outbound is not None and channel.address is not None:
            for span, held in found:
                (run,) = group([held], channel.tag, 0)
                channel.pacer.spend(run.total)
                self._sender.write(channel, known, known.heads, span, run, now_us)
        return len(found)

    def probe(self, leg: int, packets: int, now_us: int) -> int:
        known = self._legs.get(leg)
        if known is None or not known.form.rtx_ssrc or known.wanted is None:
            return 0
        timestamp = known.form.timestamp
        if known.span is not None and known.newest is not None:
            timestamp = known.newest.timestamp + known.span.timestamp & 0xFFFFFFFF
        self.counters.probes += packets
        self._sender.send_rtx(known, [known.padding(known.wanted.ring.form, timestamp) for _ in range(packets)], now_us)
        return packets

    # -- in -----------------------------------------------------------------------------------

    def readable(self, now_us: int) -> None:
        counters, buffer, view = self.counters, self._input, self._input_view
        read = self._port.read
        for _ in range(_READS):
            got = read(view)
            if got is None:
                return
            size, address = got
            counters.packets_in += 1
            counters.bytes_in += size
            first = view[0] if size else 64
            channel = self._addresses.get(address)
            if first < 4:
                self._sender.events.append(plane.Datagram(0, bytes(view[:size]), address))
            elif channel is None:
                counters.stranger += 1
            elif 20 <= first <= 63:
                self._sender.events.append(plane.Datagram(channel.handle, bytes(view[:size]), address))
            elif not 128 <= first <= 191 or channel.inbound is None or size < 12:
                counters.rejected += 1
            else:
                _LENGTH[0] = size
                is_rtcp = 192 <= view[1] <= 223  # RFC 5761 section 4
                unprotect = lib.srtp_unprotect_rtcp if is_rtcp else lib.srtp_unprotect
                if unprotect(channel.inbound, buffer, _LENGTH):
                    counters.rejected += 1
                    continue
                channel.heard_us = now_us
                data = bytes(view[: _LENGTH[0]])
                if is_rtcp:
                    self._sender.events.append(plane.Rtcp(channel.handle, data))
                else:
                    self._media(channel, data, now_us, arrival=True)

    def inject(self, transport: int, packet: bytes, now_us: int) -> None:
        channel = self._channels.get(transport)
        if channel is not None and int.from_bytes(packet[8:12]) in channel.bound:
            self._media(channel, packet, now_us, arrival=False)

    def _media(self, channel: Channel, data: bytes, now_us: int, *, arrival: bool) -> None:
        counters = self.counters
        try:
            packet = rtp.parse(data)
        except rtp.RtpError:
            counters.rejected += 1
            return
        number = packet.extensions.get(channel.cc_extension) if arrival and channel.cc_extension else None
        if number is not None and len(number) == 2:
            channel.arrivals.append((number[0] << 8 | number[1], now_us))
        bound = channel.bound.get(packet.ssrc)
        if bound is None:
            self._sender.events.append(plane.Unbound(channel.handle, data))
            return
        stream = self._streams.get(bound[0])
        if stream is None:
            return
        ring = stream.ring
        if bound[1]:
            if packet.payload_type != ring.form.rtx_payload_type:
                counters.unannounced += 1
                return
            original = rtp.unwrap_rtx(packet, ring.form.payload_type, 0)
            if original is None:
                return  # a bandwidth probe: counted by transport-cc, nothing to forward
            packet = original
        elif packet.payload_type != ring.form.payload_type:
            counters.unannounced += 1
            return
        if len(packet.payload) + 64 > MOST_BYTES:
            counters.rejected += 1
            return
        taken = ring.take(packet, now_us)
        if taken is None:
            counters.stale += 1
            return
        held, gap = taken
        if ring.packets == 1:
            self._sender.events.append(plane.Started(stream.handle))
        if gap:
            self._sender.events.append(plane.Gap(stream.handle, held.extended - gap, gap))
        if held.keyframe:
            self._sender.events.append(plane.Keyframe(stream.handle))
        if stream.is_open and (stream.legs or stream.waiting):
            stream.pending.append(held)
            self._sender.dirty[stream] = None

    def flush(self, now_us: int) -> int:
        return self._sender.flush(now_us)

    # -- helpers ------------------------------------------------------------------------------

    def _handle(self) -> int:
        self._handles += 1
        return self._handles
