"""What pages ask about media: transports, streams they send, shares they receive."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container
from typing import Any

from vconf.cascade import Cascade
from vconf.chair.state import Conference
from vconf.rooms.enforce import CAMERA, MICROPHONE, SLIDES, Ask, receives, sends, set_stream
from vconf.rooms.peers import Peer, Room, Share, Stream
from vconf.rooms.refusal import Refused

MOST_TRANSPORTS = 4
MOST_STREAMS = 8
MOST_SHARES = 512
VOICES = 3
"""The loudest venues are heard, the others are not forwarded."""

_SOURCES = {"audio": (MICROPHONE,), "video": (CAMERA, SLIDES)}

Request = Callable[[Room, Peer, dict[str, Any]], Awaitable[Any]]


class Streams:
    """The media requests of all pages.

    Args:
        relay: Carries them out.
        state: The conference of a room.
        ask: A request to the relay that nobody waits for.
    """

    def __init__(self, relay: Cascade, state: Callable[[Room], Conference], ask: Ask) -> None:
        self._relay = relay
        self._state = state
        self._ask = ask
        self.requests: dict[str, Request] = {
            "createTransport": self._create_transport,
            "connectTransport": self._connect_transport,
            "restartIce": self._restart_ice,
            "produce": self._produce,
            "pauseProducer": self._pause_producer,
            "closeProducer": self._close_producer,
            "consume": self._consume,
            "consumeAudio": self._consume_audio,
            "pauseConsumer": self._pause_consumer,
            "closeConsumer": self._close_consumer,
            "prefer": self._prefer,
            "consumePicture": self._consume_picture,
            "show": self._show,
        }

    async def _create_transport(self, room: Room, peer: Peer, data: dict[str, Any]) -> Any:
        if len(peer.transports) >= MOST_TRANSPORTS:
            raise Refused("limit", "too many transports")
        relay = self._relay.homes.get(peer.code, "")
        made = await self._relay.request("createTransport", room=room.name, peer=peer.id, relay=relay)
        peer.transports.add(made["id"])
        peer.silent = False
        return made | ({"iceServers": peer.ice_servers} if peer.ice_servers else {})

    async def _connect_transport(self, room: Room, peer: Peer, data: dict[str, Any]) -> Any:
        transport = _own(data, "transport", peer.transports)
        return await self._relay.request(
            "connectTransport", transport=transport, dtlsParameters=data.get("dtlsParameters")
        )

    async def _restart_ice(self, room: Room, peer: Peer, data: dict[str, Any]) -> Any:
        return {
            "iceParameters": await self._relay.request("restartIce", transport=_own(data, "transport", peer.transports))
        }

    async def _produce(self, room: Room, peer: Peer, data: dict[str, Any]) -> Any:
        if peer.console or peer.recorder:
            raise Refused("console", "a console sends no picture and no sound: join as a venue")
        if len(peer.streams) >= MOST_STREAMS:
            raise Refused("limit", "too many streams")
        transport = _own(data, "transport", peer.transports)
        source, own_pause = _source(data), data.get("paused") is True
        made = await self._relay.request(
            "produce",
            transport=transport,
            kind=data.get("kind"),
            rtpParameters=data.get("rtpParameters"),
            paused=own_pause or not sends(self._state(room), peer, source),
            source=source,
        )
        peer.sending = transport
        stream = Stream(made["id"], str(data["kind"]), source, own_pause, paused=True)
        peer.streams[stream.id] = stream
        stream.paused = own_pause or not sends(self._state(room), peer, source)
        room.tell_others(peer, "producerAdded", peer=peer.id, **stream.as_json())
        set_stream(room, self._state(room), peer, stream, self._ask)  # the chair may have decided meanwhile
        return {"id": stream.id}

    async def _pause_producer(self, room: Room, peer: Peer, data: dict[str, Any]) -> Any:
        stream = peer.streams[_own(data, "producer", peer.streams)]
        stream.own_pause = data.get("paused") is True
        set_stream(room, self._state(room), peer, stream, self._ask)

    async def _close_producer(self, room: Room, peer: Peer, data: dict[str, Any]) -> Any:
        producer = _own(data, "producer", peer.streams)
        await self._relay.request("closeProducer", producer=producer)
        peer.streams.pop(producer, None)
        forget_stream(room, producer)
        room.tell_others(peer, "producerClosed", peer=peer.id, producer=producer)

    async def _consume(self, room: Room, peer: Peer, data: dict[str, Any]) -> Any:
        producer = data.get("producer")
        owner = next((other for other in room.peers.values() if producer in other.streams), None)
        if owner is None or owner is peer:
            raise Refused("gone", "this stream is over")
        if len(peer.shares) >= MOST_SHARES:
            raise Refused("limit", "too many consumers")
        source = owner.streams[str(producer)].source
        made = await self._relay.request(
            "consume",
            transport=_own(data, "transport", peer.transports),
            producer=producer,
            rtpCapabilities=data.get("rtpCapabilities"),
            cname=owner.id,
        )
        share = Share(made["id"], str(producer), owner.id, source)
        peer.shares[share.id] = share
        return made

    async def _consume_audio(self, room: Room, peer: Peer, data: dict[str, Any]) -> Any:
        own: dict[str, Any] = {"slots": VOICES}
        if peer.recorder:
            own = {"slots": data.get("slots", VOICES), "types": data.get("types")}
        made = await self._relay.request(
            "consumeAudio",
            transport=_own(data, "transport", peer.transports),
            rtpCapabilities=data.get("rtpCapabilities"),
            cname=peer.id,
            **own,
        )
        for slot in made["consumers"]:
            peer.shares[slot["id"]] = Share(slot["id"], "", "", MICROPHONE)
        return made

    async def _consume_picture(self, room: Room, peer: Peer, data: dict[str, Any]) -> Any:
        _needs_outsider(peer)
        made = await self._relay.request(
            "consumePicture",
            transport=_own(data, "transport", peer.transports),
            rtpCapabilities=data.get("rtpCapabilities"),
            cname=peer.id,
            types=data.get("types"),
        )
        peer.shares[made["id"]] = Share(made["id"], "", "", CAMERA)
        return made

    async def _show(self, room: Room, peer: Peer, data: dict[str, Any]) -> Any:
        _needs_outsider(peer)
        share, producer = peer.shares[_own(data, "consumer", peer.shares)], data.get("producer")
        if not any(producer in other.streams for other in room.peers.values()):
            raise Refused("gone", "this stream is over")
        await self._relay.request("show", consumer=share.id, producer=producer)

    async def _pause_consumer(self, room: Room, peer: Peer, data: dict[str, Any]) -> Any:
        share = peer.shares[_own(data, "consumer", peer.shares)]
        share.own_pause = data.get("paused") is True
        share.paused = share.own_pause or not receives(self._state(room), room, peer, share)
        self._ask("pauseConsumer", consumer=share.id, paused=share.paused)  # behind what the chair's changes asked

    async def _close_consumer(self, room: Room, peer: Peer, data: dict[str, Any]) -> Any:
        consumer = _own(data, "consumer", peer.shares)
        await self._relay.request("closeConsumer", consumer=consumer)
        peer.shares.pop(consumer, None)

    async def _prefer(self, room: Room, peer: Peer, data: dict[str, Any]) -> Any:
        share, layer = peer.shares[_own(data, "consumer", peer.shares)], data.get("maxLayer")
        if layer is not None and layer not in (0, 1, 2):
            raise Refused("bad", "maxLayer: expected 0, 1, 2 or null")
        await self._relay.request("prefer", consumer=share.id, maxLayer=layer)


def forget_stream(room: Room, producer: str) -> None:
    """A stream ended: the relay closed its shares."""
    for peer in room.peers.values():
        for share in [share for share in peer.shares.values() if share.producer == producer]:
            del peer.shares[share.id]


def _source(data: dict[str, Any]) -> str:
    """What a page says it sends; the ordinary one of the kind when it says nothing."""
    known = _SOURCES.get(str(data.get("kind")))
    if known is None:
        raise Refused("bad", f"kind: found {data.get('kind')!r}, expected audio or video")
    source = data.get("source", known[0])
    if source not in known:
        raise Refused("bad", f"source: found {source!r}, expected {' or '.join(known)}")
    return str(source)


def _needs_outsider(peer: Peer) -> None:
    """What a venue sees is the chair's decision, stream by stream: it has no place that others are put into."""
    if not peer.recorder:
        raise Refused("unknown", "no request of a venue")


def _own(data: dict[str, Any], key: str, owned: Container[str]) -> str:
    """The id under ``key`` if it belongs to the peer; Refused otherwise."""
    value = data.get(key)
    if not isinstance(value, str) or value not in owned:
        raise Refused("unknown", f"{key}: not one of yours")
    return value
