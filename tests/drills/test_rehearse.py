"""What a rehearsal refuses before it makes anything: above all a name whose county it would wipe."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from drills.rehearse import prepare
from inventory.places import COUNTIES, Places
from provision.change import applied
from provision.change.plan import Plan, PlanError, Risk, Touches, county_fingerprint
from twin.errors import TwinError
from twin.state import State

XIAO = COUNTIES / "xiao"
PLAN = Plan(
    county="xiao",
    instance="zrhone",
    environment="twin",
    fingerprint=county_fingerprint(XIAO),
    author="chen",
    why="a test",
    made_at="2026-01-01T00:00:00+00:00",
    window_start="2026-01-01T00:00:00+00:00",
    window_end="2026-01-02T00:00:00+00:00",
    devices=(),
    stages=(),
    touches=Touches(),
    risk=Risk("low", ()),
)


@pytest.fixture
def running() -> Iterator[Places]:
    """An instance that was brought up from the small county, and another that is down but keeps its keys."""
    names = [Places("zrhone"), Places("zrhkept")]
    for places in names:
        shutil.rmtree(places.lib, ignore_errors=True)
        places.lib.mkdir(parents=True)
    (names[0].lib / "county").write_text(f"{XIAO}\n")
    (names[1].lib / "identity").mkdir()
    yield names[0]
    for places in names:
        shutil.rmtree(places.lib, ignore_errors=True)
        shutil.rmtree(places.run, ignore_errors=True)


@pytest.mark.parametrize(("name", "words"), [("zrhone", "own name"), ("zrhkept", "keys and data"), ("Bad!", "letters")])
def test_a_name_that_is_not_free_is_refused_and_nothing_is_wiped(running: Places, name: str, words: str) -> None:
    with pytest.raises(PlanError, match=words):
        prepare(PLAN, running, name)
    assert (Places("zrhkept").lib / "identity").is_dir()
    assert (running.lib / "county").is_file()


def test_a_county_that_is_up_is_refused(running: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(State, "up", property(lambda state: state.places.instance == "zrhkept"))
    with pytest.raises(TwinError, match="already up"):
        prepare(PLAN, running, "zrhkept")
    assert (Places("zrhkept").lib / "identity").is_dir()


def test_a_plan_of_other_files_is_refused(running: Places) -> None:
    with pytest.raises(PlanError, match="changed since it was made"):
        prepare(replace(PLAN, fingerprint="0" * 64), running, "zrhfree")


def test_what_was_applied_last_is_where_it_starts(running: Places, tmp_path: Path) -> None:
    assert not prepare(PLAN, running, "zrhfree").moves  # nothing is known of what the devices have
    applied.keep(running, XIAO)
    stage = prepare(PLAN, running, "zrhfree")
    assert (stage.moves, stage.before) == (True, applied.folder(running))
    shutil.copytree(XIAO, tmp_path / "other")
    sites = tmp_path / "other" / "sites.yml"
    sites.write_text("\n".join(line for line in sites.read_text().splitlines() if not line.startswith("  s001:")))
    applied.keep(running, tmp_path / "other")
    assert not prepare(PLAN, running, "zrhfree").moves
