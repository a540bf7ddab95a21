"""A plan of a small county that runs: nothing to do, a change planned and approved, devices and links that moved since.

One lab notebook: the tests run in their order against one instance of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from drills import sequence
from drills.lab import Lab
from inventory.places import CHECKOUT, Places
from provision.broker.client import BrokerClient
from provision.broker.county import County
from provision.change import planner
from provision.change.plan import Plan
from sanwang.plan import main as plan_main
from store.audit import AuditEntry
from store.engine import open_store
from twin import faults
from vconf import meetings

pytestmark = pytest.mark.twin
INSTANCE = "zptest"
PHRASE = "only for this test"


def sanwang(*arguments: str, who: str = "wang") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SANWANG_INSTANCE": INSTANCE, "SANWANG_WHO": who, "SANWANG_KEY_PASSPHRASE": PHRASE}
    return subprocess.run(
        [sys.executable, "-m", "sanwang", *arguments],
        cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside any checkout, with the county in it and chen's key."""
    folder = tmp_path_factory.mktemp("desk")
    assert sanwang("county", "new", str(folder / "county")).returncode == 0
    made = sanwang("approve", "keygen", "--out", str(folder / "chen.key"), "--json", who="chen")
    public = json.loads(made.stdout.splitlines()[-1])["public_key"]
    edit(folder / "county" / "county.yml", "roles: [chair, leader]", f'roles: [chair, leader], public_key: "{public}"')
    return folder


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture(scope="module")
def lab(desk: Path) -> Iterator[Lab]:
    places = Places(INSTANCE)
    sequence.down(places, wipe=True)
    arrived = sequence.up(places, str(desk / "county"), sequence.Progress(), port=0, prove=False)
    try:
        assert arrived.status["ready"], arrived.status
        yield arrived.lab
    finally:
        sequence.down(places, wipe=True)


