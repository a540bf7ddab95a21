"""``/api/meet`` from outside: who may, what is refused, and that a page in the meeting sees what was done."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from identity.secrets import Secrets
from inventory.places import Places
from sanwang import meet, serve
from sanwang import meeting as meeting_commands
from tests.vconf.test_calendar import outlook
from tests.vconf.test_signalling import Door, county, door, relay
from vconf import links

__all__ = ["door"]
OFFICE = {"x-login": "office"}


def test_another_program_books_chairs_and_reads_a_meeting(door: Door) -> None:
    body = {"title": "防汛会商", "halls": ["t02", "t01"], "minutes": 30, "main": "t01"}
    made = door.client.post("/api/meet/meetings", json=body, headers=OFFICE)
    assert made.status_code == 201, made.text
    number = made.json()["meeting"]["id"]
    where = f"/api/meet/meetings/{number}"
    assert made.json()["meeting"]["main"] == "t01"
    assert door.client.get(where, headers=OFFICE).json()["state"] is None
    token = made.json()["chair_link"].partition("#token=")[2]
    chair = {"authorization": f"Bearer {token}"}

    join = door.client.post("/meet/link", json={"link": made.json()["links"]["t02"].partition("#token=")[2]})
    with door.page({"token": join.json()["join"]}) as (page, _):

        def act(action: str, headers: dict[str, str] = chair, **args: Any) -> Any:
            answer = door.client.post(f"{where}/act", json={"action": action, "args": args}, headers=headers)
            return answer.status_code, answer.json()

        status, done = act("broadcast", venue="t02")
        assert (status, done["number"] > 0) == (200, True)
        assert page.hear_until(lambda told: told["broadcast"] == "t02")["you"]["seen"] is True
        assert act("broadcast", venue="t01")[1]["detail"] == {
            "code": "refused-absent",
            "zh": "t01 不在会",
            "en": "t01 is not in the meeting",
        }
        assert act("signIn", OFFICE, venue="t02", heads=30)[0] == 200
        assert act("tick")[0] == 409
        assert door.client.get(where, headers=chair).json()["state"]["broadcast"] == "t02"
        sheet = door.client.get(f"{where}/attendance", headers=chair).json()["venues"]
        assert [(line["hall"], line["heads"]) for line in sheet] == [("t01", None), ("t02", 30)]
        assert "<td>30</td>" in door.client.get(f"{where}/attendance.html", headers=chair).text
    asked = door.client.post(f"{where}/guests", json={"on": True}, headers=chair).json()
    body = {"link": asked["guest_link"].partition("#guest=")[2], "pin": asked["pin"], "name": "李工"}
    assert door.client.post("/meet/guest", json=body).status_code == 200
    assert door.client.post(f"{where}/guests", json={"on": False}, headers=chair).json()["pin"] is None
    assert door.client.post(f"{where}/cancel", json={"why": "改期"}, headers=OFFICE).json()["meeting"]["cancelled"]
    assert act_on(door, number, chair) == 409
    paths = door.client.get("/api/meet/openapi.json", headers=OFFICE).json()["paths"]
    assert f"{where[: -len(str(number))]}{{number}}/act" in paths


def test_a_booking_is_checked_repeated_changed_and_subscribed_to(door: Door) -> None:
    start = datetime(2027, 5, 3, 1, tzinfo=UTC).isoformat()
    body = {"title": "例会", "halls": ["t01", "t02"], "minutes": 60, "start": start, "repeat": "FREQ=WEEKLY;COUNT=3"}
    checked = door.client.post("/api/meet/meetings/check", json=body, headers=OFFICE).json()
    assert (len(checked["starts"]), checked["clashes"], checked["capacity"]["ok"]) == (3, [], True)
    key = OFFICE | {"idempotency-key": "k1"}
    made = door.client.post("/api/meet/meetings", json=body, headers=key).json()
    number, second, _ = (each["id"] for each in made["series"])
    assert made["meeting"]["capacity"]["hall_down_bps"] > 1_000_000
    again = door.client.post("/api/meet/meetings", json=body, headers=key).json()
    assert again["series"] == made["series"], "an answer that was lost is given again"

    refused = door.client.post("/api/meet/meetings", json=body | {"repeat": ""}, headers=OFFICE)
    assert refused.status_code == 409
    assert [each["hall"] for each in refused.json()["detail"]["clashes"]] == ["t01", "t02"]
    assert f"已有会议 {number}" in refused.json()["detail"]["zh"]
    assert len(door.client.post("/api/meet/meetings/check", json=body, headers=OFFICE).json()["clashes"]) == 6
    site = door.model.halls["t03"].site
    forced = body | {"repeat": "", "force": True, "halls": ["t03", "t01"]}
    assert door.client.post("/api/meet/meetings", json=forced, headers={"x-login": site}).status_code == 403
    assert door.client.post("/api/meet/meetings", json=forced, headers=OFFICE).status_code == 201

    def change(number: int, **what: Any) -> Any:
        return door.client.post(f"/api/meet/meetings/{number}/change", json=what, headers=OFFICE)

    assert change(second, halls=["all"], title="扩大会").json()["meetings"][0]["halls"] == list(door.model.halls)
    assert change(second, halls=["t99"]).status_code == 422
    later = datetime(2027, 5, 3, 1, 30, tzinfo=UTC).isoformat()
    assert change(number, start=later).status_code == 409, "the other one has t01 still"
    assert change(number, start=later, force=True).json()["meetings"][0]["start"] == later
    where = f"/api/meet/meetings/{number}/cancel"
    assert door.client.post(where, json={"series": True}, headers=OFFICE).json()["meetings"][1] == second

    feed = door.client.post("/api/meet/feeds", json={"of": "t03"}, headers=OFFICE).json()["url"]
    path = feed[feed.index("/api/") :]
    assert door.client.get(path).text.count("BEGIN:VEVENT") == 1, "nobody needs to sign in"
    assert door.client.post("/api/meet/feeds", json={"of": "t03"}, headers={"x-login": "elsewhere"}).status_code == 403
    assert door.client.post("/api/meet/feeds/revoke", json={"of": "t03"}, headers=OFFICE).json()["revoked"] == 1
    assert door.client.get(path).status_code == 404
    names = [group["name"] for group in door.client.get("/api/meet/groups", headers=OFFICE).json()["groups"]]
    assert names[0] == "all"

    taken = door.client.post("/api/meet/calendar?halls=t05", content=outlook(), headers=OFFICE).json()["events"]
    assert (taken[0]["done"], taken[0]["meetings"][0]["halls"]) == ("booked", ["t05"])
    clash = outlook().replace(b"UID:0", b"UID:1")
    assert door.client.post("/api/meet/calendar?halls=t05", content=clash, headers=OFFICE).status_code == 409
    assert door.client.post("/api/meet/calendar", content=b"x", headers=OFFICE).status_code == 422
    again = door.client.post("/api/meet/calendar?halls=t05", json={"ics": outlook().decode()}, headers=OFFICE)
    assert again.json()["events"][0]["done"] == "known"
    assert door.client.post("/api/meet/calendar", json=["x"], headers=OFFICE).status_code == 422


def act_on(door: Door, number: int, headers: dict[str, str]) -> int:
    body = {"action": "unmuteAll", "args": {}}
    answer = door.client.post(f"/api/meet/meetings/{number}/act", json=body, headers=headers)
    return int(answer.status_code)


def test_who_may_not_is_refused(door: Door) -> None:
    meeting, other = door.book("t01"), door.book("t01")
    now = datetime.now(UTC)
    chair = {"authorization": f"Bearer {links.chair_token(door.tokens, meeting, 'li', now)}"}
    hall = {"authorization": f"Bearer {links.link_token(door.tokens, meeting, 't01', now)}"}
    site = door.model.halls["t01"].site
    for number, headers, status in [
        (meeting.id, {}, 401),
        (meeting.id, {"authorization": "Bearer x"}, 401),
        (meeting.id, hall, 401),
        (other.id, chair, 404),
        (meeting.id, {"x-login": "elsewhere"}, 403),
        (meeting.id, {"x-login": site}, 200),
        (meeting.id, chair, 200),
        (99, OFFICE, 404),
    ]:
        assert act_on(door, number, headers) == status, (number, headers)
    body = {"title": "会", "halls": ["t01"]}
    assert door.client.post("/api/meet/meetings", json=body, headers=chair).status_code == 403
    assert door.client.post("/api/meet/meetings", json=body, headers={"x-login": "elsewhere"}).status_code == 403
    assert [row["id"] for row in door.client.get("/api/meet/meetings", headers=chair).json()["meetings"]] == [
        meeting.id
    ]
    assert door.client.get("/api/meet/meetings", headers={"x-login": "elsewhere"}).json()["meetings"] == []
    for wrong in ({}, {"title": "会", "halls": []}, {"title": "会", "halls": ["t99"]}, {**body, "start": "2027-05-01"}):
        assert door.client.post("/api/meet/meetings", json=wrong, headers=OFFICE).status_code == 422, wrong


def test_the_command_line_acts_through_the_pages_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Places, "lib", property(lambda self: tmp_path))
    monkeypatch.setattr(Places, "serve_socket", property(lambda self: tmp_path / "serve.sock"))
    monkeypatch.setenv("SANWANG_DATABASE", f"sqlite:///{tmp_path}/store.db")
    monkeypatch.setattr(meeting_commands, "load_model", lambda county_: county())

    def run(*argv: str) -> tuple[int, Any]:
        code = meet.main([*argv, "--json"])
        return code, json.loads(capsys.readouterr().out.splitlines()[-1])

    with relay(tmp_path / "relay.sock"):
        door = Door(tmp_path)
        number = str(door.book("t01", "t02").id)
        with serving(door, tmp_path):
            code, done = run("act", number, "lock", "on=true")
            assert (code, done["number"] > 0) == (0, True)
            assert run("state", number)[1]["state"]["locked"] is True
            code, refused = run("act", number, "broadcast", "venue=t02")
            assert (code, refused["refused"]["code"]) == (1, "refused-absent")
            assert run("act", number, "signIn", "venue=t02", "heads=12")[0] == 0
            assert [line["heads"] for line in run("attendance", number)[1]["venues"]] == [None, 12]
            assert len(run("guests", number)[1]["pin"]) == 6
        door.store.close()


@contextmanager
def serving(door: Door, folder: Path) -> Iterator[None]:
    """The application over HTTPS on the pages' server's unix socket."""
    context = serve.tls_context(Secrets(folder / "identity"), "127.0.0.1")
    server = serve.server(door.app, context)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(folder / "serve.sock"))
        listening.listen()
        thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])))
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield
        finally:
            server.should_exit = True
            thread.join(10)
