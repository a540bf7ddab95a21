"""A node by itself: what it answers alone, when it takes its parent for lost, what it keeps and hands over."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.websockets import WebSocketDisconnect

from identity.secrets import Secrets
from identity.tokens import Tokens
from store.audit import AuditEntry
from store.engine import Store, open_store
from tests.vconf.test_signalling import Page, county, relay
from vconf import attendance, hall_devices, links, meetings
from vconf.bus.bus import Handler, NoAnswer, Subscription, pack
from vconf.bus.local import Exchange, LocalBus
from vconf.cascade import Cascade
from vconf.chair.merge import Stay, account, alone
from vconf.chair.state import opened
from vconf.conversation import PROTOCOL
from vconf.lines import Identity
from vconf.node import child, handed, settings
from vconf.node import parent as parent_module
from vconf.node.child import BUSY_S, LOST_S, STABLE_S, Child
from vconf.node.county import County
from vconf.node.node import Node
from vconf.node.parent import BEAT_S, Parent
from vconf.node.passing import Place
from vconf.node.settings import Settings
from vconf.relay_client import RelayClient
from vconf.rooms.peers import Outbox
from vconf.rooms.rooms import Rooms
from vconf.rooms.stored import Stored

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient


class World:
    """A county's rooms and one township's node in one process, with a bus between them that can be cut."""

    def __init__(self, folder: Path) -> None:
        self.store: Store = open_store(f"sqlite:///{folder}/store.db")
        secrets = Secrets(folder / "identity")
        self.tokens = Tokens(secrets.resolve(links.KEY))
        (folder / "meet.pub").write_text(secrets.resolve("token-pub/meet"))
        key, certificate = secrets.ca.issue_device("t01-relay")
        (folder / "host.key").write_text(key)
        (folder / "host.crt").write_text(certificate)
        (folder / "ca.crt").write_text(secrets.ca.certificate_pem)
        (folder / "pages").mkdir()
        exchange = Exchange()
        self.county_bus, self.bus = LocalBus(exchange), LocalBus(exchange)
        control = folder / "relay.sock"
        self.rooms = Rooms(
            Stored(self.store, county()), Cascade({"relay": RelayClient.over_unix("relay", control, "county")})
        )
        self.parent = Parent(self.county_bus, "shili", {"t01": ("t01", "t02")}, County(self.store, self.rooms))
        self.rooms.on_change = self.parent.changed
        self.settings = Settings(
            name="t01",
            parent="shili",
            listen=("127.0.0.1", 0),
            county=(Place("nobody", "127.0.0.1", 1),),
            county_names={"zh": "县", "en": "County"},
            bus=("", ""),
            relay=("relay", "", 0),
            identity=Identity(folder / "host.crt", folder / "host.key", folder / "ca.crt"),
            token_key=folder / "meet.pub",
            pages=folder / "pages",
            lib=folder / "node",
            halls={"t01": {"zh": "青松", "en": "Qingsong"}, "t02": {"zh": "白云", "en": "Baiyun"}},
            also=("https://10.9.9.9",),
        )
        self.node = Node(
            self.settings, self.bus, lambda: Cascade({"relay": RelayClient.over_unix("relay", control, "node")})
        )
        self.client: TestClient

    @contextlib.asynccontextmanager
    async def lifespan(self, _: Starlette) -> AsyncIterator[None]:
        await self.rooms.start()
        await self.parent.start()
        async with self.node.application().router.lifespan_context(self.node.application()):
            yield
        await self.parent.close()
        await self.rooms.close()

    def book(self, *halls: str, chair: str = "") -> meetings.Meeting:
        with self.store.session() as session:
            return meetings.book(
                session,
                title="会",
                start_at=datetime.now(UTC),
                duration=timedelta(hours=1),
                halls=halls,
                who="test",
                known_halls=county().halls,
                chair=chair,
            )

    @contextlib.contextmanager
    def page(self, token: str) -> Iterator[tuple[Page, dict[str, Any]]]:
        with self.client.websocket_connect("/meet/ws", subprotocols=[PROTOCOL]) as socket:
            page = Page(socket)
            yield page, page.ask("hello", token=token)

    def wait(self, true: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 15
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def audited(self) -> list[str]:
        with self.store.reading() as session:
            return [entry.what for entry in session.query(AuditEntry).order_by(AuditEntry.number)]

    def post(self, path: str, **body: Any) -> tuple[int, dict[str, Any]]:
        answer = self.client.post(path, json=body)
        return answer.status_code, answer.json()


class _Both:
    """The bus of a middle tier: upwards one, downwards another, so that either can be cut alone."""

    dropped = 0

    def __init__(self, up: LocalBus, down: LocalBus) -> None:
        self._up, self._down = up, down

    async def start(self) -> None:
        """Both are there."""

    async def close(self) -> None:
        await self._up.close()
        await self._down.close()

    def publish(self, subject: str, message: bytes) -> None:
        self._of(subject).publish(subject, message)

    async def subscribe(self, pattern: str, handler: Handler) -> Subscription:
        return await self._of(pattern).subscribe(pattern, handler)

    async def request(self, subject: str, message: bytes, timeout_s: float) -> bytes:
        return await self._of(subject).request(subject, message, timeout_s)

    def _of(self, subject: str) -> LocalBus:
        return self._up if subject.split(".")[1] == "shili" else self._down


def closed_with(page: Page) -> int:
    """The code of the end."""
    try:
        while True:
            page.socket.receive_json()
    except WebSocketDisconnect as end:
        return end.code


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


def some_account(meeting: int, serial: str = "s") -> handed.Handed:
    """As a township hands it over."""
    state = opened(meeting=meeting, venues={"t01": ("a", "a")}, main="t01", owner="@li", starts_at=0, ends_at=9e9)
    acts = (handed.Act(5.0, "hall:t01", "banner", {"text": "x"}, 3),)
    found = account(alone(state, ["t01"], 4.0), 6.0, [Stay("t01", 4.0, 6.0)])
    return handed.Handed(serial, "t01", meeting, 4.0, found, acts)


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
        _Both(world.bus, county_below),
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


def test_a_parent_is_lost_after_three_heartbeats_and_back_when_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 3 * BEAT_S < LOST_S < 2
    clock = [100.0]

    async def body() -> None:
        exchange = Exchange()
        parent, bus = LocalBus(exchange), LocalBus(exchange)
        monkeypatch.setattr(child, "LOOK_S", 0.001)
        opens = [False]

        async def knock() -> bool:
            return opens[0]

        heard = Child(bus, "t01", "shili", None, knock, lambda: clock[0])
        await heard.start()

        async def beat(seconds: float, *, alive: bool = True) -> None:
            for _ in range(round(seconds / 0.1)):
                clock[0] += 0.1
                if alive:
                    parent.publish("tier.shili.t01.beat", b"{}")
                await asyncio.sleep(0.005)

        await beat(STABLE_S - 0.3)
        seen = [heard.up]
        await beat(0.6)
        seen.append(heard.up)
        assert seen == [None, True]
        await beat(LOST_S - 0.3, alive=False)
        await beat(0.2)  # a moment's silence is none
        heard.alive()
        await beat(LOST_S - 0.2, alive=False)
        heard.alive()  # nothing on the bus, but a page's connection speaks
        await beat(LOST_S - 0.2, alive=False)
        seen.append(heard.up)
        await beat(0.5, alive=False)
        seen.append(heard.up)
        heard.alive()  # from a connection that is being closed
        await beat(STABLE_S - 0.4)
        await beat(LOST_S + 0.2, alive=False)
        await beat(STABLE_S - 0.4)
        seen.append(heard.up)  # it comes and goes: not yet
        await beat(0.6)
        seen.append(heard.up)
        opens[0] = True
        await beat(LOST_S + 1, alive=False)
        seen.append(heard.up)  # a machine that is merely busy
        opens[0] = False
        await beat(LOST_S + 0.3, alive=False)
        seen.append(heard.up)
        await beat(STABLE_S + 0.3)
        opens[0] = True
        await beat(BUSY_S + 0.3, alive=False)
        seen.append(heard.up)  # somebody answers the door, and nobody speaks
        assert seen == [None, True, True, False, False, True, True, False, False]
        await heard.close()

    asyncio.run(body())


def test_what_was_heard_and_done_is_there_after_a_restart(tmp_path: Path) -> None:
    with relay(tmp_path / "relay.sock"):
        first = World(tmp_path)
        meeting = first.book("t01", "t02")
        app = Starlette(routes=[Mount("/", first.node.application())], lifespan=first.lifespan)
        with TestClient(app) as first.client:
            first.wait(lambda: meeting.id in first.node.child.meetings)
            first.bus.cut = True
            first.wait(lambda: first.node.alone)
            with first.page(links.join_token(first.tokens, links.Seat("t01", meeting.id))) as (page, _):
                page.ask("act", action="banner", text="kept")
        assert (tmp_path / "node" / "alone.json").stat().st_mode & 0o777 == 0o600
        second = Node(first.settings, first.bus, lambda: Cascade({}))
        found = second._notes.handed(time.time())[0]
        assert (found.meeting, found.account.state.deputies) == (meeting.id, ("t01", "t02"))
        assert found.account.state.banner is not None
        assert {act.action for act in found.acts} == {"alone", "chairPasses", "join", "banner", "leave"}
        assert all(stay.left is not None for stay in found.account.stays)
        first.store.close()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"listen": "nowhere"}, "listen: found 'nowhere', expected ADDRESS:PORT"),
        ({"county": []}, "county: found none"),
        ({"halls": {"t01": {"zh": "a"}}}, "halls: 'en' is missing"),
        ({"parent": None}, "parent: found None, expected a text"),
        ({"certificate": None}, "certificate, key, ca"),
    ],
)
def test_a_bad_file_is_told_by_its_key(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    good = {
        "name": "t01",
        "parent": "shili",
        "listen": "127.0.0.1:443",
        "county": [{"name": "n", "address": "10.0.0.1:9830"}],
        "county_names": {},
        "bus": {"server": "tls://127.0.0.1:4222", "name": "n"},
        "relay": {"name": "r", "control": "10.0.0.2:9820"},
        "token_key": "k",
        "pages": "p",
        "halls": {},
        **dict.fromkeys(("certificate", "key", "ca"), "c"),
    }
    path = tmp_path / "node.json"
    path.write_text(json.dumps(good))
    assert settings.read(path).relay == ("r", "10.0.0.2", 9820)
    path.write_text(json.dumps(good | change))
    with pytest.raises(settings.Wrong) as wrong:
        settings.read(path)
    assert str(path) in str(wrong.value)
    assert said in str(wrong.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(["serial", "tier", "meeting", "began", "account", "acts", "x"]), JSON))
def test_whatever_is_handed_over_is_read_or_refused(found: dict[str, Any]) -> None:
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
        handed.read(found)
    whole = handed.written(some_account(7))
    assert handed.written(handed.read(json.loads(json.dumps(whole)))) == json.loads(json.dumps(whole))
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
        handed.read(whole | found)
