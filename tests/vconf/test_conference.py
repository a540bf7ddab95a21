"""The chair over real WebSockets, with a real relay: what it decides is enforced, kept, and told to who comes late."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from store.audit import AuditEntry
from tests.vconf.test_engine import ONE, RECEIVER, sending
from tests.vconf.test_signalling import Door, Page, door
from vconf import links, meetings
from vconf.chair.state import Conference
from vconf.rooms import conferences, stored

__all__ = ["door"]


def until(true: Callable[[], bool]) -> None:
    """The relay carries out what it was asked a moment later."""
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def act(page: Page, action: str, **args: Any) -> dict[str, Any]:
    return page.ask("act", action=action, **args)


VOICE = {
    "mid": "1",
    "codecs": [{"mimeType": "audio/opus", "payloadType": 111, "clockRate": 48000, "channels": 2, "parameters": {}}],
    "headerExtensions": [],
    "encodings": [{"ssrc": 2000}],
}


def microphone(page: Page) -> str:
    made = page.ask("produce", transport=page.ask("createTransport")["id"], kind="audio", rtpParameters=VOICE)
    return str(made["id"])


def camera(page: Page) -> str:
    transport = page.ask("createTransport")["id"]
    return str(page.ask("produce", transport=transport, kind="video", rtpParameters=sending(ONE))["id"])


def share(page: Page, producer: str) -> str:
    """Consume, and ask for it to run."""
    transport = page.ask("createTransport")["id"]
    made = page.ask("consume", transport=transport, producer=producer, rtpCapabilities=RECEIVER)
    page.ask("pauseConsumer", consumer=made["id"], paused=False)
    return str(made["id"])


def test_a_muted_venue_is_silent_whatever_its_page_says(door: Door) -> None:
    meeting = door.book("t01", "t02", "t03")
    with door.hall(meeting, "t01") as (main, _), door.hall(meeting, "t02") as (two, _):
        voice = microphone(two)
        sent = door.engine.control.producers[voice]
        assert act(main, "muteAll")["number"]
        until(lambda: sent.paused)
        assert two.hear_until(lambda told: told["muteAll"])["you"]["heard"] is False
        assert main.hear("producerAdded")["source"] == "microphone"
        assert main.hear("producerPaused")["paused"] is True
        two.ask("pauseProducer", producer=voice, paused=False)  # a page that lies
        assert act(two, "unmute", venue="t02")["code"] == "refused-council-only"
        two.ask("ping")
        assert sent.paused
        with door.hall(meeting, "t03") as (three, welcome):  # who comes late is muted too
            assert welcome["conference"]["you"]["muted"] is True
            late = microphone(three)
            assert door.engine.control.producers[late].paused
        act(two, "raiseHand")
        assert main.hear_until(lambda told: told["hands"] != [])["hands"][0]["venue"] == "t02"
        act(main, "grant", venue="t02")
        until(lambda: not sent.paused)
        two.ask("pauseProducer", producer=voice, paused=True)  # its own mute
        until(lambda: sent.paused)
        act(main, "unmuteAll")
        main.ask("ping")
        assert sent.paused, "the chair does not open a microphone that its hall has closed"


def test_a_picture_that_is_not_to_be_seen_is_not_forwarded(door: Door) -> None:
    meeting = door.book("t01", "t02", "t03")
    with (
        door.hall(meeting, "t01") as (main, _),
        door.hall(meeting, "t02") as (two, _),
        door.hall(meeting, "t03") as (three, _),
    ):
        one, other = share(three, camera(main)), share(three, camera(two))
        until(lambda: not door.engine.control.consumers[one].paused)
        act(main, "broadcast", venue="t02")
        assert three.hear_until(lambda told: told["broadcast"] == "t02")["you"]["view"] == {
            "layout": "single",
            "show": ["t02"],
            "why": "broadcast",
        }
        until(lambda: door.engine.control.consumers[one].paused)
        three.ask("pauseConsumer", consumer=one, paused=False)  # a page that lies
        three.ask("ping")
        assert door.engine.control.consumers[one].paused
        assert not door.engine.control.consumers[other].paused
        act(main, "undo")
        until(lambda: not door.engine.control.consumers[one].paused)

        # slides are the chair's to give: a venue that sends them unasked is not seen
        slides = {**sending([{"ssrc": 3000}]), "mid": "2"}
        transport = two.ask("createTransport")["id"]
        made = two.ask("produce", transport=transport, kind="video", source="slides", rtpParameters=slides)["id"]
        assert door.engine.control.producers[made].paused
        shown = share(three, made)
        assert act(two, "slides", on=True)["code"] == "refused-no-floor"
        act(main, "grant", venue="t02")
        act(two, "slides", on=True)
        until(
            lambda: not door.engine.control.consumers[shown].paused and not door.engine.control.producers[made].paused
        )
        assert three.hear_until(lambda told: told["slides"] == "t02")["you"]["slides"] == "t02"


def test_a_restarted_server_forgets_nothing(door: Door, tmp_path: Path) -> None:
    meeting = door.book("t01", "t02", "t03")
    with (
        door.hall(meeting, "t01") as (main, first),
        door.hall(meeting, "t02") as (two, _),
        door.hall(meeting, "t03"),
    ):
        act(main, "broadcast", venue="t03")
        act(main, "banner", text="防汛二级响应", ticker=True)
        act(two, "signIn", heads=42, name="王主任")
        act(main, "mute", venue="t02")
        again = Door(tmp_path)  # another signalling process on the same store, as after kill -9
        try:
            with again.client_of(), again.hall(meeting, "t02") as (_, welcome):
                told = welcome["conference"]
                assert told["epoch"] == first["conference"]["epoch"] + 1
                assert (told["broadcast"], told["banner"]["text"]) == ("t03", "防汛二级响应")
                assert (told["you"]["muted"], told["you"]["signed"]) == (True, 42)
                assert told["you"]["role"] == "venue", "the main venue has its grace to come back as chair"
        finally:
            again.store.close()


def test_a_chairs_console_has_a_token_of_its_own(door: Door) -> None:
    meeting = door.book("t01", "t02", chair="@li")
    with door.hall(meeting, "t01") as (main, welcome), door.hall(meeting, "t02") as (two, _):
        assert welcome["conference"]["you"]["role"] == "chair", "the owner has not come: the main venue acts"
        with door.chair(meeting, "li") as (li, console):
            assert console["conference"]["you"]["role"] == "chair"
            assert console["conference"]["venues"]["t02"]["present"] is True
            assert [peer["hall"] for peer in console["peers"]] == ["t01", "t02"]
            assert main.hear_until(lambda told: told["chair"] == "@li")["you"]["role"] == "venue"
            assert act(main, "muteAll")["code"] == "refused-council-only"
            assert act(main, "muteAll")["zh"] == "只有主席或联席主席可以这样做"
            transport = li.ask("createTransport")["id"]
            assert li.ask("produce", transport=transport, kind="audio", rtpParameters=VOICE)["code"] == "console"
            # it may look at everybody, whatever the others see
            act(li, "broadcast", venue="t01")
            watched = share(li, camera(two))
            until(lambda: not door.engine.control.consumers[watched].paused)
            # a second chair helps; of two that press at once the later is told
            with door.chair(meeting, "wang") as (wang, second):
                assert second["conference"]["you"]["role"] == "coChair"
                seen = second["conference"]["number"]
                assert "number" in act(li, "broadcast", venue="t02", expect=seen)
                assert act(wang, "broadcast", venue="t01", expect=seen)["code"] == "refused-stale"
                assert act(wang, "end")["code"] == "refused-chair-only"
        with door.store.reading() as session:
            entries = [(e.who, e.what, json.loads(e.detail)) for e in session.query(AuditEntry)]
    assert ("li", "meeting.broadcast") in [(who, what) for who, what, _ in entries]
    assert ("system", "meeting.chairPasses") in [(who, what) for who, what, _ in entries]


def test_no_token_opens_another_door(door: Door) -> None:
    meeting, other = door.book("t01", "t02"), door.book("t01", "t02")
    seat = links.Seat("t01", meeting.id)  # a venue's
    tokens = door.tokens
    for forged in (
        tokens.issue(links.JOIN, "li", lifetime_s=60, meeting=meeting.id, role="chair"),
        tokens.issue(links.CHAIR_JOIN, "t01", lifetime_s=60, meeting=meeting.id, role="venue"),
        tokens.issue(links.JOIN, "t01", lifetime_s=60, meeting=meeting.id),
        tokens.issue(links.JOIN, "t01", lifetime_s=60, role="venue"),
        links.chair_token(tokens, meeting, "li", meeting.start_at),
    ):
        with door.page({"token": forged}) as (_, refused):
            assert refused["code"] == "token"
    good = links.join_token(tokens, seat)
    with door.page({"token": good}) as (_, welcome):
        assert (welcome["hall"], welcome["conference"]["meeting"]) == ("t01", meeting.id)
    with door.page({"token": good}) as (_, refused):
        assert refused["code"] == "token", "a join token is good once"
    with door.page({"token": links.join_token(tokens, links.Seat("t03", meeting.id))}) as (_, refused):
        assert refused["code"] == "unknown"
    assert other.id != meeting.id


def test_meetings_never_touch_each_other(door: Door) -> None:
    one, two = door.book("t01", "t02"), door.book("t01", "t03")
    with (
        door.hall(one, "t01") as (here, _),
        door.hall(two, "t01") as (there, _),
        door.hall(two, "t03") as (third, _),
    ):
        voice, picture = microphone(third), camera(third)
        transport = here.ask("createTransport")["id"]
        answer = here.ask("consume", transport=transport, producer=picture, rtpCapabilities=RECEIVER)
        assert answer["code"] == "gone"
        assert here.ask("pauseProducer", producer=voice, paused=True)["code"] == "unknown"
        assert act(here, "mute", venue="t03")["code"] == "refused-unknown"
        act(here, "muteAll")
        act(here, "broadcast", venue="t01")
        assert not door.engine.control.producers[voice].paused
        third.ask("ping")
        assert all(message["data"]["broadcast"] == "" for message in third.heard if message["type"] == "conference")
        there.ask("ping")
        halls = {m["data"]["hall"] for m in here.heard if m["type"] == "peerJoined"}
        assert halls == set()


def test_a_locked_door_a_waiting_room_and_the_way_out(door: Door) -> None:
    meeting = door.book("t01", "t02", "t03")
    with door.hall(meeting, "t01") as (main, _):
        with door.hall(meeting, "t02") as (two, _):
            act(main, "lock", on=True)
            with door.hall(meeting, "t03") as (three, welcome):
                assert (welcome["waiting"], welcome["peers"]) == (True, [])
                assert "broadcast" not in welcome["conference"], "who waits hears nothing of the meeting"
                assert three.ask("createTransport")["code"] == "waiting"
                assert main.hear_until(lambda told: "t03" in told["waiting"])
                act(main, "admit", venue="t03")
                assert three.hear_until(lambda told: told["you"]["role"] == "venue")
                assert three.ask("state")["waiting"] is False
                assert three.ask("createTransport")["id"]
            picture = camera(two)
            act(main, "cut", venue="t02")
            assert two.hear("ejected") == {"reason": "cut"}
            until(lambda: picture not in door.engine.control.producers)
        with door.hall(meeting, "t02") as (_, welcome):
            assert welcome["waiting"], "who was cut comes back through the waiting room"


def test_the_chair_makes_it_longer_and_ends_it(door: Door) -> None:
    meeting = door.book("t01", "t02")
    with door.hall(meeting, "t01") as (main, _), door.hall(meeting, "t02") as (two, _):
        act(main, "extend", minutes=30)
        with door.store.reading() as session:
            longer = meetings.get(session, meeting.id)
        assert longer is not None
        assert (longer.end_at - meeting.end_at).total_seconds() == pytest.approx(1800)
        act(main, "end")
        assert two.hear("meetingEnded") == {"reason": "over"}
    assert door.exchange(meeting, "t01")["state"] == "over"


def test_a_page_that_hammers_is_told_to_wait(door: Door) -> None:
    meeting = door.book("t01", "t02")
    with door.hall(meeting, "t01") as (main, _), door.hall(meeting, "t02") as (two, _):
        codes = [act(two, "raiseHand" if n % 2 else "lowerHand").get("code") for n in range(60)]
        assert "limit" in codes
        assert "number" in act(main, "muteAll"), "nobody else waits for it"


def test_guests_come_by_link_and_pin_and_wait(door: Door) -> None:
    meeting = door.book("t01", "t02")
    now = meeting.start_at
    link = links.guest_link(door.tokens, "https://x", meeting, now).partition("#guest=")[2]
    body = {"link": link, "pin": "000000", "name": "李工 phone"}
    assert door.client.post("/meet/guest", json=body).status_code == 404, "nobody has asked guests in"
    with door.store.session() as session:
        pin = meetings.ask_guests(session, meeting.id, "test", on=True).guest_pin
    assert pin is not None
    wrong = f"{(int(pin) + 1) % 10**6:06}"
    assert door.client.post("/meet/guest", json=body | {"pin": wrong}).status_code == 401
    own = door.client.post("/meet/guest", json=body | {"pin": pin}).json()["link"]
    found = door.client.post("/meet/link", json={"link": own}).json()
    assert (found["role"], found["hall"]["zh"]) == ("guest", "李工 phone")
    with door.hall(meeting, "t01") as (main, _), door.page({"token": found["join"]}) as (guest, welcome):
        assert welcome["waiting"] is True
        code = welcome["hall"]
        told = main.hear_until(lambda told: told["waiting"] == [code])
        assert told["venues"][code]["zh"] == "李工 phone"
        act(main, "admit", venue=code)
        assert guest.hear_until(lambda told: told["you"]["role"] == "venue")["main"] == "t01"
        assert main.hear("peerJoined")["hall"] == code
    with door.store.session() as session:
        meetings.ask_guests(session, meeting.id, "test", on=False)
    assert door.client.post("/meet/link", json={"link": own}).status_code == 404
    codes = [door.client.post("/meet/guest", json=body | {"pin": wrong}).status_code for _ in range(6)]
    assert codes[-1] == 429


def test_a_slow_store_stops_no_meeting_and_misses_nothing(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = door.book("t01", "t02")
    write, failures = stored.write, [OperationalError("UPDATE", {}, Exception("locked"))] * 2
    monkeypatch.setattr(conferences, "RETRY_S", 0.05)

    def writing(session: Session, state: Conference) -> None:
        if failures and state.programme.broadcast:
            raise failures.pop()
        write(session, state)

    monkeypatch.setattr(stored, "write", writing)
    with door.hall(meeting, "t01") as (main, _), door.hall(meeting, "t02") as (two, _):
        assert "number" in act(main, "broadcast", venue="t02")
        assert failures == [], "answered when it was in the store, at the third try"
        assert two.hear_until(lambda told: told["broadcast"] == "t02")
        with door.store.reading() as session:
            kept = stored.recorded(session, meeting.id)
            audited = [e.what for e in session.query(AuditEntry) if e.what == "meeting.broadcast"]
        assert kept is not None
        assert (kept.programme.broadcast, audited) == ("t02", ["meeting.broadcast"])
