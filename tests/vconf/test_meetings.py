"""Booking, finding and cancelling; what the command line prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from identity.secrets import Secrets
from identity.tokens import TokenRefused, Tokens
from inventory.places import Places
from sanwang import meet, meeting
from store import audit
from store.engine import Store, open_store
from tests.vconf.test_signalling import county
from vconf import attendance, links, meetings, sheet

NOON = datetime(2027, 5, 1, 12, tzinfo=UTC)
HALLS = ("t01", "t02", "t03")


@pytest.fixture
def store() -> Iterator[Store]:
    opened = open_store("sqlite://")
    yield opened
    opened.close()


def book(store: Store, start: datetime = NOON, **changes: Any) -> meetings.Meeting:
    wanted: dict[str, Any] = {
        "title": "防汛会商",
        "start_at": start,
        "duration": timedelta(hours=1),
        "halls": ["t01", "t02"],
        "who": "li",
        "known_halls": HALLS,
    }
    with store.session() as session:
        return meetings.book(session, **wanted | changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"title": " "}, "title: found 0 characters"),
        ({"title": "x" * 201}, "title: found 201 characters"),
        ({"duration": timedelta(0)}, "duration: found 0:00:00"),
        ({"duration": timedelta(days=2)}, "duration: found 2 days"),
        ({"halls": []}, "halls: found none"),
        ({"halls": ["t01", "t99"]}, "halls: found 't99', expected one of the county's: t01, t02, t03"),
    ],
)
def test_a_booking_that_cannot_be_says_why(store: Store, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(meetings.MeetingError, match=words):
        book(store, **changes)
    with store.reading() as session:
        assert meetings.upcoming(session, NOON, everything=True) == []
        assert audit.verify_chain(session).entries == 0


def test_all_problems_are_told_at_once(store: Store) -> None:
    with pytest.raises(meetings.MeetingError, match=r"title.*; duration.*; halls"):
        book(store, title="", halls=[], duration=timedelta(0))


@pytest.mark.parametrize(
    ("minutes", "state"), [(-31, "early"), (-30, "open"), (0, "open"), (60, "open"), (89, "open"), (90, "over")]
)
def test_a_meeting_is_open_around_its_time(store: Store, minutes: int, state: str) -> None:
    assert book(store).state(NOON + timedelta(minutes=minutes)) == state


def test_running_meetings_and_who_is_in_them(store: Store) -> None:
    now, later = book(store), book(store, NOON + timedelta(minutes=70))
    with store.session() as session:
        stay = attendance.joined(session, now.id, "t02", NOON)
        attendance.joined(session, later.id, "t01", NOON)

    def running(at: datetime) -> list[tuple[int, tuple[str, ...]]]:
        with store.reading() as session:
            return [(meeting.id, meeting.present) for meeting in meetings.running(session, at)]

    assert running(NOON) == [(now.id, ("t02",))]
    # before its time, but a hall is in it already
    assert running(NOON + timedelta(minutes=45)) == [(now.id, ("t02",)), (later.id, ("t01",))]
    assert running(NOON + timedelta(minutes=65))[0] == (now.id, ("t02",))  # overruns
    with store.session() as session:
        attendance.left(session, stay, NOON, "left")
        attendance.left(session, stay, NOON, "left")  # twice is fine
    assert running(NOON + timedelta(minutes=65)) == [(later.id, ("t01",))]
    with store.session() as session:
        assert attendance.close_open_stays(session, NOON) == 1
        meetings.cancel(session, now.id, "li", "rain is over")
        meetings.cancel(session, now.id, "li")
    assert running(NOON) == []
    with store.reading() as session:
        chain = audit.verify_chain(session)
    assert (chain.ok, chain.entries) == (True, 6)


def test_a_period_has_its_meetings_and_every_stay_that_touches_it(store: Store) -> None:
    early, noon, gone = book(store, NOON - timedelta(days=1)), book(store), book(store, NOON + timedelta(hours=2))
    with store.session() as session:
        meetings.cancel(session, gone.id, "li")
        before = attendance.joined(session, early.id, "t01", NOON - timedelta(days=1))
        attendance.left(session, before, NOON - timedelta(hours=23), "left")
        across = attendance.joined(session, early.id, "t02", NOON - timedelta(hours=1))
        attendance.left(session, across, NOON + timedelta(minutes=1), "left")
        attendance.joined(session, noon.id, "t01", NOON)
    with store.reading() as session:
        found = meetings.between(session, NOON, NOON + timedelta(days=1))
        stays = attendance.stays(session, NOON, NOON + timedelta(days=1))
    assert [meeting.id for meeting in found] == [noon.id]
    assert [(stay.hall, stay.left_at) for stay in stays] == [("t02", NOON + timedelta(minutes=1)), ("t01", None)]


def test_the_sign_in_sheet_counts_every_minute_once(store: Store) -> None:
    meeting = book(store)
    minute = timedelta(minutes=1)
    with store.session() as session:
        first = attendance.joined(session, meeting.id, "t02", NOON)
        attendance.joined(session, meeting.id, "t02", NOON + 5 * minute)  # a new page before the old one was missed
        attendance.left(session, first, NOON + 10 * minute, "replaced")
        guest = attendance.joined(session, meeting.id, "g-1", NOON + minute)
        attendance.left(session, guest, NOON + 3 * minute, "left")
        attendance.signed(session, meeting.id, "t02", 40, "王", NOON + minute)
        attendance.signed(session, meeting.id, "t02", 42, "王", NOON + 2 * minute)
    with store.reading() as session:
        lines = attendance.sheet(session, meeting, NOON + 20 * minute)
    assert [(line.hall, line.heads, line.stayed / minute, line.stays) for line in lines] == [
        ("t01", None, 0, 0),
        ("g-1", None, 2, 1),
        ("t02", 42, 20, 2),
    ]
    assert [line.left_at for line in lines] == [None, NOON + 3 * minute, None]
    page = sheet.html(meeting, lines, lambda code: f"<{code}>", NOON)
    assert "&lt;t02&gt;" in page
    assert "到会人数 heads 42" in page


def test_a_links_life_covers_the_meeting(tmp_path: Path, store: Store) -> None:
    tokens = Tokens(Secrets(tmp_path).resolve(links.KEY))
    now = datetime.now(UTC)
    meeting = book(store, now)
    address = links.link(tokens, "https://10.32.2.6/", meeting, "t01", now)
    base, _, token = address.partition("#token=")
    assert base == "https://10.32.2.6/hall/"
    assert links.read_link(tokens, token) == links.Seat("t01", meeting.id)
    latest = meeting.start_at + meetings.LONGEST + meetings.LATE  # the chair may make it longer
    assert tokens.verify(token, links.LINK).expires_at == pytest.approx(latest.timestamp(), abs=2)
    with pytest.raises(TokenRefused):
        links.read_join(tokens, token)
    with pytest.raises(TokenRefused, match="over"):
        links.link_token(tokens, meeting, "t01", meeting.closes_at)


def test_the_command_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(Places, "lib", property(lambda self: tmp_path))
    monkeypatch.setattr(meeting, "load_model", lambda county_: county())
    monkeypatch.delenv("SANWANG_DATABASE", raising=False)

    def last(argv: list[str], code: int = 0) -> Any:
        assert meet.main(argv) == code
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    page = tmp_path / "sheet.html"
    booked = last(["book", "--title", "会", "--halls", "t01, t02", "--duration", "2h", "--json"])
    assert booked["meeting"]["halls"] == ["t01", "t02"]
    assert sorted(booked["links"]) == ["t01", "t02"]
    assert booked["links"]["t01"].startswith("https://10.32.2.6/hall/#token=")
    number = str(booked["meeting"]["id"])
    assert last(["list", "--json"])["meetings"] == [booked["meeting"]]
    assert sorted(last(["link", number, "--json"])["links"]) == ["t01", "t02"]
    assert last(["show", number, "--json"])["meeting"]["main"] == "t01"
    assert "/chair/#token=" in last(["chair-link", number, "--for", "li", "--json"])["chair_link"]
    assert last(["state", number, "--json"])["state"] is None
    assert last(["attendance", number, "--html", str(page), "--json"])["venues"][0]["joined"] is None
    assert "未到" in page.read_text()
    assert "broadcast" in last(["actions", "--json"])["actions"]
    assert meet.main(["act", number, "broadcast", "venue=t02"]) == 3  # no pages' server runs here
    assert "the pages' server does not answer" in capsys.readouterr().err
    assert [each["hall"] for each in last(["book", "--title", "x", "--halls", "t02", "--json"], 1)["clashes"]] == [
        "t02"
    ]
    assert last(["cancel", number, "--json"])["meeting"]["cancelled"] is True
    assert last(["list", "--json"])["meetings"] == []

    monday = ["--start", "2027-05-03T09:00", "--repeat", "FREQ=WEEKLY;COUNT=2"]
    checked = last(["book", "--title", "例会", "--halls", "townships", "--check", *monday, "--json"])
    assert (len(checked["starts"]), checked["capacity"]["ok"], last(["list", "--json"])["meetings"]) == (2, True, [])
    series = last(["book", "--title", "例会", "--halls", "townships", *monday, "--json"])["series"]
    assert last(["book", "--title", "例会", "--halls", "t01", "--check", *monday, "--json"], 1)["clashes"]
    assert meet.main(["book", "--title", "例会", "--halls", "t01", *monday, "--force"]) == 0
    assert "the network carries it" in capsys.readouterr().out
    moved = last(["change", str(series[1]["id"]), "--start", "2027-05-11T09:00", "--halls", "t03,t04", "--json"])
    assert moved["meetings"][0]["halls"] == ["t03", "t04"]
    written = tmp_path / "t03.ics"
    assert last(["calendar", "t03", "--to", str(written), "--json"])["bytes"] == len(written.read_bytes())
    assert "/api/meet/calendar/" in last(["calendar", "@li", "--subscribe", "--json"])["url"]
    assert last(["calendar", "@li", "--revoke", "--json"])["revoked"] == 1
    assert {each["done"] for each in last(["calendar", "--import", str(written), "--json"])["events"]} == {"known"}
    assert "all" in last(["groups", "--json"])["groups"]
    assert len(last(["cancel", str(series[0]["id"]), "--series", "--json"])["meetings"]) == 2
    paper = tmp_path / "report.pdf"
    told = last(["report", number, "--pdf", str(paper), "--html", str(tmp_path / "report.html"), "--json"])
    assert (told["meeting"]["state"], told["came"], len(told["files"])) == ("cancelled", 0, 3)
    assert "未到" in (tmp_path / "report.html").read_text()
    assert paper.read_bytes().startswith(b"%PDF-")
    assert last(["verify-report", str(paper), "--json"])["signer"] == "meetings.sanwang.internal"
    paper.write_bytes(paper.read_bytes().replace(b"%PDF-1.4", b"%PDF-1.5"))
    assert last(["verify-report", str(paper), "--json"], 1)["good"] is False
    assert meet.main(["verify-report", str(paper)]) == 1
    assert "NOT as it was signed" in capsys.readouterr().err

    for argv, words in [
        (["book", "--title", "x", "--halls", "t99"], "t99"),
        (["book", "--title", "x", "--halls", "t01", "--start", "tomorrow"], "--start: found 'tomorrow'"),
        (["book", "--title", "x", "--halls", "t01", "--duration", "long"], "--duration: found 'long'"),
        (["book", "--title", "x", "--halls", "t01", "--main", "t02"], "main: found 't02'"),
        (["book", "--title", "x", "--halls", "t01", "--chair", "li"], "chair: found 'li'"),
        (["act", number, "dance"], "action: found 'dance'"),
        (["act", number, "lock", "yes"], "argument: found 'yes'"),
        (["cancel", "77"], "meeting 77: not found"),
        (["report", "77"], "meeting 77: not found"),
        (["verify-report", str(tmp_path / "report.html")], "No such file"),
        (["change", "77", "--title", "x"], "meeting 77: not found"),
        (["calendar", "t99"], "expected a hall's code"),
        (["calendar", "--import", "nowhere.ics"], "nowhere.ics: No such file"),
        (["book", "--title", "x", "--halls", "t01", "--repeat", "daily"], "repeat: found 'DAILY'"),
        (["link", number], "is cancelled"),
    ]:
        assert meet.main(argv) == 2
        assert words in capsys.readouterr().err
