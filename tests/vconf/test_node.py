"""A node by itself: what it answers alone, when it takes its parent for lost, what it keeps and hands over."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from store.audit import AuditEntry
from tests.vconf.nodes import BothWays, TestClient, World, closed_with, some_account
from tests.vconf.test_signalling import county, relay
from vconf import attendance, hall_devices, links
from vconf.bus.bus import NoAnswer, pack
from vconf.bus.local import Exchange, LocalBus
from vconf.cascade import Cascade
from vconf.node import child, handed
from vconf.node import parent as parent_module
from vconf.node.county import County
from vconf.node.node import Node
from vconf.node.parent import Parent
from vconf.rooms.peers import Outbox
from vconf.rooms.rooms import Rooms
from vconf.rooms.stored import Stored


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with relay(tmp_path / "relay.sock"):
        made = World(tmp_path)
        app = Starlette(routes=[Mount("/", made.node.application())], lifespan=made.lifespan)
        with TestClient(app) as made.client:
            yield made
        made.store.close()


def test_alone_it_knows_its_halls_holds_their_meeting_and_hands_it_over(world: World) -> None:
    meeting = world.book("t01", "t02", "t03", chair="@li")
    with world.store.session() as session:
        code = hall_devices.new_code(session, "t02", "test", datetime.now(UTC))
        device = hall_devices.pair(session, code, "", county().halls, datetime.now(UTC))[1]
    world.wait(lambda: world.node.child.up and sha256(device.encode()).hexdigest() in world.node.child.devices)
    assert not world.node.alone
    assert world.post("/meet/link", link="x")[0] == 503, "the county's door is nowhere in this test"

    world.bus.cut = True
    began = time.monotonic()
    world.wait(lambda: world.node.alone)
    assert time.monotonic() - began < 2.2
    # who is who
    link = links.link_token(world.tokens, meeting, "t01", datetime.now(UTC))
    status, told = world.post("/meet/link", link=link)
    assert (status, told["state"], told["hall"]) == (200, "open", {"code": "t01", "zh": "青松", "en": "Qingsong"})
    assert told["also"] == ["https://10.9.9.9"]
    assert world.post("/meet/link", link="forged")[0] == 401
    status, home = world.post("/meet/hall", token=device)
    assert (status, [each["id"] for each in home["meetings"]]) == (200, [meeting.id])
    status, joined = world.post("/meet/hall/join", token=device, meeting=meeting.id)
    assert (status, joined["hall"]["code"]) == (200, "t02")
    # what is not known here may be known there: the page is to keep asking
    assert world.post("/meet/hall", token="unknown")[0] == 503
    assert world.post("/meet/hall/join", token=device, meeting=99)[0] == 503
    assert world.post("/meet/pair", code="0123456789")[0] == 503
    assert world.client.get("/api/meet/meetings").status_code == 503
    assert world.post("/meet/link", nothing=1)[0] == 422

    with world.page(told["join"]) as (one, welcome):
        assert welcome["conference"]["alone"] is True
        assert welcome["conference"]["chair"] == "t01"
        county_token = links.join_token(world.tokens, links.Seat("t02", meeting.id))
        with world.page(county_token) as (two, other):
            assert other["conference"]["you"]["role"] == "venue"
            assert one.ask("act", action="broadcast", venue="t02")["number"]
            assert two.ask("act", action="signIn", heads=9)["number"]
            assert one.ask("act", action="end")["code"] == "refused-alone"
            assert two.ask("act", action="muteAll")["code"] == "refused-council-only"
        stranger = links.join_token(world.tokens, links.Seat("t02", 99))
        for token in (told["join"], stranger):
            with world.page(token) as (_, refused):
                assert refused["code"] == "token", "good once; of a meeting that is not known here"

        world.bus.cut = False
        world.wait(lambda: not world.node.alone)
        assert closed_with(one) == 1012, "come again"
    world.wait(lambda: world.rooms.conferences.get(meeting.id) is not None)
    state = world.rooms.conferences.get(meeting.id)
    assert state is not None
    assert (state.programme.broadcast, state.deputies) == ("t02", ()), "nobody was in the county: the higher epoch"
    sign = state.venues["t02"].signed
    assert sign is not None
    assert sign.heads == 9
    world.wait(lambda: "meeting.merge" in world.audited())
    done = ["alone", "chairPasses", "join", "join", "broadcast", "signIn", "leave", "leave", "merge"]
    told_there = [what for what in world.audited() if what.startswith("meeting.")][1:]
    assert Counter(told_there) == Counter(f"meeting.{word}" for word in done)
    assert (told_there[0], told_there[-1]) == ("meeting.alone", "meeting.merge")
    with world.store.reading() as session:
        sheet = {line.hall: line for line in attendance.sheet(session, meeting, datetime.now(UTC))}
    assert (sheet["t01"].stays, sheet["t02"].stays, sheet["t02"].heads) == (1, 1, 9)


def test_an_account_is_taken_once(world: World) -> None:
    meeting = world.book("t01", "t03")

    async def hand(found: handed.Handed) -> bytes:
        return await world.bus.request("up.shili.t01", pack({"handOver": handed.written(found)}), 3)

    portal = world.client.portal
    assert portal is not None
    for _ in range(3):
        assert json.loads(portal.call(hand, some_account(meeting.id))) == {"taken": "s"}
    assert world.audited().count("meeting.merge") == world.audited().count("meeting.banner") == 1
    with world.store.reading() as session:
        assert len(attendance.sheet(session, meeting, datetime.now(UTC))) == 2
        entry = session.query(AuditEntry).filter(AuditEntry.what == "meeting.banner").one()
    assert (entry.who, entry.why) == ("hall:t01", "t01 was alone")
    assert json.loads(entry.detail) == {"meeting": meeting.id, "number": 3, "tier": "t01", "at": 5.0, "text": "x"}
    # for another, of nothing, of no such meeting
    assert "bad" in json.loads(portal.call(hand, replace(some_account(meeting.id), tier="t02")))
    assert json.loads(portal.call(hand, some_account(12345, "none"))) == {"taken": "none"}
    with pytest.raises(NoAnswer):
        portal.call(lambda: world.bus.request("up.shili.t02", b"{}", 0.5))


def test_the_rule_is_one_for_every_tier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A county below a city, a township below the county; the city is lost, then the county too, and all come back."""
    monkeypatch.setattr(parent_module, "BEAT_S", 0.1)
    for name, seconds in (("LOST_S", 1.0), ("DOUBT_S", 0.5), ("STABLE_S", 0.3), ("ASK_S", 0.3), ("LOOK_S", 0.02)):
        monkeypatch.setattr(child, name, seconds)
    world = World(tmp_path)  # its "county" plays the city, its node the county
    store, notes = world.store, tmp_path / "town"
    exchange = Exchange()
    county_below, town_bus = LocalBus(exchange), LocalBus(exchange)
    rooms = Rooms(Stored(store, county()), Cascade({}))
    city = Parent(world.county_bus, "shili", {"t01": ("t01", "t02")}, County(store, rooms))
    rooms.on_change = city.changed
    node = Node(
        replace(world.settings, children={"k01": frozenset({"t02"})}),
        BothWays(world.bus, county_below),
        lambda: Cascade({}),
    )
    town = Node(
        replace(world.settings, name="k01", parent="t01", halls={"t02": {"zh": "白", "en": "B"}}, lib=notes),
        town_bus,
        lambda: Cascade({}),
    )
    meeting = world.book("t01", "t02", "t03")

    async def until(true: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 15
        while not true():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)

    async def join(held: Node, hall: str) -> None:
        assert held._rooms is not None
        await held._rooms.join(links.Seat(hall, meeting.id), Outbox())

    async def body() -> None:
        await rooms.start()
        await city.start()
        await node.start()
        await town.start()
        try:
            await until(lambda: node.child.up and town.child.up and meeting.id in town.child.meetings)
            world.bus.cut = True
            await until(lambda: node.alone)
            await asyncio.sleep(1.2)
            assert not town.alone, "it has its parent, whatever that one has lost"
            await join(node, "t01")
            town_bus.cut = True
            await until(lambda: town.alone)
            await join(town, "t02")
            assert town._rooms is not None
            await town._rooms.act(meeting.id, "t02", "signIn", {"heads": 5})
            town_bus.cut = False
            await until(lambda: not town.alone)
            assert node._rooms is not None
            middle = node._rooms.conferences.get(meeting.id)
            assert middle is not None
            assert middle.deputies == ("t01", "t02"), "the middle tier is alone still"
            assert middle.venues["t02"].signed is not None
            world.bus.cut = False
            await until(lambda: rooms.conferences.get(meeting.id) is not None and not node.alone)
            top = rooms.conferences.get(meeting.id)
            assert top is not None
            assert (top.deputies, top.venues["t02"].signed) == ((), middle.venues["t02"].signed)
        finally:
            await town.close()
            await node.close()
            await city.close()
            await rooms.close()

    asyncio.run(body())
    with store.reading() as session:
        acts = [(e.who, json.loads(e.detail).get("tier")) for e in session.query(AuditEntry) if "alone" in e.why]
        sheet = {line.hall: line for line in attendance.sheet(session, meeting, datetime.now(UTC))}
    store.close()
    assert ("hall:t02", "t01") in acts, "what the township did came up through the county"
    assert sheet["t02"].heads == 5
    assert (sheet["t01"].stays, sheet["t02"].stays) == (1, 1)


