"""The meetings that are going on: joins, leaves, streams, and what happens when something is lost.

Nothing here knows of WebSockets; a page is an ``Outbox`` and a stream of requests.  docs/protocol.md describes
every request and notification.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from vconf import wall
from vconf.cascade import Cascade
from vconf.chair import refusal as chair_refusal
from vconf.chair.act import SYSTEM
from vconf.chair.effects import Outcome
from vconf.chair.state import Conference
from vconf.links import Seat
from vconf.media.capabilities import router_capabilities
from vconf.meeting import Meeting
from vconf.relay_client import RelayError
from vconf.rooms.conferences import KEPT_S, Conferences
from vconf.rooms.enforce import enforce, publish, told
from vconf.rooms.ledger import Ledger
from vconf.rooms.peers import RECORDER, Outbox, Peer, Room
from vconf.rooms.refusal import Refused
from vconf.rooms.stays import Stays
from vconf.rooms.streams import Streams, forget_stream

GONE_S = 2.5
"""A peer without WebSocket and without media is gone after this."""

AWAY_S = 20.0
"""A peer without WebSocket whose media still flows may come back within this."""

MUTE_PAGE_S = 10.0
"""A page that says nothing (it pings every second) is cut off."""

LOOK_S = 5.0
"""How often meetings that are going on are looked up: were they cancelled, are they over."""

logger = logging.getLogger(__name__)


def invited(meeting: Meeting, seat: Seat) -> bool:
    """Whether a seat of this meeting is still good: halls can be taken off, guests be asked in no longer."""
    if seat.role == "guest":
        return meeting.guest_pin is not None
    return seat.role in ("chair", "recorder", "stream", "viewer") or seat.hall in meeting.halls


class Rooms:
    """All rooms of one signalling process; ``relay`` is one or several, started and closed here."""

    def __init__(self, ledger: Ledger, relay: Cascade) -> None:
        self._ledger = ledger
        self._relay = relay
        self.rooms: dict[int, Room] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.conferences = Conferences(ledger, self._conference_changed)
        self._stays = Stays(ledger)
        self._streams = Streams(relay, self._conference, self._ask)
        self.on_change: Callable[[Conference], None] = lambda state: None
        """Hears of every change of a state; tiers below are told by it."""

    async def start(self) -> None:
        """Nobody is in a meeting yet; connect to the relay and watch."""
        await self._stays.none()
        self.conferences.start()
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
        await self.conferences.close()
        await self._stays.none()

    async def meeting(self, number: int) -> Meeting | None:
        """A meeting that was booked."""
        return await asyncio.to_thread(self._ledger.meeting, number)

    # -- coming and going ---------------------------------------------------------------------

    async def join(self, seat: Seat, outbox: Outbox) -> tuple[Room, Peer]:
        """A venue or a chair's console comes in; an earlier page of the same participant is replaced."""
        meeting = await self.meeting(seat.meeting)
        if meeting is None or not invited(meeting, seat):
            raise Refused("unknown", "this hall is not booked for this meeting")
        state = meeting.state(datetime.now(UTC))
        if state != "open":
            raise Refused(state, f"the meeting is {state}")
        conference = await self.conferences.open(meeting)
        room = self.rooms.setdefault(meeting.id, Room(meeting.id, len(meeting.halls)))
        earlier = room.of(seat.participant)
        if earlier is not None:
            earlier.tell("replaced")
            self._take_out(room, earlier, "replaced")
            room = self.rooms.setdefault(meeting.id, room)
        if seat.role == "recorder":
            if conference.recording is None:
                raise Refused("gone", "this meeting is not being recorded")
            peer = Peer(RECORDER, "", "", recorder=True, inside=True, outbox=outbox)
            room.peers[peer.id] = peer
            return room, peer
        if seat.role == "viewer":
            peer = Peer(f"#{seat.hall}", seat.name, seat.name, recorder=True, inside=True, outbox=outbox)
            room.peers[peer.id] = peer
            return room, peer
        if seat.role == "venue":
            venue = conference.venues[seat.hall]
            peer = Peer(venue.id, venue.zh, venue.en)
        else:
            name = seat.name or seat.hall
            peer = Peer(seat.participant, name, name, console=seat.console)
        room.peers[peer.id] = peer
        if seat.console:
            arrival = ("arriveConsole", {"console": peer.code, "name": peer.zh})
        else:
            kind = "stream" if seat.role == "stream" else "guest"
            arrival = ("arrive", {"venue": peer.code, "zh": peer.zh, "en": peer.en, "kind": kind})
        try:
            self.conferences.act(meeting.id, SYSTEM, *arrival)
        except chair_refusal.Refused as refused:
            room.peers.pop(peer.id)
            if not room.peers:
                self.rooms.pop(room.meeting, None)
            raise Refused(f"refused-{refused.code}", refused.en, refused.zh) from None
        if not peer.inside and self._conference(room).there(peer.code):
            self._let_in(room, peer)  # a page in the place of an earlier one changes nothing in the conference
        peer.outbox = outbox  # from now on: the welcome holds what came before
        logger.info("meeting %d: %s connected as %s", meeting.id, peer.code, peer.id)
        return room, peer

    def _let_in(self, room: Room, peer: Peer) -> None:
        """From the door or the waiting room into the meeting."""
        peer.inside = True
        if peer.console:
            return
        self._own(self._stays.begin(room.meeting, peer))
        room.tell_others(peer, "peerJoined", **peer.as_json())

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
            "hall": peer.code,
            "waiting": not peer.inside,
            "resumeKey": peer.resume_key,
            "peers": room.others(peer),
            "transports": sorted(peer.transports),
            "layers": room.layers,
            "routerRtpCapabilities": router_capabilities(),
            "relay": self._relay.up,
            "conference": self._tell(room, peer),
            "venues": {v.id: {"zh": v.zh, "en": v.en} for v in self._conference(room).venues.values()},
        }

    def _tell(self, room: Room, peer: Peer) -> dict[str, Any]:
        peer.told = told(self._conference(room), peer.code)
        return peer.told

    def unplug(self, peer: Peer, outbox: Outbox) -> None:
        """Its WebSocket went; ``_watch`` decides when it is gone."""
        if peer.outbox is outbox:
            peer.outbox, peer.unplugged_s = None, time.monotonic()

    def leave(self, room: Room, peer: Peer, why: str) -> None:
        """Take a peer out of its room; twice is fine."""
        if peer.id in room.peers:
            self._take_out(room, peer, why)
            self.conferences.act(room.meeting, SYSTEM, "depart", {"who": peer.code})

    def _take_out(self, room: Room, peer: Peer, why: str) -> None:
        """What ``leave`` does, without a word to the conference."""
        room.peers.pop(peer.id, None)
        if not room.peers:
            self.rooms.pop(room.meeting, None)
        if peer.outbox is not None:
            peer.outbox.close()
        for stream in peer.streams:
            forget_stream(room, stream)
        room.tell_others(peer, "peerLeft", peer=peer.id, reason=why)
        logger.info("meeting %d: %s %s", room.meeting, peer.code, why)
        # not in the connection's own task: that may end before the store has answered
        self._own(self._close_media(room, peer))
        if peer.listed:
            self._own(self._stays.end(peer, why))
        peer.inside = False

    # -- requests -----------------------------------------------------------------------------

    async def request(self, room: Room, peer: Peer, kind: str, data: dict[str, Any]) -> Any:
        """Answer one request; Refused when it cannot be met."""
        if peer.id not in room.peers:
            raise Refused("gone", "this session is over: join again")
        if kind == "state":
            return self.welcome(room, peer)
        if kind == "act":
            return await self._act(room, peer, data)
        if kind == "report":
            peer.report = {k: value for k, value in data.items() if isinstance(value, int | float) and len(k) <= 40}
            return None
        handler = self._streams.requests.get(kind)
        if handler is None:
            raise Refused("unknown", f"no request is called {kind!r}")
        if not peer.inside:
            raise Refused("waiting", "you are in the waiting room", "您在等候室")
        try:
            return await handler(room, peer, data)
        except RelayError as error:
            raise Refused("relay-away" if error.code == "away" else "refused", str(error)) from None

    async def _act(self, room: Room, peer: Peer, data: dict[str, Any]) -> dict[str, Any]:
        if not peer.acts.take():
            raise Refused("limit", "too many actions: wait a moment", "操作太频繁，请稍候")
        args = {key: value for key, value in data.items() if key != "action"}
        return await self.act(room.meeting, peer.code, str(data.get("action")), args)

    async def act(
        self, meeting: int, who: str, action: str, args: Mapping[str, Any], *, by: str = ""
    ) -> dict[str, Any]:
        """One action of the chair's table; answered when it is in the store, or when the store is slow."""
        try:
            kept = self.conferences.act(meeting, who, action, args, by=by)
        except chair_refusal.Refused as refused:
            raise Refused(f"refused-{refused.code}", refused.en, refused.zh) from None
        state = self.conferences.get(meeting)
        await asyncio.wait([kept], timeout=KEPT_S)
        if state is not None and state.ended and meeting in self.rooms:
            # after the answer: who ended it has a page in it
            asyncio.get_running_loop().call_soon(self._end, self.rooms[meeting], "over")
        return {"number": state.number if state else 0}

    async def quality(self, meeting: int) -> dict[str, Any]:
        """How each venue of a meeting sends and gets (``vconf.wall.quality``); {} while the relay is away."""
        room = self.rooms.get(meeting)
        if room is None:
            return {}
        try:
            return wall.quality(await self._relay.request("peerQuality", room=room.name), room)
        except RelayError:
            return {}

    def _conference(self, room: Room) -> Conference:
        found = self.conferences.get(room.meeting)
        assert found is not None, "a room is made after its conference"
        return found

    def _conference_changed(self, before: Conference, outcome: Outcome) -> None:
        """Doors, the relay and the pages follow the state."""
        state, room = outcome.state, self.rooms.get(outcome.state.meeting)
        self.on_change(state)
        if room is None:
            return
        for effect in outcome.effects:
            if effect.kind == "eject" and (gone := room.of(effect.data["venue"])) is not None:
                gone.tell("ejected", reason=effect.data["reason"])
                self._take_out(room, gone, effect.data["reason"])
        for peer in list(room.peers.values()):
            if not peer.inside and state.there(peer.code):
                self._let_in(room, peer)
        enforce(room, state, self._ask)
        publish(room, state)

    def _end(self, room: Room, why: str) -> None:
        for peer in list(room.peers.values()):
            peer.tell("meetingEnded", reason=why)
            self._take_out(room, peer, why)
        self.conferences.forget(room.meeting)

    # -- what is lost -------------------------------------------------------------------------

    def _relay_state(self, up: bool, transports: set[str]) -> None:
        """A relay is away, or back with these; who has none yet waits for any."""
        for room in self.rooms.values():
            for peer in room.peers.values():
                if peer.transports & transports or (not peer.transports and up is self._relay.up):
                    peer.tell("relay", up=up)
            if up:
                enforce(room, self._conference(room), self._ask, everything=True)

    def _relay_event(self, name: str, values: dict[str, Any]) -> None:
        if name == "speakers":
            self._speakers(str(values.get("room")), values.get("peers"))
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

    def _speakers(self, name: str, peers: Any) -> None:
        """Who is loudest, the loudest first."""
        room = next((room for room in self.rooms.values() if room.name == name), None)
        if room is None or not isinstance(peers, list):
            return
        speaking = (room.peers[peer] for peer in peers if peer in room.peers and room.peers[peer].listed)
        loudest = next(speaking, None)
        if loudest is not None:
            self.conferences.hears(room.meeting, loudest.code)

    def _reset(self, room: Room, peer: Peer, why: str) -> None:
        """Its media on the relay is lost: the page builds it anew."""
        for stream in peer.streams:
            forget_stream(room, stream)
            room.tell_others(peer, "producerClosed", peer=peer.id, producer=stream)
        peer.transports.clear()
        peer.silent_transports.clear()
        peer.sending, peer.connected = "", False
        peer.streams.clear()
        peer.shares.clear()
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
            for state in self.conferences.all():
                self.conferences.act(state.meeting, SYSTEM, "tick", {})
            if now - looked >= LOOK_S:
                looked = now
                await self._end_meetings()

    async def _end_meetings(self) -> None:
        for conference in self.conferences.all():
            meeting = await self.meeting(conference.meeting)
            state = meeting.state(datetime.now(UTC)) if meeting is not None else "cancelled"
            if state not in ("cancelled", "over"):
                continue
            room = self.rooms.get(conference.meeting)
            if room is not None:
                self._end(room, state)
            self.conferences.forget(conference.meeting)

    async def _close_media(self, room: Room, peer: Peer) -> None:
        try:
            await self._relay.request("closePeer", room=room.name, peer=peer.id)
        except RelayError as error:
            logger.info("meeting %d: %s: %s", room.meeting, peer.code, error)  # the relay's own watch ends it

    def _ask(self, method: str, /, **params: Any) -> None:
        """A request to the relay, in order, that nobody waits for; when the relay is back all is asked again."""

        async def asking() -> None:
            try:
                await self._relay.request(method, **params)
            except RelayError as error:
                logger.info("relay: %s: %s", method, error)

        self._own(asking())

    def _own(self, work: Any) -> None:
        """Run in the background and log what fails."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("signalling task failed", exc_info=task.exception())
