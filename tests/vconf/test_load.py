"""Halls without a picture: they send what a browser would, and would notice if a relay sent them something else."""

from __future__ import annotations

import asyncio
import random
import time

from aiortc.rtcdtlstransport import RTCCertificate

from tests.vconf.test_engine import RECEIVER
from vconf.client.peer import Peer, Server
from vconf.load import frames
from vconf.load.receiver import Receiver
from vconf.load.sender import Layer, Sender, SenderFormat
from vconf.media.capabilities import MID, TRANSPORT_CC
from vconf.media.engine import Engine


def test_a_frame_is_cut_as_browsers_cut_it() -> None:
    chance = random.Random(3)
    for _ in range(200):
        sizes = frames.frame(chance)
        assert sizes == sorted(sizes)
        assert sizes[-1] - sizes[0] <= 1
        assert sizes[-1] <= frames.MOST_BYTES
    assert len({size for _ in range(50) for size in frames.frame(chance)}) > 30


def test_a_payload_proves_itself_whole() -> None:
    made = frames.payload(900, 123_456, keyframe=True)
    assert len(made) == 900
    assert frames.made_ns(made) == 123_456
    for at in (0, 5, 12, 500, 899):
        assert frames.made_ns(made[:at] + bytes((made[at] ^ 1,)) + made[at + 1 :]) is None
    assert frames.made_ns(made[:-1]) is None
    assert frames.made_ns(b"") is None


async def _join(engine: Engine, peer: Peer, name: str) -> str:
    made = engine.create_transport("m1", name)
    engine.connect_transport(made["id"], [{"algorithm": a, "value": v} for a, v in peer.fingerprints])
    candidate, ice = made["iceCandidates"][0], made["iceParameters"]
    theirs = tuple((f["algorithm"], f["value"]) for f in made["dtlsParameters"]["fingerprints"])
    address = candidate["ip"], candidate["port"]
    await peer.connect(Server(address, ice["usernameFragment"], ice["password"], theirs))
    return str(made["id"])


def test_halls_meet_at_a_relay() -> None:
    async def meet() -> None:
        certificate = RTCCertificate.generateCertificate()
        engine = Engine(("127.0.0.1", 0))
        up, down = Peer("127.0.0.1", certificate), Peer("127.0.0.1", certificate)
        try:
            sending, receiving = await _join(engine, up, "a"), await _join(engine, down, "b")
            codec = {"mimeType": "video/H264", "payloadType": 96, "clockRate": 90000}
            rtx = {"mimeType": "video/rtx", "payloadType": 97, "clockRate": 90000, "parameters": {"apt": 96}}
            parameters = {
                "mid": "0",
                "codecs": [codec | {"parameters": {"packetization-mode": 1}}, rtx],
                "headerExtensions": [{"uri": MID, "id": 4}, {"uri": TRANSPORT_CC, "id": 3}],
                "encodings": [{"ssrc": 11, "rtx": {"ssrc": 12}}],
            }
            consumed = engine.consume(receiving, engine.produce(sending, "video", parameters), RECEIVER, "b")
            engine.pause_consumer(consumed["id"], False)
            form = SenderFormat(96, 97, b"0", 4, 0, 3)
            sender = Sender(up, form, [Layer(11, 12)])
            offered = consumed["rtpParameters"]
            extension = next(e["id"] for e in offered["headerExtensions"] if e["uri"] == TRANSPORT_CC)
            payload, resent = (each["payloadType"] for each in offered["codecs"])
            receiver = Receiver(
                down, payload, rtx_payload_type=resent, transport_cc=extension, nack_share=0.1, opened=5
            )
            receiver.take_over()
            sender.start(300.0, time.monotonic())
            end = time.monotonic() + 1.5
            while time.monotonic() < end:
                now = time.monotonic()
                sender.due(now)
                receiver.sweep(now)
                await asyncio.sleep(0.002)
            sent, got = sender.counters, receiver.counters
            assert got.packets > 0.8 * sent.packets - 20
            assert (got.opened > 20, got.wrong) == (True, 0)
            assert min(got.asked, got.rtx, got.feedback, got.reports) > 0
            assert min(sent.transport_cc, sent.receiver_reports, sent.keyframe_requests, sent.keyframes) > 0
            assert receiver.delays_ms
            assert 0 <= min(receiver.delays_ms) < 500
        finally:
            await up.close()
            await down.close()
            await engine.close()

    asyncio.run(meet())
