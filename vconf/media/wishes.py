"""What crosses a pipe beside the streams: the layers that there are, and those that are wanted at the other end.

RTCP APP packets (RFC 3550 section 6.7) of pairs, each pair whole in itself, so that nothing hangs on one packet:
``HAVE`` (SSRC, 1 + bit/s, or 0 when it does not arrive) from where the stream comes from, ``WANT`` (SSRC, 1 or 0) back.
A layer that nobody wants does not travel.  A keyframe request is a wish at once; ``WANT`` follows every half second and
ends what is wanted no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vconf.media import rtcp
from vconf.media.plane import Plane
from vconf.media.producer import Consumer, Producer
from vconf.media.reports import Reports
from vconf.media.transport import Transport

HAVE, WANT = b"HAVE", b"WANT"
_PAIRS = 128  # of one packet


def rates(producer: Producer, now_us: int) -> list[int]:
    """Of each layer, lowest first: 1 + bit/s, 0 for one that does not arrive."""
    live = producer.live(now_us)
    return [
        1 + source.rate() if source is not None and is_live else 0
        for source, is_live in zip(producer.layers, live, strict=True)
    ]


class Wishes:
    """Both ends of every pipe.

    Args:
        plane: Sends.
        reports: Its tables name streams and legs by SSRC.
        ask: Ask the sender of this stream for a keyframe.
        changed: Other layers of this producer arrive than before.
    """

    def __init__(
        self, plane: Plane, reports: Reports, ask: Callable[[int], None], changed: Callable[[Producer], None]
    ) -> None:
        self._plane = plane
        self._reports = reports
        self._ask = ask
        self._changed = changed

    def tell(self, pipe: Transport, producers: Iterable[Producer], now_us: int) -> None:
        """Called every half second: all that we have for the other end, and all that we want of it."""
        wants = [pair for producer in producers if producer.kind == "video" for pair in self._wants(producer)]
        receiver = self._reports.receivers.get(pipe.handle)
        legs = receiver.consumers.values() if receiver is not None else ()
        self._send(pipe, WANT, wants)
        self._have(pipe, [leg for leg in legs if leg.kind == "video"], now_us)

    def begun(self, producer: Producer, now_us: int) -> None:
        """Another layer arrives: told at once to wherever the producer is piped."""
        legs: dict[Transport, list[Consumer]] = {}
        for consumer in producer.consumers.values():
            if consumer.fixed is not None and consumer.kind == "video":
                legs.setdefault(consumer.transport, []).append(consumer)
        for pipe, there in legs.items():
            self._have(pipe, there, now_us)

    def heard(self, transport: int, said: rtcp.App, now_us: int) -> None:
        """What the other end says; nothing from a venue's transport counts."""
        for ssrc, value in said.pairs:
            if said.name == HAVE:
                known = self._reports.sources.get((transport, ssrc))
                if known is not None and known[0].transport.is_pipe and known[1].offer(value, now_us):
                    known[0].look_again()
                    self._changed(known[0])
            elif said.name == WANT:
                leg = self._reports.consumers.get((transport, ssrc))
                if leg is not None and leg.fixed is not None and leg.kind == "video":
                    self.want(leg, value != 0)

    def want(self, leg: Consumer, wanted: bool) -> None:
        """A pipe's leg begins, with a keyframe, or rests."""
        if leg.wanted is wanted:
            return
        leg.wanted = wanted
        receiver = self._reports.receivers.get(leg.transport.handle)
        if not wanted:
            leg.layer = -1
            self._plane.set_paused(leg.leg, True)
        elif receiver is not None:
            for stream in receiver.carry(leg):
                self._ask(stream)

    def _wants(self, producer: Producer) -> list[tuple[int, int]]:
        wanted: set[int] = set()
        streams = {source.stream: index for index, source in enumerate(producer.layers) if source is not None}
        for consumer in producer.consumers.values():
            if consumer.fixed is not None and consumer.wanted:
                wanted.add(consumer.fixed)
            elif consumer.fixed is None and not consumer.paused and not consumer.withheld:
                wanted |= {consumer.layer, streams.get(consumer.fed, -1)}  # what it has until the new one begins
        return [(source.ssrc, index in wanted) for index, source in enumerate(producer.layers) if source is not None]

    def _have(self, pipe: Transport, legs: list[Consumer], now_us: int) -> None:
        pairs = []
        for leg in legs:
            if leg.producer is not None and leg.fixed is not None:
                pairs.append((leg.ssrc, min(rates(leg.producer, now_us)[leg.fixed], 0xFFFFFFFF)))
        self._send(pipe, HAVE, pairs)

    def _send(self, pipe: Transport, name: bytes, pairs: list[tuple[int, int]]) -> None:
        for start in range(0, len(pairs), _PAIRS):
            self._plane.send_rtcp(pipe.handle, rtcp.pack_app(1, name, pairs[start : start + _PAIRS]))
