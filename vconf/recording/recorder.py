"""The recorder of one meeting: joins as a page does, receives everything that leaves the relay, writes it down.

What the relay or the signalling loses it builds anew, as pages do; its files go on meanwhile, with a gap in them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiortc.rtcdtlstransport import RTCCertificate

from vconf.client.channel import Channel, Lost, Refusal
from vconf.client.peer import Peer, PeerError, Server
from vconf.limits import Bucket
from vconf.recording import chapters
from vconf.recording.clock import VenueClock
from vconf.recording.depacketise import Frame
from vconf.recording.programme import Programme, featured
from vconf.recording.reception import Reception, Stream
from vconf.recording.sealed import HEAD, SUFFIX, SealedWriter
from vconf.recording.track import Track, parts

TICK_S = 0.02
FLUSH_S = 1.0
SYNC_S = 2.0
PROGRAMME, SLIDES = "programme", "slides"
CHAPTERS = "chapters"
SMALL_LAYER = 1
"""The highest layer that is asked of a camera that is not on air, where cameras send several."""

_PING_S = 1.0
_AGAIN_S = (0.2, 0.5, 1.0, 2.0)
_OVER = frozenset({"early", "over", "cancelled", "unknown"})
_STRANGE = re.compile(r"[^A-Za-z0-9_-]")

logger = logging.getLogger(__name__)


class Over(RuntimeError):
    """There is nothing to record any more; the text says why."""


class _Stale(RuntimeError):
    """The relay lost what was built."""


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be recorded, and where to."""

    recording: str  # id
    folder: Path
    key: bytes
    address: str  # "wss://10.32.2.6/meet/ws"
    tls: ssl.SSLContext | None
    began_s: float  # monotonic: when the recording began, perhaps before this process


@dataclass(slots=True)
class Figures:
    """For whoever watches."""

    joins: int = 0
    interruptions: list[str] = field(default_factory=list)
    left_out: int = 0  # streams of a codec that cannot be kept