def test_what_the_parent_refuses_holds_nobody_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = world.book("t01", "t02")
    asked: list[str] = []
    take = County.take

    async def stumbling(self: County, found: handed.Handed) -> None:
        asked.append(found.serial)
        if len(asked) == 1:
            raise OSError("the store is away")  # no answer: it comes again
        if len(asked) == 2:
            raise ValueError("never")
        await take(self, found)

    monkeypatch.setattr(County, "take", stumbling)
    monkeypatch.setattr(child, "ANSWER_S", 0.3)
    world.wait(lambda: meeting.id in world.node.child.meetings)
    world.bus.cut = True
    world.wait(lambda: world.node.alone)
    with world.page(links.join_token(world.tokens, links.Seat("t01", meeting.id))):
        pass
    world.bus.cut = False
    world.wait(lambda: len(asked) == 2 and world.node._ready.is_set() and not world.node.alone)
    assert asked[0] == asked[1]
    kept = list((world.settings.lib or Path()).glob("refused-*.json"))
    assert [json.loads(each.read_text())["meeting"] for each in kept] == [meeting.id]
    assert "meeting.merge" not in world.audited()


def test_a_node_loads_no_store_and_no_model() -> None:
    """It runs on a small box beside a relay."""
    script = (
        "import sys, uvicorn, dashboards.shield, vconf.bus.wire, vconf.node.node\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    loaded = set(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.split())
    assert "starlette" in loaded
    assert loaded & {"sqlalchemy", "alembic", "pydantic", "fastapi", "ruamel", "typer", "nats"} == set()
