"""One hall of a load: joins as a page does, sends a clip if asked, and receives what the conference shows it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from aiortc.rtcdtlstransport import RTCCertificate

from vconf.client.channel import Channel, Lost, Refusal
from vconf.client.peer import CONSENT_S, Peer, PeerError, Server
from vconf.load.camera import Camera
from vconf.load.clip import Clip
from vconf.load.gaps import Gaps
from vconf.load.screen import Screen, Track
from vconf.load.way import Habits, HallFigures, Way

_PING_S, _SILENT_S = 1.0, 3.5
_TICK_S, _QUIET_TICK_S = 0.02, 0.04  # sounds are due every 20 ms, pictures every 67
_AGAIN_S = (0.2, 0.4, 0.8, 1.5, 2.5)  # as pages wait (web/shared/meet/session.ts)
_Made = TypeVar("_Made")
_OVER = frozenset({"early", "over", "cancelled", "unknown"})
_LATER = frozenset({"relay-away", "refused", "gone", "unknown"})
"""What a request for media is refused with while a relay is lost: it is asked again."""


@dataclass(slots=True)
class _Shown:
    consumer: str
    track: Track
    switched: bool  # another view asked for it, not a venue that came


class Over(RuntimeError):
    """The hall is out and does not come back; the text says why."""


class _Stale(RuntimeError):
    """The relay lost this hall's media: it is built anew."""


