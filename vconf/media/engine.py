"""The media engine of one worker: one UDP port, one core, no decoding.

Rooms, transports, producers and consumers, as the signalling asks for them.  ``Control`` gives them life: it reads the
plane's events, keeps the reports' clocks and chooses layers.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from time import monotonic_ns
from typing import Any

from aiortc.rtcdtlstransport import RTCCertificate

from vconf.media import capabilities, dtls, ortc, wishes
from vconf.media.control import Control
from vconf.media.pipes import Pipe, pipe_parameters
from vconf.media.plane import AF41, EF, Address, LegFormat, Plane
from vconf.media.producer import PRIORITY, SOURCES, Consumer, Producer
from vconf.media.pyplane import PyPlane
from vconf.media.status import peer_quality, quality, status
from vconf.media.transport import Transport

MOST_PLACES = 8
_LAYERS = 4


class EngineError(ValueError):
    """A request that cannot be met; the text says why."""


class Engine:
    """Requests of the signalling.

    ``on_event(name, values)`` is told ``transport`` {transport, room, peer, state, reason} and ``speakers``
    {room, peers}.
    """

    def __init__(
        self,
        bind: Address,
        *,
        announce: str | None = None,
        coalesce_ms: float = 0.0,
        on_event: Callable[[str, dict[str, Any]], None] = lambda name, values: None,
        make_plane: Callable[[Address], Plane] = PyPlane,
    ) -> None:
        self.on_event = on_event
        self.plane = make_plane(bind)
        self.address = self.plane.address
        self.control = Control(self.plane, coalesce_ms, self._speakers)
        self._announce = announce or bind[0]
        self._certificate = RTCCertificate.generateCertificate()
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def transports(self) -> dict[str, Transport]:
        """By id."""
        return self.control.transports

    async def close(self) -> None:
        """Close every transport and the port."""
        for identifier in list(self.transports):
            self.close_transport(identifier)
        await asyncio.gather(*self._closing, return_exceptions=True)
        self.control.close()
        self.plane.close()

    # -- transports ---------------------------------------------------------------------------

    def create_transport(self, room: str, peer: str) -> dict[str, Any]:
        """A new transport, as mediasoup-client's createSendTransport and createRecvTransport take it."""
        transport = Transport(secrets.token_hex(8), room, peer, self.plane, self._certificate, self._state)
        self.control.add_transport(transport)
        return {
            "id": transport.id,
            "iceParameters": self._ice_parameters(transport),
            "iceCandidates": [
                {
                    "foundation": "1",
                    "priority": 2130706431,  # RFC 8445 section 5.1.2.1: a host candidate, component 1
                    "ip": self._announce,
                    "address": self._announce,
                    "port": self.address[1],
                    "protocol": "udp",
                    "type": "host",
                }
            ],
            "dtlsParameters": {"role": "auto", "fingerprints": dtls.fingerprints(self._certificate)},
        }

    def connect_transport(self, transport: str, fingerprints: list[dict[str, str]]) -> None:
        """Start DTLS with the browser's fingerprints."""
        self._transport(transport).connect(fingerprints)

    def restart_ice(self, transport: str) -> dict[str, Any]:
        """New ICE credentials; DTLS and SRTP go on."""
        known = self._transport(transport)
        self.control.restart_ice(known)
        return self._ice_parameters(known)

    def close_transport(self, transport: str) -> None:
        """Close a transport with its producers and consumers; unknown ones are closed already."""
        known = self.transports.get(transport)
        if known is None:
            return
        for producer in [p for p in self.control.producers.values() if p.transport is known]:
            self.close_producer(producer.id)
        for consumer in [c for c in self.control.consumers.values() if c.transport is known]:
            self.close_consumer(consumer.id)
        self.control.remove_transport(known)
        task = asyncio.get_running_loop().create_task(known.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def close_peer(self, room: str, peer: str) -> None:
        """Close everything of a peer."""
        for transport in [t.id for t in self.transports.values() if t.room == room and t.peer == peer]:
            self.close_transport(transport)

    # -- what a venue sends -------------------------------------------------------------------

    def produce(
        self,
        transport: str,
        kind: str,
        rtp_parameters: Any,
        *,
        paused: bool = False,
        source: str = "",
        peer: str = "",
        room: str = "",
        rates: Any = None,
    ) -> str:
        """Take a stream in; returns the producer's id.

        Args:
            transport: Where it comes from.
            kind: "audio" or "video".
            rtp_parameters: As the sender announces it.
            paused: Not forwarded yet.
            source: "camera", "slides" or "microphone".
            peer: Whose it is, when it comes through a pipe.
            room: Where it is seen, when it comes through a pipe.
            rates: Which layers the pipe's other end has (``wishes.rates``).
        """
        known = self._transport(transport)
        announced = ortc.read(kind, rtp_parameters)
        tag = source or ("microphone" if kind == "audio" else "camera")
        if SOURCES.get(tag) != kind:
            raise EngineError(f"source {tag!r} of kind {kind}: expected one of {', '.join(SOURCES)}")
        taken = {ssrc for handle, ssrc in self.control.reports.sources if handle == known.handle}
        for encoding in announced.encodings:
            if encoding.ssrc and encoding.ssrc in taken:
                raise EngineError(f"SSRC {encoding.ssrc} is announced already")
        if (room or rates) and not known.is_pipe:
            raise EngineError("room and rates are of streams that come through a pipe")
        producer = Producer(secrets.token_hex(8), known, announced, self.plane, tag, peer or known.peer, paused, room)
        for layer, rate in zip(producer.sources(), rates or (), strict=False):
            layer.offer(int(rate), monotonic_ns() // 1000)
        known.sends = True
        if number := announced.extensions.get(capabilities.TRANSPORT_CC):
            self.plane.set_transport_cc(known.handle, number)
        self.control.add_producer(producer)
        return producer.id

    def pause_producer(self, producer: str, paused: bool) -> None:
        """Stop or start a stream for everybody."""
        known = self._producer(producer)
        known.paused = paused
        known.gate()
        if not paused:
            self.control.ask_keyframes(known)

    def close_producer(self, producer: str) -> None:
        """End a stream and all its consumers."""
        known = self.control.producers.get(producer)
        if known is None:
            return
        for consumer in list(known.consumers.values()):
            if consumer.is_place:
                self.control.voices.give(consumer, None)
            else:
                self.close_consumer(consumer.id)
        self.control.remove_producer(known)

    def room_audio(self, room: str, loudest: int) -> None:
        """How many voices of a room are heard at once; 0 all."""
        if not 0 <= loudest <= MOST_PLACES:
            raise EngineError(f"loudest {loudest}: expected 0 to {MOST_PLACES}")
        self.control.voices.set_loudest(room, loudest)

    # -- what a receiver gets -----------------------------------------------------------------

    def consume(self, transport: str, producer: str, receiver: Any, cname: str) -> dict[str, Any]:
        """Offer a stream to a receiver with these rtpCapabilities; it stays paused until resumed."""
        known, stream = self._transport(transport), self._producer(producer)
        if stream.room != known.room:
            raise EngineError("the stream belongs to another meeting")
        consumer, parameters = self._leg(known, stream.kind, stream.announced.codec, receiver, cname)
        consumer.producer = stream
        consumer.priority = PRIORITY.get(stream.source, 0)
        stream.consumers[consumer.id] = consumer
        self.control.add_consumer(consumer)
        return {
            "id": consumer.id,
            "producerId": stream.id,
            "kind": stream.kind,
            "source": stream.source,
            "rtpParameters": parameters,
            "paused": stream.paused,
        }

    def consume_audio(
        self, transport: str, places: int, receiver: Any, cname: str, types: Any = None
    ) -> dict[str, Any]:
        """Places for whoever speaks in the room, instead of a consumer for each voice; paused until resumed.

        ``types``: {our payload type: the receiver's own}, where it does not take ours.
        """
        known = self._transport(transport)
        if not 1 <= places <= MOST_PLACES:
            raise EngineError(f"slots {places}: expected 1 to {MOST_PLACES}")
        self.control.voices.listen(known.room)
        made = []
        for number in range(places):
            consumer, parameters = self._leg(known, "audio", "opus", receiver, f"{cname}-{number}", types)
            consumer.is_place = True
            self.control.add_consumer(consumer)
            made.append({"id": consumer.id, "kind": "audio", "rtpParameters": parameters})
        return {"consumers": made}

    def consume_picture(self, transport: str, receiver: Any, cname: str, types: Any = None) -> dict[str, Any]:
        """A place for the picture that ``show`` names, for who cannot negotiate again; paused until resumed."""
        known, decodes = self._transport(transport), ortc.decodes(receiver)
        codec = next((name for name in ("h264", "vp8") if name in decodes), "h264")
        consumer, parameters = self._leg(known, "video", codec, receiver, cname, types)
        consumer.is_place, consumer.decodes = True, decodes
        self.control.add_consumer(consumer)
        return {"id": consumer.id, "kind": "video", "rtpParameters": parameters}

    def show(self, consumer: str, producer: str) -> None:
        """Another picture in a place: the former goes on until the new one's next keyframe."""
        known, stream = self._consumer(consumer), self._producer(producer)
        if not known.is_place or stream.kind != known.kind or stream.room != known.transport.room:
            raise EngineError("expected a picture's place and a picture of its own meeting")
        if stream.announced.codec not in known.decodes:
            raise EngineError(f"the receiver cannot decode {stream.announced.codec}")
        self._feed(known, stream)

    def feed(self, consumer: str, producer: str) -> None:
        """The same picture or voice by another way: numbers go on, the old way does until the new one's keyframe."""
        known, stream = self._consumer(consumer), self._producer(producer)
        if stream.kind != known.kind or stream.room != known.transport.room:
            raise EngineError("expected a stream of the same meeting and kind")
        self._feed(known, stream)

    def _feed(self, known: Consumer, stream: Producer) -> None:
        if known.producer is stream:
            return
        if known.producer is not None:
            known.producer.consumers.pop(known.id, None)
        known.producer, known.layer, known.withheld = stream, -1, False
        stream.consumers[known.id] = known
        if known.kind == "audio":
            self.plane.want(known.leg, stream.sources()[0].stream)
        self.control.resume(known)

    def prefer(self, consumer: str, priority: int | None, most: int | None) -> None:
        """Which picture goes first when not all fits, and the highest layer that is wanted (None: any)."""
        known = self._consumer(consumer)
        if priority is not None:
            known.priority = max(0, min(9, priority))
        known.most = None if most is None else max(0, min(_LAYERS - 1, most))
        self.control.allocate(known.transport)

    def pause_consumer(self, consumer: str, paused: bool) -> None:
        """Stop or start one receiver's share; video goes on with a keyframe."""
        known = self._consumer(consumer)
        known.paused = paused
        self.control.resume(known)

    def close_consumer(self, consumer: str) -> None:
        """End one receiver's share."""
        known = self.control.consumers.get(consumer)
        if known is not None:
            if known.producer is not None:
                known.producer.consumers.pop(consumer, None)
            self.control.remove_consumer(known)

    def status(self) -> dict[str, Any]:
        """Figures since the start; counters only grow."""
        return status(self.control)

    def quality(self) -> list[dict[str, Any]]:
        """One entry a consumer: what was sent and what the receiver reported."""
        return quality(self.control)

    def peer_quality(self, room: str) -> dict[str, dict[str, Any]]:
        """One entry a peer of the room: how what it sends and gets arrives."""
        return peer_quality(self.control, room)

    # -- pipes --------------------------------------------------------------------------------

    def open_pipe(self, room: str, peer: str) -> dict[str, Any]:
        """Our end of a pipe to ``peer``, another engine: {transport, ip, port, key}."""
        pipe = Pipe(secrets.token_hex(8), room, peer, self.plane, self._certificate, self._state)
        self.control.add_transport(pipe)
        return pipe.end(self._announce, self.address[1])

    def join_pipe(self, transport: str, ip: str, port: int, key: str) -> None:
        """The other engine's end."""
        known = self._transport(transport)
        if not isinstance(known, Pipe):
            raise EngineError(f"transport {transport!r} is no pipe")
        known.join(ip, port, key)

    def pipe_producer(self, transport: str, producer: str) -> dict[str, Any]:
        """Offer a producer through a pipe: what the other engine's ``produce`` is told, and the consumers here.

        Pictures travel when they are wanted there, voices while they are among the loudest here.
        """
        known, stream = self._transport(transport), self._producer(producer)
        if not isinstance(known, Pipe):
            raise EngineError(f"transport {transport!r} is no pipe")
        if stream.kind == "audio":
            self.control.voices.listen(stream.room)
        layers, made = [], []
        for index in range(len(stream.layers)):
            consumer, _ = self._leg(
                known, stream.kind, stream.announced.codec, {"codecs": ortc.router_codecs()}, stream.peer
            )
            consumer.producer, consumer.fixed, consumer.paused = stream, index, False
            consumer.wanted = stream.kind == "audio"
            layers.append((consumer.ssrc, consumer.rtx_ssrc))
            stream.consumers[consumer.id] = consumer
            self.control.add_consumer(consumer)
            made.append(consumer.id)
        self.control.allocate(known)
        return {
            "kind": stream.kind,
            "source": stream.source,
            "peer": stream.peer,
            "rtpParameters": pipe_parameters(stream.announced.codec, layers, str(known.mids)),
            "rates": wishes.rates(stream, monotonic_ns() // 1000),
            "consumers": made,
        }

    # -- helpers ------------------------------------------------------------------------------

    def _leg(
        self, transport: Transport, kind: str, codec: str, receiver: Any, cname: str, types: Any = None
    ) -> tuple[Consumer, dict[str, Any]]:
        mid = transport.next_mid()
        ssrc, rtx_ssrc = secrets.randbits(31) | 1, secrets.randbits(31) & ~1
        offer = ortc.offer(codec, receiver, mid=mid, ssrc=ssrc, rtx_ssrc=rtx_ssrc, cname=cname)
        form = LegFormat(
            ssrc,
            mid.encode(),
            EF if kind == "audio" else AF41,
            rtx_ssrc if offer.rtx_payload_type else 0,
            secrets.randbelow(0x7000),  # libsrtp and browsers guess the roll-over counter
            secrets.randbits(32),
            secrets.randbelow(0x7000),
            ortc.payload_types(types),
        )
        leg = self.plane.add_leg(transport.handle, form)
        made = Consumer(secrets.token_hex(8), transport, None, leg, kind, ssrc, form.rtx_ssrc, cname)
        return made, offer.parameters

    def _state(self, transport: Transport, state: str) -> None:
        self.on_event(
            "transport",
            {
                "transport": transport.id,
                "room": transport.room,
                "peer": transport.peer,
                "state": state,
                "reason": transport.reason,
            },
        )
        if state == "connected":
            self.control.greet(transport)
        if state == "closed":
            self.close_transport(transport.id)

    def _speakers(self, room: str, peers: list[str]) -> None:
        self.on_event("speakers", {"room": room, "peers": peers})

    def _ice_parameters(self, transport: Transport) -> dict[str, Any]:
        credentials = transport.ice.credentials
        return {
            "usernameFragment": credentials.fragment,
            "password": credentials.password,
            "iceLite": True,
        }

    def _transport(self, identifier: str) -> Transport:
        try:
            return self.transports[identifier]
        except KeyError:
            raise EngineError(f"no transport {identifier!r}") from None

    def _producer(self, identifier: str) -> Producer:
        try:
            return self.control.producers[identifier]
        except KeyError:
            raise EngineError(f"no producer {identifier!r}") from None

    def _consumer(self, identifier: str) -> Consumer:
        try:
            return self.control.consumers[identifier]
        except KeyError:
            raise EngineError(f"no consumer {identifier!r}") from None
