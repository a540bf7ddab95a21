"""One relay on several cores: a worker process for each, receivers spread over them, streams piped between them.

Behind ``RelayServer`` this takes the place of an engine.  Each worker is a relay of its own on the next UDP port and is
driven over a socket of our own user; a hall and all it sends and receives live on one worker.  A stream that a hall of
another worker wants is piped there once (``media.pipes``).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from vconf.media.engine import EngineError
from vconf.relay_client import RelayClient

READY_S = 20.0

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Seat:
    """A transport: whose, and where."""

    worker: int
    room: str
    peer: str


@dataclass(slots=True)
class _Stream:
    """A producer, and its copies on other workers."""

    worker: int
    room: str
    kind: str
    transport: str
    copies: dict[int, asyncio.Task[str]] = field(default_factory=dict)


class Workers:
    """Requests as ``media.engine.Engine`` has them, as coroutines; errors are ``RelayError`` and ``EngineError``."""

    def __init__(self, media: tuple[str, int], number: int, options: list[str]) -> None:
        self.on_event: Callable[[str, dict[str, Any]], None] = lambda name, values: None
        self.transports: dict[str, _Seat] = {}
        self._addresses = [(media[0], media[1] + index) for index in range(number)]
        self._options = options
        self._folder = tempfile.TemporaryDirectory(prefix="relay-")
        self._paths = [Path(self._folder.name) / f"{index}.sock" for index in range(number)]
        self._clients = [RelayClient.over_unix(f"worker {index}", path) for index, path in enumerate(self._paths)]
        self._streams: dict[str, _Stream] = {}
        self._consumers: dict[str, int] = {}
        self._listening: dict[str, set[int]] = {}  # room -> workers with places for whoever speaks
        self._pipes: dict[tuple[str, int, int], asyncio.Task[tuple[str, str]]] = {}  # room, from, to -> both ends
        self._tasks: list[asyncio.Task[None]] = []
        self._ready = asyncio.Event()
        self._background: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Start every worker; TimeoutError when one does not answer."""
        for index, client in enumerate(self._clients):
            client.on_event = partial(self._event, index)
            client.on_state = partial(self._state, index)
            self._tasks.append(asyncio.get_running_loop().create_task(self._keep(index)))
            client.start()
        async with asyncio.timeout(READY_S):
            await self._ready.wait()

    async def close(self) -> None:
        """Stop the workers."""
        for task in [*self._tasks, *self._background]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._background, return_exceptions=True)
        for client in self._clients:
            await client.close()
        self._folder.cleanup()

    # -- requests -----------------------------------------------------------------------------

    async def create_transport(self, room: str, peer: str) -> Any:
        """On the peer's worker; a new peer goes where the fewest transports are."""
        of_peer = [seat.worker for seat in self.transports.values() if (seat.room, seat.peer) == (room, peer)]
        loads = [0] * len(self._clients)
        for seat in self.transports.values():
            loads[seat.worker] += 1
        free = [index for index, client in enumerate(self._clients) if client.up]
        worker = of_peer[0] if of_peer else min(free, key=lambda index: loads[index], default=0)
        made = await self._clients[worker].request("createTransport", room=room, peer=peer)
        self.transports[made["id"]] = _Seat(worker, room, peer)
        return made

    async def connect_transport(self, transport: str, fingerprints: list[dict[str, str]]) -> Any:
        """DTLS."""
        return await self._of(transport).request(
            "connectTransport", transport=transport, dtlsParameters={"fingerprints": fingerprints}
        )

    async def restart_ice(self, transport: str) -> Any:
        """New credentials."""
        return await self._of(transport).request("restartIce", transport=transport)

    def close_transport(self, transport: str) -> None:
        """In the background; unknown ones are closed already."""
        seat = self._forget(transport)
        if seat is not None:
            self._own(self._clients[seat.worker].request("closeTransport", transport=transport))

    async def close_peer(self, room: str, peer: str) -> None:
        """Everything of a peer."""
        for identifier in [t for t, seat in self.transports.items() if (seat.room, seat.peer) == (room, peer)]:
            seat = self._forget(identifier)
            if seat is not None:
                await self._clients[seat.worker].request("closeTransport", transport=identifier)

    async def produce(
        self, transport: str, kind: str, rtp_parameters: Any, *, paused: bool = False, source: str = "", peer: str = ""
    ) -> str:
        """Take a stream in; a voice goes at once to the workers whose halls hear whoever speaks."""
        made = await self._of(transport).request(
            "produce",
            transport=transport,
            kind=kind,
            rtpParameters=rtp_parameters,
            paused=paused,
            **({"source": source} if source else {}),
        )
        seat = self.transports[transport]
        stream = self._streams[made["id"]] = _Stream(seat.worker, seat.room, kind, transport)
        if kind == "audio":
            for worker in self._listening.get(seat.room, set()) - {seat.worker}:
                await self._copy(made["id"], stream, worker)
        return str(made["id"])

    async def pause_producer(self, producer: str, paused: bool) -> Any:
        """Nothing reaches the copies either."""
        client = self._clients[self._stream(producer).worker]
        return await client.request("pauseProducer", producer=producer, paused=paused)

    async def close_producer(self, producer: str) -> None:
        """With its copies."""
        stream = self._streams.get(producer)
        if stream is not None:
            await self._clients[stream.worker].request("closeProducer", producer=producer)
            self._end(producer)

    async def consume(self, transport: str, producer: str, receiver: Any, cname: str) -> Any:
        """From the copy on the receiver's worker."""
        worker, stream = self._worker(transport), self._stream(producer)
        if stream.room != self.transports[transport].room:
            raise EngineError("the stream belongs to another meeting")
        local = producer if stream.worker == worker else await self._copy(producer, stream, worker)
        made = await self._clients[worker].request(
            "consume", transport=transport, producer=local, rtpCapabilities=receiver, cname=cname
        )
        self._consumers[made["id"]] = worker
        return {**made, "producerId": producer}

    async def consume_audio(self, transport: str, places: int, receiver: Any, cname: str) -> Any:
        """All voices of the room come to the receiver's worker."""
        worker, room = self._worker(transport), self.transports[transport].room
        self._listening.setdefault(room, set()).add(worker)
        for identifier, stream in list(self._streams.items()):
            if stream.room == room and stream.kind == "audio" and stream.worker != worker:
                await self._copy(identifier, stream, worker)
        made = await self._clients[worker].request(
            "consumeAudio", transport=transport, slots=places, rtpCapabilities=receiver, cname=cname
        )
        self._consumers.update((consumer["id"], worker) for consumer in made["consumers"])
        return made

    async def room_audio(self, room: str, loudest: int) -> None:
        """On every worker."""
        for client in self._clients:
            await client.request("roomAudio", room=room, loudest=loudest)

    async def prefer(self, consumer: str, priority: int | None, most: int | None) -> Any:
        """As an engine does."""
        return await self._consumer(consumer).request("prefer", consumer=consumer, priority=priority, maxLayer=most)

    async def pause_consumer(self, consumer: str, paused: bool) -> Any:
        """As an engine does."""
        return await self._consumer(consumer).request("pauseConsumer", consumer=consumer, paused=paused)

    async def close_consumer(self, consumer: str) -> Any:
        """As an engine does."""
        client = self._consumer(consumer)
        self._consumers.pop(consumer, None)
        return await client.request("closeConsumer", consumer=consumer)

    async def open_pipe(self, room: str, peer: str) -> Any:
        """Pipes of relays to each other end on the first worker."""
        made = await self._clients[0].request("openPipe", room=room, peer=peer)
        self.transports[made["transport"]] = _Seat(0, room, peer)
        return made

    async def join_pipe(self, transport: str, ip: str, port: int, key: str) -> Any:
        """As an engine does."""
        return await self._of(transport).request("joinPipe", transport=transport, ip=ip, port=port, key=key)

    async def pipe_producer(self, transport: str, producer: str) -> Any:
        """From the copy on the pipe's worker."""
        worker, stream = self._worker(transport), self._stream(producer)
        local = producer if stream.worker == worker else await self._copy(producer, stream, worker)
        return await self._clients[worker].request("pipeProducer", transport=transport, producer=local)

    async def status(self) -> dict[str, Any]:
        """Sums over the workers, and each worker's own under ``workers``."""
        each = [await client.request("status") for client in self._clients if client.up]
        rooms = {(seat.room, seat.peer) for seat in self.transports.values()}
        total = _sum([{k: v for k, v in one.items() if k not in ("name", "boot", "up_s")} for one in each])
        return {**total, "rooms": len({room for room, _ in rooms}), "peers": len(rooms), "workers": each}

    async def quality(self) -> list[dict[str, Any]]:
        """Of all workers, without the pipes between them."""
        rows = [row for client in self._clients if client.up for row in await client.request("quality")]
        return [row for row in rows if not str(row["to"]).startswith("worker ")]

    async def peer_quality(self, room: str) -> dict[str, dict[str, Any]]:
        """Of all workers: a peer's transports are on one, its streams' copies on others."""
        total: dict[str, dict[str, Any]] = {}
        for client in self._clients:
            for peer, row in (await client.request("peerQuality", room=room)).items() if client.up else ():
                if not peer.startswith("worker "):
                    kept = total.setdefault(peer, row)
                    kept.update({k: v for k, v in row.items() if v is not None and (kept[k] is None or v > kept[k])})
        return total

    # -- streams between workers --------------------------------------------------------------

    async def _copy(self, producer: str, stream: _Stream, worker: int) -> str:
        """The producer's copy on that worker, made once."""
        task = stream.copies.get(worker)
        if task is None or (task.done() and not task.cancelled() and task.exception() is not None):
            task = stream.copies[worker] = asyncio.ensure_future(self._carry(producer, stream, worker))
        return await asyncio.shield(task)

    async def _carry(self, producer: str, stream: _Stream, worker: int) -> str:
        way = stream.room, stream.worker, worker
        opening = self._pipes.get(way)
        if opening is None or (opening.done() and opening.exception() is not None):
            opening = self._pipes[way] = asyncio.ensure_future(self._open(*way))
        here, there = await asyncio.shield(opening)
        told = await self._clients[stream.worker].request("pipeProducer", transport=here, producer=producer)
        made = await self._clients[worker].request(
            "produce", transport=there, **{key: told[key] for key in ("kind", "source", "peer", "rtpParameters")}
        )
        return str(made["id"])

    async def _open(self, room: str, here: int, there: int) -> tuple[str, str]:
        ends = [
            await self._clients[index].request("openPipe", room=room, peer=f"worker {other}")
            for index, other in ((here, there), (there, here))
        ]
        for index, mine, other in ((here, ends[0], ends[1]), (there, ends[1], ends[0])):
            await self._clients[index].request(
                "joinPipe", transport=mine["transport"], ip=other["ip"], port=other["port"], key=other["key"]
            )
        return ends[0]["transport"], ends[1]["transport"]

    # -- what is lost -------------------------------------------------------------------------

    def _event(self, worker: int, name: str, values: dict[str, Any]) -> None:
        if name == "transport" and values.get("transport") in self.transports:
            if values.get("state") == "closed":
                self._forget(str(values["transport"]))
            self.on_event(name, values)
        elif name == "speakers":
            tellers = [seat.worker for seat in self.transports.values() if seat.room == values.get("room")]
            if worker == min(self._listening.get(str(values.get("room")), set()) or tellers, default=worker):
                self.on_event(name, values)

    def _state(self, worker: int, up: bool, alive: set[str]) -> None:
        """A worker's loss closes its transports, which the halls build anew elsewhere."""
        if all(client.up for client in self._clients):
            self._ready.set()
        for way in [way for way in self._pipes if worker in way[1:]] if not up else ():
            self._own(self._close_pipe(way, self._pipes.pop(way)))
        for identifier in [t for t, seat in self.transports.items() if seat.worker == worker and t not in alive]:
            seat = self.transports[identifier]
            self._forget(identifier)
            gone = {"transport": identifier, "room": seat.room, "peer": seat.peer}
            self.on_event("transport", {**gone, "state": "closed", "reason": "its worker ended"})
        for stream in self._streams.values() if not up else ():
            stream.copies.pop(worker, None)

    def _forget(self, transport: str) -> _Seat | None:
        seat = self.transports.pop(transport, None)
        if seat is None:
            return None
        for producer in [p for p, stream in self._streams.items() if stream.transport == transport]:
            self._end(producer)
        if not any(other.room == seat.room for other in self.transports.values()):
            self._listening.pop(seat.room, None)
            for way in [way for way in self._pipes if way[0] == seat.room]:
                self._own(self._close_pipe(way, self._pipes.pop(way)))
        return seat

    def _end(self, producer: str) -> None:
        stream = self._streams.pop(producer)
        for worker, task in stream.copies.items():
            self._own(self._close_copy(worker, task))

    async def _close_copy(self, worker: int, task: asyncio.Task[str]) -> None:
        await self._clients[worker].request("closeProducer", producer=await task)

    async def _close_pipe(self, way: tuple[str, int, int], task: asyncio.Task[tuple[str, str]]) -> None:
        for worker, transport in zip(way[1:], await task, strict=True):
            if self._clients[worker].up:
                await self._clients[worker].request("closeTransport", transport=transport)

    async def _keep(self, index: int) -> None:
        """Start a worker, and again when it ends."""
        host, port = self._addresses[index]
        argv = [
            *("-m", "sanwang.relay", "--name", f"worker {index}", "--media", f"{host}:{port}"),
            "--child",
            str(os.getpid()),
        ]
        while True:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, *argv, "--unix", str(self._paths[index]), *self._options),
                stdout=asyncio.subprocess.DEVNULL,
            )
            try:
                code = await process.wait()
            finally:
                if process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        process.terminate()
                    await process.wait()
            logger.error("worker %d ended with %d: starting it again", index, code)
            await asyncio.sleep(0.5)

    # -- helpers ------------------------------------------------------------------------------

    def _worker(self, transport: str) -> int:
        try:
            return self.transports[transport].worker
        except KeyError:
            raise EngineError(f"no transport {transport!r}") from None

    def _of(self, transport: str) -> RelayClient:
        return self._clients[self._worker(transport)]

    def _stream(self, producer: str) -> _Stream:
        try:
            return self._streams[producer]
        except KeyError:
            raise EngineError(f"no producer {producer!r}") from None

    def _consumer(self, consumer: str) -> RelayClient:
        try:
            return self._clients[self._consumers[consumer]]
        except KeyError:
            raise EngineError(f"no consumer {consumer!r}") from None

    def _own(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.info("workers: %s", task.exception())  # what was to be closed is gone already


def _sum(trees: list[dict[str, Any]]) -> dict[str, Any]:
    """Numbers added, trees by key, texts as the first has them."""
    total: dict[str, Any] = {}
    for tree in trees:
        for key, value in tree.items():
            if isinstance(value, dict):
                total[key] = _sum([total.get(key, {}), value])
            elif isinstance(value, int | float):
                total[key] = total.get(key, 0) + value
            else:
                total.setdefault(key, value)
    return total