class Recorder:
    """Until ``run`` is cancelled, or there is nothing to record.

    Args:
        task: What and where to.
        token: Gives a join token, good once.
        told: Hears when recording begins ("recording") and is interrupted ("interrupted").
    """

    def __init__(self, task: Task, token: Callable[[], Awaitable[str]], told: Callable[[str], None]) -> None:
        self.figures = Figures()
        self.failure: OSError | None = None  # of the disk
        self._task, self._token, self._told = task, token, told
        self._certificate = RTCCertificate.generateCertificate()
        self._tracks: dict[str, Track] = {}
        self._clocks: dict[str, VenueClock] = {}
        self._programme = Programme(self._track(f"{PROGRAMME}-video").add, self._track(f"{PROGRAMME}-audio").add)
        self._marks: SealedWriter | None = None
        self._again = bool(parts(task.folder, CHAPTERS))
        self._conference: dict[str, Any] = {}
        self._names: dict[str, dict[str, str]] = {}
        self._peers: dict[str, dict[str, Any]] = {}
        self._consumers: dict[str, tuple[str, Stream | None]] = {}  # producer -> (consumer, stream)
        self._layers: dict[str, int | None] = {}  # producer -> what was asked for
        self._many_layers = False
        self._pace = Bucket(rate=40, burst=150)
        self._changed = asyncio.Event()
        self._stale = asyncio.Event()
        self._failed = asyncio.Event()

    @property
    def octets(self) -> int:
        """On the disk, by this process."""
        return sum(track.written for track in self._tracks.values()) + (self._marks.octets if self._marks else 0)

    @property
    def streams(self) -> list[Stream]:
        """That are received now."""
        return [stream for _, stream in self._consumers.values() if stream is not None]

    async def run(self) -> None:
        """Record; returns when the meeting is over, raises OSError when the disk refuses."""
        housekeeping = asyncio.create_task(self._keep_house())
        attempt, over = 0, False
        try:
            while not over:
                joins = self.figures.joins
                try:
                    await self._once()
                except* (Lost, PeerError, OSError, TimeoutError) as problems:
                    self._interrupted(str(problems.exceptions[0]))
                except* Refusal as problems:
                    self._interrupted(str(problems.exceptions[0]))
                    over = any(isinstance(each, Refusal) and each.code in _OVER for each in problems.exceptions)
                except* Over:
                    over = True
                if self.failure is not None:
                    raise self.failure
                attempt = 0 if self.figures.joins > joins else min(attempt + 1, len(_AGAIN_S) - 1)
                await asyncio.sleep(_AGAIN_S[attempt])
        finally:
            housekeeping.cancel()
            await asyncio.gather(housekeeping, return_exceptions=True)
            self.close()

    def close(self) -> None:
        """End every file."""
        for track in self._tracks.values():
            with contextlib.suppress(OSError):
                track.close()
        if self._marks is not None:
            with contextlib.suppress(OSError):
                self._marks.close()

    # -- the signalling -----------------------------------------------------------------------

    async def _once(self) -> None:
        opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        channel = await Channel.open(self._task.address, self._task.tls, opened, self._heard)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(channel.read())
                tasks.create_task(self._until_failed())
                welcome = await channel.request("hello", token=await self._token())
                self._peers = {peer["id"]: peer for peer in welcome["peers"]}
                self._names |= welcome["venues"]
                self._many_layers = int(welcome["layers"]) > 1
                self._confer(welcome["conference"])
                tasks.create_task(self._ping(channel))
                while True:
                    self._stale.clear()
                    with contextlib.suppress(_Stale):
                        await self._media(channel, welcome["routerRtpCapabilities"])
                    self._told("interrupted")
        finally:
            self._consumers.clear()
            await channel.leave()

    async def _media(self, channel: Channel, capabilities: dict[str, Any]) -> None:
        """A transport and everything that comes over it, until the relay loses it."""
        peer = Peer("0.0.0.0", self._certificate)  # then connected to the relay alone
        self._consumers.clear()
        self._layers.clear()
        try:
            reception = Reception(peer, self._frame, self._loud)
            made = await self._ask(channel, "createTransport")
            ours = [{"algorithm": algorithm, "value": value} for algorithm, value in peer.fingerprints]
            await self._ask(
                channel,
                "connectTransport",
                transport=made["id"],
                dtlsParameters={"role": "client", "fingerprints": ours},
            )
            candidate, ice = made["iceCandidates"][0], made["iceParameters"]
            theirs = tuple((each["algorithm"], each["value"]) for each in made["dtlsParameters"]["fingerprints"])
            address = str(candidate["ip"]), int(candidate["port"])
            await peer.connect(Server(address, ice["usernameFragment"], ice["password"], theirs))
            self.figures.joins += 1
            self._told("recording")
            ticking = asyncio.create_task(self._tick(reception))
            try:
                await self._follow(channel, reception, str(made["id"]), capabilities)
            finally:
                ticking.cancel()
                await asyncio.gather(ticking, return_exceptions=True)
        finally:
            await peer.close()

    async def _follow(
        self, channel: Channel, reception: Reception, transport: str, capabilities: dict[str, Any]
    ) -> None:
        while True:
            self._changed.clear()
            if self._stale.is_set():
                raise _Stale
            wanted = {
                stream["id"]: (peer["hall"], stream["source"])
                for peer in self._peers.values()
                for stream in peer["producers"]
            }
            for producer in [each for each in self._consumers if each not in wanted]:
                consumer, stream = self._consumers.pop(producer)
                self._layers.pop(producer, None)
                if stream is not None:
                    reception.forget(stream)
                with contextlib.suppress(Refusal):  # it ended with its stream
                    await self._ask(channel, "closeConsumer", consumer=consumer)
            for producer, (venue, source) in wanted.items():
                if producer not in self._consumers:
                    with contextlib.suppress(Refusal):  # the stream ended meanwhile
                        await self._consume(channel, reception, transport, capabilities, producer, venue, source)
                await self._prefer(channel, producer, venue, source)
            await self._changed.wait()

    async def _consume(
        self,
        channel: Channel,
        reception: Reception,
        transport: str,
        capabilities: dict[str, Any],
        producer: str,
        venue: str,
        source: str,
    ) -> None:
        made = await self._ask(channel, "consume", transport=transport, producer=producer, rtpCapabilities=capabilities)
        clock = self._clocks.setdefault(venue, VenueClock())
        try:
            stream = reception.expect(venue, source, made["rtpParameters"], clock)
        except KeyError:
            self.figures.left_out += 1
            self._consumers[producer] = made["id"], None
            return
        self._consumers[producer] = made["id"], stream
        await self._ask(channel, "pauseConsumer", consumer=made["id"], paused=False)

    async def _prefer(self, channel: Channel, producer: str, venue: str, source: str) -> None:
        """A camera that is not on air is kept smaller."""
        if not self._many_layers or source != "camera" or producer not in self._consumers:
            return
        wanted = None if venue == featured(self._conference) else SMALL_LAYER
        if self._layers.get(producer, -1) != wanted:
            self._layers[producer] = wanted
            with contextlib.suppress(Refusal):
                await self._ask(channel, "prefer", consumer=self._consumers[producer][0], maxLayer=wanted)

    async def _ask(self, channel: Channel, kind: str, /, **data: Any) -> Any:
        """A request; many venues at once stay below what the signalling takes from one page."""
        while True:
            if self._pace.take():
                return await channel.request(kind, **data)
            await asyncio.sleep(TICK_S)

    async def _ping(self, channel: Channel) -> None:
        while True:
            await asyncio.sleep(_PING_S)
            await channel.request("ping")

    async def _until_failed(self) -> None:
        await self._failed.wait()
        raise Over("the disk refuses")

    def _heard(self, kind: str, data: dict[str, Any]) -> None:
        """One notification."""
        if kind in ("replaced", "meetingEnded", "ejected"):
            raise Over(str(data.get("reason", kind)))
        if kind == "mediaReset":
            self._stale.set()
        elif kind == "conference":
            self._confer(data)
        elif kind == "peerJoined":
            self._peers[data["id"]] = data
            self._names[data["hall"]] = {"zh": data["zh"], "en": data["en"]}
        elif kind == "peerLeft":
            gone = self._peers.pop(data["peer"], None)
            if gone is not None:
                self._programme.forget(gone["hall"])
        elif kind in ("producerAdded", "producerClosed"):
            peer = self._peers.get(data["peer"], {"producers": []})
            if kind == "producerAdded":
                peer["producers"].append({key: value for key, value in data.items() if key != "peer"})
            else:
                peer["producers"] = [each for each in peer["producers"] if each["id"] != data["producer"]]
        self._changed.set()

    def _confer(self, conference: dict[str, Any]) -> None:
        before, self._conference = self._conference, conference
        at_s = time.monotonic() - self._task.began_s
        if before:
            found = chapters.between(at_s, before, conference, self._names)
        else:
            found = chapters.first(at_s, conference, self._names, again=self._again)
        self._mark(list(found))
        self._programme.show(featured(conference), time.monotonic())

    # -- the disk -----------------------------------------------------------------------------

    def _track(self, name: str) -> Track:
        name = _STRANGE.sub("_", name)
        if name not in self._tracks:
            self._tracks[name] = Track(self._task.folder, name, self._task.key, self._task.recording)
        return self._tracks[name]

    def _frame(self, stream: Stream, at_s: float, frame: Frame) -> None:
        """Every frame of everybody comes here."""
        if self.failure is not None:
            return
        at_s -= self._task.began_s
        now_s = time.monotonic()
        try:
            if stream.source == "slides":
                self._track(f"{SLIDES}-video").add(stream.codec, at_s, frame)
            elif stream.source == "camera":
                self._track(f"{stream.venue}-video").add(stream.codec, at_s, frame)
                self._programme.frame(stream.venue, stream.codec, at_s, frame, now_s)
            else:
                self._track(f"{stream.venue}-audio").add(stream.codec, at_s, frame)
                self._programme.sound(stream.venue, at_s, frame, now_s)
        except OSError as error:
            self._fail(error)

    def _loud(self, venue: str, level: int) -> None:
        self._programme.level(venue, level, time.monotonic())

    def _mark(self, found: list[dict[str, Any]]) -> None:
        try:
            if self._marks is None:
                number = 1 + max((number for _, number in parts(self._task.folder, CHAPTERS)), default=0)
                path = self._task.folder / f"{CHAPTERS}.{number:04}{SUFFIX}"
                self._marks = SealedWriter(path, self._task.key, self._task.recording)
                self._marks.write(json.dumps({"track": CHAPTERS}).encode(), HEAD)
            for chapter in found:
                self._marks.write(json.dumps(chapter, ensure_ascii=False).encode())
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.failure = self.failure or error
        self._failed.set()

    async def _tick(self, reception: Reception) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            reception.tick(time.monotonic(), self._programme.wants)

    async def _keep_house(self) -> None:
        """What waits is written every second, and reaches the disk."""
        synced_s = time.monotonic()
        while True:
            await asyncio.sleep(FLUSH_S / 2)
            now_s = time.monotonic()
            try:
                for track in list(self._tracks.values()):
                    track.flush(now_s - self._task.began_s)
                if now_s - synced_s >= SYNC_S:
                    synced_s = now_s
                    for file in [each.file for each in self._tracks.values()] + [self._marks]:
                        if file is not None:
                            await asyncio.to_thread(file.sync)
            except OSError as error:
                self._fail(error)

    def _interrupted(self, why: str) -> None:
        self.figures.interruptions.append(why)
        logger.warning("interrupted: %s", why)
        self._told("interrupted")
