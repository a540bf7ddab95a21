"""The control side's life: the plane's events as they come, and what is due every 40 ms, 50 ms, half second and second.

Tables of transports, producers and consumers are kept here; ``engine`` changes them as the signalling asks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator

from vconf.media import capabilities, plane, rtp, stun
from vconf.media.dtls import RecordError
from vconf.media.plane import Address, Plane
from vconf.media.producer import Consumer, Producer
from vconf.media.receiver import Receiver
from vconf.media.reports import Reports
from vconf.media.rooms import Voices
from vconf.media.source import Source
from vconf.media.transport import Transport
from vconf.media.wishes import Wishes

FEEDBACK_S = 0.05
LOOK_S = 0.04
WATCH_S = 0.5
REPORT_S = 1.0
_MANY = 100
_CALM_LOOKS = 4  # a receiver that has all it wants is looked at every so many times

logger = logging.getLogger(__name__)


class Control:
    """Everything one worker knows of its meetings."""

    def __init__(self, made: Plane, coalesce_ms: float, told: Callable[[str, list[str]], None]) -> None:
        self.plane = made
        self.reports = Reports(made)
        self.voices = Voices(made, told)
        self.wishes = Wishes(made, self.reports, self._ask_stream, self._choose)
        self.reports.piped, self.reports.wanted = self.wishes.heard, self.wishes.want
        self.transports: dict[str, Transport] = {}
        self.producers: dict[str, Producer] = {}
        self.consumers: dict[str, Consumer] = {}
        self.stun_drops = self.switches = self.rejected = self.unannounced = 0
        self._by_handle: dict[int, Transport] = {}
        self._by_stream: dict[int, tuple[Producer, Source]] = {}
        self._by_leg: dict[int, Consumer] = {}
        self._sending: dict[Transport, list[Producer]] = {}
        self._fragments: dict[str, Transport] = {}
        self._pinned: set[tuple[int, int]] = set()  # (transport, SSRC) that were bound at first sight
        self._coalesce_s = coalesce_ms / 1000
        self._flushing: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(made.fileno(), self._readable)
        self._reported_s = self._watched_s = time.monotonic()
        self._turn = self._watched = 0
        self._tasks = [self._loop.create_task(self._tick()), self._loop.create_task(self._listen())]

    def close(self) -> None:
        """Stop reading and ticking."""
        self._loop.remove_reader(self.plane.fileno())
        if self._flushing is not None:
            self._flushing.cancel()
        for task in self._tasks:
            task.cancel()

    # -- tables -------------------------------------------------------------------------------

    def add_transport(self, transport: Transport) -> None:
        """Let datagrams find it."""
        self.transports[transport.id] = transport
        self._by_handle[transport.handle] = transport
        self._fragments[transport.ice.credentials.fragment] = transport

    def remove_transport(self, transport: Transport) -> None:
        """Its producers and consumers are gone already."""
        self.transports.pop(transport.id, None)
        self._by_handle.pop(transport.handle, None)
        self._fragments.pop(transport.ice.credentials.fragment, None)
        self._sending.pop(transport, None)
        self.reports.forget(transport.handle)
        self._pinned = {entry for entry in self._pinned if entry[0] != transport.handle}
        self._tidy(transport.room)

    def restart_ice(self, transport: Transport) -> None:
        """New credentials."""
        self._fragments.pop(transport.ice.credentials.fragment, None)
        self._fragments[transport.ice.restart().fragment] = transport

    def add_producer(self, producer: Producer) -> None:
        """Take its announced SSRCs in."""
        self.producers[producer.id] = producer
        self._sending.setdefault(producer.transport, []).append(producer)
        for encoding, source in zip(producer.announced.encodings, producer.layers, strict=True):
            if source is not None:
                self._add_source(producer, source)
                if encoding.rtx_ssrc:
                    self.plane.bind(producer.transport.handle, encoding.rtx_ssrc, source.stream, rtx=True)

    def remove_producer(self, producer: Producer) -> None:
        """Its consumers are gone already."""
        self.producers.pop(producer.id, None)
        listed = self._sending.get(producer.transport, [])
        if producer in listed:
            listed.remove(producer)
        self._pinned.clear()  # what is still bound is not asked about
        for source in producer.sources():
            self.plane.remove_stream(source.stream)
            self._by_stream.pop(source.stream, None)
            self.reports.sources.pop((producer.transport.handle, source.ssrc), None)
        self._tidy(producer.room)

    def _tidy(self, room: str) -> None:
        """Nobody listens where nobody is and nothing passes."""
        rooms = (known.room for table in (self.transports, self.producers) for known in table.values())
        if room in self.voices.rooms and room not in rooms:
            del self.voices.rooms[room]

    def add_consumer(self, consumer: Consumer) -> None:
        """Let feedback for its SSRC find it; it is fed when it is resumed."""
        self.consumers[consumer.id] = self._by_leg[consumer.leg] = consumer
        handle = consumer.transport.handle
        self.reports.consumers[handle, consumer.ssrc] = consumer
        receiver = self.reports.receivers.get(handle)
        if receiver is None:
            receiver = self.reports.receivers[handle] = Receiver(self.plane, handle, _now_us())
        receiver.consumers[consumer.id] = consumer
        if consumer.kind == "audio" and consumer.producer is not None:
            self.plane.want(consumer.leg, consumer.producer.sources()[0].stream)

    def remove_consumer(self, consumer: Consumer) -> None:
        """Forget its SSRC."""
        self.consumers.pop(consumer.id, None)
        self._by_leg.pop(consumer.leg, None)
        self.reports.consumers.pop((consumer.transport.handle, consumer.ssrc), None)
        receiver = self.reports.receivers.get(consumer.transport.handle)
        if receiver is not None:
            receiver.consumers.pop(consumer.id, None)
        self.plane.remove_leg(consumer.leg)

    # -- wishes -------------------------------------------------------------------------------

    def resume(self, consumer: Consumer) -> None:
        """The page paused or resumed it."""
        if consumer.paused:
            self.plane.set_paused(consumer.leg, True)
            return
        if consumer.kind == "audio":
            self.plane.set_paused(consumer.leg, False)
            return
        self.allocate(consumer.transport)
        if not consumer.withheld:
            self.plane.set_paused(consumer.leg, False)
            if consumer.producer is not None and 0 <= consumer.layer < len(consumer.producer.layers):
                self._ask(consumer.producer.layers[consumer.layer])

    def greet(self, transport: Transport) -> None:
        """It has keys now, or is back: what was sent to it before it has not got, so pictures begin anew."""
        receiver = self.reports.receivers.get(transport.handle)
        for consumer in list(receiver.consumers.values()) if receiver is not None else []:
            producer = consumer.producer
            sent = consumer.wanted and not consumer.paused and not consumer.withheld
            if consumer.kind == "video" and producer is not None and sent:
                self.plane.set_paused(consumer.leg, True)
                self.plane.set_paused(consumer.leg, False)
                if 0 <= consumer.layer < len(producer.layers):
                    self._ask(producer.layers[consumer.layer])

    def allocate(self, transport: Transport) -> None:
        """Choose this receiver's layers now."""
        receiver = self.reports.receivers.get(transport.handle)
        if receiver is not None:
            for stream in receiver.allocate(_now_us()):
                self._ask_stream(stream)

    def ask_keyframes(self, producer: Producer) -> None:
        """Everybody who takes this picture needs one."""
        for consumer in producer.consumers.values():
            if 0 <= consumer.layer < len(producer.layers):
                self._ask(producer.layers[consumer.layer])

    def _ask_stream(self, stream: int) -> None:
        if stream in self._by_stream:
            self._ask(self._by_stream[stream][1])

    def _ask(self, source: Source | None) -> None:
        if source is not None and source.stream in self._by_stream:
            source.ask_keyframe()
            self.reports.ask_keyframe(self._by_stream[source.stream][0], source, _now_us())

    # -- packets ------------------------------------------------------------------------------

    def _readable(self) -> None:
        now_us = _now_us()
        self.plane.readable(now_us)
        while events := self.plane.take():
            for event in events:
                try:
                    self._hear(event, now_us)
                except Exception:  # whatever one datagram brings, the others are served
                    logger.exception("media: %s", type(event).__name__)
        if not self._coalesce_s:
            self._flush()
        elif self._flushing is None:
            self._flushing = self._loop.call_later(self._coalesce_s, self._flush)

    def _flush(self) -> None:
        self._flushing = None
        again_us = self.plane.flush(_now_us())
        if again_us:
            self._flushing = self._loop.call_later(again_us / 1e6, self._flush)

    def _hear(self, event: plane.Event, now_us: int) -> None:
        match event:
            case plane.Rtcp(transport, data):
                self.reports.heard(transport, data, now_us)
            case plane.Datagram(transport, data, address):
                if data and data[0] < 4:
                    self._stun(data, address)
                elif transport in self._by_handle:
                    try:
                        self._by_handle[transport].handshake(data)
                    except RecordError:
                        self.rejected += 1
            case plane.Gap(stream, first, missing):
                if stream in self._by_stream:
                    producer, source = self._by_stream[stream]
                    source.gap(first, missing)
                    self.reports.ask_again(producer, source, now_us)
            case plane.Keyframe(stream):
                if stream in self._by_stream:
                    self._by_stream[stream][1].keyframe_came()
            case plane.Started(stream):
                if stream in self._by_stream:
                    self._choose(self._by_stream[stream][0])
            case plane.Starved(_, stream):
                self._ask_stream(stream)
            case plane.Unbound(transport, packet):
                self._identify(transport, packet, now_us)
            case plane.Switched(leg, stream):
                self.switches += 1
                if leg in self._by_leg:
                    self._by_leg[leg].fed = stream

    def _stun(self, data: bytes, address: Address) -> None:
        try:
            message = stun.parse(data)
            transport = self._fragments.get(message.username.split(":", 1)[0])
        except stun.StunError:
            transport = None
        if transport is None or not transport.binding(data, message, address):
            self.stun_drops += 1

    def _identify(self, handle: int, data: bytes, now_us: int) -> None:
        """Find the layer of an SSRC that was not signalled by its rid, pin it, and take the packet in."""
        transport = self._by_handle.get(handle)
        packet = rtp.parse(data)
        if (handle, packet.ssrc) in self._pinned:  # by a packet just before it
            self.plane.inject(handle, data, now_us)
            return
        for producer in self._sending.get(transport, []) if transport is not None else []:
            ids, found = producer.announced.extensions, packet.extensions
            mid = found.get(ids.get(capabilities.MID, 0))
            if mid is not None and mid.decode("ascii", "replace") != producer.announced.mid:
                continue
            rid = found.get(ids.get(capabilities.RID, 0))
            repaired = found.get(ids.get(capabilities.REPAIRED_RID, 0))
            if rid is not None:
                source = producer.pin(rid.decode("ascii", "replace"), packet.ssrc, now_us)
                if source is not None:
                    self._add_source(producer, source)
                    self._pinned.add((handle, packet.ssrc))
                    self._choose(producer)
                    self.plane.inject(handle, data, now_us)
                    return
            elif repaired is not None:
                wanted = repaired.decode("ascii", "replace")
                for source in producer.sources():
                    if source.rid == wanted:
                        self.plane.bind(handle, packet.ssrc, source.stream, rtx=True)
                        self._pinned.add((handle, packet.ssrc))
                        self.plane.inject(handle, data, now_us)
                        return
        self.unannounced += 1

    def _add_source(self, producer: Producer, source: Source) -> None:
        self._by_stream[source.stream] = producer, source
        self.reports.sources[producer.transport.handle, source.ssrc] = producer, source

    def _choose(self, producer: Producer) -> None:
        """A layer that begins to arrive may be the best."""
        producer.look_again()
        self.wishes.begun(producer, _now_us())
        for transport in {id(c.transport): c.transport for c in producer.consumers.values()}.values():
            if producer.kind == "video":
                self.allocate(transport)

    # -- time ---------------------------------------------------------------------------------

    async def _tick(self) -> None:
        """Every 50 ms."""
        while True:
            await asyncio.sleep(FEEDBACK_S if self.transports else WATCH_S)
            with _logged("tick"):
                self._due(time.monotonic(), _now_us())

    def _due(self, now_s: float, now_us: int) -> None:
        """Feedback and probing each time, choice of layers and silence twice a second, reports every second."""
        reporting, watching = now_s - self._reported_s >= REPORT_S, now_s - self._watched_s >= WATCH_S
        self._reported_s = now_s if reporting else self._reported_s
        self._watched_s = now_s if watching else self._watched_s
        self._watched += watching
        self._turn += 1
        share = 2 if len(self._sending) > _MANY else 1  # many venues are told every 100 ms
        for index, (transport, producers) in enumerate(list(self._sending.items())):
            if (index + self._turn) % share == 0:
                self.reports.feedback(transport, producers, now_us)
            if reporting:
                self.reports.report(transport, producers, now_us)
                for source in (source for producer in producers for source in producer.sources()):
                    source.measure(self.plane.stream_state(source.stream), now_s)
        for receiver in list(self.reports.receivers.values()):
            receiver.probe(now_us)
        for transport in [transport for transport in self.transports.values() if transport.state == "silent"]:
            transport.watch(now_s)  # it is told at once when one comes back
        for producer in list(self.producers.values()) if watching else ():
            if producer.has_changed(now_us):
                self._choose(producer)
        for number, transport in enumerate(list(self.transports.values()) if watching else ()):
            transport.watch(now_s)
            looked = self.reports.receivers.get(transport.handle)
            if looked is not None and (looked.is_restless or (number + self._watched) % _CALM_LOOKS == 0):
                self.allocate(transport)
            if transport.is_pipe:
                self.wishes.tell(transport, self._sending.get(transport, ()), now_us)
        if self._flushing is None:
            self._flush()

    async def _listen(self) -> None:
        """Every 40 ms where the loudest are heard."""
        while True:
            await asyncio.sleep(LOOK_S if self.voices.rooms else WATCH_S)
            with _logged("voices"):
                self._look(_now_us())

    def _look(self, now_us: int) -> None:
        """Who speaks, in every room that hears the loudest."""
        voices: dict[str, list[Producer]] = {name: [] for name in self.voices.rooms}
        places: dict[str, list[Consumer]] = {name: [] for name in self.voices.rooms}
        for producer in self.producers.values():
            if producer.kind == "audio" and producer.room in voices:
                voices[producer.room].append(producer)
        for consumer in self.consumers.values() if voices else ():
            if consumer.is_place and consumer.kind == "audio" and consumer.transport.room in places:
                places[consumer.transport.room].append(consumer)
        for room in list(self.voices.rooms.values()):
            self.voices.look(room, voices[room.name], places[room.name], now_us)


@contextlib.contextmanager
def _logged(what: str) -> Iterator[None]:
    """Whatever goes wrong once, the next time is tried."""
    try:
        yield
    except Exception:
        logger.exception("media: %s", what)


def _now_us() -> int:
    return time.monotonic_ns() // 1000
