"""The engine with real UDP, ICE, DTLS and SRTP on the loopback: what one sends, the other gets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.vconf.client import Client
from tests.vconf.engines import ENGINES, NAMES
from vconf.media import rtcp, rtp
from vconf.media.capabilities import MID, REPAIRED_RID, RID, TRANSPORT_CC, router_capabilities
from vconf.media.engine import Engine, EngineError
from vconf.media.ortc import OrtcError
from vconf.media.plane import Address, Plane

RECEIVER = {
    "codecs": router_capabilities()["codecs"],
    "headerExtensions": [],
}
KEY = b"\x67sps"
EXTENSIONS = {MID: 9, RID: 10, REPAIRED_RID: 11, TRANSPORT_CC: 4}


def sending(encodings: list[dict[str, Any]]) -> dict[str, Any]:
    """rtpParameters as Chromium writes them: its own payload types and extension ids."""
    return {
        "mid": "0",
        "codecs": [
            {"mimeType": "video/H264", "payloadType": 109, "clockRate": 90000, "parameters": {"packetization-mode": 1}},
            {"mimeType": "video/rtx", "payloadType": 110, "clockRate": 90000, "parameters": {"apt": 109}},
        ],
        "headerExtensions": [{"uri": uri, "id": number} for uri, number in EXTENSIONS.items()],
        "encodings": encodings,
    }


def packet(sequence: int, payload: bytes = b"\x41", *, ssrc: int = 1000, twcc: int = -1, **more: bytes) -> rtp.Packet:
    extensions = {number: more[name] for name, number in (("mid", 9), ("rid", 10), ("repaired", 11)) if name in more}
    if twcc >= 0:
        extensions[4] = twcc.to_bytes(2)
    return rtp.Packet(109, sequence, sequence * 3600, ssrc, payload, extensions=extensions)


async def until(condition: Callable[[], Any], seconds: float = 3.0) -> None:
    for _ in range(int(seconds * 100)):
        if condition():
            return
        await asyncio.sleep(0.01)
    assert condition()


@pytest.fixture(scope="module", autouse=True, params=ENGINES, ids=NAMES)
def _engine(request: pytest.FixtureRequest) -> None:
    World.make = staticmethod(request.param)


class World:
    """An engine, a sender and a receiver in one room."""

    make: Callable[[Address], Plane]

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.engine = Engine(("127.0.0.1", 0), on_event=self._event, make_plane=World.make)
        self.sender, self.receiver = Client(), Client()
        self.up: dict[str, Any] = {}
        self.down: dict[str, Any] = {}

    def _event(self, name: str, values: dict[str, Any]) -> None:
        if name == "transport":
            self.events.append((values["peer"], values["state"]))

    async def connect(self) -> None:
        self.up = await self._join("a", self.sender)
        self.down = await self._join("b", self.receiver)
        await until(lambda: len(self.events) == 2)

    async def _join(self, peer: str, client: Client) -> dict[str, Any]:
        options = self.engine.create_transport("m1", peer)

        async def tell(fingerprints: list[dict[str, str]]) -> None:
            self.engine.connect_transport(options["id"], fingerprints)

        await client.connect(options, tell)
        return options

    def produce(self, encodings: list[dict[str, Any]]) -> str:
        return self.engine.produce(self.up["id"], "video", sending(encodings))

    def consume(self, producer: str) -> dict[str, Any]:
        made = self.engine.consume(self.down["id"], producer, RECEIVER, "t01")
        self.engine.pause_consumer(made["id"], False)
        return made

    async def close(self) -> None:
        await self.sender.close()
        await self.receiver.close()
        await self.engine.close()


def run(test: Callable[[World], Awaitable[None]]) -> None:
    async def body() -> None:
        world = World()
        try:
            await world.connect()
            await test(world)
        finally:
            await world.close()

    asyncio.run(body())


ONE = [{"ssrc": 1000, "rtx": {"ssrc": 1001}}]


def test_a_stream_reaches_the_receiver_in_its_own_numbers() -> None:
    async def test(world: World) -> None:
        made = world.consume(world.produce(ONE))
        parameters = made["rtpParameters"]
        assert [codec["payloadType"] for codec in parameters["codecs"]] == [102, 103]
        assert parameters["rtcp"]["cname"] == "t01"
        await until(lambda: rtcp.KeyframeRequest(1000) in world.sender.rtcp)
        for number in range(20):
            world.sender.send(packet(100 + number, KEY if number == 0 else b"\x41%d" % number, twcc=number))
        await until(lambda: len(world.receiver.rtp) == 20)
        first = world.receiver.rtp[0]
        assert first.ssrc == parameters["encodings"][0]["ssrc"]
        assert (first.payload_type, first.payload, first.extensions[1]) == (102, KEY, parameters["mid"].encode())
        assert [int.from_bytes(p.extensions[5]) for p in world.receiver.rtp] == list(range(20))  # transport-wide
        numbers = [(p.sequence - first.sequence) & 0xFFFF for p in world.receiver.rtp]
        assert numbers == list(range(20))
        await until(lambda: any(raw[1] == 205 and raw[0] & 31 == 15 for raw in world.sender.rtcp_raw))
        await until(lambda: any(isinstance(r, rtcp.ReceiverReport) for r in world.sender.rtcp))
        assert world.engine.status()["drops"] == dict.fromkeys(world.engine.status()["drops"], 0)

    run(test)


def test_loss_is_asked_for_on_both_legs() -> None:
    async def test(world: World) -> None:
        made = world.consume(world.produce(ONE))
        for number in (0, 1, 3):
            world.sender.send(packet(number, KEY if number == 0 else b"\x41%d" % number))
        await until(lambda: rtcp.Nack(1000, (2,)) in world.sender.rtcp)
        world.sender.send(rtp.Packet(110, 7, 7200, 1001, b"\0\x02\x41late"))  # RTX
        await until(lambda: [p.payload for p in world.receiver.rtp] == [KEY, b"\x411", b"\x413", b"\x41late"])
        lost = world.receiver.rtp[1]
        world.receiver.send_rtcp(rtcp.pack_nack(1, lost.ssrc, [lost.sequence]))
        await until(lambda: len(world.receiver.rtp) == 5)
        again = rtp.unwrap_rtx(world.receiver.rtp[4], 102, lost.ssrc)
        assert again is not None
        assert (again.sequence, again.payload) == (lost.sequence, lost.payload)
        assert world.receiver.rtp[4].ssrc == made["rtpParameters"]["encodings"][0]["rtx"]["ssrc"]

    run(test)


def test_keyframe_requests_pass_and_sender_reports_are_rewritten() -> None:
    async def test(world: World) -> None:
        made = world.consume(world.produce(ONE))
        world.sender.send(packet(0, KEY))
        await until(lambda: world.receiver.rtp)
        world.sender.rtcp.clear()
        await asyncio.sleep(0.6)  # the request of the start is younger than half a second
        ssrc = made["rtpParameters"]["encodings"][0]["ssrc"]
        world.receiver.send_rtcp(rtcp.pack_pli(1, ssrc) + rtcp.pack_pli(1, ssrc))
        await until(lambda: rtcp.KeyframeRequest(1000) in world.sender.rtcp)
        assert world.sender.rtcp.count(rtcp.KeyframeRequest(1000)) == 1
        world.sender.send_rtcp(rtcp.pack_sender_report(rtcp.SenderReport(1000, 77 << 32, 900, 1, 4)))
        await until(lambda: any(isinstance(r, rtcp.SenderReport) and r.ssrc == ssrc for r in world.receiver.rtcp))

    run(test)


def test_layers_are_known_by_rid_and_the_best_that_arrives_is_sent() -> None:
    async def test(world: World) -> None:
        world.consume(world.produce([{"rid": "r0"}, {"rid": "r1"}, {"rid": "r2"}]))
        world.sender.send(packet(0, KEY, ssrc=1, mid=b"0", rid=b"r0"))
        world.sender.send(packet(1, b"\x41low", ssrc=1))  # rid is on the first packets only
        await until(lambda: len(world.receiver.rtp) == 2)
        world.sender.send(packet(500, KEY, ssrc=3, mid=b"0", rid=b"r2"))
        world.sender.send(packet(501, b"\x41high", ssrc=3))
        await until(lambda: len(world.receiver.rtp) == 4)
        assert [p.payload for p in world.receiver.rtp] == [KEY, b"\x41low", KEY, b"\x41high"]
        assert (world.receiver.rtp[3].sequence - world.receiver.rtp[0].sequence) & 0xFFFF == 3
        world.sender.send(rtp.Packet(110, 1, 1, 99, b"", extensions={11: b"r2"}))  # a probe pins the RTX stream
        world.sender.send(packet(503, b"\x41on", ssrc=3))
        world.sender.send(rtp.Packet(110, 2, 1, 99, b"\x01\xf6\x41hole"))  # 502
        await until(lambda: len(world.receiver.rtp) == 6)
        assert world.receiver.rtp[5].payload == b"\x41hole"

    run(test)


def test_what_was_not_announced_is_dropped() -> None:
    async def test(world: World) -> None:
        world.consume(world.produce(ONE))
        world.sender.send(packet(0, KEY, ssrc=4242))
        world.sender.send(rtp.Packet(96, 1, 1, 1000, KEY))  # known SSRC, another payload type
        await until(lambda: world.engine.status()["drops"]["unannounced"] == 2)
        stranger = Client()
        stranger._server = world.sender._server
        await stranger.open()
        stranger.send_raw(b"\x80" + b"\0" * 30)
        stranger.send_raw(b"\0\1\0\0" + b"\0" * 16)
        await until(lambda: world.engine.status()["drops"]["stranger"] == 1)
        assert world.engine.status()["drops"]["stun"] == 1
        world.sender.send_raw(b"\x80" + b"\x11" * 60)  # latched address, no valid authentication
        await until(lambda: world.engine.status()["drops"]["rejected"] == 1)
        assert not world.receiver.rtp
        await stranger.close()

    run(test)


def test_ice_restart_moves_the_address_and_keeps_the_keys() -> None:
    async def test(world: World) -> None:
        world.consume(world.produce(ONE))
        world.sender.send(packet(0, KEY))
        await until(lambda: world.receiver.rtp)
        old = world.down["iceParameters"]
        fresh = world.engine.restart_ice(world.down["id"])
        await world.receiver.open()  # another local port, as after a change of network
        assert not await world.receiver.check(old)
        assert not await world.receiver.check(fresh, password="wrong" * 8)
        world.sender.send(packet(1))
        await asyncio.sleep(0.1)
        assert len(world.receiver.rtp) == 1  # still sent to the old place
        assert await world.receiver.check(fresh)
        world.sender.send(packet(2))
        await until(lambda: len(world.receiver.rtp) == 2)

    run(test)


def test_what_is_asked_for_before_the_keys_are_there_begins_when_they_are() -> None:
    async def test(world: World) -> None:
        producer = world.produce(ONE)
        world.sender.send(packet(0, KEY))
        late = Client()
        options = world.engine.create_transport("m1", "c")
        made = world.engine.consume(options["id"], producer, RECEIVER, "late")
        world.engine.pause_consumer(made["id"], False)
        world.sender.send(packet(1, KEY))  # this one cannot be sent yet
        await until(lambda: world.engine.status()["packets_in"] >= 2)
        await asyncio.sleep(0.6)  # the next request is not joined with the first
        world.sender.rtcp.clear()

        async def tell(fingerprints: list[dict[str, str]]) -> None:
            world.engine.connect_transport(options["id"], fingerprints)

        await late.connect(options, tell)
        await until(lambda: rtcp.KeyframeRequest(1000) in world.sender.rtcp)
        world.sender.send(packet(2))
        world.sender.send(packet(3, KEY))
        await until(lambda: [p.payload for p in late.rtp] == [KEY])
        await late.close()

    run(test)


def test_silence_and_goodbye_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vconf.media.transport.SILENT_S", 0.3)

    async def test(world: World) -> None:
        world.produce(ONE)
        world.sender.send(packet(0, KEY))
        await until(lambda: ("a", "silent") in world.events)
        world.sender.send(packet(1))
        await until(lambda: world.events[-1] == ("a", "connected"))
        await world.receiver._dtls.stop()
        await until(lambda: ("b", "closed") in world.events)
        assert world.engine.status()["peers"] == 1

    run(test)


def test_bad_requests_are_refused_in_words() -> None:
    async def test(world: World) -> None:
        producer = world.produce(ONE)
        with pytest.raises(EngineError, match="announced already"):
            world.produce(ONE)
        with pytest.raises(EngineError, match="no transport"):
            world.engine.produce("nobody", "video", sending(ONE))
        with pytest.raises(OrtcError, match="codecs"):
            world.engine.produce(world.up["id"], "video", {"encodings": [{"ssrc": 5}]})
        with pytest.raises(OrtcError, match="kind"):
            world.engine.produce(world.up["id"], "smell", sending([{"ssrc": 5}]))
        with pytest.raises(OrtcError, match="cannot decode"):
            world.engine.consume(world.down["id"], producer, {"codecs": []}, "x")
        other = world.engine.create_transport("m2", "c")
        with pytest.raises(EngineError, match="another meeting"):
            world.engine.consume(other["id"], producer, RECEIVER, "x")

    run(test)


def test_a_wrong_fingerprint_gets_no_keys() -> None:
    async def body() -> None:
        events: list[dict[str, Any]] = []
        engine = Engine(("127.0.0.1", 0), on_event=lambda name, values: events.append(values))
        client = Client()
        options = engine.create_transport("m1", "a")
        wrong = [{"algorithm": "sha-256", "value": ":".join(["00"] * 32)}]

        async def tell(fingerprints: list[dict[str, str]]) -> None:
            engine.connect_transport(options["id"], wrong)

        await client.connect(options, tell)  # the client's own side is content
        await until(lambda: events)
        assert events[0]["state"] == "closed"
        assert engine.status()["transports"] == 0
        await client.close()
        await engine.close()

    asyncio.run(body())
