"""A relay of two worker processes: halls of different workers see and hear each other; a killed worker comes back."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.vconf.client import Client
from tests.vconf.test_choice import speaking
from tests.vconf.test_engine import KEY, ONE, RECEIVER, packet, sending, until
from vconf.media import rtcp, rtp
from vconf.relay_client import RelayClient


def _ports() -> int:
    """Two neighbouring free ports."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two,
        ):
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                two.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


class Hall:
    """Both transports of one hall."""

    def __init__(self, relay: RelayClient, name: str) -> None:
        self.relay, self.name = relay, name
        self.sender, self.viewer = Client(), Client()
        self.up: dict[str, Any] = {}
        self.down: dict[str, Any] = {}

    async def join(self) -> Hall:
        for client in (self.sender, self.viewer):
            made = await self.relay.request("createTransport", room="m1", peer=self.name)

            async def tell(fingerprints: list[dict[str, str]], transport: str = made["id"]) -> None:
                await self.relay.request(
                    "connectTransport", transport=transport, dtlsParameters={"fingerprints": fingerprints}
                )

            await client.connect(made, tell)
            self.up, self.down = (self.up or made), made
        return self

    @property
    def port(self) -> int:
        return int(self.down["iceCandidates"][0]["port"])

    async def close(self) -> None:
        await self.sender.close()
        await self.viewer.close()


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def test_two_workers_are_one_relay(tmp_path: Path) -> None:
    async def body() -> None:
        port = _ports()
        process = subprocess.Popen(  # noqa: ASYNC220 - the test waits for it on purpose
            [
                *(sys.executable, "-m", "sanwang.relay", "--name", "r", "--media", f"127.0.0.1:{port}"),
                *("--unix", str(tmp_path / "r"), "--workers", "2", "--engine", "python"),
            ]
        )
        relay = RelayClient.over_unix("r", tmp_path / "r")
        events: list[dict[str, Any]] = []
        relay.on_event = lambda name, values: events.append({"name": name, **values})
        relay.start()
        try:
            await until(lambda: relay.up, 20)
            one, two = await Hall(relay, "one").join(), await Hall(relay, "two").join()
            assert {one.port, two.port} == {port, port + 1}

            await relay.request("roomAudio", room="m1", loudest=3)
            places = await relay.request(
                "consumeAudio", transport=two.down["id"], slots=1, rtpCapabilities=RECEIVER, cname="m1"
            )
            await relay.request("pauseConsumer", consumer=places["consumers"][0]["id"], paused=False)
            voice = await relay.request("produce", transport=one.up["id"], kind="audio", rtpParameters=speaking(7))
            camera = await relay.request(
                "produce", transport=one.up["id"], kind="video", rtpParameters=sending(ONE), source="camera"
            )
            made = await relay.request(
                "consume", transport=two.down["id"], producer=camera["id"], rtpCapabilities=RECEIVER, cname="one"
            )
            assert made["producerId"] == camera["id"]
            await relay.request("pauseConsumer", consumer=made["id"], paused=False)
            await until(lambda: rtcp.KeyframeRequest(1000) in one.sender.rtcp)
            for number in range(30):
                one.sender.send(packet(number, KEY if number == 0 else b"\x41%d" % number))
                one.sender.send(rtp.Packet(111, number, number * 960, 7, b"said", extensions={3: b"\x94"}))
                await asyncio.sleep(0.02)
            video = made["rtpParameters"]["encodings"][0]["ssrc"]
            await until(lambda: len([p for p in two.viewer.rtp if p.ssrc == video]) == 30)
            await until(lambda: b"said" in {p.payload for p in two.viewer.rtp})
            await until(lambda: any(e["name"] == "speakers" and e["peers"] == ["one"] for e in events))
            status = await relay.request("status")
            assert (status["rooms"], status["peers"], len(status["workers"])) == (1, 2, 2)
            assert status["features"]["transport_cc_heard"] > 0
            assert {row["from"] for row in await relay.request("quality")} == {"one"}
            await relay.request("closeProducer", producer=voice["id"])

            where = children(process.pid)
            assert len(where) == 2
            os.kill(where[two.port - port], signal.SIGKILL)
            await until(lambda: {e["peer"] for e in events if e.get("state") == "closed"} == {"two"}, 8)
            await until(lambda: len(children(process.pid)) == 2, 8)
            await two.close()
            again = await Hall(relay, "two").join()
            made = await relay.request(
                "consume", transport=again.down["id"], producer=camera["id"], rtpCapabilities=RECEIVER, cname="one"
            )
            await relay.request("pauseConsumer", consumer=made["id"], paused=False)
            one.sender.send(packet(100, KEY))
            for number in range(101, 140):
                one.sender.send(packet(number, KEY))
                await asyncio.sleep(0.02)
            await until(lambda: again.viewer.rtp)
            for hall in (one, again):
                await relay.request("closePeer", room="m1", peer=hall.name)
                await hall.close()
            await asyncio.sleep(0.3)
            status = await relay.request("status")
            assert (status["transports"], status["producers"], status["consumers"]) == (0, 0, 0)
        finally:
            await relay.close()
            left = children(process.pid)
            process.kill()  # its workers see that it is gone
            process.wait()
        await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in left), 5)

    asyncio.run(body())
