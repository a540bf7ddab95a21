"""What strangers and members of other meetings cannot do: join tokens, garbage, every door of somebody else's room."""

from __future__ import annotations

import asyncio
import gc
import random
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from identity.tokens import TokenRefused, Tokens
from tests.vconf.client import Client
from tests.vconf.engines import ENGINES, NAMES
from tests.vconf.test_engine import KEY, ONE, RECEIVER, packet, sending, until
from tests.vconf.test_signalling import Door, Page, door, relay
from vconf import links
from vconf.links import Seat
from vconf.media import rtcp, rtp, stun
from vconf.media.engine import Engine, EngineError
from vconf.media.plane import Address, Plane

__all__ = ["door"]
GARBAGE = 100_000


# -- tokens -----------------------------------------------------------------------------------


def test_a_join_token_opens_once_and_not_after_a_restart_either(tmp_path: Path) -> None:
    with relay(tmp_path / "relay.sock"):
        first = Door(tmp_path)
        with first.client_of():
            meeting = first.book("t01", "t02")
            used, kept = (first.exchange(meeting, "t01")["join"] for _ in range(2))
            with first.page({"token": used}) as (_, welcome):
                assert welcome["hall"] == "t01"
            with first.page({"token": used}) as (_, refused):
                assert refused["code"] == "token"
        first.store.close()
        again = Door(tmp_path)  # the same county, key and store; another process
        with again.client_of():
            for token in (used, kept):
                with again.page({"token": token}) as (_, refused):
                    assert refused["code"] == "token"
            with again.hall(meeting, "t01") as (_, welcome):  # its link gives a new one
                assert welcome["hall"] == "t01"
        again.store.close()


def test_a_join_token_is_short_and_bound_to_hall_meeting_and_role(door: Door) -> None:
    meeting = door.book("t01", "t02")
    text = links.join_token(door.tokens, Seat("t01", meeting.id))
    said = door.tokens.verify(text, links.JOIN)
    assert (said.subject, said.claims["meeting"], said.claims["role"]) == ("t01", meeting.id, "venue")
    assert said.expires_at - datetime.now(UTC).timestamp() <= 120
    for purpose in (links.CHAIR_JOIN, links.GUEST_JOIN, links.LINK, links.CHAIR_LINK):
        with pytest.raises(TokenRefused):
            door.tokens.verify(text, purpose)
    chair = links.chair_token(door.tokens, meeting, "li", datetime.now(UTC))
    with door.page({"token": chair}) as (_, refused):  # a link is no join token
        assert refused["code"] == "token"


