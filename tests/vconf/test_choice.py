"""What an engine chooses, with real clients: who is heard, which layer goes where; and pipes between engines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.vconf.client import Client
from tests.vconf.engines import ENGINES, NAMES
from tests.vconf.test_engine import KEY, ONE, RECEIVER, World, packet, run, sending, until
from vconf.media import rtcp, rtp
from vconf.media.capabilities import AUDIO_LEVEL
from vconf.media.engine import Engine, EngineError
from vconf.media.ortc import OrtcError
from vconf.media.pipes import PipeError


@pytest.fixture(scope="module", autouse=True, params=ENGINES, ids=NAMES)
def _engine(request: pytest.FixtureRequest) -> None:
    World.make = staticmethod(request.param)


def speaking(ssrc: int) -> dict[str, Any]:
    """rtpParameters of a microphone."""
    return {
        "mid": "1",
        "codecs": [{"mimeType": "audio/opus", "payloadType": 111, "clockRate": 48000, "parameters": {}}],
        "headerExtensions": [{"uri": AUDIO_LEVEL, "id": 3}],
        "encodings": [{"ssrc": ssrc}],
    }


class Voice:
    """A peer that sends one voice for as long as the block runs."""

    def __init__(self, world: World, peer: str, ssrc: int) -> None:
        self.world, self.peer, self.ssrc = world, peer, ssrc
        self.level = 127
        self.client = Client()
        self.producer = ""

    async def __aenter__(self) -> Voice:
        made = await self.world._join(self.peer, self.client)
        self.producer = self.world.engine.produce(made["id"], "audio", speaking(self.ssrc))
        self._task = asyncio.create_task(self._talk())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        await self.client.close()

    async def _talk(self) -> None:
        for number in range(10_000):
            extensions = {3: bytes((0x80 | self.level,))}
            said = self.peer.encode()
            self.client.send(rtp.Packet(111, number, number * 960, self.ssrc, said, extensions=extensions))
            await asyncio.sleep(0.02)


def heard(world: World, since: int) -> set[bytes]:
    return {p.payload for p in world.receiver.rtp[since:]}


async def settled(world: World, wanted: set[bytes], seconds: float = 3.0) -> None:
    """Until a fifth of a second has brought exactly these voices."""

    async def fifth() -> set[bytes]:
        since = len(world.receiver.rtp)
        await asyncio.sleep(0.2)
        return heard(world, since)

    found: set[bytes] = set()
    for _ in range(int(seconds / 0.2)):
        found = await fifth()
        if found == wanted:
            return
    assert found == wanted


def test_the_loudest_three_are_forwarded_and_their_names_told() -> None:
    async def test(world: World) -> None:
        told: list[list[str]] = []
        world.engine.on_event = lambda name, values: told.append(values["peers"]) if name == "speakers" else None
        world.engine.room_audio("m1", 3)
        async with (
            Voice(world, "w", 1) as w,
            Voice(world, "x", 2) as x,
            Voice(world, "y", 3) as y,
            Voice(world, "z", 4) as z,
        ):
            w.level, x.level, y.level, z.level = 20, 30, 40, 100
            for voice in (w, x, y, z):
                made = world.engine.consume(world.down["id"], voice.producer, RECEIVER, voice.peer)
                world.engine.pause_consumer(made["id"], False)
            await settled(world, {b"w", b"x", b"y"})
            y.level, z.level = 110, 15
            await settled(world, {b"w", b"x", b"z"})
            await until(lambda: told and told[-1][0] == "z")
            world.engine.room_audio("m1", 0)
            await settled(world, {b"w", b"x", b"y", b"z"})
            assert world.engine.status()["features"]["voices_switched"] >= 2
        by_ssrc: dict[int, list[int]] = {}
        for p in world.receiver.rtp:
            by_ssrc.setdefault(p.ssrc, []).append(p.sequence)
        for numbers in by_ssrc.values():  # silence leaves no gap
            assert numbers == [(numbers[0] + n) & 0xFFFF for n in range(len(numbers))]

    run(test)


def test_places_are_given_to_whoever_speaks_but_oneself() -> None:
    async def test(world: World) -> None:
        async with Voice(world, "b", 1) as own, Voice(world, "x", 2) as x, Voice(world, "y", 3) as y:
            own.level, x.level, y.level = 10, 20, 30
            made = world.engine.consume_audio(world.down["id"], 2, RECEIVER, "m1")["consumers"]
            assert len({c["rtpParameters"]["encodings"][0]["ssrc"] for c in made}) == 2
            for consumer in made:
                world.engine.pause_consumer(consumer["id"], False)
            await settled(world, {b"x", b"y"})
            async with Voice(world, "z", 4) as z:
                z.level, y.level = 12, 120
                await settled(world, {b"x", b"z"})
                world.engine.close_producer(z.producer)
            y.level = 30
            await settled(world, {b"x", b"y"})
            assert len(world.engine.control.consumers) == 2
            with pytest.raises(EngineError, match="slots"):
                world.engine.consume_audio(world.down["id"], 99, RECEIVER, "m1")

    run(test)


def test_a_pictures_place_goes_from_one_camera_to_the_next_without_a_gap() -> None:
    own = {102: 45, 103: 46, 104: 96, 105: 97}

    async def test(world: World) -> None:
        one = world.produce(ONE)
        two = world.produce([{"ssrc": 2000, "rtx": {"ssrc": 2001}}])
        made = world.engine.consume_picture(world.down["id"], RECEIVER, "show", own)
        world.engine.show(made["id"], one)
        world.engine.pause_consumer(made["id"], False)
        await until(lambda: rtcp.KeyframeRequest(1000) in world.sender.rtcp)
        for number in range(4):
            world.sender.send(packet(number, KEY if number == 0 else b"\x41one"))
        await until(lambda: len(world.receiver.rtp) == 4)
        world.engine.show(made["id"], two)
        await until(lambda: rtcp.KeyframeRequest(2000) in world.sender.rtcp)
        world.sender.send(packet(4, b"\x41one"))  # the former goes on until the new one can begin
        world.sender.send(packet(9, b"\x41two", ssrc=2000))
        await until(lambda: len(world.receiver.rtp) == 5)
        world.sender.send(packet(10, KEY, ssrc=2000))
        world.sender.send(packet(11, b"\x41two", ssrc=2000))
        await until(lambda: len(world.receiver.rtp) == 7)
        got = world.receiver.rtp
        assert {p.payload_type for p in got} == {45}  # as the receiver calls it
        assert len({p.ssrc for p in got}) == 1
        assert [(p.sequence - got[0].sequence) & 0xFFFF for p in got] == list(range(7))
        assert [p.payload for p in got[5:]] == [KEY, b"\x41two"]
        world.engine.close_producer(two)  # the place stays, empty, until there is another picture
        assert list(world.engine.control.consumers) == [made["id"]]
        await asyncio.sleep(0.6)  # nor does the choice of layers stumble over it
        world.engine.show(made["id"], one)
        world.sender.send(packet(5, KEY))
        await until(lambda: len(world.receiver.rtp) == 8)
        with pytest.raises(EngineError, match="of its own meeting"):
            world.engine.show(made["id"], world.engine.produce(world.up["id"], "audio", speaking(7)))
        blind = world.engine.consume_picture(
            world.down["id"], {"codecs": [c for c in RECEIVER["codecs"] if c["mimeType"] != "video/VP8"]}, "show"
        )
        vp8 = {
            **sending([{"ssrc": 3000}]),
            "codecs": [{"mimeType": "video/VP8", "payloadType": 96, "clockRate": 90000}],
        }
        with pytest.raises(EngineError, match="cannot decode vp8"):
            world.engine.show(blind["id"], world.engine.produce(world.up["id"], "video", vp8))
        for wrong in ([1], {"x": 1}, {102: 128}, {102: "45"}, {200: 1}):
            with pytest.raises(OrtcError, match="types"):
                world.engine.consume_picture(world.down["id"], RECEIVER, "show", wrong)

    run(test)


def _remb(bps: int, ssrc: int) -> bytes:
    shift = max(0, bps.bit_length() - 18)
    body = bytes(8) + b"REMB\1" + (shift << 18 | bps >> shift).to_bytes(3) + ssrc.to_bytes(4)
    return b"\x8f\xce" + (len(body) // 4).to_bytes(2) + body


def test_layers_follow_what_the_path_carries_and_slides_go_before_the_camera() -> None:
    async def test(world: World) -> None:
        engine = world.engine
        camera = engine.produce(world.up["id"], "video", sending([{"ssrc": 1}, {"ssrc": 2}]))
        slides = engine.produce(world.up["id"], "video", sending([{"ssrc": 3}]), source="slides")
        ssrcs = {}
        for name, producer in (("camera", camera), ("slides", slides)):
            made = engine.consume(world.down["id"], producer, RECEIVER, name)
            assert made["source"] == name
            engine.pause_consumer(made["id"], False)
            ssrcs[made["rtpParameters"]["encodings"][0]["ssrc"]] = name

        async def send() -> None:
            for number in range(2000):
                for ssrc, size in ((1, 150), (2, 900), (3, 600)):  # 30, 180 and 120 kbit/s
                    world.sender.send(packet(number, (KEY if number % 12 == 0 else b"\x41") + bytes(size), ssrc=ssrc))
                await asyncio.sleep(0.04)

        task = asyncio.create_task(send())

        async def seen(condition: Callable[[dict[str, set[int]]], bool], seconds: float) -> None:
            sizes: dict[str, set[int]] = {}
            for _ in range(int(seconds / 0.5)):
                since = len(world.receiver.rtp)
                await asyncio.sleep(0.5)
                sizes = {"camera": set(), "slides": set()}
                for p in world.receiver.rtp[since:]:
                    sizes[ssrcs[p.ssrc]].add(len(p.payload) // 100)
                if condition(sizes):
                    return
            assert condition(sizes), sizes

        try:
            await seen(lambda s: s == {"camera": {9}, "slides": {6}}, 4)
            await asyncio.sleep(1.5)  # the rates are known after a second
            ssrc = next(iter(ssrcs))
            world.receiver.send_rtcp(_remb(200_000, ssrc))
            await seen(lambda s: s == {"camera": {1}, "slides": {6}}, 4)
            world.receiver.send_rtcp(_remb(140_000, ssrc))
            await seen(lambda s: s == {"camera": set(), "slides": {6}}, 4)
            world.receiver.send_rtcp(_remb(3_000_000, ssrc))
            await seen(lambda s: s == {"camera": {9}, "slides": {6}}, 8)
            of_camera = next(c for c in engine.control.consumers.values() if c.cname == "camera")
            engine.prefer(of_camera.id, 0, 0)
            await seen(lambda s: s == {"camera": {1}, "slides": {6}}, 4)
            features = engine.status()["features"]
            assert features["rembs_heard"] == 3
            assert features["layers_lowered"] >= 2
            assert features["layers_raised"] >= 1
            rows = {row["source"]: row for row in engine.quality() if row["to"] == "b"}
            assert (rows["camera"]["layer"], rows["slides"]["layer"]) == (0, 0)
            assert rows["camera"]["estimate_bps"] == pytest.approx(3_000_000, rel=0.01)
        finally:
            task.cancel()

    run(test)


def test_a_source_that_is_not_known_is_refused() -> None:
    async def test(world: World) -> None:
        with pytest.raises(EngineError, match="source"):
            world.engine.produce(world.up["id"], "video", sending(ONE), source="microphone")
        with pytest.raises(EngineError, match="loudest"):
            world.engine.room_audio("m1", 99)

    run(test)


def test_a_pipe_carries_a_stream_to_another_engine_with_all_feedback() -> None:
    async def test(world: World) -> None:
        far = Engine(("127.0.0.1", 0), make_plane=World.make)
        viewer = Client()
        try:
            producer = world.produce([{"ssrc": 1000, "rtx": {"ssrc": 1001}}, {"rid": "r1"}])
            ends = world.engine.open_pipe("m1", "pipe"), far.open_pipe("m1", "pipe")
            for engine, mine, other in ((world.engine, ends[0], ends[1]), (far, ends[1], ends[0])):
                engine.join_pipe(mine["transport"], other["ip"], other["port"], other["key"])
            told = world.engine.pipe_producer(ends[0]["transport"], producer)
            assert told["peer"] == "a"
            copy = far.produce(
                ends[1]["transport"], told["kind"], told["rtpParameters"], source=told["source"], peer=told["peer"]
            )
            options = far.create_transport("m1", "b")

            async def tell(fingerprints: list[dict[str, str]]) -> None:
                far.connect_transport(options["id"], fingerprints)

            await viewer.connect(options, tell)
            made = far.consume(options["id"], copy, RECEIVER, "t01")
            far.pause_consumer(made["id"], False)
            await until(lambda: rtcp.KeyframeRequest(1000) in world.sender.rtcp)  # across the pipe
            for number in range(10):
                world.sender.send(packet(number, KEY if number == 0 else b"\x41%d" % number))
            await until(lambda: len(viewer.rtp) == 10)
            assert [p.payload for p in viewer.rtp][1:3] == [b"\x411", b"\x412"]
            await until(lambda: far.status()["features"]["transport_cc_sent"] > 0)
            await until(lambda: world.engine.status()["features"]["transport_cc_heard"] > 0)
            world.sender.send(packet(500, KEY, ssrc=2, mid=b"0", rid=b"r1"))  # a layer that begins later
            await until(lambda: rtcp.KeyframeRequest(2) in world.sender.rtcp)  # the far side wants the better layer
            world.sender.send(packet(501, KEY + b"high", ssrc=2))
            await until(lambda: viewer.rtp[-1].payload == KEY + b"high" and len(viewer.rtp) == 11)
            world.sender.send_rtcp(rtcp.pack_sender_report(rtcp.SenderReport(2, 77 << 32, 900, 1, 4)))
            await until(lambda: any(isinstance(r, rtcp.SenderReport) for r in viewer.rtcp))
            assert far.quality()[0]["from"] == "a"
            with pytest.raises(EngineError, match="no pipe"):
                far.join_pipe(options["id"], "127.0.0.1", 9, ends[0]["key"])
            with pytest.raises(PipeError, match="base64"):
                far.join_pipe(ends[1]["transport"], "127.0.0.1", 9, "!")
        finally:
            await viewer.close()
            await far.close()

    run(test)