class Hall:
    """Until ``stay`` is cancelled."""

    def __init__(
        self,
        code: str,
        way: Way,
        certificate: RTCCertificate,
        clip: Clip | None = None,
        habits: Habits | None = None,
    ) -> None:
        self.code = code
        self.figures = HallFigures()
        self.gaps = Gaps()
        self.conference: dict[str, Any] = {}
        self.inside = False  # media is there
        self.over = ""
        self.relay = ""  # address of the one that serves it
        self._way = way
        self._certificate = certificate
        self._clip = clip
        self._habits = habits or Habits()
        self._channel: Channel
        self._peers: dict[str, dict[str, Any]] = {}
        self._capabilities: dict[str, Any] = {}
        self._shown: dict[str, _Shown] = {}  # by producer
        self._screen: Screen
        self._receiving = ""  # transport
        self._began_s = self._told_s = 0.0
        self._changed = asyncio.Event()
        self._stale = asyncio.Event()
        self._first = True  # nothing was seen since the join

    async def stay(self) -> None:
        """Join, and again when the connection is lost, as pages do; returns when the meeting is over for this hall."""
        attempt = 0
        while True:
            joins = self.figures.joins
            try:
                await self._once()
            except* (Lost, PeerError, OSError, TimeoutError) as problems:
                self.figures.interruptions[str(problems.exceptions[0])] += 1
            except* Refusal as problems:
                first = problems.exceptions[0]
                assert isinstance(first, Refusal)
                self.figures.refusals[first.code] += 1
                self.over = first.code if first.code in _OVER else ""
            except* Over as problems:
                self.over = str(problems.exceptions[0])
            if self.over:
                return
            attempt = 0 if self.figures.joins > joins else attempt + 1
            _stop_if_cancelled()
            await asyncio.sleep(_again_s(attempt))

    def wanted(self) -> dict[str, str]:
        """Producer -> venue of everything that this hall's screen is to show now and that is sent."""
        you = self.conference.get("you", {})
        shown = you.get("view", {}).get("show", [])
        return {
            producer["id"]: peer["hall"]
            for peer in self._peers.values()
            for producer in peer["producers"]
            if producer["kind"] == "video"
            and (peer["hall"] in shown if producer["source"] == "camera" else peer["hall"] == you.get("slides"))
        }

    def dark(self) -> list[str]:
        """Venues that it is to show now and has no picture of, though they send one."""
        paused = {each["id"] for peer in self._peers.values() for each in peer["producers"] if each["paused"]}
        return [
            venue
            for producer, venue in self.wanted().items()
            if producer not in paused
            and (producer not in self._shown or not self._shown[producer].track.first_keyframe_s)
        ]

    def seen_s(self, venue: str) -> float:
        """When the first picture of a venue that it shows now came (monotonic); 0: not yet."""
        wanted = self.wanted()
        seen = [shown.track.first_keyframe_s for key, shown in self._shown.items() if wanted.get(key) == venue]
        return max(seen, default=0.0)

    async def act(self, action: str, args: dict[str, Any]) -> None:
        """One action of the chair's table; Refusal when the rules refuse it, Lost without a connection."""
        if not self.inside:
            raise Lost(f"{self.code} is not in")
        await self._channel.request("act", action=action, **args)

    async def _once(self) -> None:
        self._began_s, self._first = time.monotonic(), True
        opened = self._here(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        self._channel = await Channel.open(self._way.address(self.code), self._way.tls, opened, self._heard)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._channel.read())
                welcome = await self._channel.request("hello", token=self._way.token(self.code))
                self._take(welcome)
                tasks.create_task(self._ping())
                if welcome["waiting"]:
                    await self._admitted()
                    self._began_s = time.monotonic()
                    self._take(await self._channel.request("state"))
                self._capabilities = welcome["routerRtpCapabilities"]
                await self._keep_media()
        finally:
            self.inside = False
            await self._channel.leave()

    async def _keep_media(self) -> None:
        """Media, built anew whenever the relay has lost it, as pages do."""
        attempt = 0
        while True:
            self._stale.clear()
            joins = self.figures.joins
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._until_stale())
                    await self._media(tasks)
            except* _Stale:
                self.figures.interruptions["mediaReset"] += 1
            except* Refusal as problems:
                first = problems.exceptions[0]
                if not isinstance(first, Refusal) or first.code not in _LATER:
                    raise
                self.figures.refusals[first.code] += 1
            self.inside = False
            attempt = 0 if self.figures.joins > joins else attempt + 1
            _stop_if_cancelled()
            await asyncio.sleep(_again_s(attempt))
            self._began_s, self._first = time.monotonic(), True
            self._take(await self._channel.request("state"))

    async def _until_stale(self) -> None:
        await self._stale.wait()
        raise _Stale

    async def _media(self, tasks: asyncio.TaskGroup) -> None:
        """Both transports, what is sent, and then what is received, until cancelled."""
        peers: list[Peer] = []
        try:
            self._receiving, peer = await self._transport(peers)
            screen = self._screen = Screen(peer, self.gaps)
            camera = None
            if self._clip is not None:
                sending, peer = await self._transport(peers)
                camera = Camera(peer, self._clip)
                for source, kind, parameters in (
                    ("camera", "video", camera.video()),
                    ("microphone", "audio", camera.audio()),
                ):
                    await self._channel.request(
                        "produce", transport=sending, kind=kind, source=source, rtpParameters=parameters, paused=False
                    )
            self.figures.joins += 1
            self.figures.join_ms.append((time.monotonic() - self._began_s) * 1000)
            await self._voices()
            self.inside = True
            with self._counted(screen, camera):
                tasks.create_task(self._follow())
                await self._tick(screen, camera, peers)
        finally:
            for peer in peers:
                await peer.close()

    async def _transport(self, peers: list[Peer]) -> tuple[str, Peer]:
        made = await self._channel.request("createTransport")
        peer = self._here(lambda: Peer("0.0.0.0", self._certificate))  # then connected to the relay alone
        peers.append(peer)
        ours = [{"algorithm": algorithm, "value": value} for algorithm, value in peer.fingerprints]
        await self._channel.request(
            "connectTransport", transport=made["id"], dtlsParameters={"role": "client", "fingerprints": ours}
        )
        candidate, ice = made["iceCandidates"][0], made["iceParameters"]
        theirs = tuple((each["algorithm"], each["value"]) for each in made["dtlsParameters"]["fingerprints"])
        address = str(candidate["ip"]), int(candidate["port"])
        self.relay = address[0]
        await peer.connect(Server(address, ice["usernameFragment"], ice["password"], theirs))
        return str(made["id"]), peer

    def _here(self, make: Callable[[], _Made]) -> _Made:
        made: list[_Made] = []
        self._way.place(self.code, lambda: made.append(make()))
        return made[0]

    async def _voices(self) -> None:
        made = await self._channel.request(
            "consumeAudio", transport=self._receiving, rtpCapabilities=self._capabilities
        )
        for slot in made["consumers"]:
            self._screen.expect(slot["rtpParameters"], time.monotonic())
            await self._channel.request("pauseConsumer", consumer=slot["id"], paused=False)

    async def _follow(self) -> None:
        """Receive what the conference shows, and give back what it no longer does."""
        while True:
            self._changed.clear()
            wanted = self.wanted()
            told_s, self._told_s = self._told_s, 0.0
            for producer in [each for each in self._shown if each not in wanted]:
                shown = self._shown.pop(producer)
                self._screen.forget(shown.track)
                self._sum(shown.track, switched=shown.switched)
                with contextlib.suppress(Refusal):  # it ended with its stream
                    await self._channel.request("closeConsumer", consumer=shown.consumer)
            for producer in [each for each in wanted if each not in self._shown]:
                try:
                    await self._consume(producer, told_s)
                except Refusal as refusal:
                    if refusal.code not in ("gone", "refused", "unknown"):  # the stream ended meanwhile
                        raise
            await self._changed.wait()

    async def _consume(self, producer: str, told_s: float) -> None:
        made = await self._channel.request(
            "consume", transport=self._receiving, producer=producer, rtpCapabilities=self._capabilities
        )
        track = self._screen.expect(made["rtpParameters"], told_s or time.monotonic())
        self._shown[producer] = _Shown(made["id"], track, bool(told_s) and not self._first)
        if self._habits.max_layer is not None:
            await self._channel.request("prefer", consumer=made["id"], maxLayer=self._habits.max_layer)
        await self._channel.request("pauseConsumer", consumer=made["id"], paused=False)

    async def _tick(self, screen: Screen, camera: Camera | None, peers: list[Peer]) -> None:
        consent_s = time.monotonic()
        while True:
            await asyncio.sleep(_TICK_S if camera is None or camera.talks else _QUIET_TICK_S)
            now_s = time.monotonic()
            if camera is not None:
                camera.talks = not self._habits.quiet or bool(self.conference.get("you", {}).get("heard", True))
                camera.due(now_s)
            screen.tick(now_s)
            if self._first:
                self._note_first()
            if now_s - consent_s >= CONSENT_S:
                consent_s = now_s
                for peer in peers:
                    peer.check()

    def _note_first(self) -> None:
        tracks = [shown.track for shown in self._shown.values()]
        seen = [track.first_keyframe_s for track in tracks if track.first_keyframe_s]
        if seen:
            self._first = False
            packets = [track.first_packet_s for track in tracks if track.first_packet_s]
            self.figures.first_packet_ms.append((min(packets) - self._began_s) * 1000)
            self.figures.first_keyframe_ms.append((min(seen) - self._began_s) * 1000)

    @contextlib.contextmanager
    def _counted(self, screen: Screen, camera: Camera | None) -> Iterator[None]:
        try:
            yield
        finally:
            switched = {shown.track.ssrc for shown in self._shown.values() if shown.switched}
            for track in screen.tracks.values():
                self._sum(track, switched=track.ssrc in switched)
            self._shown.clear()
            figures = self.figures
            figures.asked += screen.asked
            figures.wrong += screen.wrong
            if camera is not None:
                figures.sent += camera.counters.packets
                figures.sent_octets += camera.counters.octets
                figures.resent += camera.counters.resent
                figures.keyframe_requests += camera.counters.keyframe_requests

    def _sum(self, track: Track, *, switched: bool) -> None:
        self.figures.packets += track.packets
        self.figures.octets += track.octets
        self.figures.lost += track.lost
        self.figures.repaired += track.repaired
        if track.first_keyframe_s and switched:
            self.figures.switch_ms.append((track.first_keyframe_s - track.asked_s) * 1000)

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(_PING_S)
            try:
                async with asyncio.timeout(_SILENT_S):
                    await self._channel.request("ping")
            except TimeoutError:
                raise Lost("silent") from None

    async def _admitted(self) -> None:
        while self.conference.get("you", {}).get("role", "") in ("", "waiting"):
            self._changed.clear()
            await self._changed.wait()

    def _take(self, welcome: dict[str, Any]) -> None:
        self._peers = {peer["id"]: peer for peer in welcome["peers"]}
        self._view(welcome["conference"])

    def _view(self, conference: dict[str, Any]) -> None:
        before = self.conference.get("you", {}).get("view")
        self.conference = conference
        if conference.get("you", {}).get("view") != before:
            self._told_s = time.monotonic()

    def _heard(self, kind: str, data: dict[str, Any]) -> None:
        """One notification."""
        if kind in ("replaced", "meetingEnded", "ejected"):
            raise Over(str(data.get("reason", kind)))
        if kind == "mediaReset":
            self._stale.set()
        elif kind == "conference":
            self._view(data)
        elif kind == "peerJoined":
            self._peers[data["id"]] = data
        elif kind == "peerLeft":
            self._peers.pop(data["peer"], None)
        elif kind in ("producerAdded", "producerPaused", "producerClosed"):
            self._stream(kind, data)
        self._changed.set()

    def _stream(self, kind: str, data: dict[str, Any]) -> None:
        peer = self._peers.get(data["peer"])
        if peer is None:
            return
        if kind == "producerAdded":
            peer["producers"].append({key: value for key, value in data.items() if key != "peer"})
        elif kind == "producerClosed":
            peer["producers"] = [each for each in peer["producers"] if each["id"] != data["producer"]]
        else:
            for each in peer["producers"]:
                if each["id"] == data["producer"]:
                    each["paused"] = data["paused"]


def _stop_if_cancelled() -> None:
    """A task group that fails while its task is cancelled raises what failed, and the cancellation is lost."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def _again_s(attempt: int) -> float:
    return _AGAIN_S[min(attempt, len(_AGAIN_S) - 1)]
