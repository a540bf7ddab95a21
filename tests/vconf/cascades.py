"""Several relays of one test, each an engine behind a control socket, driven as one; halls at each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from tests.vconf.client import Client
from tests.vconf.test_choice import speaking
from tests.vconf.test_engine import EXTENSIONS, KEY, RECEIVER, until
from vconf.cascade import Cascade
from vconf.media import rtcp, rtp
from vconf.media.engine import Engine
from vconf.media.plane import Address, Plane
from vconf.relay_client import RelayClient
from vconf.relay_server import RelayServer

FRAME_S = 1 / 30


class Relays:
    """Relays in this process, and the cascade that drives them."""

    make: Callable[[Address], Plane]

    def __init__(self, folder: Path, names: str, above: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.names = names.split()
        self.engines: dict[str, Engine] = {}
        self.servers: dict[str, RelayServer] = {}
        clients = {name: RelayClient.over_unix(name, folder / name) for name in self.names}
        self.cascade = Cascade(clients, above)
        self.events: list[dict[str, Any]] = []
        self.cascade.on_event = lambda name, values: self.events.append({"name": name, **values})
        self.halls: list[Hall] = []

    async def __aenter__(self) -> Relays:
        for name in self.names:
            await self.begin(name)
        self.cascade.start()
        await until(lambda: all(client.up for client in self.cascade._relays.values()))
        return self

    async def __aexit__(self, *error: object) -> None:
        for hall in self.halls:
            await hall.close()
        await self.cascade.close()
        for name in list(self.engines):
            await self.end(name)

    async def begin(self, name: str) -> None:
        self.engines[name] = engine = Engine(("127.0.0.1", 0), make_plane=Relays.make)
        self.servers[name] = RelayServer(engine, name, None)
        await self.servers[name].listen_unix(self.folder / name)

    async def end(self, name: str) -> None:
        """As a box that loses its power: it says goodbye to nobody on the media's side."""
        await self.servers.pop(name).close()
        engine = self.engines.pop(name)
        for transport in engine.transports.values():
            engine.plane.remove_transport(transport.handle)
        await engine.close()

    async def hall(self, name: str, relay: str, room: str = "m1") -> Hall:
        """Both transports of a hall, connected."""
        made = Hall(self, name, room)
        self.halls.append(made)
        await made.join(relay)
        return made

    def pipe(self, here: str, there: str) -> dict[str, Any]:
        """A relay's figures of its pipe to another."""
        return dict(self.engines[here].status()["pipes"].get(there, {}))


class Backbone:
    """Stands between two relays and loses what it is told to: each relay sees the other at one of our two ports."""

    def __init__(self, cascade: Cascade, one: str, two: str) -> None:
        self.lost = 0
        self.loses: Callable[[bytes], bool] = lambda datagram: False
        self._ends = {name: _End(self) for name in (one, two)}
        self._ends[one].other, self._ends[two].other = self._ends[two], self._ends[one]
        for name in (one, two):
            self._stand_in(cascade._relays[name], self._ends[name])

    def _stand_in(self, relay: RelayClient, end: _End) -> None:
        ask = relay.request

        async def request(method: str, **params: Any) -> Any:
            made = await ask(method, **params)
            if method == "openPipe" and params["peer"] in self._ends:
                loop = asyncio.get_running_loop()
                end.relay = made["ip"], made["port"]
                end.transport, _ = await loop.create_datagram_endpoint(lambda: end, local_addr=("127.0.0.1", 0))
                made = {**made, "port": end.transport.get_extra_info("sockname")[1]}
            return made

        relay.request = request  # type: ignore[method-assign]

    def close(self) -> None:
        for end in self._ends.values():
            if end.transport is not None:
                end.transport.close()


class _End(asyncio.DatagramProtocol):
    """The port that stands for one relay: what comes here is sent on to it from the other port."""

    def __init__(self, backbone: Backbone) -> None:
        self.backbone = backbone
        self.other: _End = self
        self.relay: Address = ("", 0)
        self.transport: asyncio.DatagramTransport | None = None

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if self.backbone.loses(data):
            self.backbone.lost += 1
        elif self.other.transport is not None:
            self.other.transport.sendto(data, self.relay)


