"""A hall's camera: one or several simulcast layers, paced, answering NACK, PLI and reports."""

from __future__ import annotations

import random
import struct
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from vconf.client.peer import Peer
from vconf.load import frames
from vconf.media import rtcp, rtp

CLOCK_HZ = 90_000
_KEPT = 2048
_REPORT_S = 1.0


@dataclass(slots=True)
class SenderCounters:
    """What was sent, and what the server asked for."""

    packets: int = 0
    octets: int = 0
    frames: int = 0
    keyframes: int = 0
    nacks: int = 0  # sequence numbers asked for
    resent: int = 0
    keyframe_requests: int = 0
    transport_cc: int = 0  # feedback packets
    receiver_reports: int = 0


@dataclass(slots=True)
class Layer:
    """One simulcast layer.  ``share`` of the rate; ``rtx_ssrc`` 0 resends the packet itself."""

    ssrc: int
    rtx_ssrc: int = 0
    rid: str = ""
    share: float = 1.0
    sequence: int = field(default_factory=lambda: random.randrange(0x7000))
    rtx_sequence: int = 0
    packets: int = 0
    octets: int = 0
    due_s: float = 0.0
    keyframe: bool = True  # the next frame is one
    kept: OrderedDict[int, bytes] = field(default_factory=OrderedDict)


@dataclass(frozen=True, slots=True)
class SenderFormat:
    """Payload types and header extension ids that were signalled; 0: none."""

    payload_type: int
    rtx_payload_type: int = 0
    mid: bytes = b""
    mid_extension: int = 0
    rid_extension: int = 0
    transport_cc_extension: int = 0


class Sender:
    """Sends while somebody calls ``due``."""

    def __init__(self, peer: Peer, form: SenderFormat, layers: list[Layer], *, sizes: str = "frames") -> None:
        self.peer = peer
        self.layers = layers
        self.counters = SenderCounters()
        self.rate = 0.0  # packets a second, all layers
        self._form = form
        self._sizes = sizes
        self._chance = random.Random(layers[0].ssrc)
        self._transport_sequence = 0
        self._report_s = 0.0
        self._by_ssrc = {layer.ssrc: layer for layer in layers}
        peer.on_packet = self._packet

    def start(self, rate: float, now_s: float) -> None:
        """From now on so many packets a second; 0 stops."""
        self.rate = rate
        for layer in self.layers:
            layer.due_s = now_s + self._chance.random() * 0.01

    def due(self, now_s: float) -> bool:
        """Send the frames that are due; False when there was none."""
        if not self.rate:
            return False
        sent = False
        for layer in self.layers:
            if layer.due_s > now_s:
                continue
            sizes = frames.frame(self._chance, self._sizes)
            self._frame(layer, sizes, now_s)
            layer.due_s += len(sizes) / (self.rate * layer.share)
            if layer.due_s < now_s - 0.05:
                layer.due_s = now_s  # we were kept from running: do not make a burst of it
            sent = True
        if now_s - self._report_s >= _REPORT_S:
            self._report_s = now_s
            self._report(now_s)
        return sent

    def _frame(self, layer: Layer, sizes: list[int], now_s: float) -> None:
        timestamp = int(now_s * CLOCK_HZ) & 0xFFFFFFFF
        now_ns = time.monotonic_ns()
        for number, size in enumerate(sizes):
            key = layer.keyframe and number == 0
            layer.sequence = (layer.sequence + 1) & 0xFFFF
            last = number == len(sizes) - 1
            body = frames.payload(size, now_ns, keyframe=key)
            layer.kept[layer.sequence] = data = self._pack(layer, timestamp, body, last)
            if len(layer.kept) > _KEPT:
                layer.kept.popitem(last=False)
            self.peer.send_rtp(data)
            layer.packets += 1
            layer.octets += size
            self.counters.octets += size
        self.counters.packets += len(sizes)
        self.counters.frames += 1
        self.counters.keyframes += layer.keyframe
        layer.keyframe = False

    def _pack(self, layer: Layer, timestamp: int, body: bytes, last: bool) -> bytes:
        form = self._form
        head = struct.pack("!BBHII", 0x90, last << 7 | form.payload_type, layer.sequence, timestamp, layer.ssrc)
        return head + self._extensions(layer) + body

    def _extensions(self, layer: Layer) -> bytes:
        form = self._form
        elements = []
        if form.transport_cc_extension:
            self._transport_sequence = (self._transport_sequence + 1) & 0xFFFF
            elements.append((form.transport_cc_extension, self._transport_sequence.to_bytes(2)))
        if form.mid_extension and layer.packets < 100:
            elements.append((form.mid_extension, form.mid))
            if form.rid_extension and layer.rid:
                elements.append((form.rid_extension, layer.rid.encode()))
        return rtp.pack_extensions(elements) or b"\xbe\xde\0\0"

    def _packet(self, data: bytes) -> None:
        if not rtp.is_rtcp(data):
            return
        plain = self.peer.open_rtcp(data)
        if plain is None:
            return
        self.counters.transport_cc += _count(plain, rtcp.RTPFB, rtcp.TRANSPORT_CC)
        for report in rtcp.parse(plain):
            if isinstance(report, rtcp.Nack) and report.media in self._by_ssrc:
                self.counters.nacks += len(report.sequences)
                for sequence in report.sequences:
                    self._resend(self._by_ssrc[report.media], sequence)
            elif isinstance(report, rtcp.KeyframeRequest) and report.media in self._by_ssrc:
                self.counters.keyframe_requests += 1
                self._by_ssrc[report.media].keyframe = True
            elif isinstance(report, rtcp.ReceiverReport):
                self.counters.receiver_reports += 1

    def _resend(self, layer: Layer, sequence: int) -> None:
        data = layer.kept.get(sequence)
        if data is None:
            return
        self.counters.resent += 1
        if layer.rtx_ssrc and self._form.rtx_payload_type:
            packet = rtp.parse(data)
            layer.rtx_sequence = (layer.rtx_sequence + 1) & 0xFFFF
            extensions = {}
            if self._form.transport_cc_extension:
                self._transport_sequence = (self._transport_sequence + 1) & 0xFFFF
                extensions[self._form.transport_cc_extension] = self._transport_sequence.to_bytes(2)
            data = rtp.serialise(
                rtp.Packet(
                    self._form.rtx_payload_type,
                    layer.rtx_sequence,
                    packet.timestamp,
                    layer.rtx_ssrc,
                    sequence.to_bytes(2) + packet.payload,
                    marker=packet.marker,
                    extensions=extensions,
                )
            )
        self.peer.send_rtp(data)

    def _report(self, now_s: float) -> None:
        now = time.time()
        ntp = (int(now) + 2208988800) << 32 | int(now % 1 * 2**32)
        for layer in self.layers:
            report = rtcp.SenderReport(
                layer.ssrc,
                ntp,
                int(now_s * CLOCK_HZ) & 0xFFFFFFFF,
                layer.packets & 0xFFFFFFFF,
                layer.octets & 0xFFFFFFFF,
            )
            self.peer.send_rtcp(rtcp.pack_sender_report(report) + rtcp.pack_sdes(layer.ssrc, "load"))


def _count(compound: bytes, kind: int, form: int) -> int:
    """How many packets of this type and format a compound holds."""
    found = offset = 0
    while offset + 4 <= len(compound):
        found += compound[offset + 1] == kind and compound[offset] & 0x1F == form
        offset += 4 * (struct.unpack_from("!H", compound, offset + 2)[0] + 1)
    return found
