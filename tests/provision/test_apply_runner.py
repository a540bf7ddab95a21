"""A plan over three boxes with the real device tool: carried out, refused, taken back, killed and gone on with."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collectors.tables import write_links
from inventory.places import Places
from provision.broker.client import BrokerClient
from provision.broker.wire import BrokerError
from provision.change import checks
from provision.change.journal import Journal
from provision.change.plan import Plan
from provision.change.runner import Runner
from provision.prove import planned
from store.audit import AuditEntry
from store.engine import open_store
from tests.provision.box import Box
from tests.provision.boxes import Bench

pytestmark = pytest.mark.twin
HOSTS = ("b01-rt", "c1-core", "t01-rt")  # canary, arm-1, access


class Killed(BaseException):
    """The controller is gone."""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(Places, "lib", property(lambda _: tmp_path / "lib"))
    monkeypatch.delenv("SANWANG_DATABASE", raising=False)
    (tmp_path / "lib").mkdir()
    places = Places("zaunit")
    store = open_store(places.database)
    boxes = {host: Box(tmp_path / host) for host in HOSTS}
    try:
        for box in boxes.values():
            box.start()
            assert box.device("apply", bundle=box.bundle("first"))["errors"] == []
        made = Bench(tmp_path / "county", boxes, store, places)
        monkeypatch.setattr(planned, "unproved", lambda *_: made.unproved)  # three rulesets are no county to be proved
        now = datetime.now(UTC)
        with store.session() as session:
            write_links(session, dict.fromkeys(made.county.model.links, ("up", "", now)))
        yield made
    finally:
        for box in boxes.values():
            with contextlib.suppress(AssertionError):
                box.cut()
        store.close()


def runner(bench: Bench, plan: Plan, client: BrokerClient, tell: Any = lambda _: None) -> Runner:
    return Runner(plan, client, bench.county, bench.places, bench.store, confirm_s=60, tell=tell)


def everywhere(comment: str) -> dict[str, str]:
    return dict.fromkeys(HOSTS, comment)


def test_a_plan_goes_through_and_comes_back(bench: Bench) -> None:
    with bench.broker() as client:
        plan = bench.plan(client, "second")
        assert [stage.name for stage in plan.stages] == ["canary", "arm-1", "access"]
        run = runner(bench, plan, client)
        run.refuse()
        outcome = run.apply()
        assert outcome.reasons == []
        assert (outcome.outcome, outcome.left) == ("applied", [])
        assert bench.has() == everywhere("second")
        assert client.call("armed")["armed"] == []
        assert {"t01-rt", "c1-core", "c2-core"} <= set(bench.verified), "neighbours are asked too"
        with pytest.raises(checks.NotNow, match="already is as the model says"):
            runner(bench, plan, client).refuse()
        assert runner(bench, plan, client).rollback().outcome == "rolled back"
        assert bench.has() == everywhere("first")
        runner(bench, plan, client).refuse()
        assert runner(bench, plan, client).apply().outcome == "applied"
    with bench.store.reading() as session:
        told = [entry.what for entry in session.query(AuditEntry).order_by(AuditEntry.number)]
    assert told.count("apply") == told.count("confirm") - len(HOSTS) == 6
    assert told.count("rollback") == 3
    assert told[-1] == "change.end"


def test_what_moved_since_is_refused_before_anything_is_sent(bench: Bench) -> None:
    with bench.broker() as client:
        plan = bench.plan(client, "second")
        bench.boxes["t01-rt"].run("nft", "add", "table", "inet", "by_hand")
        with pytest.raises(checks.NotNow, match="t01-rt: its configuration is not the one that was planned on"):
            runner(bench, plan, client).refuse()
        with pytest.raises(BrokerError, match="no longer as it was") as stale:
            client.call("apply", host="t01-rt", confirm_s=60, change="x", base=plan.device("t01-rt").base)
        assert stale.value.kind == "stale"
        bench.boxes["t01-rt"].run("nft", "delete", "table", "inet", "by_hand")
        runner(bench, plan, client).refuse()
        bench.county.comment = "third"
        with pytest.raises(checks.NotNow, match="would become something else"):
            runner(bench, plan, client).refuse()
        with pytest.raises(BrokerError, match="county's files no longer say") as moved:
            client.call("apply", host="t01-rt", confirm_s=60, change="x", wanted=plan.device("t01-rt").wanted)
        assert moved.value.kind == "stale"
        assert client.call("armed")["armed"] == []
    assert bench.has() == everywhere("first")


def test_what_does_not_prove_is_refused_before_anything_is_sent(bench: Bench) -> None:
    with bench.broker() as client:
        plan = bench.plan(client, "second")
        bench.unproved = ["not proved: out of reach: mgmt:c2-nms -> t01-rt"]
        with pytest.raises(checks.NotNow, match=r"^not proved: out of reach: mgmt:c2-nms -> t01-rt$"):
            runner(bench, plan, client).refuse()
        assert client.call("armed")["armed"] == []
    assert bench.has() == everywhere("first")


@pytest.mark.parametrize("keep", [False, True])
def test_a_stage_that_is_not_well_afterwards_is_taken_back(bench: Bench, keep: bool) -> None:
    def tell(line: str) -> None:
        if line.startswith("c1-core: changed"):
            bench.ill.add("c2-core")

    with bench.broker() as client:
        outcome = runner(bench, bench.plan(client, "second"), client, tell).apply(keep=keep)
    assert outcome.outcome == ("kept" if keep else "reverted")
    assert outcome.reasons == ["after stage arm-1: c2-core: c2-core is ill"]
    assert bench.has() == {**everywhere("first"), "b01-rt": "second" if keep else "first"}


def test_a_device_that_falls_silent_goes_back_by_itself(bench: Bench) -> None:
    def tell(line: str) -> None:
        if line.startswith("c1-core: changed"):
            bench.sessions.silent.add("c1-core")
            bench.ill.add("c1-core")

    with bench.broker() as client:
        plan = bench.plan(client, "second")
        run = Runner(plan, client, bench.county, bench.places, bench.store, confirm_s=5, tell=tell)
        outcome = run.apply()
        assert (outcome.outcome, outcome.left) == ("unfinished", ["c1-core"])
        end = time.monotonic() + 60
        while bench.has() != everywhere("first"):
            assert time.monotonic() < end, bench.has()
            time.sleep(0.2)
        assert [each["host"] for each in client.call("armed")["armed"]] == ["c1-core"]
        bench.sessions.silent.clear()
        again = runner(bench, plan, client).apply(resume=True)
        assert (again.outcome, again.left) == ("rolled back", [])
        assert Journal(bench.places, plan.id).ended == "rolled back"


@pytest.mark.parametrize(
    ("line", "then"),
    [
        ("stage canary", "resume"),
        ("b01-rt: changed", "rollback"),
        ("c1-core: changed", "resume"),
        ("stage access", "rollback"),
        ("t01-rt: changed", "resume"),
    ],
)
def test_a_controller_killed_at_any_step_is_gone_on_with_or_taken_back(bench: Bench, line: str, then: str) -> None:
    def tell(said: str) -> None:
        if said.startswith(line):
            raise Killed

    with bench.broker() as client:
        plan = bench.plan(client, "second")
        with pytest.raises(Killed):
            runner(bench, plan, client, tell).apply()
    assert set(bench.has().values()) <= {"first", "second"}
    with bench.broker() as client:  # and the broker with it
        if then == "resume":
            runner(bench, plan, client).refuse(resume=True)
            assert runner(bench, plan, client).apply(resume=True).outcome == "applied"
        else:
            assert runner(bench, plan, client).rollback().outcome == "rolled back"
        assert client.call("armed")["armed"] == []
    assert bench.has() == everywhere("second" if then == "resume" else "first")


def test_a_controller_killed_while_it_takes_back_goes_on_taking_back(bench: Bench) -> None:
    def tell(said: str) -> None:
        if said.startswith("t01-rt: changed"):
            bench.ill.add("t01-rt")
        if said == "taking stage canary back":
            raise Killed

    with bench.broker() as client:
        plan = bench.plan(client, "second")
        with pytest.raises(Killed):
            runner(bench, plan, client, tell).apply()
        assert bench.has() == {**everywhere("first"), "b01-rt": "second"}
        bench.ill.clear()
        run = runner(bench, plan, client)
        run.refuse(resume=True)
        assert run.apply(resume=True).outcome == "rolled back"
    assert bench.has() == everywhere("first")


def test_a_full_disk_of_the_controller_sends_nothing(bench: Bench) -> None:
    folder = bench.places.lib / "changes"
    folder.mkdir()
    with bench.broker() as client:
        plan = bench.plan(client, "second")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)], check=True)
        try:
            handle = os.open(folder / "ballast", os.O_WRONLY | os.O_CREAT)
            with contextlib.suppress(OSError):
                while os.write(handle, b"x" * 512):
                    pass
            os.close(handle)
            with pytest.raises(OSError, match="No space left"):
                runner(bench, plan, client).apply()
        finally:
            subprocess.run(["umount", str(folder)], check=True)
        assert client.call("armed")["armed"] == []
    assert bench.has() == everywhere("first")
