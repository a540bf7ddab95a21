"""One receiving transport: its estimate, the layers it gets, and the probing that finds out whether more would fit."""

from __future__ import annotations

from vconf.media import twcc
from vconf.media.estimator import START_BPS, Estimator
from vconf.media.layers import Wish, choose
from vconf.media.plane import Plane
from vconf.media.producer import Consumer

AUDIO_BPS = 48_000
"""A voice with its headers."""

_PACE = 2.5  # times the estimate: draft-ietf-rmcat-gcc-02 section 4
_SPARE = 0.95
_CALM_US = 2_000_000  # after an overuse, before a layer is raised
_PROBE_FOR_US, _PROBE_PAUSE_US, _PROBE_MOST_PAUSE_US = 300_000, 1_500_000, 24_000_000
_PROBE_OCTETS = 323  # a padding packet on the wire
_PROBE_PACKETS = 48
_UNKNOWN_BPS = 150_000
_LOSSY = 0.05


class Receiver:
    """Consumers of one transport, video and voice."""

    def __init__(self, plane: Plane, transport: int, now_us: int) -> None:
        self.plane = plane
        self.transport = transport
        self.consumers: dict[str, Consumer] = {}
        self.estimator = Estimator(now_us)
        self.chosen_bps = self.missing_bps = 0
        self.raised = self.lowered = self.probes = 0
        self._lost_octets = 0
        self._raised_us = now_us
        self._probed_us = now_us  # when the last probing began
        self._pause_us = _PROBE_PAUSE_US
        self._paced_bps = 0

    @property
    def is_restless(self) -> bool:
        """It has less than it wants, or its path has shown a limit: what it gets may have to change at any time."""
        return self.missing_bps > 0 or self.estimator.is_limited

    def feedback(self, packet: bytes, now_us: int) -> None:
        """A transport-cc packet of the receiver; RtcpError when it is malformed."""
        heard = twcc.summary(packet)
        if not heard.received:
            return
        sent = self.plane.sent
        newest = sent(self.transport, heard.last)
        if newest is None:
            return
        sent_us, octets = newest
        if heard.packets > heard.received and (oldest := sent(self.transport, heard.base)) is not None:
            share = (octets - oldest[1]) // heard.packets
            self._lost_octets += max(0, share) * (heard.packets - heard.received)
        first = sent(self.transport, heard.first)
        arrived_us = heard.last_us
        if first is not None:  # the shorter delay of two: the other one waited for something else than a queue
            arrived_us = min(arrived_us, heard.first_us + sent_us - first[0])
        self.estimator.feedback(
            sent_us=sent_us,
            arrived_us=arrived_us,
            octets=octets - self._lost_octets,
            lost=heard.packets - heard.received,
            packets=heard.packets,
            now_us=now_us,
        )

    def allocate(self, now_us: int) -> list[int]:
        """Choose layers; returns the streams whose keyframe somebody waits for now."""
        estimator = self.estimator
        voices = sum(c.kind == "audio" and not c.paused and c.producer is not None for c in self.consumers.values())
        pictures = [
            c for c in self.consumers.values() if c.kind == "video" and not c.paused and c.fixed is None and c.producer
        ]
        wishes = [self._wish(consumer, now_us) for consumer in pictures]
        budget = estimator.bps * _SPARE - min(voices, 3) * AUDIO_BPS
        if not estimator.sampled:  # nobody has told anything: everything, as for a receiver without feedback
            budget = float("inf")
        # delays alone may be a busy machine's: withheld is only where packets are lost, or the receiver says so
        bears = not estimator.is_limited or (estimator.feedbacks > 0 and estimator.loss(now_us) < _LOSSY)
        choice = choose(wishes, budget, all_lowest=bears)
        calm = now_us - max(estimator.last_overuse_us, self._raised_us) > _CALM_US or not estimator.overuses
        asked = [stream for consumer in self.consumers.values() for stream in self.carry(consumer)]
        for consumer, wish, layer in zip(pictures, wishes, choice.layers, strict=True):
            if layer > wish.now and wish.now >= 0 and wish.now in wish.steps() and not calm:
                continue
            asked += self._feed(consumer, layer, now_us)
        self.chosen_bps, self.missing_bps = choice.used_bps, choice.missing_bps
        if estimator.sampled:
            self._pace()
        return asked

    def probe(self, now_us: int) -> None:
        """Called every 50 ms: padding on top of what is sent, while more is wanted and the path is calm."""
        estimator = self.estimator
        if not self.missing_bps or not estimator.feedbacks:
            return
        since_us = now_us - self._probed_us
        if since_us > self._pause_us:
            worse = estimator.last_overuse_us > self._probed_us
            self._pause_us = min(self._pause_us * 2, _PROBE_MOST_PAUSE_US) if worse else _PROBE_PAUSE_US
            if now_us - estimator.last_overuse_us < self._pause_us and estimator.overuses:
                return
            self._probed_us, since_us = now_us, 0
            self.probes += 1
        if since_us > _PROBE_FOR_US or estimator.last_overuse_us > self._probed_us:
            return
        leg = next((c.leg for c in self.consumers.values() if c.kind == "video"), 0)
        target = min(2.0 * estimator.bps, 1.3 * (self.chosen_bps + self.missing_bps) + 3 * AUDIO_BPS)
        octets = (target - estimator.delivered_bps()) * 0.05 / 8
        if octets > 0:
            self.plane.probe(leg, min(_PROBE_PACKETS, 1 + int(octets / _PROBE_OCTETS)), now_us)

    def _wish(self, consumer: Consumer, now_us: int) -> Wish:
        producer = consumer.producer
        assert producer is not None
        rates: list[int] = []
        for source, is_live in zip(producer.layers, producer.live(now_us), strict=True):
            lower = max(rates, default=0)
            rate = source.rate() if source is not None else 0  # not known yet: layers are 2 to 4 times apart
            rates.append((rate or 3 * lower or _UNKNOWN_BPS) if is_live else 0)
        return Wish(rates, consumer.priority, consumer.most, -1 if consumer.withheld else consumer.layer)

    def _feed(self, consumer: Consumer, layer: int, now_us: int) -> list[int]:
        producer = consumer.producer
        assert producer is not None
        if layer < 0:
            if any(producer.layers) and not consumer.withheld and self.estimator.sampled:
                consumer.withheld = True
                self.lowered += 1
                self.plane.set_paused(consumer.leg, True)
            return []
        source = producer.layers[layer]
        assert source is not None
        if layer == consumer.layer and not consumer.withheld:
            self.plane.want(consumer.leg, source.stream)  # the same layer may have come back as another stream
            return []
        if consumer.layer >= 0 or consumer.withheld:
            if layer > consumer.layer or consumer.withheld:
                self.raised += 1
                self._raised_us = now_us
            else:
                self.lowered += 1
        consumer.layer, consumer.withheld = layer, False
        self.plane.want(consumer.leg, source.stream)
        self.plane.set_paused(consumer.leg, False)
        return [source.stream]

    def carry(self, consumer: Consumer) -> list[int]:
        """A pipe's leg carries its layer from the moment on that the layer is known and wanted there."""
        producer = consumer.producer
        source = producer.layers[consumer.fixed] if producer is not None and consumer.fixed is not None else None
        if source is None or consumer.paused or consumer.layer >= 0 or not consumer.wanted or consumer.fixed is None:
            return []
        consumer.layer = consumer.fixed
        self.plane.want(consumer.leg, source.stream)
        self.plane.set_paused(consumer.leg, False)
        return [source.stream]

    def _pace(self) -> None:
        """A path that has shown no limit takes what comes as it comes."""
        wanted = max(self.estimator.bps, self.chosen_bps, START_BPS // 10)
        bps = int(wanted * _PACE) if self.estimator.is_limited else 0
        if abs(bps - self._paced_bps) > self._paced_bps // 20:
            self._paced_bps = bps
            self.plane.set_rate(self.transport, bps)
