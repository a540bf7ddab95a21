"""The forwarding engine of one media worker: one UDP port, one core, no decoding.

Datagrams are told apart by their first byte (RFC 7983), find their transport by STUN user name or latched
address, and leave for every receiver with that receiver's numbers.  SSRCs and payload types that were not
announced are dropped and counted.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiortc.rtcdtlstransport import RTCCertificate

from vconf.media import capabilities, dtls, ortc, stun
from vconf.media.forward import Forwarder, Inbound
from vconf.media.ice import Address
from vconf.media.port import MediaPort
from vconf.media.producer import Consumer, Producer
from vconf.media.sink import Sink, SinkFormat
from vconf.media.transport import Transport

FEEDBACK_S = 0.05
REPORT_S = 1.0
WATCH_S = 0.5


class EngineError(ValueError):
    """A request that cannot be met; the text says why."""


@dataclass(slots=True)
class Drops:
    """Datagrams that went no further, by reason."""

    stun: int = 0  # not valid, or for nobody
    stranger: int = 0  # media from an address that no transport latched


class Engine:
    """Rooms, transports, producers and consumers of one worker.

    ``on_event(name, values)`` is told ``transport`` {transport, room, peer, state, reason}.
    """

    def __init__(
        self,
        bind: Address,
        *,
        announce: str | None = None,
        coalesce_ms: float = 0.0,
        on_event: Callable[[str, dict[str, Any]], None] = lambda name, values: None,
    ) -> None:
        self.on_event = on_event
        self.drops = Drops()
        self.transports: dict[str, Transport] = {}
        self.producers: dict[str, Producer] = {}
        self.consumers: dict[str, Consumer] = {}
        self._announce = announce or bind[0]
        self._certificate = RTCCertificate.generateCertificate()
        self._fragments: dict[str, Transport] = {}
        self._addresses: dict[Address, Transport] = {}
        self._forwarder = Forwarder()
        self._mids: dict[str, int] = {}
        self._port = MediaPort(bind, self._datagram, coalesce_ms=coalesce_ms)
        self.address = self._port.address
        self._closing: set[asyncio.Task[None]] = set()
        self._clock = asyncio.get_running_loop().create_task(self._tick())

    async def close(self) -> None:
        """Close every transport and the port."""
        self._clock.cancel()
        for identifier in list(self.transports):
            self.close_transport(identifier)
        await asyncio.gather(*self._closing, return_exceptions=True)
        self._port.close()

    # -- what the signalling asks for ---------------------------------------------------------

    def create_transport(self, room: str, peer: str) -> dict[str, Any]:
        """A new transport, as mediasoup-client's createSendTransport and createRecvTransport take it."""
        transport = Transport(
            secrets.token_hex(8),
            room,
            peer,
            self._port,
            self._certificate,
            on_rtp=self._forwarder.on_rtp,
            on_rtcp=self._forwarder.on_rtcp,
            on_state=self._state,
        )
        self.transports[transport.id] = transport
        self._fragments[transport.ice.credentials.fragment] = transport
        self._forwarder.inbound[transport.id] = Inbound()
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
        self._fragments.pop(known.ice.credentials.fragment, None)
        self._fragments[known.ice.restart().fragment] = known
        return self._ice_parameters(known)

    def close_transport(self, transport: str) -> None:
        """Close a transport with its producers and consumers; unknown ones are closed already."""
        known = self.transports.pop(transport, None)
        if known is None:
            return
        for producer in [p for p in self.producers.values() if p.transport is known]:
            self.close_producer(producer.id)
        for consumer in [c for c in self.consumers.values() if c.transport is known]:
            self.close_consumer(consumer.id)
        self._fragments.pop(known.ice.credentials.fragment, None)
        self._addresses = {a: t for a, t in self._addresses.items() if t is not known}
        self._forwarder.inbound.pop(transport, None)
        self._mids.pop(transport, None)
        task = asyncio.get_running_loop().create_task(known.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def close_peer(self, room: str, peer: str) -> None:
        """Close everything of a peer."""
        for transport in [t.id for t in self.transports.values() if t.room == room and t.peer == peer]:
            self.close_transport(transport)

    def produce(self, transport: str, kind: str, parameters: Any, *, paused: bool = False) -> str:
        """Take a stream in; returns the producer's id."""
        known = self._transport(transport)
        announced = ortc.read(kind, parameters)
        producer = Producer(secrets.token_hex(8), known, announced, paused)
        try:
            self._forwarder.add_producer(producer)
        except ValueError as error:
            raise EngineError(str(error)) from None
        known.twcc_id = announced.extensions.get(capabilities.TRANSPORT_CC, known.twcc_id)
        self.producers[producer.id] = producer
        return producer.id

    def pause_producer(self, producer: str, paused: bool) -> None:
        """Stop or start a stream for everybody."""
        known = self._producer(producer)
        known.paused = paused
        if not paused:
            for consumer in known.consumers.values():
                consumer.sink.restart()

    def close_producer(self, producer: str) -> None:
        """End a stream and all its consumers."""
        known = self.producers.pop(producer, None)
        if known is None:
            return
        for consumer in list(known.consumers):
            self.close_consumer(consumer)
        self._forwarder.remove_producer(known)

    def consume(self, transport: str, producer: str, receiver: Any, cname: str) -> dict[str, Any]:
        """Offer a stream to a receiver with these rtpCapabilities; it stays paused until resumed."""
        known, stream = self._transport(transport), self._producer(producer)
        if stream.transport.room != known.room:
            raise EngineError("the stream belongs to another meeting")
        number = self._mids.get(transport, 0)
        ssrc, rtx_ssrc = secrets.randbits(31) | 1, secrets.randbits(31) & ~1
        offer = ortc.offer(stream.announced, receiver, mid=str(number), ssrc=ssrc, rtx_ssrc=rtx_ssrc, cname=cname)
        self._mids[transport] = number + 1
        form = SinkFormat(
            ssrc=ssrc,
            payload_type=offer.payload_type,
            cname=cname,
            mid=str(number).encode(),
            mid_extension=offer.mid_extension,
            rtx_ssrc=rtx_ssrc if offer.rtx_payload_type else 0,
            rtx_payload_type=offer.rtx_payload_type,
            passed_extensions=offer.passed,
        )
        consumer = Consumer(secrets.token_hex(8), known, stream, Sink(stream.kind, form))
        self.consumers[consumer.id] = stream.consumers[consumer.id] = consumer
        self._forwarder.add_consumer(consumer)
        consumer.sink.want(stream.best())
        return {
            "id": consumer.id,
            "producerId": stream.id,
            "kind": stream.kind,
            "rtpParameters": offer.parameters,
            "paused": stream.paused,
        }

    def pause_consumer(self, consumer: str, paused: bool) -> None:
        """Stop or start one receiver's share; video goes on with a keyframe."""
        sink = self._consumer(consumer).sink
        if paused:
            sink.paused = True
        else:
            sink.want(self._consumer(consumer).producer.best())
            sink.resume()
            self._forwarder.ask_keyframes(self._consumer(consumer).producer, time.monotonic())

    def close_consumer(self, consumer: str) -> None:
        """End one receiver's share."""
        known = self.consumers.pop(consumer, None)
        if known is not None:
            known.producer.consumers.pop(consumer, None)
            self._forwarder.remove_consumer(known)

    def status(self) -> dict[str, Any]:
        """Figures since the start; counters only grow."""
        port = self._port.counters
        return {
            "rooms": len({t.room for t in self.transports.values()}),
            "peers": len({(t.room, t.peer) for t in self.transports.values()}),
            "transports": len(self.transports),
            "producers": len(self.producers),
            "consumers": len(self.consumers),
            "packets_in": port.packets_in,
            "packets_out": port.packets_out,
            "bytes_in": port.bytes_in,
            "bytes_out": port.bytes_out,
            "sends": port.sends,
            "drops": {
                "stun": self.drops.stun,
                "stranger": self.drops.stranger,
                "unannounced": self._forwarder.unannounced,
                "stale": self._forwarder.stale,
                "queue_full": port.dropped_full,
                "send_error": port.dropped_error,
                "rejected": sum(t.rejected for t in self.transports.values()),
            },
        }

    def quality(self) -> list[dict[str, Any]]:
        """One entry a consumer: what was sent and what the receiver reported."""
        return [
            {
                "room": c.transport.room,
                "from": c.producer.transport.peer,
                "to": c.transport.peer,
                "kind": c.producer.kind,
                "codec": c.producer.announced.codec,
                "packets": c.sink.counters.packets,
                "octets": c.sink.counters.octets,
                "retransmitted": c.sink.counters.retransmitted,
                "lost_percent": round(c.sink.counters.fraction_lost / 2.56, 1),
                "keyframe_requests": c.sink.counters.keyframe_requests,
                "upstream_lost": sum(s.lost for s in c.producer.sources()),
            }
            for c in self.consumers.values()
        ]

    # -- packets and time ---------------------------------------------------------------------

    def _datagram(self, data: bytes, address: Address) -> None:
        if not data:
            return
        if data[0] < 4:
            self._stun(data, address)
            return
        transport = self._addresses.get(address)
        if transport is None:
            self.drops.stranger += 1
            return
        transport.datagram(data, time.monotonic())

    def _stun(self, data: bytes, address: Address) -> None:
        try:
            message = stun.parse(data)
            transport = self._fragments.get(message.username.split(":", 1)[0])
        except stun.StunError:
            transport = None
        if transport is None:
            self.drops.stun += 1
            return
        before = transport.ice.address
        if not transport.binding(data, message, address):
            self.drops.stun += 1
        elif transport.ice.address != before and transport.ice.address is not None:
            if before is not None and self._addresses.get(before) is transport:
                del self._addresses[before]
            self._addresses[transport.ice.address] = transport

    async def _tick(self) -> None:
        """Feedback every 50 ms, reports every second, silence every half second."""
        reported = watched = time.monotonic()
        while True:
            await asyncio.sleep(FEEDBACK_S if self.transports else WATCH_S)
            now = time.monotonic()
            reporting = now - reported >= REPORT_S
            for transport in self.transports.values():
                self._forwarder.feedback(transport, now)
                if reporting:
                    self._forwarder.report(transport, now)
            if reporting:
                reported = now
            if now - watched >= WATCH_S:
                watched = now
                for transport in list(self.transports.values()):
                    transport.watch(now)
                for producer in self.producers.values():
                    producer.choose_layers()

    # -- helpers ------------------------------------------------------------------------------

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
        if state == "closed":
            self.close_transport(transport.id)

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
            return self.producers[identifier]
        except KeyError:
            raise EngineError(f"no producer {identifier!r}") from None

    def _consumer(self, identifier: str) -> Consumer:
        try:
            return self.consumers[identifier]
        except KeyError:
            raise EngineError(f"no consumer {identifier!r}") from None
