"""``sanwang plan``: windows as people write them, and a plan as people read it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.change.plan import Evidence, Plan, PlanError
from sanwang.plan import WINDOW, main, parse_window
from store.queries import BookedMeeting
from tests.provision import plans
from tests.provision.plans import NOW


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("", NOW, NOW + WINDOW),
        ("now/2h", NOW, NOW + timedelta(hours=2)),
        ("now/90m", NOW, NOW + timedelta(minutes=90)),
        ("2027-05-01T22:00+08:00/1d", NOW + timedelta(hours=5), NOW + timedelta(hours=29)),
        ("2027-05-01T09:30Z / 2027-05-01T10:00Z", NOW + timedelta(minutes=30), NOW + timedelta(hours=1)),
        ("2027-04-30/2027-05-01T10:00Z", None, NOW + timedelta(hours=1)),  # began already, and is not over
    ],
)
def test_windows_that_are_understood(text: str, start: datetime | None, end: datetime) -> None:
    found = parse_window(text, NOW)
    assert found.end == end
    assert start is None or found.start == start
    assert found.start.tzinfo is not None


def test_a_time_without_a_zone_is_local() -> None:
    found = parse_window("2027-06-01T22:00/1h", NOW)
    assert found.start == datetime(2027, 6, 1, 22).astimezone()


@pytest.mark.parametrize(
    "text",
    [
        "tomorrow",
        "now",
        "now/",
        "/2h",
        "now/-2h",
        "now/0m",
        "now/2w",
        "2027-05-01T22:00Z/2027-05-01T21:00Z",
        "2020-01-01/2h",
        "now/99999999999999d",
    ],
)
def test_windows_that_are_none_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(PlanError, match=r"--window: found .* expected START/END as 2027-"):
        parse_window(text, NOW)


@given(st.text(max_size=30) | st.from_regex(r"[0-9]{1,4}-[0-9]{2}-[0-9]{2}/[0-9]{1,12}[mhd]", fullmatch=True))
def test_any_text_is_a_window_or_a_refusal(text: str) -> None:
    try:
        found = parse_window(text, NOW)
    except PlanError:
        return
    assert found.start < found.end
    assert found.end > NOW


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    county = plans.county(tmp_path / "county")
    devices = {
        "t01-rt": plans.without_line(county, "t01-rt", "/etc/frr/frr.conf", "ip route"),
        "c1-fw": plans.without_line(county, "c1-fw", "/etc/nftables.conf", "school-portal"),
    }
    devices["c1-fw"].running.append("nft: the running nft configuration is not the one that was applied")
    meeting = BookedMeeting(7, "防汛\x1b[2J会商", NOW, NOW + timedelta(hours=1), ("t01",))
    plan = plans.make(county, devices, states=plans.all_up(county, ring_c1_c2="down"), booked=(meeting,))
    plan.with_evidence(Evidence("rehearsal", NOW.isoformat(), False, "ring: 1 site lost")).save(tmp_path / "p.plan")
    return tmp_path / "p.plan"


def test_a_plan_as_people_read_it(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(saved)]) == 0
    text = capsys.readouterr().out
    for words in (
        "of county xiao, by wang",
        "sites     c1, t01, s001, v01",
        "halls     t01",
        "meeting   7 防汛\\x1b[2J会商",
        "loses t01 should a stage fail",
        "alone     ring-c2-c3: ring-c1-c2 is down (no carrier)",
        "fibres    their state is 3 s old",
        "risk      high",
        "medium: the running configuration of c1-fw was changed by hand: that will be undone",
        "stage 1   canary: t01-rt; can cut t01, s001",
        "stage 2   inside-1: c1-fw",
        "evidence  rehearsal",
        "BAD, ring: 1 site lost",
        "t01-rt (access at t01), loads again: frr",
        "  changed /etc/nftables.conf (+1 -0)",
        '    +  iifname { "p6146" } oifname { "p6145" }',
        "  running: nft: the running nft configuration",
    ):
        assert words in text
    assert "\x1b" not in text
    assert main(["show", str(saved), "--no-diff"]) == 0
    short = capsys.readouterr().out
    assert "changed /etc/nftables.conf" in short
    assert "iifname" not in short


def test_a_plan_as_programs_read_it(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(saved), "--json"]) == 0
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    plan = Plan.load(saved)
    assert (document["id"], document["digest"]) == (plan.id, plan.digest)
    assert [device["host"] for device in document["content"]["devices"]] == ["t01-rt", "c1-fw"]


def test_what_is_no_plan_is_refused(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(saved.with_name("none.plan"))]) == 2
    assert "No such file" in capsys.readouterr().err
    saved.write_bytes(saved.read_bytes().replace(b"ring-c2-c3", b"ring-c2-c1", 1))
    assert main(["show", str(saved)]) == 2
    assert "the plan was edited" in capsys.readouterr().err
    assert main(["--instance", "zpnone"]) == 3
