"""The leaders' figures: each one is what its explanation says, and what nobody knows is no number."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from collectors.desk import actions, filing
from collectors.desk.steps import Desk
from collectors.desk.tables import RED, YELLOW, MarkRow, StepRow, TicketRow
from collectors.faults.tables import FaultRow
from dashboards.access import ops_token
from dashboards.figures.formula import Figure, Input, Words, evaluate
from identity.tokens import Tokens
from inventory.load import load
from inventory.model import NetworkModel
from inventory.places import CHECKOUT
from inventory.savings import savings
from inventory.workdays import CHINA
from sanwang import ops_link
from store.engine import Store
from tests.dashboards.conftest import County
from tests.dashboards.fake import FakeSources
from vconf import meetings
from vconf.tables import AttendanceRow

NOW = datetime.now(UTC)


def fault(number: int, subject: str, *, opened: timedelta, spent: timedelta | None = None) -> FaultRow:
    """A fault that opened so long ago, and has cleared when it says how long it lasted."""
    begun = NOW - opened
    return FaultRow(
        id=number,
        key=f"link:{subject}",
        kind="link-down",
        subject=subject,
        site="c1",
        severity="critical",
        opened_at=begun,
        cleared_at=begun + spent if spent else None,
        detail={},
        impact={"sites_cut": ["t01"] if number == 1 else []},
    )


@pytest.fixture
def planted(store: Store, model: NetworkModel) -> Iterator[Store]:
    """Two faults that ended after 10 and 20 minutes, one that is open, two halls in the meeting, three reports."""
    assert model.supervision is not None
    desk = Desk(model, model.supervision, lambda: datetime.now(UTC))
    with store.session() as session:
        for number, site in enumerate(("t01", "t02", "b01"), 1):
            told = {"text": "网速很慢", "organisation": "", "service": "", "contact": "", "channel": "phone"}
            ticket, _ = filing.report(session, desk, who="zhao", site=site, **told)
            if number < 3:
                actions.take(session, desk, ticket.id, "zhao")
                actions.restore(session, desk, ticket.id, "zhao", "好了", "跳线")
                actions.close(session, desk, ticket.id, "zhao", 5)
        fired = datetime.now(UTC)
        blank = {"withdrawn_at": None, "withdrawn_by": "", "withdrawn_why": ""}
        session.add(MarkRow(ticket=ticket.id, kind=YELLOW, at=fired, due_at=fired, **blank))
        session.add(MarkRow(ticket=ticket.id, kind=RED, at=fired, due_at=fired, **blank | {"withdrawn_at": fired}))
        session.add(fault(1, "ring-c1-c2", opened=timedelta(minutes=31), spent=timedelta(minutes=10)))
        session.add(fault(2, "t01-c1", opened=timedelta(minutes=30), spent=timedelta(minutes=20)))
        session.add(fault(3, "ring-c2-c3", opened=timedelta(minutes=2)))
        meeting = meetings.upcoming(session, NOW)[0]
        for hall, minutes in (("t01", 4), ("t02", 2)):
            left = NOW - timedelta(minutes=1)
            joined = left - timedelta(minutes=minutes)
            session.add(AttendanceRow(meeting_id=meeting.id, hall=hall, joined_at=joined, left_at=left))
    yield store
    with store.session() as session:
        session.query(FaultRow).delete()
        for table in (AttendanceRow, MarkRow, StepRow, TicketRow):
            session.query(table).delete()


def sign_in(county: County, login: str) -> httpx.Client:
    """A client of that person."""
    token = ops_token(Tokens(county.secrets.resolve(ops_link.KEY)), login)
    assert county.client.post("/api/session", json={"token": token}).status_code == 200
    return county.client


def figures(county: County, login: str = "liu") -> dict[str, dict[str, Any]]:
    """The leaders' figures by key."""
    answer = sign_in(county, login).get("/api/figures")
    assert answer.status_code == 200, answer.text
    return {one["key"]: one for group in answer.json()["groups"] for one in group["figures"]}


