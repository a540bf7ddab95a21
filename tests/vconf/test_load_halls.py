"""Halls of a load against a real relay and signalling: they see each other, and follow the chair."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.soak import leaks, slope
from bench.soak_centre import Ground, held, running
from inventory.places import Places
from sanwang import meet, meet_load
from sanwang import meeting as meeting_commands
from vconf.client.channel import Channel
from vconf.client.peer import Peer
from vconf.load import clip
from vconf.load.crowd import Crowd, quantiles
from vconf.load.screen import Track
from vconf.media.payload import h264_keyframe


async def _until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline_s = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline_s
        await asyncio.sleep(0.02)


def test_halls_see_each_other_follow_the_chair_and_leave_nothing(tmp_path: Path) -> None:
    async def meet() -> None:
        ground = Ground(tmp_path)
        meeting = ground.book(["t01", "t02", "t03"], 30)
        async with running(ground) as port:
            crowd = Crowd(ground.way(port, meeting), clip.make())
            before = held()
            halls = [crowd.join(code) for code in ("t01", "t02", "t03")]
            await _until(lambda: all(hall.inside and len(hall.wanted()) == 2 and not hall.dark() for hall in halls))
            main, _, third = halls
            await main._channel.request("act", action="broadcast", venue="t02")
            await _until(lambda: list(third.wanted().values()) == ["t02"] and not third.dark())
            assert third.conference["you"]["view"]["why"] == "broadcast"
            await main._channel.request("act", action="broadcast", venue="t01")
            await _until(lambda: list(third.wanted().values()) == ["t01"] and not third.dark())
            await _until(lambda: crowd.now() == {"halls": 3, "inside": 3, "dark": {}, "over": {}})
            await crowd.leave(["t03"])
            await _until(lambda: set(main.wanted().values()) == {"t02"})
            await crowd.leave(["t01", "t02"])
            figures = crowd.figures()
            await _until(lambda: held()["tasks"] == before["tasks"])
        assert figures["joins"] == figures["first_keyframe_ms"]["count"] == 3
        assert figures["switch_ms"]["count"] >= 1
        assert figures["received"]["packets"] > 100
        assert figures["received"]["wrong"] == 0
        assert figures["received"]["lost_percent"] < 1  # a machine that stops for a moment loses datagrams
        assert figures["sent"]["keyframe_requests"] > 0
        assert (figures["interruptions"], figures["refusals"]) == ({}, {})

    asyncio.run(meet())


def test_a_hall_whose_connection_is_lost_comes_back(tmp_path: Path) -> None:
    async def meet() -> None:
        ground = Ground(tmp_path)
        meeting = ground.book(["t01", "t02"], 30)
        async with running(ground) as port:
            crowd = Crowd(ground.way(port, meeting), clip.make())
            hall, _ = crowd.join("t01"), crowd.join("t02")
            await _until(lambda: hall.inside)
            channel: Channel = hall._channel
            channel._connection.transport.abort()
            await _until(lambda: hall.inside and hall.figures.joins == 2 and not hall.dark())
            await crowd.leave(["t01", "t02"])
            assert crowd.figures()["interruptions"] == {"closed with no word": 1}

    asyncio.run(meet())


def test_what_a_sender_s_line_loses_is_sent_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sent, kinds = Counter[int](), Counter[int]()
    really = Peer.send_raw

    def lossy(self: Peer, data: bytes) -> None:
        kind = data[1] & 0x7F
        if data[0] >> 6 == 2 and kind in (96, 111):  # picture and sound; retransmissions of the picture have 97
            sent[kind] += 1
            if sent[kind] % 20 == 0:
                kinds[kind] += 1
                return
        really(self, data)

    async def meet() -> None:
        ground = Ground(tmp_path)
        meeting = ground.book(["t01", "t02"], 30)
        monkeypatch.setattr(Peer, "send_raw", lossy)
        async with running(ground) as port:
            crowd = Crowd(ground.way(port, meeting), clip.make())
            for code in ("t01", "t02"):
                crowd.join(code)
            await _until(lambda: min(kinds[96], kinds[111]) >= 6)
            await crowd.leave(["t01", "t02"])
        figures = crowd.figures()
        assert figures["sent"]["resent"] >= 6
        assert figures["received"]["lost"] < kinds.total() / 4
        assert figures["received"]["wrong"] == 0

    asyncio.run(meet())


@contextmanager
def _centre(ground: Ground) -> Iterator[int]:
    """The centre in a thread with a loop of its own; yields its port."""
    ready, loop, stop = threading.Event(), asyncio.new_event_loop(), asyncio.Event()
    ports: list[int] = []

    async def body() -> None:
        async with running(ground) as port:
            ports.append(port)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(body(),))
    thread.start()
    assert ready.wait(30)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()


def test_the_command_joins_halls_and_tells_what_they_saw(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Places, "lib", property(lambda self: tmp_path))
    monkeypatch.setenv("SANWANG_DATABASE", f"sqlite:///{tmp_path}/store.db")
    monkeypatch.setenv("SANWANG_INSTANCE", "load")  # none of this name is up
    ground = Ground(tmp_path)
    monkeypatch.setattr(meeting_commands, "load_model", lambda county: ground.model)
    number = str(ground.book(["t01", "t02"], 30).id)
    with _centre(ground) as port:
        monkeypatch.setattr(meet_load, "base", lambda model: f"https://127.0.0.1:{port}")
        code = meet.main(["load", number, "--send", "--seconds", "4", "--per-second", "20", "--json"])
        made = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert (code, made["good"], made["inside"], made["dark"]) == (0, True, 2, {})
        assert made["first_keyframe_ms"]["count"] == 2
        assert made["received"]["packets"] > 50
        assert made["received"]["wrong"] == 0
        assert meet.main(["load", number, "--halls", "3"]) == 2
        assert "has 2; book it with more halls" in capsys.readouterr().err
        assert meet.main(["load", "99"]) == 2
    assert meet.main(["load", number, "--seconds", "1"]) == 1  # nobody answers
    assert "halls      0 of 2 are in" in capsys.readouterr().out


def test_the_clip_is_real_video_and_sound() -> None:
    made = clip.make()
    assert len(made.pictures) == 2 * clip.RATE
    assert [number for number, each in enumerate(made.pictures) if each.keyframe] == [0, clip.RATE]
    assert all(any(map(h264_keyframe, each.payloads)) == each.keyframe for each in made.pictures)
    assert len(made.sounds) == 100
    assert len({each.level for each in made.sounds}) > 1  # it beeps
    with pytest.raises(clip.ClipError, match="expected a file with a video stream"):
        clip.make(Path(__file__))


def test_what_never_came_is_lost_and_what_came_late_is_not() -> None:
    track = Track(1, 2, "video/h264", 0.0, frozenset({"nack"}))
    for sequence in (65534, 65535, 2, 5, 4):
        track.arrived(sequence, b"\x41", 1.0)
    assert track.to_ask(1.0) == [0, 1, 3]
    assert track.to_ask(1.05) == []
    track.arrived(0, b"\x41", 1.06)
    assert track.to_ask(1.2) == [1, 3]
    assert (track.repaired, track.lost) == (2, 0)
    assert track.to_ask(3.5) == []
    assert (track.repaired, track.lost) == (2, 2)


def test_a_leak_is_seen_through_noise_and_noise_is_none() -> None:
    flat = [(float(number), 100.0 + number % 3 + (500 if number == 7 else 0)) for number in range(40)]
    assert abs(slope(flat)) < 0.05
    assert slope([(at, value + 3 * at) for at, value in flat]) == pytest.approx(3, abs=0.05)
    side = {"memory_kib_a_join": 0.1, "objects_a_join": 0.0, "files_a_join": 0.0, "leaked_tasks": {}, "leaked_files": 0}
    assert leaks({"centre": side, "halls": side}) == []
    grown = side | {"memory_kib_a_join": 9.0, "leaked_tasks": {"Rooms._watch": 1}, "leaked_files": 2}
    assert len(leaks({"centre": grown, "halls": side})) == 3
    assert quantiles([])["p95"] is None
    assert quantiles(range(100)) == {"count": 100, "p50": 49, "p95": 94, "max": 99}
