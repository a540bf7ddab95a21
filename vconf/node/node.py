"""The node of a tier: passes pages through to its parent, and holds meetings itself while that is lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from dataclasses import replace

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from vconf.bus.bus import Bus, NoAnswer
from vconf.cascade import Cascade
from vconf.chair.state import Conference
from vconf.conversation import PROTOCOL, Conversations, offered
from vconf.limits import Buckets
from vconf.meeting import Meeting
from vconf.node.child import Child
from vconf.node.door import Door
from vconf.node.handed import Handed
from vconf.node.notes import Notes
from vconf.node.parent import Parent
from vconf.node.passing import Away, Passing
from vconf.node.settings import Settings
from vconf.node.settle import settle
from vconf.rooms.rooms import Rooms

MOVING_S = 6.0
"""A page that comes while the tier changes waits for so long."""

AGAIN_S, AGAIN_MOST_S = 1.0, 30.0

logger = logging.getLogger(__name__)


class Node:
    """One tier's process.

    Args:
        settings: What it is.
        bus: Not started yet.
        relay: Makes the connection to the tier's own relay, for each time alone a new one.
    """

    def __init__(self, settings: Settings, bus: Bus, relay: Callable[[], Cascade]) -> None:
        self.settings = settings
        self._bus = bus
        self._relay = relay
        kept = settings.lib
        self.passing = Passing(settings.county, settings.tls(), settings.also)
        heard = kept / "heard.json" if kept else None
        self.child = Child(bus, settings.name, settings.parent, heard, self.passing.knock)
        self.passing.alive = self.child.alive
        self._notes = Notes(
            settings.name,
            settings.names(),
            self._held_here,
            self._heard,
            kept / "alone.json" if kept else None,
        )
        self._door = Door(
            self.child,
            self._held_here,
            settings.tokens(),
            settings.names(),
            settings.county_names,
            settings.duty,
            settings.also,
        )
        self._parent = Parent(bus, settings.name, settings.children, self) if settings.children else None
        self._knocks = Buckets(rate=5, burst=120)  # by address
        self._rooms: Rooms | None = None
        self._conversations: Conversations | None = None
        self._again_s = AGAIN_S
        self._ready = asyncio.Event()  # not set: between two tiers
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen to the parent."""
        if self.settings.lib is not None:
            self.settings.lib.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self._bus.start()
        await self.child.start()
        if self._parent is not None:
            self.child.on_state = self._parent.changed
            await self._parent.start()
        self._task = asyncio.get_running_loop().create_task(self._run(), name="node")

    async def close(self) -> None:
        """Tell pages to come again, and stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.passing.drop()
        if self._rooms is not None:
            await self._rooms.close()
        if self._parent is not None:
            await self._parent.close()
        await self.child.close()
        await self._bus.close()

    @property
    def alone(self) -> bool:
        """Whether meetings are held here now."""
        return self._rooms is not None

    def application(self) -> Starlette:
        """Its pages and their requests."""

        @contextlib.asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            await self.start()
            try:
                yield
            finally:
                await self.close()

        return Starlette(
            routes=[
                WebSocketRoute("/meet/ws", self._socket),
                Route("/meet/{path:path}", self._post, methods=["POST"]),
                Route("/api/meet/{path:path}", self._api, methods=["GET", "POST", "PUT", "DELETE"]),
                Route("/", lambda request: RedirectResponse("/hall/")),
                Mount("/", StaticFiles(directory=self.settings.pages, html=True)),
            ],
            exception_handlers={HTTPException: _told},
            lifespan=lifespan,
        )

    # -- which tier ---------------------------------------------------------------------------

    async def _run(self) -> None:
        """Follow the parent's coming and going; the one place that changes what this node is."""
        while True:
            await self.child.turned.wait()
            self.child.turned.clear()
            try:
                if self.child.up is False and self._rooms is None:
                    await self._go_alone()
                elif self.child.up:
                    await self._join_parent()
            except Exception:
                logger.exception("the change of tier failed; trying again")
                await asyncio.sleep(AGAIN_S)
                self.child.turned.set()

    async def _go_alone(self) -> None:
        began = time.monotonic()
        self._ready.clear()
        rooms = Rooms(self._notes, self._relay())
        if self._parent is not None:
            rooms.on_change = self._parent.changed
        await rooms.start()
        self._rooms, self._conversations = rooms, Conversations(rooms, self._door.read_join)
        self._ready.set()
        await self.passing.drop()
        logger.warning("alone after %.0f ms", (time.monotonic() - began) * 1000)

    async def _join_parent(self) -> None:
        """Hand over what was done alone, then pass pages through again; alone as before when it is not taken."""
        self._ready.clear()
        if self._rooms is not None:
            await self._rooms.close()  # pages come again, and wait for what follows
            self._rooms = self._conversations = None
        try:
            for found in self._notes.handed(time.time()):
                await self._hand_over(found)
        except NoAnswer as problem:
            logger.warning("not handed over, once more in %.0f s: %s", self._again_s, problem)
            await self._go_alone()
            await asyncio.sleep(self._again_s)
            self._again_s = min(2 * self._again_s, AGAIN_MOST_S)
            self.child.turned.set()  # if the parent is still there
            return
        self._again_s = AGAIN_S
        self._ready.set()

    async def _hand_over(self, found: Handed) -> None:
        try:
            await self.child.hand_over(found)
        except ValueError as refused:
            logger.error("meeting %d: what was done alone is refused and set aside: %s", found.meeting, refused)
            await asyncio.to_thread(self._notes.set_aside, found)
            return
        await asyncio.to_thread(self._notes.forget, found)
        logger.warning("meeting %d: handed over, %d acts", found.meeting, len(found.acts))

    async def _settled(self) -> None:
        """Wait until it is known which tier answers; 503 when that takes too long."""
        try:
            async with asyncio.timeout(MOVING_S):
                await self._ready.wait()
        except TimeoutError:
            raise HTTPException(503, "the tiers are changing: ask again") from None

    # -- pages --------------------------------------------------------------------------------

    async def _socket(self, socket: WebSocket) -> None:
        if not self._knocks.take(socket.client.host if socket.client else "") or not offered(socket):
            await socket.close(1008)
            return
        await socket.accept(subprotocol=PROTOCOL)
        try:
            await self._settled()
        except HTTPException:
            await socket.close(1012)
            return
        if self._conversations is not None:
            await self._conversations.serve(socket)
        else:
            await self.passing.serve(socket)

    async def _post(self, request: Request) -> Response:
        await self._settled()
        if self._rooms is None:
            try:
                return await self.passing.request(request)
            except Away as away:
                if self.child.up:
                    raise HTTPException(503, f"the county does not answer: {away}") from None
                await self._settled()
        if self._rooms is None:
            raise HTTPException(503, "the tiers are changing: ask again")
        return JSONResponse(await self._door.answer(request, request.path_params["path"]))

    async def _api(self, request: Request) -> Response:
        await self._settled()
        if self._rooms is None:
            with contextlib.suppress(Away):
                return await self.passing.request(request)
        raise HTTPException(503, "the county cannot be reached: ask again when it is back")

    # -- what is held and told ----------------------------------------------------------------

    def _heard(self, meeting: int) -> Conference | None:
        return self.child.states.get(meeting)

    def _held_here(self, meeting: int) -> Meeting | None:
        """A meeting of our halls, as the parent told it; None also when its chair has ended it."""
        found, state = self.child.meetings.get(meeting), self.child.states.get(meeting)
        if found is None or (state is not None and state.ended):
            return None
        return found if set(found.halls) & set(self.settings.halls) else None

    def states(self) -> Iterable[Conference]:
        """For our children (``vconf.node.parent.Upper``)."""
        return self._rooms.conferences.all() if self._rooms is not None else list(self.child.states.values())

    async def meetings(self) -> Iterable[Meeting]:
        """For our children."""
        return list(self.child.meetings.values())

    async def devices(self, halls: Collection[str]) -> Mapping[str, str]:
        """For our children."""
        return {digest: hall for digest, hall in self.child.devices.items() if hall in halls}

    async def take(self, found: Handed) -> None:
        """Of a child that was alone: up it goes, or into what we hold alone ourselves."""
        await asyncio.wait_for(self._ready.wait(), MOVING_S)
        if self._rooms is None:
            await self.child.hand_over(replace(found, tier=self.settings.name))
            return
        await settle(self._rooms, found)
        await asyncio.to_thread(self._notes.took, found)


async def _told(request: Request, problem: Exception) -> Response:
    """As the county's signalling tells it."""
    assert isinstance(problem, HTTPException)
    return JSONResponse({"detail": problem.detail}, problem.status_code)