def test_every_explanation_gives_its_figure(county: County, planted: Store, sources: FakeSources) -> None:
    sources.numbers.update({"sanwang_link_bps": 450e6, "sanwang_probe_loss_ratio": 0.0004, "sanwang_probe_mos": 4.3})
    wait_known(county)
    found = figures(county)
    assert len(found) >= 17
    for one in found.values():
        values = {given["name"]: given["value"] for given in one["inputs"]}
        assert all(given["source"]["zh"] and given["source"]["en"] for given in one["inputs"]), one["key"]
        if one["value"] is None:
            assert any(given["value"] is None or given["why"] for given in one["inputs"]), one["key"]
            continue
        assert one["value"] == pytest.approx(eval(one["expression"], {"__builtins__": {}}, values)), one["key"]
        for given in one["inputs"]:
            if given["items"] and given["unit"] in ("sites", "faults", "meetings"):
                assert len(given["items"]) == given["value"], (one["key"], given["name"])


def wait_known(county: County) -> None:
    """Until the live picture has asked its sources."""
    client = sign_in(county, "liu")
    deadline = time.monotonic() + 60
    while client.get("/api/state").json()["sources"]["collector"] != "ok":
        assert time.monotonic() < deadline, "the live picture did not come"
        time.sleep(0.05)


def test_the_figures_are_those_of_what_was_planted(
    county: County, planted: Store, sources: FakeSources, model: NetworkModel
) -> None:
    sources.numbers.update({"sanwang_link_bps": 450e6, "sanwang_probe_mos": 4.3})
    wait_known(county)
    found = figures(county)
    ours = [site for site in model.sites.values() if not site.kind.outside]
    assert found["in_service"]["value"] == len(ours)
    assert found["faults_open"]["value"] == 1
    assert found["restore_time"]["value"] == pytest.approx(15 * 60)
    assert found["meetings_held"]["value"] == 1
    assert found["hall_hours"]["value"] == pytest.approx(0.1)
    assert found["attendance"]["value"] == 1
    assert found["exit_use"]["value"] == pytest.approx(0.45)
    assert found["sound"]["value"] == 4.3
    assert found["on_time"]["value"] == 1
    assert found["cards"]["value"] == 1, "a withdrawn card is none"
    begun = NOW.astimezone(CHINA).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    lost = 600 / (NOW - begun).total_seconds()
    assert found["availability"]["value"] == pytest.approx(1 - lost / len(ours), rel=1e-6)
    assert found["saved_year"]["value"] == 49 * 30_000 + 500 * 1_200
    assert found["security_boxes"]["value"] == (82 - 1) * 1_600_000 / 80


def test_what_nobody_knows_is_unknown_and_says_why(county: County, sources: FakeSources) -> None:
    wait_known(county)
    sources.fall_silent()
    deadline = time.monotonic() + 60
    while (found := figures(county))["in_service"]["value"] is not None:
        assert time.monotonic() < deadline, "a silent collector still gave a figure"
        time.sleep(0.05)
    cut = next(one for one in found["in_service"]["inputs"] if one["name"] == "cut")
    assert found["in_service"]["tone"] == "unknown"
    assert "采集器没有应答" in cut["why"]["zh"]
    assert found["sound"]["value"] is None
    assert found["sound"]["inputs"][0]["why"]["en"] == "nothing measured"
    assert found["restore_time"]["value"] is None, "no fault ended: there is no mean"


def test_a_lost_site_is_not_in_service(county: County, sources: FakeSources, model: NetworkModel) -> None:
    wait_known(county)
    before = figures(county)["in_service"]["value"]
    for host in model.site_hosts("t01"):
        sources.host(host.name, "down")
    deadline = time.monotonic() + 60
    while (now := figures(county)["in_service"])["value"] == before:
        assert time.monotonic() < deadline, "the lost site still counts"
        time.sleep(0.05)
    assert "青松镇" in [item["zh"] for given in now["inputs"] for item in given["items"]]
    assert now["tone"] == "degraded"