class Hall:
    """A hall's browser: a camera with up to three layers that answers keyframe requests, a voice, and what it gets."""

    def __init__(self, relays: Relays, name: str, room: str) -> None:
        self.relays, self.name, self.room = relays, name, room
        self.ask = relays.cascade.request
        self.sender, self.viewer = Client(), Client()
        self.up = self.down = ""
        self.port = 0
        self.camera = self.voice = ""
        self.keyframes = [0, 0, 0]
        self.level = 127
        self._tasks: list[asyncio.Task[None]] = []

    async def join(self, relay: str) -> None:
        for client in (self.sender, self.viewer):
            made = await self.ask("createTransport", room=self.room, peer=self.name, relay=relay)

            async def tell(fingerprints: list[dict[str, str]], transport: str = made["id"]) -> None:
                await self.ask("connectTransport", transport=transport, dtlsParameters={"fingerprints": fingerprints})

            await client.connect(made, tell)
            self.up, self.down = self.up or made["id"], made["id"]
            self.port = int(made["iceCandidates"][0]["port"])

    async def film(self, layers: int = 1) -> None:
        """Send a camera: a frame of one packet on each layer every thirtieth of a second."""
        encodings = [{"ssrc": 1000 + index, "rtx": {"ssrc": 2000 + index}} for index in range(layers)]
        parameters = {
            "mid": "0",
            "codecs": [
                *[{"mimeType": "video/H264", "payloadType": 109, "clockRate": 90000, "parameters": {}}],
                *[{"mimeType": "video/rtx", "payloadType": 110, "clockRate": 90000, "parameters": {"apt": 109}}],
            ],
            "headerExtensions": [{"uri": uri, "id": number} for uri, number in EXTENSIONS.items()],
            "encodings": encodings,
        }
        made = await self.ask("produce", transport=self.up, kind="video", rtpParameters=parameters, source="camera")
        self.camera = made["id"]
        self._tasks.append(asyncio.create_task(self._film(layers)))

    async def talk(self) -> None:
        """Send a voice as loud as ``level`` (-dBov) says."""
        made = await self.ask("produce", transport=self.up, kind="audio", rtpParameters=speaking(7))
        self.voice = made["id"]
        self._tasks.append(asyncio.create_task(self._talk()))

    async def listen(self) -> None:
        """Three places for whoever speaks."""
        made = await self.ask("consumeAudio", transport=self.down, slots=3, rtpCapabilities=RECEIVER, cname=self.name)
        for place in made["consumers"]:
            await self.ask("pauseConsumer", consumer=place["id"], paused=False)

    async def watch(self, other: Hall) -> tuple[str, int]:
        """Take another hall's camera: (consumer, SSRC)."""
        made = await self.ask(
            "consume", transport=self.down, producer=other.camera, rtpCapabilities=RECEIVER, cname=other.name
        )
        assert made["producerId"] == other.camera
        await self.ask("pauseConsumer", consumer=made["id"], paused=False)
        return made["id"], made["rtpParameters"]["encodings"][0]["ssrc"]

    def got(self, ssrc: int) -> list[rtp.Packet]:
        """Packets of a stream, as they came."""
        return [packet for packet in self.viewer.rtp if packet.ssrc == ssrc]

    async def hears(self) -> set[bytes]:
        """Whose voice came within a quarter of a second."""
        since = len(self.viewer.rtp)
        await asyncio.sleep(0.25)
        return {packet.payload for packet in self.viewer.rtp[since:] if packet.payload_type == 100}

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.sender.close()
        await self.viewer.close()

    async def _film(self, layers: int) -> None:
        """Layer n's payload ends with its number; a keyframe is the next frame after a request, and the first."""
        asked = [0] * layers
        for number in range(100_000):
            for layer in range(layers):
                now = sum(report == rtcp.KeyframeRequest(1000 + layer) for report in self.sender.rtcp)
                is_key = number == 0 or now > asked[layer]
                self.keyframes[layer] += is_key
                asked[layer] = now
                body = (KEY if is_key else b"\x41") + bytes(200 * (layer + 1)) + bytes((layer,))
                self.sender.send(rtp.Packet(109, number & 0xFFFF, number * 3000, 1000 + layer, body, marker=True))
            await asyncio.sleep(FRAME_S)

    async def _talk(self) -> None:
        for number in range(100_000):
            extensions = {3: bytes((0x80 | self.level,))}
            self.sender.send(
                rtp.Packet(111, number, number * 960, 7, self.name.encode(), marker=False, extensions=extensions)
            )
            await asyncio.sleep(0.05)


def run(body: Callable[[], Awaitable[None]], seconds: float = 30) -> None:
    """A test's body within a time."""

    async def limited() -> None:
        async with asyncio.timeout(seconds):
            await body()

    asyncio.run(limited())
