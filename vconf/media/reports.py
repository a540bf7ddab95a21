"""RTCP both ways: venues are told how they are received and what to send again, receivers get the senders' clocks.

RFC 3550 section 6, RFC 4585, transport-cc.  PLIs towards a venue are coalesced by its ``Source``.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from vconf.media import rtcp
from vconf.media.plane import Plane
from vconf.media.producer import Consumer, Producer
from vconf.media.receiver import Receiver
from vconf.media.rtcp import RTPFB, TRANSPORT_CC
from vconf.media.source import Source
from vconf.media.transport import Transport
from vconf.media.twcc import Recorder

_BLOCKS = 31  # of one packet

_CLOCK_EVERY_S = 2.5
"""A receiver needs a sender's clock for lip-sync now and then, not with every report of the sender."""


@dataclass(slots=True)
class Figures:
    """What was said and heard, since the start."""

    nacks_sent: int = 0  # packets asked of venues
    nacks_heard: int = 0  # packets that receivers asked for
    plis_sent: int = 0
    plis_heard: int = 0
    transport_cc_sent: int = 0
    transport_cc_heard: int = 0
    rembs_heard: int = 0
    sender_reports: int = 0  # passed on
    receiver_reports: int = 0
    malformed: int = 0


class Reports:
    """``sources`` by (transport, SSRC) are what venues send, ``consumers`` likewise what receivers get.

    ``piped`` hears what the other end of a pipe says, ``wanted`` that it needs this leg.
    """

    def __init__(self, plane: Plane) -> None:
        self.figures = Figures()
        self.sources: dict[tuple[int, int], tuple[Producer, Source]] = {}
        self.consumers: dict[tuple[int, int], Consumer] = {}
        self.receivers: dict[int, Receiver] = {}
        self.piped: Callable[[int, rtcp.App, int], None] = lambda transport, said, now_us: None
        self.wanted: Callable[[Consumer, bool], None] = lambda leg, wanted: None
        self._plane = plane
        self._ssrc = secrets.randbits(31) | 1  # ours, in feedback
        self._recorders: dict[int, Recorder] = {}

    def heard(self, transport: int, data: bytes, now_us: int) -> None:
        """One compound of a transport."""
        try:
            if (
                len(data) >= 20
                and data[1] == RTPFB
                and data[0] & 0x1F == TRANSPORT_CC
                and 4 * (data[2] << 8 | data[3]) + 4 == len(data)
            ):  # comes alone, and most often
                self._transport_cc(transport, data, now_us)
                return
            for report in rtcp.parse(data):
                self._one(transport, report, now_us)
        except rtcp.RtcpError:
            self.figures.malformed += 1

    def forget(self, transport: int) -> None:
        """A transport is gone."""
        self._recorders.pop(transport, None)
        self.receivers.pop(transport, None)
        for table in (self.sources, self.consumers):
            for key in [key for key in table if key[0] == transport]:
                del table[key]

    def feedback(self, transport: Transport, producers: list[Producer], now_us: int) -> None:
        """Called every 50 ms for a venue that sends: arrival times, what is still missing, keyframes that are due."""
        recorder = self._recorders.setdefault(transport.handle, Recorder())
        for sequence, at_us in self._plane.arrivals(transport.handle):
            recorder.arrived(sequence, at_us)
        media = next((s.ssrc for p in producers for s in p.sources()), 0)
        while (data := recorder.feedback(sender=self._ssrc, media=media)) is not None:
            self._plane.send_rtcp(transport.handle, data)
            self.figures.transport_cc_sent += 1
        for producer in producers:
            for source in producer.sources():
                if source.is_missing:
                    self.ask_again(producer, source, now_us)
                self.ask_keyframe(producer, source, now_us)

    def ask_again(self, producer: Producer, source: Source, now_us: int) -> None:
        """NACK what is due."""
        plane = self._plane
        missing = source.nacks(now_us / 1e6, plane.stream_state(source.stream), plane.holds)
        if missing:
            plane.send_rtcp(producer.transport.handle, rtcp.pack_nack(self._ssrc, source.ssrc, missing))
            self.figures.nacks_sent += len(missing)

    def ask_keyframe(self, producer: Producer, source: Source, now_us: int) -> None:
        """PLI when one is due."""
        if source.keyframe_due(now_us / 1e6):
            self._plane.send_rtcp(producer.transport.handle, rtcp.pack_pli(self._ssrc, source.ssrc))
            self.figures.plis_sent += 1

    def report(self, transport: Transport, producers: list[Producer], now_us: int) -> None:
        """Called every second: how a venue's streams were received."""
        blocks = []
        for source in (source for producer in producers for source in producer.sources()):
            block = source.report_block(self._plane.stream_state(source.stream), now_us / 1e6)
            if block is not None:
                blocks.append(block)
        for start in range(0, len(blocks), _BLOCKS):  # a pipe brings the streams of many
            data = rtcp.pack_receiver_report(self._ssrc, blocks[start : start + _BLOCKS])
            self._plane.send_rtcp(transport.handle, data)
            self.figures.receiver_reports += 1

    def clock(self, consumer: Consumer, source: Source, now_us: int) -> None:
        """The sender's clock in a receiver's numbers, with the CNAME."""
        report = source.report
        if report is None:
            return
        state = self._plane.leg_state(consumer.leg)
        if state.stream != source.stream or not state.packets or consumer.paused:
            return
        # at once when the timestamps count from elsewhere: until then sound and picture are apart
        if state.timestamp == consumer.reported_from and now_us / 1e6 - consumer.reported_s < _CLOCK_EVERY_S:
            return
        consumer.reported_s, consumer.reported_from = now_us / 1e6, state.timestamp
        moved = rtcp.SenderReport(
            consumer.ssrc,
            report.ntp,
            report.timestamp + state.timestamp & 0xFFFFFFFF,
            state.packets & 0xFFFFFFFF,
            state.octets & 0xFFFFFFFF,
        )
        data = rtcp.pack_sender_report(moved) + rtcp.pack_sdes(consumer.ssrc, consumer.cname)
        self._plane.send_rtcp(consumer.transport.handle, data)
        self.figures.sender_reports += 1

    def _transport_cc(self, transport: int, data: bytes, now_us: int) -> None:
        receiver = self.receivers.get(transport)
        if receiver is not None:
            receiver.feedback(data, now_us)
            self.figures.transport_cc_heard += 1

    def _one(self, transport: int, report: rtcp.Report, now_us: int) -> None:
        figures = self.figures
        if isinstance(report, rtcp.SenderReport):
            known = self.sources.get((transport, report.ssrc))
            if known is not None:
                known[1].sender_report(report, now_us / 1e6)
                for consumer in known[0].consumers.values():
                    self.clock(consumer, known[1], now_us)
        if isinstance(report, rtcp.SenderReport | rtcp.ReceiverReport):
            for block in report.reports:
                fed = self.consumers.get((transport, block.ssrc))
                if fed is not None:
                    fed.fraction_lost = block.fraction_lost
        elif isinstance(report, rtcp.App):
            self.piped(transport, report, now_us)
        elif isinstance(report, rtcp.TransportCc):
            self._transport_cc(transport, report.packet, now_us)
        elif isinstance(report, rtcp.Remb):
            receiver = self.receivers.get(transport)
            if receiver is not None:
                receiver.estimator.remb(report.bps, now_us)
                figures.rembs_heard += 1
        elif isinstance(report, rtcp.Nack | rtcp.KeyframeRequest):
            asking = self.consumers.get((transport, report.media))
            if asking is None:
                return
            if isinstance(report, rtcp.Nack):
                figures.nacks_heard += len(report.sequences)
                self._plane.resend(asking.leg, report.sequences, now_us)
            else:
                self._keyframe_wanted(asking, now_us)

    def _keyframe_wanted(self, consumer: Consumer, now_us: int) -> None:
        self.figures.plis_heard += 1
        consumer.keyframe_requests += 1
        producer = consumer.producer
        if consumer.fixed is not None:
            self.wanted(consumer, True)
        if producer is None or producer.paused or not 0 <= consumer.layer < len(producer.layers):
            return
        stream = self._plane.leg_state(consumer.leg).stream
        for index, source in enumerate(producer.layers):
            if source is not None and (source.stream == stream or (not stream and index == consumer.layer)):
                source.ask_keyframe()
                self.ask_keyframe(producer, source, now_us)
