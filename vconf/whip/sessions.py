"""WHIP publishers and WHEP viewers that are connected: peers of the rooms like any page's, led by us instead of a page.

A publisher is a venue: the chair mutes, broadcasts and cuts it like another.  A viewer is nobody's venue: it has one
place for a picture, which is put on whatever everybody is shown, and places for the loudest voices.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vconf.chair.view import on_air
from vconf.links import Seat
from vconf.rooms.enforce import CAMERA
from vconf.rooms.peers import Outbox, Peer, Room
from vconf.rooms.refusal import Refused
from vconf.rooms.rooms import Rooms
from vconf.rooms.streams import VOICES
from vconf.whip.tickets import Ticket

if TYPE_CHECKING:
    from vconf.whip import sdp

CONNECT_S = 20.0
"""Media that has not come by then does not come."""

BEAT_S, FOLLOW_S, LOOK_S = 2.0, 0.1, 5.0
MOST_VIEWERS = 100
"""In one meeting."""

_ENDS = frozenset({"mediaReset", "replaced", "ejected", "meetingEnded"})
"""What a page would answer by building its media anew ends a session: such clients come again by themselves."""

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Session:
    """One connection; ``id`` is what its resource is called."""

    ticket: Ticket
    room: Room
    peer: Peer
    outbox: Outbox
    offer: sdp.Offer
    transport: dict[str, Any]
    given: dict[str, sdp.Given] | None = None  # a viewer's
    picture: str = ""  # a viewer's place
    shown: str = ""  # the producer in it
    id: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    version: str = field(default_factory=lambda: secrets.token_hex(8))  # of its ICE session, for the ETag
    began_s: float = field(default_factory=time.monotonic)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def answer(self) -> str:
        """SDP."""
        from vconf.whip import sdp

        return sdp.answer(self.offer, self.transport, self.given)


class Sessions:
    """All of one process.

    Args:
        rooms: The meetings that go on.
        good: Whether a ticket still is.
    """

    def __init__(self, rooms: Rooms, good: Callable[[Ticket], Awaitable[bool]]) -> None:
        self._rooms = rooms
        self._good = good
        self.held: dict[str, Session] = {}

    async def close(self) -> None:
        """Stop leading; the rooms end their peers themselves."""
        tasks = [task for session in self.held.values() for task in session.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def publish(self, ticket: Ticket, text: str) -> Session:
        """A publisher's offer; ``wire.SdpError``, or ``Refused`` by the meeting or the relay."""
        offer = await asyncio.to_thread(_read, text, sends=True)
        wanted = [(section.kind, section.parameters) for section in offer.wanted]
        session = await self._join(ticket, Seat(ticket.code, ticket.meeting, "stream", ticket.name), offer)
        async with self._whole(session):
            for kind, parameters in wanted:
                await self._ask(session, "produce", kind=kind, rtpParameters=parameters)
            await self._connect(session)
        return session

    async def view(self, ticket: Ticket, text: str) -> Session:
        """A viewer's offer; errors as ``publish``."""
        offer = await asyncio.to_thread(_read, text, sends=False)
        viewers = [s for s in self.held.values() if s.ticket.kind == "whep" and s.ticket.meeting == ticket.meeting]
        if len(viewers) >= MOST_VIEWERS:
            raise Refused("limit", f"{MOST_VIEWERS} programs view this meeting already")
        seat = Seat(f"{ticket.code}-{secrets.token_hex(4)}", ticket.meeting, "viewer", ticket.name)
        session = await self._join(ticket, seat, offer)
        session.given = {}
        async with self._whole(session):
            await self._give(session)
            await self._connect(session)
        session.tasks.append(asyncio.create_task(self._follow(session), name=f"view {seat.hall}"))
        return session

    async def restart(self, session: Session) -> str:
        """New ICE credentials, as a fragment; DTLS and media go on."""
        from vconf.whip import sdp

        answered = await self._ask(session, "restartIce")
        session.transport = session.transport | answered
        session.version = secrets.token_hex(8)
        return sdp.restarted(session.offer, session.transport, session.given)

    def end(self, session: Session, why: str) -> None:
        """Take it out; twice is fine."""
        if self.held.pop(session.id, None) is None:
            return
        for task in session.tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._rooms.leave(session.room, session.peer, why)

    async def _join(self, ticket: Ticket, seat: Seat, offer: sdp.Offer) -> Session:
        outbox = Outbox()
        room, peer = await self._rooms.join(seat, outbox)
        session = Session(ticket, room, peer, outbox, offer, {})
        self.held[session.id] = session
        session.tasks.append(asyncio.create_task(self._lead(session), name=f"{ticket.kind} {seat.hall}"))
        async with self._whole(session):
            session.transport = await self._ask(session, "createTransport", transport=None)
        return session

    async def _connect(self, session: Session) -> None:
        await self._ask(session, "connectTransport", dtlsParameters={"fingerprints": session.offer.fingerprints})

    async def _give(self, session: Session) -> None:
        """Places for a viewer's sections: one picture, voices."""
        given = session.given
        assert given is not None
        sections = session.offer.wanted
        pictures = [section for section in sections if section.kind == "video"][:1]
        voices = [section for section in sections if section.kind == "audio"][:VOICES]
        for section in pictures:
            made = await self._ask(session, "consumePicture", rtpCapabilities=section.capabilities, types=section.types)
            session.picture = made["id"]
            given[section.mid] = _given(session, made)
        for section in voices:
            answered = await self._ask(
                session, "consumeAudio", rtpCapabilities=section.capabilities, types=section.types, slots=1
            )
            given[section.mid] = _given(session, answered["consumers"][0])
        for share in list(session.peer.shares):
            await self._ask(session, "pauseConsumer", consumer=share, paused=False)

    async def _ask(self, session: Session, kind: str, /, **data: Any) -> Any:
        return await self._rooms.request(
            session.room, session.peer, kind, {"transport": session.transport.get("id")} | data
        )

    @contextlib.asynccontextmanager
    async def _whole(self, session: Session) -> Any:
        """Nothing half made is left."""
        try:
            yield
        except BaseException:
            self.end(session, "refused")
            raise

    async def _lead(self, session: Session) -> None:
        """Hear what a page would be told, be alive for it, and end with its ticket."""
        peer, why, looked_s = session.peer, "lost", time.monotonic()
        while True:
            peer.heard_s = now_s = time.monotonic()
            with contextlib.suppress(TimeoutError):
                message = await asyncio.wait_for(session.outbox.get(), BEAT_S)
                if message is None:
                    break
                if message["type"] in _ENDS:
                    why = str(message["type"])
                    break
            if not peer.connected and now_s - session.began_s > CONNECT_S:
                break
            if now_s - looked_s > LOOK_S:
                looked_s = now_s
                if not await self._good(session.ticket):
                    why = "revoked"
                    break
        logger.info("meeting %d: %s ended: %s", session.ticket.meeting, peer.code, why)
        self.end(session, why)

    async def _follow(self, session: Session) -> None:
        """Put what everybody is shown into a viewer's place; looked at rather than told, for many things change it."""
        while session.picture:
            wanted = self._on_air(session)
            if wanted and wanted != session.shown:
                session.shown = wanted
                try:
                    await self._ask(session, "show", consumer=session.picture, producer=wanted)
                except Refused as refused:
                    logger.info("meeting %d: %s: %s", session.ticket.meeting, session.peer.code, refused)
                    if refused.code == "relay-away":
                        session.shown = ""
            await asyncio.sleep(FOLLOW_S)

    def _on_air(self, session: Session) -> str:
        """The first picture that everybody is shown; "": none is there."""
        state = self._rooms.conferences.get(session.ticket.meeting)
        for venue in on_air(state).show if state is not None else ():
            sender = session.room.of(venue)
            for stream in sender.streams.values() if sender is not None else ():
                if stream.source == CAMERA:
                    return stream.id
        return ""


def _read(text: str, *, sends: bool) -> sdp.Offer:
    """Called in a thread: a long offer takes its time, and the first one brings the library."""
    from vconf.whip import sdp

    return sdp.read(text, sends=sends)


def _given(session: Session, made: dict[str, Any]) -> sdp.Given:
    from vconf.whip import sdp

    encoding = made["rtpParameters"]["encodings"][0]
    return sdp.Given(encoding["ssrc"], encoding.get("rtx", {}).get("ssrc", 0), session.peer.id)
