"""The meetings' door over HTTP and WebSocket, with a real relay behind it."""

from __future__ import annotations

import asyncio
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, Request
from hypothesis import given
from hypothesis import strategies as st
from starlette.websockets import WebSocketDisconnect

from identity.secrets import Secrets
from identity.tokens import Tokens
from inventory.load import load_model
from inventory.model import NetworkModel
from store.engine import Store, open_store
from tests.vconf.test_engine import ONE, RECEIVER, sending
from vconf import links, meetings
from vconf.cascade import Cascade
from vconf.conversation import MESSAGE_BYTES, PROTOCOL, parse
from vconf.media.engine import Engine
from vconf.relay_client import RelayClient
from vconf.relay_server import RelayServer
from vconf.rest import Caller, Rest
from vconf.signalling import Signalling
from vconf.turn import Turn
from vconf.whip.door import StreamDoor

with warnings.catch_warnings():  # starlette would rather have another HTTP client than the one installed
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient, WebSocketTestSession


@contextmanager
def relay(path: Path) -> Iterator[list[Engine]]:
    """A relay in a thread with a loop of its own; yields its engine, to be looked at."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()
    engines: list[Engine] = []

    async def body() -> None:
        engine = Engine(("127.0.0.1", 0))
        engines.append(engine)
        server = RelayServer(engine, "relay", None)
        await server.listen_unix(path)
        ready.set()
        await stop.wait()
        await server.close()
        await engine.close()

    thread = threading.Thread(target=loop.run_until_complete, args=(body(),))
    thread.start()
    assert ready.wait(60)
    try:
        yield engines
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        loop.close()


@cache
def county() -> NetworkModel:
    """The reference county, read once."""
    return load_model("shili")


@dataclass(frozen=True)
class Clerk:
    """Somebody signed in; who is called after a site may hold meetings of that site alone."""

    login: str

    def covers(self, unit: str) -> bool:
        return self.login == "office" or unit == self.login


class Door:
    """The application, its store and the means to come in."""

    def __init__(self, folder: Path, turn: Turn | None = None) -> None:
        self.store: Store = open_store(f"sqlite:///{folder}/store.db")
        self.tokens = Tokens(Secrets(folder / "identity").resolve(links.KEY))
        self.model = county()
        self.client: TestClient
        self.engine: Engine
        app = FastAPI()
        relay_client = Cascade({"relay": RelayClient.over_unix("relay", folder / "relay.sock")})
        signalling = Signalling(self.store, self.tokens, self.model, relay_client, turn=turn)
        app.include_router(signalling.router)
        self.rest = Rest(self.store, self.tokens, self.model, signalling.rooms, self.operator)
        app.include_router(self.rest.router)
        self.rooms = signalling.rooms
        self.streams = StreamDoor(self.store, self.rooms, turn)
        app.include_router(self.streams.router)
        self.rest.documented.append(self.streams.router)
        self.app = app
        self.relay = relay_client

    def operator(self, request: Request) -> Caller:
        """Who is signed in: as the header says."""
        if (login := request.headers.get("x-login")) is None:
            raise HTTPException(401, "not signed in")
        return Clerk(login)

    def book(
        self, *halls: str, starts_in: timedelta = timedelta(0), main: str = "", chair: str = ""
    ) -> meetings.Meeting:
        with self.store.session() as session:
            return meetings.book(
                session,
                title="会",
                start_at=datetime.now(UTC) + starts_in,
                duration=timedelta(hours=1),
                halls=halls,
                who="test",
                known_halls=self.model.halls,
                main=main,
                chair=chair,
            )

    @contextmanager
    def client_of(self) -> Iterator[TestClient]:
        """The application running."""
        with TestClient(self.app) as self.client:
            yield self.client

    @contextmanager
    def chair(self, meeting: meetings.Meeting, login: str) -> Iterator[tuple[Page, dict[str, Any]]]:
        link = links.chair_token(self.tokens, meeting, login, datetime.now(UTC))
        answer = self.client.post("/meet/link", json={"link": link}).json()
        assert (answer["role"], answer["hall"]["code"]) == ("chair", f"@{login}")
        with self.page({"token": answer["join"]}) as entered:
            yield entered

    def link(self, meeting: meetings.Meeting, hall: str) -> str:
        return links.link_token(self.tokens, meeting, hall, datetime.now(UTC))

    def exchange(self, meeting: meetings.Meeting, hall: str) -> dict[str, Any]:
        answer = self.client.post("/meet/link", json={"link": self.link(meeting, hall)})
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert isinstance(found, dict)
        return found

    def wait_present(self, meeting: meetings.Meeting, halls: set[str]) -> None:
        """Until the store says that these halls are in the meeting."""
        for _ in range(500):
            with self.store.reading() as session:
                found = meetings.get(session, meeting.id)
            if found is not None and set(found.present) == halls:
                return
            time.sleep(0.01)
        raise AssertionError(found)

    @contextmanager
    def page(self, hello: dict[str, Any]) -> Iterator[tuple[Page, dict[str, Any]]]:
        with self.client.websocket_connect("/meet/ws", subprotocols=[PROTOCOL]) as socket:
            page = Page(socket)
            yield page, page.ask("hello", **hello)

    @contextmanager
    def hall(self, meeting: meetings.Meeting, hall: str) -> Iterator[tuple[Page, dict[str, Any]]]:
        with self.page({"token": self.exchange(meeting, hall)["join"]}) as entered:
            yield entered


class Page:
    """One page's WebSocket."""

    def __init__(self, socket: WebSocketTestSession) -> None:
        self.socket = socket
        self.heard: list[dict[str, Any]] = []
        self._number = 0

    def ask(self, kind: str, /, **data: Any) -> dict[str, Any]:
        self._number += 1
        self.socket.send_json({"id": self._number, "type": kind, "data": data})
        while True:
            message: dict[str, Any] = self.socket.receive_json()
            if message.get("id") == self._number:
                found: dict[str, Any] = message.get("error") or message["data"]
                return found
            self.heard.append(message)

    def answer(self) -> dict[str, Any]:
        """The next answer, also one without the request's number; what is told meanwhile is kept."""
        while "id" not in (message := self.socket.receive_json()):
            self.heard.append(message)
        found: dict[str, Any] = message
        return found

    def hear_until(self, true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first state of the conference that is as wanted."""
        while not true(found := self.hear("conference")):
            pass
        return found

    def hear(self, kind: str) -> dict[str, Any]:
        while True:
            for message in self.heard:
                if message.get("type") == kind:
                    self.heard.remove(message)
                    data: dict[str, Any] = message["data"]
                    return data
            self.heard.append(self.socket.receive_json())


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with relay(tmp_path / "relay.sock") as engines:
        made = Door(tmp_path)
        made.engine = engines[0]
        with made.client_of():
            yield made
        made.store.close()


def test_a_link_says_what_it_is_for_and_opens_only_an_open_meeting(door: Door) -> None:
    now, later = door.book("t01"), door.book("t01", starts_in=timedelta(hours=5))
    found = door.exchange(now, "t01")
    assert (found["state"], found["hall"]["code"], found["meeting"]["title"]) == ("open", "t01", "会")
    assert found["join"]
    early = door.exchange(later, "t01")
    assert (early["state"], early["join"]) == ("early", None)
    link = door.link(now, "t01")
    with door.store.session() as session:
        meetings.cancel(session, now.id, "test")
    assert door.client.post("/meet/link", json={"link": link}).json()["state"] == "cancelled"


def test_bad_links_and_too_many_are_refused(door: Door) -> None:
    meeting = door.book("t01")
    join = door.exchange(meeting, "t01")["join"]
    strangers = Tokens(Secrets(Path(str(door.store.engine.url.database)).parent / "other").resolve(links.KEY))
    for bad in ("x", join, links.link_token(strangers, meeting, "t01", datetime.now(UTC))):
        assert door.client.post("/meet/link", json={"link": bad}).status_code == 401
    assert door.client.post("/meet/link", json={"link": door.link(meeting, "t02")}).status_code == 404
    bodies: list[Any] = [{}, {"link": ""}, {"link": 5}, [], {"link": "x" * 5000}]
    for malformed in bodies:
        assert door.client.post("/meet/link", json=malformed).status_code == 422
    codes = [door.client.post("/meet/link", json={"link": "x"}).status_code for _ in range(200)]
    assert codes[-1] == 429


def test_two_halls_meet(door: Door) -> None:
    meeting = door.book("t01", "t02")
    with door.hall(meeting, "t01") as (one, first), door.hall(meeting, "t02") as (two, second):
        assert first["peers"] == []
        assert [peer["hall"] for peer in second["peers"]] == ["t01"]
        assert one.hear("peerJoined")["hall"] == "t02"
        door.wait_present(meeting, {"t01", "t02"})
        with door.store.reading() as session:
            assert [found.id for found in meetings.running(session, datetime.now(UTC))] == [meeting.id]

        up, down = one.ask("createTransport"), two.ask("createTransport")
        made = one.ask("produce", transport=up["id"], kind="video", rtpParameters=sending(ONE))
        added = two.hear("producerAdded")
        assert (added["peer"], added["id"], added["kind"]) == (first["peer"], made["id"], "video")
        consumer = two.ask("consume", transport=down["id"], producer=made["id"], rtpCapabilities=RECEIVER)
        assert consumer["rtpParameters"]["rtcp"]["cname"] == first["peer"]
        assert two.ask("pauseConsumer", consumer=consumer["id"], paused=False) == {}
        assert one.ask("pauseProducer", producer=made["id"], paused=True) == {}
        assert two.hear("producerPaused")["paused"] is True

        # nobody touches what belongs to another
        assert two.ask("closeProducer", producer=made["id"])["code"] == "unknown"
        assert two.ask("produce", transport=up["id"], kind="video", rtpParameters=sending(ONE))["code"] == "unknown"
        assert one.ask("consume", transport=up["id"], producer=made["id"], rtpCapabilities=RECEIVER)["code"] == "gone"

        assert one.ask("leave") == {}
        assert two.hear("peerLeft") == {"peer": first["peer"], "reason": "left"}
        door.wait_present(meeting, {"t02"})
    door.wait_present(meeting, set())  # its page went without a word: taken out a little later


def test_a_session_is_resumed_by_its_key_alone(door: Door) -> None:
    meeting = door.book("t01", "t02")
    with door.hall(meeting, "t01") as (one, first):
        transport = one.ask("createTransport")["id"]
        one.socket.close()
        with door.page({"peer": first["peer"], "resumeKey": first["resumeKey"]}) as (_, again):
            assert again["peer"] == first["peer"]
            assert again["transports"] == [transport]
            with door.page({"peer": first["peer"], "resumeKey": "guess"}) as (_, refused):
                assert refused["code"] == "gone"


def test_a_hall_that_joins_again_takes_its_seat(door: Door) -> None:
    meeting = door.book("t01", "t02")
    with door.hall(meeting, "t01") as (one, first), door.hall(meeting, "t01") as (_, second):
        assert one.hear("replaced") == {}
        assert second["peer"] != first["peer"]
        assert second["peers"] == []


def test_a_join_token_is_good_once(door: Door) -> None:
    token = door.exchange(door.book("t01"), "t01")["join"]
    with door.page({"token": token}) as (_, welcome):
        assert "resumeKey" in welcome
    with door.page({"token": token}) as (_, refused):
        assert refused["code"] == "token"


def test_malformed_messages_are_answered_and_at_last_cut_off(door: Door) -> None:
    with door.hall(door.book("t01"), "t01") as (page, _):
        for text in ("", "nothing", "[]", '{"id": "x", "type": "ping"}', '{"type": 5}', '{"type": "ping", "data": []}'):
            page.socket.send_text(text)
            assert page.answer()["error"]["code"] == "bad"
        assert page.ask("dance")["code"] == "unknown"
        assert page.ask("produce", transport=["x"])["code"] == "unknown"
        assert page.ask("createTransport")["id"]
        assert "now" in page.ask("ping")
        page.socket.send_text('{"type": "ping", "data": {"x": "' + "y" * MESSAGE_BYTES + '"}}')
        assert page.answer()["error"]["code"] == "bad"
        for _ in range(20):
            page.socket.send_text("nothing")
        code = 0
        while not code:
            message = page.socket.receive()
            code = message.get("code", 0)
        assert code == 1008


def test_too_many_messages_are_refused(door: Door) -> None:
    with door.hall(door.book("t01"), "t01") as (page, _):
        answers: list[dict[str, Any]] = []
        while not answers or "error" not in answers[-1]:
            page.socket.send_json({"id": len(answers) + 1, "type": "ping"})
            answers.append(page.socket.receive_json())
            assert len(answers) < 2000
        assert answers[-1]["error"]["code"] == "limit"
        assert len(answers) > 150


def test_another_protocol_is_refused(door: Door) -> None:
    with pytest.raises(WebSocketDisconnect), door.client.websocket_connect("/meet/ws", subprotocols=["other"]):
        pass


def test_a_cancelled_meeting_ends_for_those_in_it(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vconf.rooms.rooms.LOOK_S", 0.3)
    meeting = door.book("t01")
    with door.hall(meeting, "t01") as (page, _):
        with door.store.session() as session:
            meetings.cancel(session, meeting.id, "test")
        assert page.hear("meetingEnded") == {"reason": "cancelled"}


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda b: b.decode("latin-1")))
def test_garbage_is_no_message(text: str) -> None:
    found = parse(text)
    assert found is None or isinstance(found[1], str)
