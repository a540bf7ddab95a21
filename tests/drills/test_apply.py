"""The drill of applying on a small county that runs: real devices, real kills, real timers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drills import apply, change_lab, sequence
from drills.lab import Lab
from inventory.hardware import HARDWARE
from inventory.load import load_model
from inventory.places import CHECKOUT, COUNTIES, Places
from twin import faults

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
    found = apply.drill(lab, print, kills=4, seed=3, stages=("canary", "access"))
    assert apply.misses(found, kills=4) == []
    fell = sorted((row["stage"], row["victim"]) for row in found["rows"])
    assert fell == [(stage, who) for stage in ("access", "canary") for who in ("broker", "controller")], "each once"
    platforms = {"linux", *HARDWARE}
    assert set(found["platforms"]) == set(found["left_alone"]) == platforms
    assert all(min(who.values()) >= 1 for who in found["platforms"].values()), "controller and broker on each"
    assert Path(lab.places.lib / "county").read_text() == before
    answers: list[dict[str, Any]] = []
    lab.broker().call("many", method="diff", on_event=answers.append)
    assert [each for each in answers if each["result"]["changed"]] == []


def sanwang_apply(lab: Lab, *words: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "sanwang", "apply", *words, "--confirm-s", "60", "--json"],
        cwd=CHECKOUT,
        env=os.environ | {"SANWANG_INSTANCE": lab.places.instance, "SANWANG_WHO": change_lab.AUTHOR},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.stdout, done.stderr
    document: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return done.returncode, document


def eventually(lab: Lab, plan: Path, words: str, within_s: float = 120.0) -> None:
    """``apply --check`` says so."""
    end = time.monotonic() + within_s
    while words not in str(found := sanwang_apply(lab, str(plan), "--check")):
        assert time.monotonic() < end, found


@pytest.mark.twin
def test_a_cut_ring_or_a_device_that_moved_refuses_the_plan(lab: Lab) -> None:
    with change_lab.borrowed(lab) as changes:
        changes.write(marked=True)
        _, path = changes.plan()
        fault = faults.cut(lab.twin, "ring-c1-c2")
        try:
            eventually(lab, path, "protection is already switched: ring-c1-c2 is down")
        finally:
            faults.heal(lab.twin, fault)
        eventually(lab, path, "may be applied")
        fault = faults.stop_daemon(lab.twin, "c3-core", "snmpd")
        try:
            eventually(lab, path, "c3-core: its configuration is not the one that was planned on")
        finally:
            faults.heal(lab.twin, fault)
        eventually(lab, path, "may be applied")
