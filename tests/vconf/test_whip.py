"""WHIP in and WHEP out with other people's clients: aiortc's RTCPeerConnection, and FFmpeg's own WHIP muxer (PyAV)."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aioice.ice
import av
import httpx
import pytest
import uvicorn
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription, VideoStreamTrack
from aiortc.mediastreams import MediaStreamError, MediaStreamTrack
from aiortc.rtcrtpreceiver import RemoteStreamTrack
from playwright.async_api import Page, async_playwright
from sqlalchemy import select

from drills.browser import CHROMIUM
from store.audit import AuditEntry
from tests.vconf.encoder import SIZE, picture
from tests.vconf.test_signalling import Door, relay
from vconf.meetings import Meeting
from vconf.whip import tickets, wire


class Colour(VideoStreamTrack):
    """A camera that sees one colour: its luma."""

    def __init__(self, luma: int) -> None:
        super().__init__()
        self.luma = luma

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        frame = picture(self.luma)
        frame.pts, frame.time_base = pts, time_base
        return frame


class World:
    """The application on a port of the loopback, and what a test needs to speak to it."""

    def __init__(self, door: Door, address: str) -> None:
        self.door, self.address = door, address
        self.meeting: Meeting = door.book("t01", "t02")

    def ticket(self, kind: tickets.Kind, name: str = "cam", hours: float = 1.0) -> tuple[tickets.Ticket, str]:
        now = datetime.now(UTC)
        with self.door.store.session() as session:
            expires = now + timedelta(hours=hours)
            return tickets.issue(session, self.meeting.id, kind, name, "li", now, expires)

    def act(self, action: str, **args: Any) -> None:
        body = {"action": action, "args": args}
        answer = httpx.post(
            f"{self.address}/api/meet/meetings/{self.meeting.id}/act", json=body, headers={"x-login": "office"}
        )
        assert answer.status_code == 200, answer.text

    def state(self) -> dict[str, Any]:
        answer = httpx.get(f"{self.address}/api/meet/meetings/{self.meeting.id}", headers={"x-login": "office"})
        found = answer.json()["state"]
        assert isinstance(found, dict)
        return found

    @asynccontextmanager
    async def connected(self, kind: str, token: str, pc: RTCPeerConnection) -> AsyncIterator[Client]:
        client = Client(self, kind, token, pc)
        await client.begin()
        try:
            yield client
        finally:
            await client.pc.close()
            await client.http.aclose()


class Client:
    """A WHIP publisher or WHEP viewer as the specifications describe it."""

    def __init__(self, world: World, kind: str, token: str, pc: RTCPeerConnection) -> None:
        self.url, self.pc = f"{world.address}/meet/{kind}", pc
        self.http = httpx.AsyncClient(base_url=world.address, headers={"authorization": f"Bearer {token}"})
        self.resource = self.tag = ""
        self.luma: list[float] = []
        self.voice = 0
        self._tasks: list[asyncio.Task[None]] = []

        @pc.on("track")
        def took(track: RemoteStreamTrack) -> None:
            self._tasks.append(asyncio.ensure_future(self._watch(track)))

    async def begin(self) -> None:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        answer = await self.http.post(
            self.url, content=self.pc.localDescription.sdp, headers={"content-type": "application/sdp"}
        )
        assert answer.status_code == 201, answer.text
        assert answer.headers["content-type"].startswith("application/sdp")
        self.resource, self.tag = answer.headers["location"], answer.headers["etag"]
        await self.pc.setRemoteDescription(RTCSessionDescription(answer.text, "answer"))

    async def _watch(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            if isinstance(frame, av.VideoFrame):
                seen = bytes(frame.planes[0])[: SIZE[0]]
                self.luma.append(sum(seen) / len(seen))
            elif isinstance(frame, av.AudioFrame):
                self.voice += any(bytes(frame.planes[0]))


@contextmanager
def running(folder: Path) -> Iterator[World]:
    with relay(folder / "relay.sock") as engines, socket.socket() as listening:
        door = Door(folder)
        door.engine = engines[0]
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        server = uvicorn.Server(uvicorn.Config(door.app, log_level="error"))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        try:
            while not (server.started and door.relay.up):
                time.sleep(0.01)
            yield World(door, f"http://127.0.0.1:{listening.getsockname()[1]}")
        finally:
            server.should_exit = True
            thread.join(10)
            door.store.close()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])
    with running(tmp_path) as made:
        yield made


def peer() -> RTCPeerConnection:
    return RTCPeerConnection(RTCConfiguration(iceServers=[]))


def publisher(luma: int) -> RTCPeerConnection:
    pc = peer()
    pc.addTrack(Colour(luma))
    return pc


def viewer(voices: int = 1) -> RTCPeerConnection:
    pc = peer()
    pc.addTransceiver("video", direction="recvonly")
    for _ in range(voices):
        pc.addTransceiver("audio", direction="recvonly")
    return pc


async def until(true: Callable[[], Any], seconds: float = 20.0) -> None:
    for _ in range(int(seconds * 50)):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("waited in vain")


def test_two_cameras_publish_and_a_viewer_follows_the_chair(world: World) -> None:
    async def test() -> None:
        (dark, dark_token), (light, light_token) = world.ticket("whip", "暗"), world.ticket("whip", "亮")
        _, view_token = world.ticket("whep", "大屏")
        async with (
            world.connected("whip", dark_token, publisher(40)) as one,
            world.connected("whip", light_token, publisher(200)),
            world.connected("whep", view_token, viewer(2)) as seen,
        ):
            await until(lambda: one.pc.connectionState == "connected")
            venues = (await asyncio.to_thread(world.state))["venues"]
            assert {code: venues[code]["kind"] for code in (dark.code, light.code)} == dict.fromkeys(
                (dark.code, light.code), "stream"
            )

            def is_shown(luma: int, began: int) -> bool:
                return any(abs(found - luma) < 12 for found in seen.luma[began:][-1:])

            for ticket, luma in ((dark, 40), (light, 200), (dark, 40)):
                began = len(seen.luma)
                await asyncio.to_thread(world.act, "broadcast", venue=ticket.code)
                await until(partial(is_shown, luma, began))
            assert len(seen.luma) > 10

            restart = {"content-type": "application/trickle-ice-sdpfrag"}
            fragment = "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\n"
            trickled = await seen.http.patch(seen.resource, content=fragment, headers={**restart, "if-match": seen.tag})
            assert trickled.status_code == 204
            again = await seen.http.patch(seen.resource, content=fragment, headers={**restart, "if-match": "*"})
            assert (again.status_code, again.headers["content-type"]) == (200, "application/trickle-ice-sdpfrag")
            assert "a=ice-lite" in again.text
            assert wire.fragment(again.text) is not None
            assert again.headers["etag"] != seen.tag
            stale = await seen.http.patch(seen.resource, content=fragment, headers={**restart, "if-match": seen.tag})
            assert stale.status_code == 412
            assert (await seen.http.patch(seen.resource, content=fragment, headers=restart)).status_code == 428
            assert (await seen.http.patch(seen.resource, content=fragment)).status_code == 415
            assert (await one.http.delete(seen.resource)).status_code == 401  # a publisher's token is no viewer's
            assert (await seen.http.delete(seen.resource)).status_code == 200
            assert (await seen.http.delete(seen.resource)).status_code == 404
            assert (await one.http.delete(one.resource)).status_code == 200
            after = await asyncio.to_thread(world.state)
            assert not after["venues"][dark.code]["present"]
            assert after["broadcast"] == dark.code  # and it is on air again when it comes back
        with world.door.store.reading() as session:
            said = {entry.what for entry in session.scalars(select(AuditEntry))}
        assert {"meeting.whip", "meeting.whep", "meeting.whipStart", "meeting.whepStart"} <= said

    asyncio.run(test())


def test_ffmpegs_own_muxer_publishes_and_is_seen_and_heard(world: World) -> None:
    ticket, token = world.ticket("whip", "编码器")
    _, view_token = world.ticket("whep", "大屏")

    async def test() -> None:
        async with world.connected("whep", view_token, viewer()) as seen:
            await asyncio.to_thread(world.act, "unmuteAll")
            await until(lambda: ticket.code in world.state()["venues"])
            await asyncio.to_thread(world.act, "broadcast", venue=ticket.code)
            await until(lambda: len(seen.luma) > 20 and abs(seen.luma[-1] - 120) < 12)
            await until(lambda: seen.voice > 20)
            await asyncio.to_thread(world.act, "mute", venue=ticket.code)
            await asyncio.sleep(0.5)
            before = seen.voice
            await asyncio.sleep(0.5)
            assert seen.voice - before < 5, "a muted encoder is not heard"
            with world.door.store.session() as session:
                tickets.revoke(session, world.meeting.id, ticket.number, "li", "丢失", datetime.now(UTC))
            await until(lambda: not world.state()["venues"][ticket.code]["present"])

    with encoder(world, token):
        asyncio.run(test())


VIEW = """async ([url, token]) => {
    const pc = new RTCPeerConnection();
    pc.addTransceiver("video", { direction: "recvonly" });
    pc.addTransceiver("audio", { direction: "recvonly" });
    const video = Object.assign(document.createElement("video"), { muted: true, autoplay: true });
    document.body.append(video);
    const audio = Object.assign(document.createElement("audio"), { autoplay: true });
    pc.ontrack = ({ track }) => {
        (track.kind === "video" ? video : audio).srcObject = new MediaStream([track]);
    };
    await pc.setLocalDescription(await pc.createOffer());
    const answer = await fetch(url, {
        method: "POST", body: pc.localDescription.sdp,
        headers: { "content-type": "application/sdp", authorization: `Bearer ${token}` },
    });
    if (answer.status !== 201) throw new Error(`${answer.status} ${await answer.text()}`);
    await pc.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    const canvas = Object.assign(document.createElement("canvas"), { width: 8, height: 8 });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    window.look = async () => {
        if (video.videoWidth) context.drawImage(video, 0, 0, 8, 8);
        const [, green] = context.getImageData(4, 4, 1, 1).data;
        const found = { state: pc.connectionState, green, frames: 0, energy: 0, width: video.videoWidth };
        for (const each of (await pc.getStats()).values()) {
            if (each.type !== "inbound-rtp") continue;
            found.frames += each.framesDecoded ?? 0;
            found.energy += each.totalAudioEnergy ?? 0;
            if (each.kind === "audio") found.voice = [each.packetsReceived, each.totalSamplesReceived, each.codecId];
            found.freezes = each.freezeCount ?? found.freezes;
        }
        return found;
    };
    window.leave = async () => (await fetch(answer.headers.get("location"), {
        method: "DELETE", headers: { authorization: `Bearer ${token}` },
    })).status;
}"""


@pytest.mark.browser
def test_chromiums_plain_peer_connection_views_the_programme_across_codecs(world: World) -> None:
    """VP8 of aiortc, H.264 of FFmpeg: one m-section, one SSRC, and the picture goes on."""

    async def test() -> None:
        (dark, dark_token), (grey, grey_token) = world.ticket("whip", "暗"), world.ticket("whip", "编码器")
        _, view_token = world.ticket("whep", "大屏")
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=str(CHROMIUM),
                args=[
                    "--no-sandbox",
                    "--allow-loopback-in-peer-connection",
                    "--autoplay-policy=no-user-gesture-required",
                ],
            )
            page = await browser.new_page()
            await page.goto(f"{world.address}/meet/nothing")
            async with world.connected("whip", dark_token, publisher(40)):
                with encoder(world, grey_token):
                    await asyncio.to_thread(world.act, "broadcast", venue=dark.code)
                    await page.evaluate(VIEW, [f"{world.address}/meet/whep", view_token])
                    # a luma of 40 is a green of 28, one of 120 is 121 (BT.601, limited range)
                    for ticket, green in ((dark, 28), (grey, 121), (dark, 28)):
                        await asyncio.to_thread(world.act, "broadcast", venue=ticket.code)
                        await shown(page, green)
                    # the encoder's voice is heard, whoever is shown
                    await page.wait_for_function("async () => (await look()).energy > 0", timeout=20_000)
                    found = await page.evaluate("look()")
                    assert found["state"] == "connected"
                    assert found["frames"] >= 3  # one of each, at least
                    assert await page.evaluate("leave()") == 200
            await browser.close()

    asyncio.run(test())


async def shown(page: Page, green: int) -> None:
    """Until the picture has that much green."""
    for _ in range(400):
        if abs((await page.evaluate("look()"))["green"] - green) < 12:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(await page.evaluate("look()"))


@contextmanager
def encoder(world: World, token: str) -> Iterator[None]:
    """FFmpeg's own muxer publishes while the block runs."""
    command = [sys.executable, "-m", "tests.vconf.encoder", f"{world.address}/meet/whip"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdin is not None
    process.stdin.write(f"{token}\n")
    process.stdin.flush()
    try:
        yield
    finally:
        process.kill()
        _, said = process.communicate()
    assert "Traceback" not in said, said