def test_a_county_that_is_as_written_has_nothing_to_do(lab: Lab, desk: Path) -> None:
    done = sanwang("plan", "--out", str(desk / "none.plan"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("nothing to do: all 23 devices")
    assert not (desk / "none.plan").exists()


def test_a_change_is_planned_device_by_device_and_nothing_is_touched(lab: Lab, desk: Path) -> None:
    edit(desk / "county" / "county.yml", "members: [b01, b03]", "members: [b01, b02, b03]")
    with open_store(lab.places.database).session() as session:
        meetings.book(
            session, title="防汛会商", start_at=datetime.now(UTC), duration=timedelta(hours=1), halls=["t02"],
            who="chen", known_halls=["t02"],
        )  # fmt: skip
    for name in ("first.plan", "second.plan"):
        done = sanwang("plan", "--out", str(desk / name), "--why", "b02 joins the audit group", "--json")
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout.splitlines()[-1])
        assert (document["changed"], document["asked"]) == (True, 23)
    plan, again = Plan.load(desk / "first.plan"), Plan.load(desk / "second.plan")
    assert plan.devices == again.devices  # looking changes nothing, and sees the same twice
    assert [(stage.name, stage.hosts) for stage in plan.stages] == [
        ("canary", ("b02-rt",)),
        ("arm-2", ("c2-core",)),
        ("arm-3", ("c3-core",)),
        ("access", ("b02-sw",)),
    ]
    assert plan.device("b02-rt").groups == ("network", "nft", "frr", "agent")
    created = next(file for file in plan.device("b02-rt").files if file.change == "created")
    assert created.path == "/etc/nftables.d/audit.nft"
    assert (plan.author, plan.county) == ("wang", lab.model.name)
    assert plan.touches.links_age_s is not None
    assert plan.touches.links_age_s < 60
    assert plan.touches.unprotected == ()
    assert [(meeting.title, meeting.halls, meeting.cut) for meeting in plan.touches.meetings] == [
        ("防汛会商", ("t02",), ())
    ]
    secrets = {line for path in (lab.places.lib / "identity").rglob("*.key") for line in path.read_text().splitlines()}
    assert not any(secret in (desk / "first.plan").read_text() for secret in secrets if len(secret) > 20)


def test_another_person_approves_and_the_author_does_not(lab: Lab, desk: Path) -> None:
    plan, key = str(desk / "first.plan"), str(desk / "chen.key")
    own = sanwang("approve", plan, "--as", "wang", "--key", key)
    assert own.returncode == 2
    assert "the plan's author" in own.stderr
    disguised = sanwang("approve", plan, "--as", "chen", "--key", key)
    assert disguised.returncode == 2
    assert "found the author wang signing as chen" in disguised.stderr
    assert sanwang("approve", plan, "--check").returncode == 1
    signed = sanwang("approve", plan, "--as", "chen", "--key", key, who="chen")
    assert signed.returncode == 0, signed.stderr
    assert sanwang("approve", plan, "--check").returncode == 0
    assert Plan.load(plan).digest == json.loads(Path(plan).read_text())["digest"]
    with open_store(lab.places.database).reading() as session:
        noted = [(entry.who, entry.what) for entry in session.query(AuditEntry) if entry.what in ("plan", "approve")]
    assert noted == [("wang", "plan"), ("wang", "plan"), ("chen", "approve")]


def test_a_device_changed_by_hand_is_no_longer_the_one_that_was_planned(lab: Lab, desk: Path) -> None:
    planned = Plan.load(desk / "first.plan").device("b02-rt")
    client, county = BrokerClient(lab.places.broker_socket), County(desk / "county")
    assert planner.moved(planned, planner.look(client, county, ["b02-rt"]).devices["b02-rt"]) == ()
    done = lab.twin.run("b02-rt", ["vtysh", "-c", "configure terminal", "-c", "ip route 192.0.2.0/24 blackhole"])
    assert done.returncode == 0, done.stderr
    now = planner.look(client, county, ["b02-rt"]).devices["b02-rt"]
    assert "is not the one that was planned on" in planner.moved(planned, now)[0]
    assert any(line.startswith("frr: ") for line in now.running)


def test_protection_that_is_switched_shows_with_the_fibre(lab: Lab, desk: Path) -> None:
    faults.cut(lab.twin, "b03-c1")
    seen: tuple[object, ...] = ()
    for _ in range(20):  # the collector writes every few seconds
        done = sanwang("plan", "--limit", "b02-rt", "--json")
        assert done.returncode == 0, done.stderr
        content = json.loads(done.stdout.splitlines()[-1])["content"]
        seen = tuple(each["link"] for each in content["touches"]["unprotected"])
        if seen:
            break
    assert seen == ("b03-c3",)
    assert content["risk"]["level"] == "high"
    faults.heal_all(lab.twin)


def test_a_device_that_does_not_answer_spoils_the_plan(lab: Lab, desk: Path) -> None:
    faults.kill_host(lab.twin, "b01-rt")
    done = sanwang("plan", "--out", str(desk / "third.plan"))
    assert done.returncode == 3
    assert "2 of 23 devices could not be asked" in done.stderr
    assert "b01-rt" in done.stderr
    assert "b01-sw" in done.stderr  # behind it
    assert not (desk / "third.plan").exists()
    assert sanwang("plan", "--limit", "all:!b01-rt:!b01-sw", "--out", str(desk / "third.plan")).returncode == 0
    assert Plan.load(desk / "third.plan").hosts == ("b02-rt", "c2-core", "c3-core", "b02-sw")


def test_a_county_with_a_mistake_is_bad_input_and_an_absent_one_is_lacking(
    lab: Lab, desk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SANWANG_INSTANCE", INSTANCE)
    assert plan_main(["--window", "tomorrow"]) == 2
    assert "expected START/END" in capsys.readouterr().err
    assert plan_main(["--limit", "b99-rt"]) == 2
    assert "did you mean" in capsys.readouterr().err
    assert plan_main(["--limit", "b02-rt", "--out", str(desk / "none" / "x.plan")]) == 2
    assert "expected a file that can be written" in capsys.readouterr().err
    edit(desk / "county" / "county.yml", "members: [b01, b02, b03]", "members: [b01, b77]")
    assert plan_main([]) == 2
    assert "b77" in capsys.readouterr().err
    assert plan_main(["--instance", "zpnone"]) == 3
    assert "no instance 'zpnone' here" in capsys.readouterr().err