def test_a_clock_that_was_set_back_locks_nobody_out(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    meeting, now = door.book("t01"), time.time()
    monkeypatch.setattr("identity.tokens.time.time", lambda: now - 3600)
    tokens: Tokens = door.tokens
    text = tokens.issue(links.JOIN, "t01", lifetime_s=120, meeting=meeting.id, role="venue")
    monkeypatch.setattr("identity.tokens.jwt.api_jwt.datetime", _Clock(now - 3600))
    assert tokens.verify(text, links.JOIN, once=True, lasting=False).subject == "t01"


class _Clock:
    """``datetime`` as PyJWT asks it for the time."""

    def __init__(self, at: float) -> None:
        self._at = at

    def now(self, tz: Any = None) -> datetime:
        return datetime.fromtimestamp(self._at, tz)


# -- garbage ----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", ENGINES, ids=NAMES)
def test_what_carries_no_integrity_costs_no_state(make: Callable[[Address], Plane]) -> None:
    """100,000 datagrams of strangers who know everything but the password: no table grows, and no memory."""

    async def body() -> None:
        engine = Engine(("127.0.0.1", 0), make_plane=make)
        options = engine.create_transport("m1", "a")
        fragment = options["iceParameters"]["usernameFragment"]
        control, chance = engine.control, random.Random(7)
        senders = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(64)]
        for sender in senders:
            sender.connect(engine.address)

        def tables() -> list[int]:
            plane = engine.plane
            held = [len(value) for value in vars(control).values() if isinstance(value, dict | set | list)]
            held += [len(value) for value in vars(control.reports).values() if isinstance(value, dict | set | list)]
            return held + [len(value) for value in getattr(plane, "__dict__", {}).values() if isinstance(value, dict)]

        async def throw(count: int) -> None:
            for number in range(count):
                senders[number % 64].send(garbage(chance, fragment, number))
                if number % 256 == 255:
                    await asyncio.sleep(0)
            await asyncio.sleep(0.05)

        await throw(GARBAGE // 10)
        gc.collect()
        before, memory, seen = tables(), resident_kb(), engine.plane.counters.packets_in
        await throw(GARBAGE)
        gc.collect()
        assert tables() == before
        assert resident_kb() - memory < 3_000
        assert engine.plane.counters.packets_in - seen > GARBAGE * 0.9  # they did arrive
        assert control.stun_drops > GARBAGE * 0.3
        (transport,) = engine.transports.values()
        assert (transport.ice.address, transport.state) == (None, "new")
        assert engine.plane.counters.packets_out == 0
        for sender in senders:
            sender.close()
        await engine.close()

    asyncio.run(body())


def garbage(chance: random.Random, fragment: str, number: int) -> bytes:
    """STUN for a transport that is there but by a wrong password, STUN without integrity, DTLS, RTP, RTCP, noise."""
    kind = number % 6
    transaction = chance.randbytes(12)
    if kind == 0:
        return stun.request(transaction, f"{fragment}:x", b"not the password", nominate=True)
    if kind == 1:
        return stun.request(transaction, f"{chance.randbytes(4).hex()}:x", b"no such transport", nominate=True)
    if kind == 2:
        return b"\0\1\0\0\x21\x12\xa4\x42" + transaction
    if kind == 3:
        return b"\x16\xfe\xff\0\0\0\0\0\0\0\0\0\x2c\1" + chance.randbytes(43)
    if kind == 4:
        return b"\x80\x66" + chance.randbytes(60)
    return chance.randbytes(1 + number % 200)


def resident_kb() -> int:
    """Of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


# -- rooms ------------------------------------------------------------------------------------


def test_nothing_of_another_meeting_answers_to_a_member_of_this_one(door: Door) -> None:
    ours, theirs = door.book("t01", "t02"), door.book("t03", "t04")
    with (
        door.hall(ours, "t01") as (one, first),
        door.hall(ours, "t02") as (two, _),
        door.hall(theirs, "t03") as (spy, me),
    ):
        up, down = one.ask("createTransport"), two.ask("createTransport")
        made = one.ask("produce", transport=up["id"], kind="video", rtpParameters=sending(ONE))
        share = two.ask("consume", transport=down["id"], producer=made["id"], rtpCapabilities=RECEIVER)
        assert "rtpParameters" in share
        own = spy.ask("createTransport")["id"]
        fingerprints = {"dtlsParameters": {"fingerprints": [{"algorithm": "sha-256", "value": "00"}]}}
        attempts: list[tuple[str, dict[str, Any], str]] = [
            ("connectTransport", {"transport": up["id"], **fingerprints}, "unknown"),
            ("restartIce", {"transport": up["id"]}, "unknown"),
            ("produce", {"transport": up["id"], "kind": "video", "rtpParameters": sending(ONE)}, "unknown"),
            ("pauseProducer", {"producer": made["id"], "paused": True}, "unknown"),
            ("closeProducer", {"producer": made["id"]}, "unknown"),
            ("consume", {"transport": own, "producer": made["id"], "rtpCapabilities": RECEIVER}, "gone"),
            ("consume", {"transport": down["id"], "producer": made["id"], "rtpCapabilities": RECEIVER}, "gone"),
            ("consumeAudio", {"transport": down["id"], "rtpCapabilities": RECEIVER}, "unknown"),
            ("consumePicture", {"transport": own, "rtpCapabilities": RECEIVER}, "unknown"),
            ("show", {"consumer": share["id"], "producer": made["id"]}, "unknown"),
            ("pauseConsumer", {"consumer": share["id"], "paused": False}, "unknown"),
            ("prefer", {"consumer": share["id"], "maxLayer": 0}, "unknown"),
            ("closeConsumer", {"consumer": share["id"]}, "unknown"),
            ("act", {"action": "broadcast", "venue": "t01"}, "refused-unknown"),
            ("act", {"action": "mute", "venue": "t02"}, "refused-unknown"),
        ]
        for kind, data, code in attempts:
            assert spy.ask(kind, **data).get("code") == code, kind
        known = {peer["id"] for peer in me["peers"]}
        assert first["peer"] not in known
        for key in ("", me["resumeKey"], "x" * 32):
            with door.page({"peer": first["peer"], "resumeKey": key}) as (_, refused):
                assert refused["code"] in ("gone", "bad")
        untouched(one, two, made["id"], share["id"])


def untouched(one: Page, two: Page, producer: str, consumer: str) -> None:
    """Everything of theirs is as they left it."""
    assert one.ask("state")["transports"] != []
    (peer,) = two.ask("state")["peers"]
    assert [(each["id"], each["paused"]) for each in peer["producers"]] == [(producer, False)]
    assert two.ask("pauseConsumer", consumer=consumer, paused=False) == {}
    assert not any(message.get("type") in ("mediaReset", "replaced", "ejected") for message in (*one.heard, *two.heard))


@pytest.mark.parametrize("make", ENGINES, ids=NAMES)
def test_the_engine_itself_carries_nothing_from_room_to_room(make: Callable[[Address], Plane]) -> None:
    async def body() -> None:
        engine = Engine(("127.0.0.1", 0), make_plane=make)
        sender, spy = Client(), Client()

        async def join(room: str, client: Client) -> str:
            options = engine.create_transport(room, room)

            async def tell(fingerprints: list[dict[str, str]]) -> None:
                engine.connect_transport(options["id"], fingerprints)

            await client.connect(options, tell)
            return str(options["id"])

        ours, theirs = await join("m1", sender), await join("m2", spy)
        camera = engine.produce(ours, "video", sending(ONE))
        pipe = engine.open_pipe("pipes", "relay")["transport"]  # it carries streams of every room, each under its own
        piped = engine.produce(pipe, "video", sending([{"ssrc": 3000}]), peer="a", room="m1")
        place = engine.consume_picture(theirs, RECEIVER, "x")["id"]
        for attempt in (
            lambda: engine.consume(theirs, camera, RECEIVER, "x"),
            lambda: engine.show(place, camera),
            lambda: engine.consume(theirs, piped, RECEIVER, "x"),
            lambda: engine.show(place, piped),
        ):
            with pytest.raises(EngineError, match="meeting"):
                attempt()
        asked = len(sender.rtcp)
        for target in (1000, 1001):  # a picture's keyframe is asked for by who receives it alone
            spy.send_rtcp(rtcp.pack_receiver_report(7, []) + rtcp.pack_pli(7, target))
        spy.send(packet(1, KEY))  # our camera's SSRC, sent from another room: nobody announced it there
        spy.send(packet(2, KEY, ssrc=4242))
        sender.send(packet(1, KEY))
        await until(lambda: engine.status()["drops"]["unannounced"] >= 2)
        await asyncio.sleep(0.3)
        assert rtcp.KeyframeRequest(1000) not in sender.rtcp[asked:]
        assert spy.rtp == []
        source = engine.control.producers[camera].sources()[0]
        assert engine.plane.stream_state(source.stream).packets == 1
        sender.send(rtp.Packet(96, 3, 3 * 3600, 1000, KEY))  # a payload type that the camera has not announced
        await until(lambda: engine.status()["drops"]["unannounced"] >= 3)
        assert engine.plane.stream_state(source.stream).packets == 1
        await sender.close()
        await spy.close()
        await engine.close()

    asyncio.run(body())
