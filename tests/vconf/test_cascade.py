"""Relays of several tiers as one, with real clients: copies, layers, first frames, voices, and relays that die."""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vconf.cascades import FRAME_S, Backbone, Hall, Relays, run
from tests.vconf.engines import ENGINES, NAMES
from tests.vconf.test_engine import until
from vconf.media import rtcp, rtp
from vconf.relay_client import RelayError
from vconf.tree import Tree

TOWNSHIPS = {"t01": "c1", "t02": "c1"}


@pytest.fixture(scope="module", autouse=True, params=ENGINES, ids=NAMES)
def _engine(request: pytest.FixtureRequest) -> None:
    Relays.make = staticmethod(request.param)


def test_one_copy_crosses_however_many_watch_and_only_in_layers_that_somebody_takes(tmp_path: Path) -> None:
    async def body() -> None:
        async with Relays(tmp_path, "c1 t01") as relays:
            venue = await relays.hall("venue", "t01")
            await venue.film(3)
            viewers = [await relays.hall(f"viewer{n}", "c1") for n in range(3)]
            assert {hall.port for hall in viewers} == {relays.engines["c1"].address[1]} != {venue.port}
            shares = [await viewer.watch(venue) for viewer in viewers]
            for consumer, _ in shares:
                await relays.cascade.request("prefer", consumer=consumer, maxLayer=0)
            await until(lambda: all(viewer.got(ssrc) for viewer, (_, ssrc) in zip(viewers, shares, strict=True)))
            await until(lambda: relays.pipe("t01", "c1")["streams_out"] == 1)

            before, at = relays.pipe("t01", "c1")["packets_out"], time.monotonic()
            await asyncio.sleep(1)
            rate = (relays.pipe("t01", "c1")["packets_out"] - before) / (time.monotonic() - at)
            assert rate < 1.3 / FRAME_S  # one copy of one layer for three

            await relays.cascade.request("prefer", consumer=shares[0][0], maxLayer=2)
            await until(lambda: viewers[0].got(shares[0][1])[-1].payload[-1] == 2)
            assert viewers[1].got(shares[1][1])[-1].payload[-1] == 0
            assert relays.pipe("t01", "c1")["streams_out"] == 2  # not the one between
            numbers = [packet.sequence for packet in viewers[0].got(shares[0][1])]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            await relays.cascade.request("prefer", consumer=shares[0][0], maxLayer=0)
            await until(lambda: relays.pipe("t01", "c1")["streams_out"] == 1)
            await relays.cascade.request("closePeer", room="m1", peer="venue")
            await until(lambda: not relays.engines["c1"].control.producers)
            assert not relays.engines["c1"].status()["pipes"]

    run(body)


def test_keyframe_requests_cross_at_once_and_joined(tmp_path: Path) -> None:
    async def body() -> None:
        async with Relays(tmp_path, "c1 t01") as relays:
            venue = await relays.hall("venue", "t01")
            await venue.film()
            viewers = [await relays.hall(f"viewer{n}", "c1") for n in range(4)]
            shares = await asyncio.gather(*(viewer.watch(venue) for viewer in viewers))
            await until(lambda: all(viewer.got(ssrc) for viewer, (_, ssrc) in zip(viewers, shares, strict=True)))
            await asyncio.sleep(0.7)
            asked = venue.keyframes[0]
            for viewer, (_, ssrc) in zip(viewers, shares, strict=True):
                viewer.viewer.send_rtcp(rtcp.pack_pli(1, ssrc))
            await asyncio.sleep(0.2)
            assert venue.keyframes[0] == asked + 1
            assert relays.engines["t01"].status()["features"]["plis_heard"] < 4

    run(body)


async def _first_frame_s(viewer: Hall, venue: Hall) -> float:
    """From the wish to the first packet, which begins a keyframe."""
    began = time.monotonic()
    consumer, ssrc = await viewer.watch(venue)
    await until(lambda: viewer.got(ssrc))
    took = time.monotonic() - began
    assert viewer.got(ssrc)[0].payload[0] & 0x1F == 7
    await viewer.ask("closeConsumer", consumer=consumer)
    await asyncio.sleep(0.6)  # requests within half a second become one
    return took


