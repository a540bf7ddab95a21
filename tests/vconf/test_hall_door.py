"""A hall at home: paired by the code on its card, told its meetings; its line tested over a real relay and judged."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from identity.ca import CountyCA
from inventory.places import Places
from sanwang import meet, meeting
from store import audit
from tests.vconf.test_engine import ONE, RECEIVER, sending
from tests.vconf.test_signalling import Door, county, door
from vconf import hall_devices, line_tests, links
from vconf.hall_devices import CODE_LIFE, NotPaired

__all__ = ["door"]
ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2027, 5, 1, 12, tzinfo=UTC)
GOOD = {"loss_ratio": 0.0, "jitter_ms": 2.0, "rate_bps": 3e6}
RESULT = {"camera": "good", "microphone": "heard", "level": 0.6, "speaker": True}
RESULT |= {"path": {"up": GOOD, "down": GOOD, "rtt_ms": 8.0}}


def paired(door: Door, hall: str = "t01") -> str:
    with door.store.session() as session:
        code = hall_devices.new_code(session, hall, "li", datetime.now(UTC))
    answer = door.client.post("/meet/pair", json={"code": code})
    assert answer.status_code == 200, answer.text
    assert answer.json()["hall"]["code"] == hall
    assert door.client.post("/meet/pair", json={"code": code}).status_code == 401  # once
    return str(answer.json()["token"])


def test_a_code_is_good_once_and_for_a_week_and_only_the_newest_card(door: Door) -> None:
    halls = county().halls.keys()
    with door.store.session() as session:
        old = hall_devices.new_code(session, "t01", "li", NOW)
        new = hall_devices.new_code(session, "t01", "li", NOW)
        for code, at in ((old, NOW), (new, NOW + CODE_LIFE)):
            with pytest.raises(NotPaired):
                hall_devices.pair(session, code, "10.0.0.9", halls, at)
        hall, token = hall_devices.pair(session, new, "10.0.0.9", halls, NOW)
        assert (hall, hall_devices.hall_of(session, token), hall_devices.paired(session)) == ("t01", "t01", {"t01": 1})
        assert hall_devices.unpair(session, "t01", "li", "stolen", NOW) == 1
        with pytest.raises(NotPaired):
            hall_devices.hall_of(session, token)
        chain = audit.verify_chain(session)
    assert (chain.ok, chain.entries) == (True, 4)


def test_a_hall_at_home_is_told_its_meetings_and_joins_them_alone(door: Door) -> None:
    token = paired(door)
    soon = door.book("t01", "t02", starts_in=timedelta(minutes=10))
    later = door.book("t01", starts_in=timedelta(hours=5))
    other = door.book("t02")
    home = door.client.post("/meet/hall", json={"token": token}).json()
    assert [(one["id"], one["state"]) for one in home["meetings"]] == [(soon.id, "open"), (later.id, "early")]
    assert (home["hall"]["code"], home["duty"]["phone"], home["test"]) == ("t01", "0900-5550100", 0)

    def join(meeting: int) -> Any:
        return door.client.post("/meet/hall/join", json={"token": token, "meeting": meeting})

    with door.page({"token": join(soon.id).json()["join"]}) as (_, welcome):
        assert welcome["hall"] == "t01"
    assert join(later.id).json()["join"] is None
    assert join(other.id).status_code == 404
    for bad in ("x", "a.b.c", links.chair_token(door.tokens, soon, "li", datetime.now(UTC))):
        assert door.client.post("/meet/hall", json={"token": bad}).status_code == 401


def test_codes_are_not_to_be_tried_out(door: Door) -> None:
    answers = [door.client.post("/meet/pair", json={"code": f"{guess:010}"}).status_code for guess in range(7)]
    assert answers == [401] * 5 + [429] * 2
    assert door.client.post("/meet/pair", json={"code": "12345"}).status_code == 422


def test_what_a_hall_sends_comes_back_and_nobody_elses(door: Door) -> None:
    token, other = paired(door), paired(door, "t02")

    def ask(request: str, who: str = token, **data: Any) -> Any:
        return door.client.post("/meet/hall/line", json={"token": who, "request": request, "data": data})

    assert ask("createTransport").status_code == 409  # a test begins with the capabilities
    assert ask("capabilities").json()["codecs"]
    out, back = ask("createTransport").json()["id"], ask("createTransport").json()["id"]
    assert ask("createTransport").status_code == 409
    made = ask("produce", transport=out, kind="video", rtpParameters=sending(ONE)).json()["id"]
    taken = ask("consume", transport=back, producer=made, rtpCapabilities=RECEIVER).json()
    assert taken["producerId"] == made
    assert ask("pauseConsumer", consumer=taken["id"], paused=False).status_code == 200
    assert ask("capabilities", other).status_code == 200
    foreign = ask("createTransport", other).json()["id"]
    assert ask("consume", other, transport=foreign, producer=made, rtpCapabilities=RECEIVER).status_code == 409
    assert ask("closePeer", room="m1").status_code == 409
    assert door.engine.status()["transports"] == 3
    assert ask("close").json() == {}
    assert door.engine.status()["transports"] == 1


def test_the_result_is_judged_and_the_chair_reads_it(door: Door) -> None:
    meeting = door.book("t01", "t02")
    result = {**RESULT, "camera": "missing"}
    told = door.client.post("/meet/hall/test", json={"token": door.link(meeting, "t01"), "result": result}).json()
    assert told["ready"] is False
    chair = {"authorization": f"Bearer {links.chair_token(door.tokens, meeting, 'li', datetime.now(UTC))}"}
    venues = door.client.get(f"/api/meet/meetings/{meeting.id}/lines", headers=chair).json()["venues"]
    assert venues["t02"] is None
    assert [check["name"] for check in venues["t01"]["checks"] if not check["ok"]] == ["camera"]
    assert abs(venues["t01"]["at"] - datetime.now(UTC).timestamp()) < 60
    wrong = {"token": door.link(meeting, "t01"), "result": {**RESULT, "level": 7}}
    assert door.client.post("/meet/hall/test", json=wrong).status_code == 422


@pytest.mark.parametrize(
    ("change", "network", "poor"),
    [
        ({}, None, {}),
        ({"speaker": None}, None, {}),
        ({"speaker": False}, None, {"speaker": "the test sound is not heard"}),
        ({"level": 0.01}, None, {"microphone": "the microphone hears nothing"}),
        ({"path": None}, None, {"path": "the relay is not reached"}),
        (
            {"path": {"up": {**GOOD, "loss_ratio": 0.05}, "down": {**GOOD, "jitter_ms": 45.0}}},
            None,
            {"path": "up loss 5.0%; down jitter 45 ms"},
        ),
        ({"path": {"up": {**GOOD, "rate_bps": 3e5}, "down": GOOD}}, None, {"path": "up only 0.3 Mbit/s"}),
        (
            {},
            {"fresh": True, "up": {"loss_ratio": 0.1}, "down": {"loss_ratio": None}},
            {"path": "the network's own probe: up loss 10.0%"},
        ),
    ],
)
def test_who_is_ready(change: dict[str, Any], network: dict[str, Any] | None, poor: dict[str, str]) -> None:
    checks = line_tests.judge(line_tests.Result.model_validate({**RESULT, **change}), network)
    assert {check.name: check.en for check in checks if not check.ok} == poor


def test_the_card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(Places, "lib", property(lambda self: tmp_path))
    monkeypatch.setattr(meeting, "load_model", lambda county_: county())
    monkeypatch.delenv("SANWANG_DATABASE", raising=False)
    page, paper = tmp_path / "card.html", tmp_path / "card.pdf"
    assert meet.main(["card", "t01", "--html", str(page), "--pdf", str(paper), "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["page"], len(told["code"])) == ("https://10.32.2.6/hall/", 10)
    text = page.read_text()
    assert f"{told['code'][:5]} {told['code'][5:]}" in text
    assert "0900-5550100" in text
    assert page.stat().st_mode & 0o077 == paper.stat().st_mode & 0o077 == 0
    assert paper.read_bytes().startswith(b"%PDF-")
    assert paper.read_bytes().count(b"/Type /Page\n") == 1, "one page"
    assert meet.main(["lines"]) == 0
    assert "never tested" in capsys.readouterr().out
    assert meet.main(["unpair", "t01", "--why", "电视被盗", "--json"]) == 0
    assert meet.main(["card", "t99"]) == 2


def test_the_kiosk_is_written_whole(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text(CountyCA(tmp_path / "ca").certificate_pem)
    root = tmp_path / "box"
    script = [str(ROOT / "deploy/kiosk/install"), "--ca", str(ca), "--root", str(root), "--server"]
    servers = ["https://10.32.40.6", "https://10.32.2.6"]
    for _ in range(2):  # twice is fine
        done = subprocess.run([*script, servers[0], "--server", servers[1]], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    policies = json.loads((root / "etc/chromium/policies/managed/sanwang.json").read_text())
    assert policies["VideoCaptureAllowedUrls"] == policies["AudioCaptureAllowedUrls"] == servers
    start = "file:///var/lib/kiosk/start.html"
    assert policies["URLAllowlist"] == [start, *servers]
    opened = (root / "etc/sanwang/kiosk.env").read_text()
    assert opened == f"SANWANG_HALL_PAGE={start}#{servers[0]}%20{servers[1]}\n"
    assert (root / "var/lib/kiosk/start.html").is_file()
    listed = ["certutil", "-d", f"sql:{root}/var/lib/kiosk/.pki/nssdb", "-L"]
    assert "county" in subprocess.run(listed, capture_output=True, text=True, check=True).stdout
    assert (root / "etc/systemd/system/sanwang-kiosk.service").is_file()
    for wrong in ("http://10.32.2.6", "https://x|y"):
        refused = subprocess.run([*script, wrong], capture_output=True, text=True)
        assert (refused.returncode, "--server" in refused.stderr) == (2, True)
