"""Several relays as one: each hall on one of them, and each stream piped once to every other that wants it.

Answers the requests of one relay (docs/protocol.md) and finds the relay by the ids in them, so that the signalling
does not know how many there are.  The relays make a tree: streams go up to the first relay that both sides hang on and
down again, so that a township's line carries one copy of a stream however many other relays want it.  A dead relay is
left out of the tree; its halls are told, come back on another one, and what was carried through it goes a new way
without any page noticing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any

from vconf.pipework import Pair, Pipework
from vconf.relay_client import RelayClient, RelayError
from vconf.seats import Seat, Share, Stream
from vconf.tree import Tree

DEAD_S, LAST_S = 0.8, 2.5
"""A relay whose channel is lost may come back within this with all that it had; then its halls go elsewhere.  The
longer one where there is none for them (what hangs on others is for few halls): a dead process begins anew sooner."""

_LOOKS = 32
AGAIN_S = 0.5
"""A way that could not be made is tried again after this."""

logger = logging.getLogger(__name__)


class Cascade:
    """Requests of the signalling, for several relays; errors are ``RelayError``.

    Args:
        relays: Their clients by name, not started yet.
        above: The relay that each hangs on; those without are joined to each other directly.
        homes: The relay of each hall.

    ``on_event(name, params)`` hears what the relays tell; a lost transport is told as closed.  ``on_state(up,
    transports)``: these transports' relay is away, or back with them.
    """

    dead_s = DEAD_S

    def __init__(
        self,
        relays: Mapping[str, RelayClient],
        above: Mapping[str, str] | None = None,
        homes: Mapping[str, str] | None = None,
    ) -> None:
        self.on_event: Callable[[str, dict[str, Any]], None] = lambda name, params: None
        self.on_state: Callable[[bool, set[str]], None] = lambda up, transports: None
        self.transports: dict[str, Seat] = {}
        self.homes = dict(homes or {})
        self._relays = dict(relays)
        self._tree = Tree(above or {})
        self._pipes = Pipework(self._relays, self._pipe_lost)
        self._streams: dict[str, Stream] = {}
        self._shares: dict[str, Share] = {}
        self._listening: dict[str, set[str]] = {}  # room -> relays with places for whoever speaks
        self._dying: dict[str, asyncio.TimerHandle] = {}
        self._background: set[asyncio.Task[Any]] = set()
        self._methods: dict[str, Callable[..., Awaitable[Any]]] = {
            "ping": self._ping,
            "status": self.status,
            "quality": self._quality,
            "peerQuality": self._peer_quality,
            "createTransport": self._create_transport,
            "closeTransport": self._close_transport,
            "closePeer": self._close_peer,
            "produce": self._produce,
            "closeProducer": self._close_producer,
            "consume": self._consume,
            "consumeAudio": self._consume_audio,
            "consumePicture": self._consume_picture,
            "show": self._show,
            "closeConsumer": self._close_consumer,
            "roomAudio": self._room_audio,
            "openPipe": self._open_pipe,
            "pipeProducer": self._pipe_producer,
        }

    @property
    def up(self) -> bool:
        """Whether any relay is there."""
        return any(client.up for client in self._relays.values())

    def start(self) -> None:
        """Keep every relay's channel open from now on."""
        for name, client in self._relays.items():
            client.on_event = partial(self._event, name)
            client.on_state = partial(self._state, name)
            client.start()
            self._await(name)

    async def close(self) -> None:
        """Hang up."""
        for timer in self._dying.values():
            timer.cancel()
        for task in list(self._background):
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self._pipes.close()
        await asyncio.gather(*(client.close() for client in self._relays.values()))

    async def request(self, method: str, /, **params: Any) -> Any:
        """Ask whichever relay it is about."""
        known = self._methods.get(method)
        if known is not None:
            return await known(**params)
        return await self._of(params).request(method, **params)

    # -- where ----------------------------------------------------------------------------------

    def _place(self, room: str, peer: str, wish: str) -> str:
        """The relay for a peer's next transport: where it is already, the wished one, or a better one."""
        mine = (seat.relay for seat in self.transports.values() if (seat.room, seat.peer) == (room, peer))
        for name in (*mine, *self._better(wish)):
            if name in self._relays and self._relays[name].up:
                return name
        raise RelayError("away", f"relay {wish or 'of the centre'} is not connected, nor one above it")

    def _better(self, relay: str) -> list[str]:
        """Those that may serve its halls: it, those that it hangs on, and those that hang on nobody."""
        return [*self._tree.upwards(relay), *(name for name in self._relays if name not in self._tree.above)]

    def _of(self, params: Mapping[str, Any]) -> RelayClient:
        """By the first id that a request names."""
        if "transport" in params:
            return self._relays[self._seat(params["transport"]).relay]
        if "producer" in params:
            return self._relays[self._stream(params["producer"]).relay]
        if "consumer" in params:
            return self._relays[self._share(params["consumer"]).relay]
        raise RelayError("unknown", "the request names no transport, producer or consumer")

    def _seat(self, transport: str) -> Seat:
        try:
            return self.transports[transport]
        except KeyError:
            raise RelayError("refused", f"no transport {transport!r}") from None

    def _stream(self, producer: str) -> Stream:
        try:
            return self._streams[producer]
        except KeyError:
            raise RelayError("refused", f"no producer {producer!r}") from None

    def _share(self, consumer: str) -> Share:
        try:
            return self._shares[consumer]
        except KeyError:
            raise RelayError("refused", f"no consumer {consumer!r}") from None

    # -- requests -------------------------------------------------------------------------------

    async def _ping(self) -> Any:
        return {}

    async def _create_transport(self, room: str, peer: str, relay: str = "") -> Any:
        for _ in range(_LOOKS):
            if relay not in self._dying:  # else it may come within the moment
                break
            await asyncio.sleep(LAST_S / _LOOKS)
        name = self._place(room, peer, relay)
        made = await self._relays[name].request("createTransport", room=room, peer=peer)
        self.transports[made["id"]] = Seat(name, room, peer)
        return made

    async def _close_transport(self, transport: str) -> None:
        seat = self._forget(transport)
        if seat is not None:
            await self._relays[seat.relay].request("closeTransport", transport=transport)

    async def _close_peer(self, room: str, peer: str) -> None:
        for transport in [t for t, seat in self.transports.items() if (seat.room, seat.peer) == (room, peer)]:
            await self._close_transport(transport)

    async def _produce(self, transport: str, kind: str, room: str = "", **params: Any) -> Any:
        seat = self._seat(transport)
        named = {"room": room} if room else {}  # of a pipe, which is no room's
        made = await self._relays[seat.relay].request("produce", transport=transport, kind=kind, **named, **params)
        stream = self._streams[made["id"]] = Stream(seat.relay, room or seat.room, kind, transport)
        if kind == "audio":  # at once to the relays whose halls hear whoever speaks
            for relay in self._listening.get(stream.room, set()) - {seat.relay}:
                self._own(self._keep(made["id"], stream, relay))
        return made

    async def _close_producer(self, producer: str) -> None:
        stream = self._streams.get(producer)
        if stream is not None:
            self._end(producer)
            await self._relays[stream.relay].request("closeProducer", producer=producer)

    async def _consume(self, transport: str, producer: str, **params: Any) -> Any:
        seat, stream = self._seat(transport), self._stream(producer)
        if stream.room != seat.room:
            raise RelayError("refused", "the stream belongs to another meeting")
        local = await self._here(producer, stream, seat.relay)
        made = await self._relays[seat.relay].request("consume", transport=transport, producer=local, **params)
        self._shares[made["id"]] = Share(seat.relay, transport, producer)
        return {**made, "producerId": producer}

    async def _consume_audio(self, transport: str, **params: Any) -> Any:
        seat = self._seat(transport)
        self._listening.setdefault(seat.room, set()).add(seat.relay)
        for producer, stream in list(self._streams.items()):
            is_there = seat.relay == stream.relay or seat.relay in stream.copies
            if stream.room == seat.room and stream.kind == "audio" and not is_there:
                self._own(self._keep(producer, stream, seat.relay))
        made = await self._relays[seat.relay].request("consumeAudio", transport=transport, **params)
        for consumer in made["consumers"]:
            self._shares[consumer["id"]] = Share(seat.relay, transport, is_place=True)
        return made

    async def _consume_picture(self, transport: str, **params: Any) -> Any:
        seat = self._seat(transport)
        made = await self._relays[seat.relay].request("consumePicture", transport=transport, **params)
        self._shares[made["id"]] = Share(seat.relay, transport, is_place=True)
        return made

    async def _show(self, consumer: str, producer: str) -> Any:
        share, stream = self._share(consumer), self._stream(producer)
        if stream.room != self._seat(share.transport).room:
            raise RelayError("refused", "the stream belongs to another meeting")
        local = await self._here(producer, stream, share.relay)
        share.producer = producer
        return await self._relays[share.relay].request("show", consumer=consumer, producer=local)

    async def _close_consumer(self, consumer: str) -> None:
        share = self._shares.pop(consumer, None)
        if share is not None:
            await self._relays[share.relay].request("closeConsumer", consumer=consumer)

    async def _room_audio(self, room: str, loudest: int) -> None:
        for client in self._relays.values():
            if client.up:
                await client.request("roomAudio", room=room, loudest=loudest)

    async def _open_pipe(self, room: str, peer: str) -> Any:
        """To who drives us as one relay: it ends on the first."""
        name = next(iter(self._relays))
        made = await self._relays[name].request("openPipe", room=room, peer=peer)
        self.transports[made["transport"]] = Seat(name, room, peer)
        return made

    async def _pipe_producer(self, transport: str, producer: str) -> Any:
        seat, stream = self._seat(transport), self._stream(producer)
        local = await self._here(producer, stream, seat.relay)
        return await self._relays[seat.relay].request("pipeProducer", transport=transport, producer=local)

    async def status(self) -> dict[str, Any]:
        """Each relay's own figures by name, None for one that is away."""
        return {name: await _asked(client, "status") for name, client in self._relays.items()}

    async def _quality(self) -> list[dict[str, Any]]:
        return [row for client in self._relays.values() for row in await _asked(client, "quality") or ()]

    async def _peer_quality(self, room: str) -> dict[str, dict[str, Any]]:
        """A peer's transports are on one relay, copies of its streams on others."""
        total: dict[str, dict[str, Any]] = {}
        for client in self._relays.values():
            for peer, row in (await _asked(client, "peerQuality", room=room) or {}).items():
                kept = total.setdefault(peer, row)
                kept.update({k: v for k, v in row.items() if v is not None and (kept[k] is None or v > kept[k])})
        return total

    # -- streams between relays -------------------------------------------------------------------

    async def _here(self, producer: str, stream: Stream, relay: str) -> str:
        """The stream's producer on that relay: its own, or the copy there, made once."""
        if stream.relay == relay:
            return producer
        task = stream.copies.get(relay)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            source = stream.sources[relay] = self._tree.source(stream.relay, relay)
            task = stream.copies[relay] = asyncio.ensure_future(self._carry(producer, stream, source, relay))
        return await asyncio.shield(task)

    async def _carry(self, producer: str, stream: Stream, source: str, relay: str) -> str:
        local = await self._here(producer, stream, source)
        here, there = await self._pipes.between(source, relay)
        told = await self._relays[source].request("pipeProducer", transport=here, producer=local)
        passed = {key: told[key] for key in ("kind", "source", "peer", "rtpParameters", "rates")}
        try:
            made = await self._relays[relay].request("produce", transport=there, room=stream.room, **passed)
        except RelayError:
            for consumer in told["consumers"]:
                with contextlib.suppress(RelayError):
                    await self._relays[source].request("closeConsumer", consumer=consumer)
            raise
        return str(made["id"])

    async def _keep(self, producer: str, stream: Stream, relay: str) -> None:
        """Make a copy, however often it takes, while somebody there wants it."""
        while self._streams.get(producer) is stream and self._relays[relay].up and self._wanted(producer, relay):
            try:
                await self._here(producer, stream, relay)
                return
            except RelayError as error:
                logger.info("cascade: %s to %s: %s", stream.relay, relay, error)
                await asyncio.sleep(AGAIN_S)

    def _wanted(self, producer: str, relay: str) -> bool:
        stream = self._streams[producer]
        if stream.kind == "audio" and relay in self._listening.get(stream.room, set()):
            return True
        shares = self._shares.values()
        return any((share.relay, share.producer) == (relay, producer) for share in shares)

    def _pipe_lost(self, pair: Pair) -> Awaitable[Any]:
        """Copies that came through it are made anew another way, then the old ones end."""
        replacing = []
        for producer, stream in list(self._streams.items()):
            hops = dict(stream.sources)
            broken = {relay for relay, source in hops.items() if pair == {relay, source}}
            while more := {relay for relay, source in hops.items() if source in broken} - broken:
                broken |= more
            for relay in broken:
                old = stream.copies.pop(relay)
                del stream.sources[relay]
                if self._relays[relay].up:
                    replacing.append(self._own(self._replace(producer, stream, relay, old)))
        return asyncio.gather(*replacing, return_exceptions=True)

    async def _replace(self, producer: str, stream: Stream, relay: str, old: asyncio.Task[str]) -> None:
        """Another way: the shares there are fed from it before the old one ends."""
        await self._keep(producer, stream, relay)
        for consumer, share in list(self._shares.items()):
            if (share.relay, share.producer) == (relay, producer):
                with contextlib.suppress(RelayError):  # closed meanwhile
                    local = await self._here(producer, stream, relay)
                    await self._relays[relay].request("feed", consumer=consumer, producer=local)
        await self._close_copy(relay, old)

    # -- what is told, and lost -------------------------------------------------------------------

    def _event(self, relay: str, name: str, values: dict[str, Any]) -> None:
        if name == "transport" and values.get("transport") in self.transports:
            if values.get("state") == "closed":
                self._forget(str(values["transport"]))
            self.on_event(name, values)
        elif name == "transport" and values.get("state") == "closed":
            self._pipes.closed(str(values.get("transport")))
        elif name == "speakers":
            room = values.get("room")
            hearing = self._listening.get(str(room)) or {s.relay for s in self.transports.values() if s.room == room}
            if relay == min((name for name in hearing if self._relays[name].up), default=relay):
                self.on_event(name, values)

    def _state(self, relay: str, up: bool, alive: set[str]) -> None:
        if relay in self._dying:
            self._dying.pop(relay).cancel()
        mine = {known for known, seat in self.transports.items() if seat.relay == relay}
        if not up:
            self.on_state(False, mine)
            self._await(relay)
            return
        self._tree.dead.discard(relay)
        ours = self.transports.keys() | self._pipes.ends()
        self._lose(mine - alive, "relay restarted")
        self._pipes.checked(relay, alive)
        for transport in alive - ours:  # given up meanwhile
            self._own(self._relays[relay].request("closeTransport", transport=transport))
        for other in [name for name, client in self._relays.items() if not client.up and name not in self._dying]:
            self._died(other)
        self.on_state(True, mine & alive)

    def _await(self, relay: str) -> None:
        others = [name for name in self._better(relay) if name != relay]
        wait_s = self.dead_s if any(self._relays[name].up for name in others if name in self._relays) else LAST_S
        self._dying[relay] = asyncio.get_running_loop().call_later(wait_s, self._died, relay)

    def _died(self, relay: str) -> None:
        """It does not come back soon: its halls go elsewhere, unless there is nowhere else."""
        self._dying.pop(relay, None)
        if not self.up or relay in self._tree.dead:
            return
        lost = {known for known, seat in self.transports.items() if seat.relay == relay}
        if lost:
            logger.warning("relay %s is gone: %d transports go elsewhere", relay, len(lost))
        self._tree.dead.add(relay)
        for room in self._listening.values():
            room.discard(relay)
        self._pipes.checked(relay, set())
        self._lose(lost, f"relay {relay} is gone")

    def _lose(self, transports: Iterable[str], why: str) -> None:
        """Tell each as closed; the pages build them anew."""
        for transport in list(transports):
            seat = self._forget(transport)
            if seat is not None:
                told = {"transport": transport, "room": seat.room, "peer": seat.peer}
                self.on_event("transport", {**told, "state": "closed", "reason": why})

    def _forget(self, transport: str) -> Seat | None:
        seat = self.transports.pop(transport, None)
        if seat is None:
            return None
        for producer in [p for p, stream in self._streams.items() if stream.transport == transport]:
            self._end(producer)
        for consumer in [c for c, share in self._shares.items() if share.transport == transport]:
            del self._shares[consumer]
        if not any((other.room, other.relay) == (seat.room, seat.relay) for other in self.transports.values()):
            hearing = self._listening.get(seat.room, set())
            hearing.discard(seat.relay)
            if not hearing:
                self._listening.pop(seat.room, None)
        return seat

    def _end(self, producer: str) -> None:
        stream = self._streams.pop(producer)
        for consumer, share in list(self._shares.items()):
            if share.producer == producer and share.is_place:
                share.producer = ""
            elif share.producer == producer:
                del self._shares[consumer]
        for relay, task in stream.copies.items():
            self._own(self._close_copy(relay, task))
        used = {frozenset(hop) for other in self._streams.values() for hop in other.sources.items()}
        self._pipes.spare(used)

    async def _close_copy(self, relay: str, task: asyncio.Task[str]) -> None:
        await self._relays[relay].request("closeProducer", producer=await task)

    def _own(self, work: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (problem := task.exception()) is not None:
            if isinstance(problem, RelayError):
                logger.info("cascade: %s", problem)  # what was to be closed is gone already
            else:
                logger.error("cascade: a task failed", exc_info=problem)


async def _asked(client: RelayClient, method: str, **params: Any) -> Any:
    """None when it is away."""
    with contextlib.suppress(RelayError):
        return await client.request(method, **params)
    return None