def test_the_first_frame_over_two_pipes_comes_as_fast_as_a_local_one(tmp_path: Path) -> None:
    async def body() -> None:
        async with Relays(tmp_path, "c1 t01 t02", TOWNSHIPS) as relays:
            venue = await relays.hall("venue", "t01")
            await venue.film(3)
            near, far = await relays.hall("near", "t01"), await relays.hall("far", "t02")
            local, cascaded = [], []
            for _ in range(3):
                local.append(await _first_frame_s(near, venue))
                cascaded.append(await _first_frame_s(far, venue))
            print(f"first frame: local {local}, over two pipes {cascaded}")
            assert statistics.median(cascaded) < statistics.median(local) + FRAME_S

    run(body, 60)


def test_a_chain_of_tiers_carries_one_copy_on_each_hop_and_each_asks_again_for_what_was_lost(tmp_path: Path) -> None:
    async def body() -> None:
        async with Relays(tmp_path, "t01 c1 city", {"t01": "c1", "c1": "city"}) as relays:
            backbone = Backbone(relays.cascade, "t01", "c1")
            venue = await relays.hall("venue", "t01")
            await venue.film()
            viewers = [await relays.hall(f"viewer{n}", "city") for n in range(2)]
            shares = [await viewer.watch(venue) for viewer in viewers]
            await until(lambda: all(viewer.got(ssrc) for viewer, (_, ssrc) in zip(viewers, shares, strict=True)))
            assert set(relays.engines["c1"].status()["pipes"]) == {"t01", "city"}
            assert set(relays.engines["city"].status()["pipes"]) == {"c1"}

            asked, media = venue.keyframes[0], iter(range(1_000_000))
            backbone.loses = lambda datagram: (
                len(datagram) > 200 and not rtp.is_rtcp(datagram) and next(media) % 10 == 5
            )
            await until(lambda: backbone.lost > 4, 5)
            backbone.loses = lambda datagram: False
            await asyncio.sleep(0.3)
            for viewer, (_, ssrc) in zip(viewers, shares, strict=True):
                numbers = sorted(packet.sequence for packet in viewer.got(ssrc))
                assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
            assert relays.engines["c1"].status()["features"]["nacks_sent"] >= backbone.lost
            assert venue.keyframes[0] == asked  # what was lost came again, not a new beginning
            backbone.close()

    run(body)


def test_the_loudest_of_all_relays_are_heard_at_each(tmp_path: Path) -> None:
    async def body() -> None:
        async with Relays(tmp_path, "c1 t01 t02", TOWNSHIPS) as relays:
            halls = {}
            for number in range(9):
                name = f"hall{number}"
                halls[name] = await relays.hall(name, ("c1", "t01", "t02")[number % 3])
                await halls[name].talk()
            ears = [halls["hall0"], halls["hall1"], halls["hall2"]]  # one at each relay
            for ear in ears:
                await ear.listen()
            for number, level in ((3, 30), (4, 35), (7, 40), (8, 70)):
                halls[f"hall{number}"].level = level
            wanted = {b"hall3", b"hall4", b"hall7"}
            for ear in ears:
                await hearing(ear, wanted)
            halls["hall4"].level, halls["hall5"].level = 127, 20
            for ear in ears:
                await hearing(ear, {b"hall3", b"hall5", b"hall7"})
            assert relays.pipe("t01", "c1")["streams_out"] <= 4

    run(body)


async def hearing(ear: Hall, wanted: set[bytes]) -> None:
    found: set[bytes] = set()
    for _ in range(16):
        found = await ear.hears()
        if found == wanted:
            return
    assert found == wanted


def test_halls_of_a_dead_relay_are_told_and_go_to_the_one_above_it(tmp_path: Path) -> None:
    async def body() -> None:
        async with Relays(tmp_path, "c1 t01 t02", TOWNSHIPS) as relays:
            venue, viewer = await relays.hall("venue", "t01"), await relays.hall("viewer", "t02")
            await venue.film()
            _, ssrc = await viewer.watch(venue)
            await until(lambda: viewer.got(ssrc))
            states: list[tuple[bool, int]] = []
            relays.cascade.on_state = lambda up, transports: states.append((up, len(transports)))
            await relays.end("t01")
            began = time.monotonic()
            await until(lambda: [e["peer"] for e in relays.events if e.get("state") == "closed"] == ["venue", "venue"])
            assert states[0] == (False, 2)
            again = await relays.hall("venue", "t01")
            assert again.port == relays.engines["c1"].address[1]
            await again.film()
            _, ssrc = await viewer.watch(again)
            await until(lambda: viewer.got(ssrc))
            print(f"seen again {time.monotonic() - began:.2f} s after the relay's death")

            await relays.begin("t01")
            await until(lambda: relays.cascade._relays["t01"].up, 5)
            other = await relays.hall("other", "t01")
            assert other.port == relays.engines["t01"].address[1]
            assert len({hall.port for hall in (viewer, again, other)}) == 3

    run(body)


