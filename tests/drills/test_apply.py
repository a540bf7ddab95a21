"""The drill of applying on a small county that runs: real devices, real kills, real timers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from drills import apply, sequence
from drills.lab import Lab
from inventory.load import load_model
from inventory.places import COUNTIES, Places

INSTANCE = "zatest"


def test_every_site_is_probed() -> None:
    model = load_model("xiao")
    probed = {place.site for pair in apply.pairs(model) for place in pair}
    assert {site.code for site in model.sites.values() if site.dual_homed} <= probed


def test_what_a_county_would_not_accept_is_said() -> None:
    found = apply.Found(seed=1, kills=3, in_between=["t01-rt: neither"], lost_longer=["gov:t01: 90.0 s"]).document()
    assert [line.partition(":")[0] for line in apply.misses(found, kills=4)] == [
        "in between", "lost longer than its timer", "only 3 of 4 kills",
    ]  # fmt: skip
    assert apply.misses(apply.Found(seed=1, kills=4).document(), kills=4) == []


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    places = Places(INSTANCE)
    sequence.down(places, wipe=True)
    arrived = sequence.up(places, str(COUNTIES / "xiao"), sequence.Progress(), port=0, prove=False)
    try:
        assert arrived.status["ready"], arrived.status
        yield arrived.lab
    finally:
        sequence.down(places, wipe=True)


@pytest.mark.twin
def test_kills_leave_no_device_in_between_and_the_county_as_it_was(lab: Lab) -> None:
    before = Path(lab.places.lib / "county").read_text()
    found = apply.drill(lab, lambda _: None, kills=4, seed=3)
    assert apply.misses(found, kills=4) == []
    assert set(found["outcomes"]) == {"applied"}
    assert Path(lab.places.lib / "county").read_text() == before
    answers = []
    lab.broker().call("many", method="diff", on_event=answers.append)
    assert [each for each in answers if each["result"]["changed"]] == []
