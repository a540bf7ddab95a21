"""The forwarding path: from an authenticated packet of one venue to every receiver, and feedback both ways.

SSRCs and payload types that were not announced are dropped and counted.  SSRCs known only by their rid are
pinned at first sight, because browsers send the rid only on a stream's first packets.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from vconf.media import capabilities, rtcp, rtp
from vconf.media.producer import Consumer, Producer
from vconf.media.source import Source
from vconf.media.transport import Transport


@dataclass(slots=True)
class Inbound:
    """What arrives on one transport: SSRC -> (producer, source, is RTX)."""

    streams: dict[int, tuple[Producer, Source, bool]] = field(default_factory=dict)
    producers: list[Producer] = field(default_factory=list)


class Forwarder:
    """Tables from SSRC to stream, and what is done with each packet."""

    def __init__(self) -> None:
        self.inbound: dict[str, Inbound] = {}  # by transport
        self.unannounced = 0  # packets of an SSRC or payload type nobody announced
        self.stale = 0  # duplicates and packets too old
        self._outbound: dict[tuple[str, int], Consumer] = {}  # (transport, SSRC we send with)
        self._ssrc = secrets.randbits(31) | 1  # ours, in feedback

    def add_producer(self, producer: Producer) -> None:
        """Take its announced SSRCs in; ValueError when one is announced already on this transport."""
        inbound = self.inbound[producer.transport.id]
        taken = {source.ssrc for source in producer.sources()} & set(inbound.streams)
        if taken:
            raise ValueError(f"SSRC {min(taken)} is announced already")
        inbound.producers.append(producer)
        for encoding, source in zip(producer.announced.encodings, producer.layers, strict=True):
            if source is not None:
                inbound.streams[source.ssrc] = (producer, source, False)
                if encoding.rtx_ssrc:
                    inbound.streams[encoding.rtx_ssrc] = (producer, source, True)

    def remove_producer(self, producer: Producer) -> None:
        """Forget its SSRCs."""
        inbound = self.inbound.get(producer.transport.id)
        if inbound is not None and producer in inbound.producers:
            inbound.producers.remove(producer)
            inbound.streams = {s: entry for s, entry in inbound.streams.items() if entry[0] is not producer}

    def add_consumer(self, consumer: Consumer) -> None:
        """Let feedback for its SSRC find it."""
        self._outbound[consumer.transport.id, consumer.sink.format.ssrc] = consumer

    def remove_consumer(self, consumer: Consumer) -> None:
        """Forget its SSRC."""
        self._outbound.pop((consumer.transport.id, consumer.sink.format.ssrc), None)

    def on_rtp(self, transport: Transport, packet: rtp.Packet, now_s: float) -> None:
        """One packet of a venue: to everybody who takes its stream."""
        inbound = self.inbound.get(transport.id)
        if inbound is None:
            return
        entry = inbound.streams.get(packet.ssrc) or self._identify(inbound, packet)
        if entry is None:
            self.unannounced += 1
            return
        producer, source, is_rtx = entry
        if is_rtx:
            if packet.payload_type != producer.announced.rtx_payload_type:
                self.unannounced += 1
                return
            original = rtp.unwrap_rtx(packet, source.payload_type, source.ssrc)
            if original is None:
                return  # a bandwidth probe: counted by transport-cc, nothing to forward
            packet = original
        elif packet.payload_type != source.payload_type:
            self.unannounced += 1
            return
        if not source.receive(packet, now_s):
            self.stale += 1
            return
        if source.packets == 1:
            producer.choose_layers()  # a layer that begins to arrive may be the best
        producer.forward(packet, source, now_s)
        self._ask_again(producer, source, now_s)

    def feedback(self, transport: Transport, now_s: float) -> None:
        """Called every 50 ms: arrival times, what is still missing, keyframes that are due."""
        inbound = self.inbound[transport.id]
        if not inbound.producers:
            return
        data = transport.recorder.feedback(sender=self._ssrc, media=next(iter(inbound.streams), 0))
        if data is not None:
            transport.send_rtcp(data)
        for producer in inbound.producers:
            for source in producer.sources():
                self._ask_again(producer, source, now_s)
            self.ask_keyframes(producer, now_s)

    def report(self, transport: Transport, now_s: float) -> None:
        """Called every second: how a venue's streams were received."""
        blocks = [
            block
            for producer in self.inbound[transport.id].producers
            for source in producer.sources()
            if (block := source.report_block(now_s)) is not None
        ]
        if blocks:
            transport.send_rtcp(rtcp.pack_receiver_report(self._ssrc, blocks))

    def _identify(self, inbound: Inbound, packet: rtp.Packet) -> tuple[Producer, Source, bool] | None:
        """Find the layer of an SSRC that was not signalled by its rid, and pin it."""
        for producer in inbound.producers:
            ids, found = producer.announced.extensions, packet.extensions
            mid = found.get(ids.get(capabilities.MID, 0))
            if mid is not None and mid.decode("ascii", "replace") != producer.announced.mid:
                continue
            rid = found.get(ids.get(capabilities.RID, 0))
            repaired = found.get(ids.get(capabilities.REPAIRED_RID, 0))
            if rid is not None:
                source = producer.pin(rid.decode("ascii", "replace"), packet.ssrc)
                if source is not None:
                    inbound.streams[packet.ssrc] = (producer, source, False)
                    return inbound.streams[packet.ssrc]
            elif repaired is not None:
                wanted = repaired.decode("ascii", "replace")
                for source in producer.sources():
                    if source.rid == wanted:
                        inbound.streams[packet.ssrc] = (producer, source, True)
                        return inbound.streams[packet.ssrc]
        return None

    def on_rtcp(self, transport: Transport, reports: list[rtcp.Report], now_s: float) -> None:
        """One compound: senders' clocks go on to receivers, receivers' wishes are met."""
        inbound = self.inbound.get(transport.id)
        if inbound is None:
            return
        for report in reports:
            if isinstance(report, rtcp.SenderReport):
                entry = inbound.streams.get(report.ssrc)
                if entry is not None and not entry[2]:
                    producer, source, _ = entry
                    source.sender_report(report, now_s)
                    for consumer in producer.consumers.values():
                        data = consumer.sink.sender_report(report, source)
                        if data is not None:
                            consumer.transport.send_rtcp(data)
            if isinstance(report, rtcp.SenderReport | rtcp.ReceiverReport):
                for block in report.reports:
                    receiver = self._outbound.get((transport.id, block.ssrc))
                    if receiver is not None:
                        receiver.sink.counters.fraction_lost = block.fraction_lost
                        receiver.sink.counters.jitter = block.jitter
            elif isinstance(report, rtcp.Nack | rtcp.KeyframeRequest):
                receiver = self._outbound.get((transport.id, report.media))
                if receiver is not None:
                    self._feedback(receiver, report, now_s)

    def _feedback(self, consumer: Consumer, report: rtcp.Nack | rtcp.KeyframeRequest, now_s: float) -> None:
        producer, sink = consumer.producer, consumer.sink
        if isinstance(report, rtcp.Nack):
            for sequence in report.sequences:
                data = sink.resend(sequence, producer.passed)
                if data is not None:
                    consumer.transport.send_rtp(data, producer.tos)
            return
        sink.counters.keyframe_requests += 1
        source = sink.current or sink.wanted
        if source is not None:
            source.ask_keyframe()
            self.ask_keyframes(producer, now_s)

    def _ask_again(self, producer: Producer, source: Source, now_s: float) -> None:
        missing = source.nacks(now_s)
        if missing:
            producer.transport.send_rtcp(rtcp.pack_nack(self._ssrc, source.ssrc, missing))

    def ask_keyframes(self, producer: Producer, now_s: float) -> None:
        """Send the keyframe requests that are due."""
        for source in producer.sources():
            if source.keyframe_due(now_s):
                producer.transport.send_rtcp(rtcp.pack_pli(self._ssrc, source.ssrc))