def test_halls_of_the_only_centre_wait_for_its_relay_and_go_to_no_township(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vconf.cascade.LAST_S", 0.5)

    async def body() -> None:
        async with Relays(tmp_path, "c1 t01", TOWNSHIPS) as relays:
            await relays.hall("venue", "t01")
            await relays.hall("viewer", "c1")
            await relays.end("c1")
            await until(lambda: [e["peer"] for e in relays.events if e.get("state") == "closed"] == ["viewer"] * 2, 5)
            with pytest.raises(RelayError, match="c1 is not connected"):
                await relays.hall("viewer", "c1")
            await relays.begin("c1")
            await until(lambda: relays.cascade._relays["c1"].up, 2)
            again = await relays.hall("viewer", "c1")
            assert again.port == relays.engines["c1"].address[1]

    run(body)


def test_a_dead_relay_between_is_gone_round_and_the_picture_goes_on(tmp_path: Path) -> None:
    async def body() -> None:
        async with Relays(tmp_path, "c1 t01 t02", TOWNSHIPS) as relays:
            venue, viewer = await relays.hall("venue", "t01"), await relays.hall("viewer", "t02")
            await venue.film(3)
            await venue.talk()
            venue.level = 30
            await viewer.listen()
            _, ssrc = await viewer.watch(venue)
            await until(lambda: viewer.got(ssrc))
            await hearing(viewer, {b"venue"})
            assert set(relays.engines["t02"].status()["pipes"]) == {"c1"}
            await relays.end("c1")
            await until(lambda: "t01" in relays.engines["t02"].status()["pipes"], 5)
            count = len(viewer.got(ssrc))
            await until(lambda: len(viewer.got(ssrc)) > count + 10)
            numbers = [packet.sequence for packet in viewer.got(ssrc)]
            assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))  # as if nothing had been
            await hearing(viewer, {b"venue"})
            assert not [event for event in relays.events if event.get("state") == "closed"]

    run(body)


def test_rooms_share_a_pipe_and_nothing_else(tmp_path: Path) -> None:
    async def body() -> None:
        async with Relays(tmp_path, "c1 t01") as relays:
            pairs = []
            for room in ("m1", "m2"):
                one = await relays.hall(f"one-{room}", "t01", room)
                two = await relays.hall(f"two-{room}", "c1", room)
                await one.film()
                await two.film()
                pairs.append((one, two))
            shares = [(a, (await a.watch(b))[1]) for one, two in pairs for a, b in ((one, two), (two, one))]
            await until(lambda: all(len(hall.got(ssrc)) > 5 for hall, ssrc in shares))
            assert len(relays.engines["c1"].transports) == 5
            status = relays.engines["c1"].status()
            assert (status["rooms"], status["peers"]) == (2, 2)  # a pipe is nobody
            with pytest.raises(Exception, match="another meeting"):
                await pairs[0][0].watch(pairs[1][1])

    run(body)


_TREES = st.lists(st.integers(0, 5), min_size=6, max_size=6).map(
    lambda below: {"abcdef"[index]: "abcdef"[other] for index, other in enumerate(below) if other < index}
)


@given(_TREES, st.sets(st.sampled_from("abcdef")))
def test_every_way_through_the_tree_ends_and_visits_nobody_twice(above: dict[str, str], dead: set[str]) -> None:
    tree = Tree(above)
    tree.dead = dead
    living = sorted(set("abcdef") - dead)
    for origin in living:
        for relay in living:
            way, at = [relay], relay
            while at != origin:
                at = tree.source(origin, at)
                assert at in living
                assert at not in way
                way.append(at)


def test_a_relay_that_hangs_on_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="hangs on itself"):
        Tree({"a": "b", "b": "c", "c": "b"})
