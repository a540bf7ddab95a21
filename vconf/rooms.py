"""The meetings that are going on: joins, leaves, streams, and what happens when something is lost.

Nothing here knows of WebSockets; a page is an ``Outbox`` and a stream of requests.  docs/protocol.md describes
every request and notification.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from inventory.model import NetworkModel
from store.engine import Store
from vconf import meetings
from vconf.links import Seat
from vconf.media.capabilities import router_capabilities
from vconf.peers import Outbox, Peer, Room, Stream
from vconf.relay_client import RelayClient, RelayError

GONE_S = 2.5
"""A peer without WebSocket and without media is gone after this."""

AWAY_S = 20.0
"""A peer without WebSocket whose media still flows may come back within this."""

MUTE_PAGE_S = 10.0
"""A page that says nothing (it pings every second) is cut off."""

LOOK_S = 5.0
"""How often meetings that are going on are looked up: were they cancelled, are they over."""

MOST_STREAMS = 8
MOST_CONSUMERS = 64

logger = logging.getLogger(__name__)


class Refused(Exception):
    """A request that cannot be met: ``code`` for the page, text for people."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Rooms:
    """All rooms of one signalling process, served by one relay."""

    def __init__(self, store: Store, model: NetworkModel, relay: RelayClient) -> None:
        self._store = store
        self._model = model
        self._relay = relay
        self.rooms: dict[int, Room] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._requests: dict[str, Callable[[Room, Peer, dict[str, Any]], Awaitable[Any]]] = {
            "state": self._state,
            "createTransport": self._create_transport,
            "connectTransport": self._connect_transport,
            "restartIce": self._restart_ice,
            "produce": self._produce,
            "pauseProducer": self._pause_producer,
            "closeProducer": self._close_producer,
            "consume": self._consume,
            "pauseConsumer": self._pause_consumer,
            "report": self._report,
        }

    async def start(self) -> None:
        """Nobody is in a meeting yet; connect to the relay and watch."""
        await asyncio.to_thread(self._close_stays)
        self._relay.on_event = self._relay_event
        self._relay.on_state = self._relay_state
        self._relay.start()
        self._own(self._watch())

    async def close(self) -> None:
        """Tell every page to come back later, and stop."""
        for room in self.rooms.values():
            for peer in room.peers.values():
                if peer.outbox is not None:
                    peer.outbox.close(1012)  # service restart: pages reconnect
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._relay.close()
        await asyncio.to_thread(self._close_stays)

    # -- coming and going ---------------------------------------------------------------------

    async def join(self, seat: Seat, outbox: Outbox) -> tuple[Room, Peer]:
        """A hall comes in; an earlier page of the same hall is replaced."""
        hall = self._model.halls.get(seat.hall)
        meeting = await asyncio.to_thread(self._meeting, seat.meeting)
        if hall is None or meeting is None or seat.hall not in meeting.halls:
            raise Refused("unknown", "this hall is not booked for this meeting")
        state = meeting.state(datetime.now(UTC))
        if state != "open":
            raise Refused(state, f"the meeting is {state}")
        room = self.rooms.setdefault(seat.meeting, Room(seat.meeting, len(meeting.halls)))
        earlier = room.of_hall(seat.hall)
        if earlier is not None:
            earlier.tell("replaced")
            self.leave(room, earlier, "replaced")
            room = self.rooms.setdefault(seat.meeting, room)
        peer = Peer(hall, outbox=outbox)
        room.peers[peer.id] = peer
        peer.stay = await asyncio.to_thread(self._note_join, seat)
        room.tell_others(peer, "peerJoined", **peer.as_json())
        logger.info("meeting %d: %s joined as %s", seat.meeting, seat.hall, peer.id)
        return room, peer

    def resume(self, peer_id: str, key: str, outbox: Outbox) -> tuple[Room, Peer]:
        """A page comes back after its WebSocket was lost; its media went on meanwhile."""
        for room in self.rooms.values():
            peer = room.peers.get(peer_id)
            if peer is not None and hmac.compare_digest(peer.resume_key.encode(), key.encode()):
                if peer.outbox is not None:
                    peer.outbox.close()
                peer.outbox, peer.unplugged_s, peer.heard_s = outbox, 0.0, time.monotonic()
                return room, peer
        raise Refused("gone", "this session is over: join again")

    def welcome(self, room: Room, peer: Peer) -> dict[str, Any]:
        """What a page is told first."""
        return {
            "peer": peer.id,
            "resumeKey": peer.resume_key,
            "peers": room.others(peer),
            "transports": sorted(peer.transports),
            "layers": room.layers,
            "routerRtpCapabilities": router_capabilities(),
            "relay": self._relay.up,
        }

    def unplug(self, peer: Peer, outbox: Outbox) -> None:
        """Its WebSocket went; ``_watch`` decides when it is gone."""
        if peer.outbox is outbox:
            peer.outbox, peer.unplugged_s = None, time.monotonic()

    def leave(self, room: Room, peer: Peer, why: str) -> None:
        """Take a peer out of its room; twice is fine."""
        if room.peers.pop(peer.id, None) is None:
            return
        if not room.peers:
            self.rooms.pop(room.meeting, None)
        if peer.outbox is not None:
            peer.outbox.close()
        room.tell_others(peer, "peerLeft", peer=peer.id, reason=why)
        logger.info("meeting %d: %s %s", room.meeting, peer.hall.code, why)
        # not in the connection's own task: that may end before the store has answered
        self._own(self._close_media(room, peer))
        self._own(asyncio.to_thread(self._note_leave, peer.stay, why))

    # -- requests -----------------------------------------------------------------------------

    async def request(self, room: Room, peer: Peer, kind: str, data: dict[str, Any]) -> Any:
        """Answer one request; Refused when it cannot be met."""
        handler = self._requests.get(kind)
        if handler is None:
            raise Refused("unknown", f"no request is called {kind!r}")
        try:
            return await handler(room, peer, data)
        except RelayError as error:
            raise Refused("relay-away" if error.code == "away" else "refused", str(error)) from None

    async def _state(self, room: Room, peer: Peer, data: dict[str, Any]) -> Any:
        return self.welcome(room, peer)

    async def _create_transport(self, room: Room, peer: Peer, data: dict[str, Any]) -> Any:
        if len(peer.transports) >= 4:
            raise Refused("limit", "too many transports")
        made = await self._relay.request("createTransport", room=room.name, peer=peer.id)
        peer.transports.add(made["id"])
        peer.silent = False
        return made

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
        if len(peer.streams) >= MOST_STREAMS:
            raise Refused("limit", "too many streams")
        made = await self._relay.request(
            "produce",
            transport=_own(data, "transport", peer.transports),
            kind=data.get("kind"),
            rtpParameters=data.get("rtpParameters"),
            paused=data.get("paused") is True,
        )
        peer.sending = str(data["transport"])
        stream = Stream(made["id"], str(data["kind"]), data.get("paused") is True)
        peer.streams[stream.id] = stream
        room.tell_others(peer, "producerAdded", peer=peer.id, **stream.as_json())
        return {"id": stream.id}

    async def _pause_producer(self, room: Room, peer: Peer, data: dict[str, Any]) -> Any:
        stream = peer.streams[_own(data, "producer", peer.streams)]
        paused = data.get("paused") is True
        await self._relay.request("pauseProducer", producer=stream.id, paused=paused)
        stream.paused = paused
        room.tell_others(peer, "producerPaused", peer=peer.id, producer=stream.id, paused=paused)

    async def _close_producer(self, room: Room, peer: Peer, data: dict[str, Any]) -> Any:
        producer = _own(data, "producer", peer.streams)
        await self._relay.request("closeProducer", producer=producer)
        peer.streams.pop(producer, None)
        room.tell_others(peer, "producerClosed", peer=peer.id, producer=producer)

    async def _consume(self, room: Room, peer: Peer, data: dict[str, Any]) -> Any:
        producer = data.get("producer")
        owner = next((other for other in room.peers.values() if producer in other.streams), None)
        if owner is None or owner is peer:
            raise Refused("gone", "this stream is over")
        if len(peer.consumers) >= MOST_CONSUMERS:
            raise Refused("limit", "too many consumers")
        made = await self._relay.request(
            "consume",
            transport=_own(data, "transport", peer.transports),
            producer=producer,
            rtpCapabilities=data.get("rtpCapabilities"),
            cname=owner.id,
        )
        peer.consumers.add(made["id"])
        return made

    async def _pause_consumer(self, room: Room, peer: Peer, data: dict[str, Any]) -> Any:
        consumer = _own(data, "consumer", peer.consumers)
        await self._relay.request("pauseConsumer", consumer=consumer, paused=data.get("paused") is True)

    async def _report(self, room: Room, peer: Peer, data: dict[str, Any]) -> Any:
        peer.report = {key: value for key, value in data.items() if isinstance(value, int | float) and len(key) <= 40}

    # -- what is lost -------------------------------------------------------------------------

    def _relay_state(self, up: bool, alive: set[str]) -> None:
        for room in self.rooms.values():
            for peer in room.peers.values():
                if not up:
                    peer.tell("relay", up=False)
                    continue
                peer.tell("relay", up=True)
                if peer.transports - alive:
                    self._reset(room, peer, "relay restarted")

    def _relay_event(self, name: str, values: dict[str, Any]) -> None:
        if name != "transport":
            return
        for room in self.rooms.values():
            peer = room.peers.get(str(values.get("peer")))
            if peer is None or room.name != values.get("room") or values.get("transport") not in peer.transports:
                continue
            if values.get("state") == "closed":
                self._reset(room, peer, str(values.get("reason")))
                self._own(self._close_media(room, peer))
                continue
            transport = str(values["transport"])
            if values.get("state") == "silent":
                peer.silent_transports.add(transport)
            else:
                peer.silent_transports.discard(transport)
                peer.connected = True
            # what it sends with speaks all the time; a hall that only listens has the other one
            silent = peer.sending in peer.silent_transports if peer.sending else bool(peer.silent_transports)
            if silent != peer.silent:
                peer.silent = silent
                room.tell_others(peer, "peerState", peer=peer.id, silent=silent)

    def _reset(self, room: Room, peer: Peer, why: str) -> None:
        """Its media on the relay is lost: the page builds it anew."""
        for stream in peer.streams:
            room.tell_others(peer, "producerClosed", peer=peer.id, producer=stream)
        peer.transports.clear()
        peer.silent_transports.clear()
        peer.sending, peer.connected = "", False
        peer.streams.clear()
        peer.consumers.clear()
        peer.silent = True
        peer.tell("mediaReset", reason=why)

    async def _watch(self) -> None:
        """Twice a second: who is gone; now and then: which meetings are over."""
        looked = time.monotonic()
        while True:
            await asyncio.sleep(0.5)
            now = time.monotonic()
            for room in list(self.rooms.values()):
                for peer in list(room.peers.values()):
                    away = now - peer.unplugged_s if peer.unplugged_s else 0.0
                    if away > AWAY_S or (away > GONE_S and (peer.silent or not peer.connected)):
                        self.leave(room, peer, "lost")
                    elif peer.outbox is not None and now - peer.heard_s > MUTE_PAGE_S:
                        peer.outbox.close(1001)
                        self.unplug(peer, peer.outbox)
            if now - looked >= LOOK_S:
                looked = now
                await self._end_meetings()

    async def _end_meetings(self) -> None:
        for room in list(self.rooms.values()):
            meeting = await asyncio.to_thread(self._meeting, room.meeting)
            state = meeting.state(datetime.now(UTC)) if meeting is not None else "cancelled"
            if state in ("cancelled", "over"):
                for peer in list(room.peers.values()):
                    peer.tell("meetingEnded", reason=state)
                    self.leave(room, peer, state)

    async def _close_media(self, room: Room, peer: Peer) -> None:
        try:
            await self._relay.request("closePeer", room=room.name, peer=peer.id)
        except RelayError as error:
            logger.info("meeting %d: %s: %s", room.meeting, peer.hall.code, error)  # the relay's own watch ends it

    def _own(self, work: Any) -> None:
        """Run in the background and log what fails."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("signalling task failed", exc_info=task.exception())

    # -- the store, called in threads ---------------------------------------------------------

    def _meeting(self, meeting: int) -> meetings.Meeting | None:
        with self._store.reading() as session:
            return meetings.get(session, meeting)

    def _note_join(self, seat: Seat) -> int:
        with self._store.session() as session:
            return meetings.joined(session, seat.meeting, seat.hall, datetime.now(UTC))

    def _note_leave(self, stay: int, why: str) -> None:
        with self._store.session() as session:
            meetings.left(session, stay, datetime.now(UTC), why)

    def _close_stays(self) -> None:
        with self._store.session() as session:
            meetings.close_open_stays(session, datetime.now(UTC))


def _own(data: dict[str, Any], key: str, owned: Any) -> str:
    """The id under ``key`` if it belongs to the peer; Refused otherwise."""
    value = data.get(key)
    if not isinstance(value, str) or value not in owned:
        raise Refused("unknown", f"{key}: not one of yours")
    return value
