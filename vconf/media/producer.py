"""One thing a venue sends (camera, microphone), and the receivers it goes to."""

from __future__ import annotations

from dataclasses import dataclass, field

from vconf.media import capabilities, rtp
from vconf.media.ortc import Announced
from vconf.media.port import AF41, EF
from vconf.media.sink import Sink
from vconf.media.source import Source
from vconf.media.transport import Transport


@dataclass(slots=True)
class Consumer:
    """A receiver's share of a producer."""

    id: str
    transport: Transport
    producer: Producer
    sink: Sink


@dataclass(slots=True)
class Producer:
    """Sources by layer, consumers by id.

    Layers are kept lowest first, as the browser announces them.  SSRCs of layers known only by rid are pinned
    at first sight, because browsers send the rid only on the first packets.
    """

    id: str
    transport: Transport
    announced: Announced
    paused: bool = False
    consumers: dict[str, Consumer] = field(default_factory=dict)
    layers: list[Source | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.layers = [self._source(e.ssrc, e.rid) if e.ssrc else None for e in self.announced.encodings]

    @property
    def kind(self) -> str:
        """ "audio" or "video"."""
        return self.announced.kind

    @property
    def tos(self) -> int:
        """The mark of its packets: voice before picture."""
        return EF if self.kind == "audio" else AF41

    def sources(self) -> list[Source]:
        """The layers that were seen or announced by SSRC, lowest first."""
        return [source for source in self.layers if source is not None]

    def pin(self, rid: str, ssrc: int) -> Source | None:
        """Tie an SSRC to the layer of that rid; None when the rid was not announced or is taken."""
        for index, encoding in enumerate(self.announced.encodings):
            if encoding.rid == rid:
                if self.layers[index] is None:
                    self.layers[index] = self._source(ssrc, rid)
                source = self.layers[index]
                return source if source is not None and source.ssrc == ssrc else None
        return None

    def best(self) -> Source | None:
        """The highest layer that arrives; the highest announced one before anything does."""
        sources = self.sources()
        newest = max((source.last_arrival_s for source in sources), default=0.0)
        live = [source for source in sources if source.packets and newest - source.last_arrival_s < 1.0]
        chosen = live or sources
        return chosen[-1] if chosen else None

    def forward(self, packet: rtp.Packet, source: Source, now_s: float) -> None:
        """Send a packet to every consumer that takes this source."""
        if self.paused:
            return
        extensions = self.passed(packet)
        for consumer in self.consumers.values():
            data = consumer.sink.rewrite(packet, source, extensions, now_s)
            if data is not None:
                consumer.transport.send_rtp(data, self.tos)

    def passed(self, packet: rtp.Packet) -> dict[str, bytes]:
        """Header extensions that travel on, by URI."""
        ids = self.announced.extensions
        return {
            uri: packet.extensions[number]
            for uri in capabilities.PASSED[self.kind]
            if (number := ids.get(uri)) in packet.extensions and number is not None
        }

    def choose_layers(self) -> None:
        """Point every consumer at the best layer."""
        best = self.best()
        for consumer in self.consumers.values():
            if consumer.sink.wanted is not best:
                consumer.sink.want(best)

    def _source(self, ssrc: int, rid: str) -> Source:
        announced = self.announced
        return Source(
            ssrc,
            kind=announced.kind,
            codec=announced.codec,
            clock_hz=announced.clock_hz,
            payload_type=announced.payload_type,
            rid=rid,
        )