@pytest.mark.parametrize("login", ["zhao", "qian", "wu"])
@pytest.mark.parametrize("path", ["/api/figures", "/api/figures/units"])
def test_only_leaders_see_the_figures(county: County, login: str, path: str) -> None:
    assert sign_in(county, login).get(path).status_code == 403


def test_each_unit_has_its_state_use_quality_and_cost(
    county: County, planted: Store, sources: FakeSources, model: NetworkModel
) -> None:
    sources.vectors["quantile_over_time(0.95, (max by (link)"] = {"t01-c1": 30e6, "t01-c2": 5e6, "s001-t01": 90e6}
    wait_known(county)
    sources.link("t01-c1", "down")
    deadline = time.monotonic() + 60
    while (rows := units(county))["t01"]["state"] == "up":
        assert time.monotonic() < deadline, "the lost arm was not seen"
        time.sleep(0.05)
    assert rows.keys() == {c for c, s in model.sites.items() if not s.kind.outside and s.kind.value != "centre"}
    town = rows["t01"]
    assert (town["state"], town["busy_bps"], town["rate_bps"]) == ("degraded", 30e6, 100_000_000), (
        "not its school's line"
    )
    assert town["availability"] < 1
    assert (town["tickets"], town["score"]) == (1, 100)
    assert town["saved_cny"] == 30_000
    school = next(row for code, row in rows.items() if code.startswith("s"))
    assert school["saved_cny"] is None
    assert rows["b02"]["busy_bps"] is None, "not measured is not 0"


def units(county: County) -> dict[str, dict[str, Any]]:
    """Each unit's row by site."""
    return {row["site"]: row for row in sign_in(county, "liu").get("/api/figures/units").json()["units"]}


def test_a_county_without_prices_has_no_savings(model: NetworkModel) -> None:
    assert savings(model, None) == ()


def test_savings_follow_the_model(model: NetworkModel) -> None:
    costs = load("shili").intent.costs
    fewer = replace(model, sites={code: site for code, site in model.sites.items() if code != "b01"})
    before, after = ({one.key: one.cny for one in savings(each, costs)} for each in (model, fewer))
    assert before["leased_lines"] - after["leased_lines"] == 30_000
    assert before["security_boxes"] - after["security_boxes"] == 20_000
    assert before["broadband"] == after["broadband"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs Debian's prometheus")
def test_prometheus_takes_every_question(county: County, sources: FakeSources, tmp_path: Path) -> None:
    figures(county)
    units(county)
    asked = {question for question in sources.asked if "quantile_over_time" in question or "avg_over_time" in question}
    assert len(asked) >= 6
    rules = [{"record": f"asked:{number}", "expr": question} for number, question in enumerate(sorted(asked))]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "asked", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    metrics = {name for question in asked for name in re.findall(r"sanwang_[a-z_]+", question)}
    exposed = "".join((CHECKOUT / "collectors" / file).read_text() for file in ("metrics.py", "snmp/readings.py"))
    assert [name for name in metrics if name not in exposed] == []


@pytest.mark.parametrize("expression", ["__import__('os')", "a ** 9", "a if a else 1", "b", "a +"])
def test_a_formula_is_arithmetic_over_its_inputs_only(expression: str) -> None:
    with pytest.raises(ValueError, match=r"expected|invalid|no such"):
        evaluate(expression, {"a": 1.0})


def test_an_unknown_input_and_a_division_by_nothing_give_no_number() -> None:
    assert evaluate("a + b", {"a": 1.0, "b": None}) is None
    assert evaluate("a / b", {"a": 1.0, "b": 0.0}) is None
    whole = Input("a", Words("甲", "A"), 3.0, "sites", Words("模型", "model"))
    assert Figure("k", Words("数", "N"), "sites", "2 * a", (whole,), Words("", "")).value == 6
