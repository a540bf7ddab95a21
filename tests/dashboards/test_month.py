"""The monthly report: its figures against the rows that they were made of, as JSON, page, text and PDF."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from collectors.desk import actions, filing
from collectors.desk.steps import Desk
from collectors.faults.tables import FaultRow
from dashboards.desk.month import MonthReport
from dashboards.desk.page import duration, figure, html
from dashboards.sources import Prometheus
from inventory.model import NetworkModel
from inventory.places import Places
from inventory.workdays import CHINA
from sanwang.main import main
from store.engine import Store
from tests.dashboards.conftest import County

NOW = datetime.now(UTC)
MONTH = f"{NOW.astimezone(CHINA):%Y-%m}"
START = NOW.astimezone(CHINA).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture(scope="module")
def filled(store: Store, model: NetworkModel) -> Store:
    """A month with a fault, a planned one, a meeting hurt, and two reports."""
    assert model.supervision is not None
    desk = Desk(model, model.supervision, lambda: NOW)
    began = max(START.astimezone(UTC), NOW - timedelta(hours=1))
    with store.session() as session:
        for number, window in ((1, None), (2, 7)):
            row = FaultRow(
                id=number, key="link:t01-c1", kind="link-down", subject="t01-c1", site="t01", severity="critical",
                opened_at=began, cleared_at=began + timedelta(seconds=90), detail={}, window=window,
                impact={
                    "sites_cut": ["t01"] if number == 1 else ["t02"],
                    "meetings": [
                        {"meeting": "1", "title": "春耕部署会", "halls": [{"hall": "t01", "state": "cut"}]}
                    ] if number == 1 else [],
                },
            )  # fmt: skip
            session.add(row)
        for mark in (5, 2):
            ticket, _ = filing.report(session, desk, who="qian", site="t01", text="慢")
            actions.take(session, desk, ticket.id, "zhao")
            actions.restore(session, desk, ticket.id, "zhao")
            actions.close(session, desk, ticket.id, "qian", mark)
    return store


@pytest.fixture
def report(filled: Store, signed_in: httpx.Client) -> dict[str, Any]:
    answer = signed_in.get(f"/api/desk/report/{MONTH}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def section(report: dict[str, Any], key: str) -> dict[str, Any]:
    return next(each for each in report["sections"] if each["key"] == key)


def rows(report: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Rows by the columns' English names."""
    found = section(report, key)
    names = [column["en"] for column in found["columns"]]
    return [dict(zip(names, row, strict=True)) for row in found["rows"]]


def test_figures_are_those_of_the_store(report: dict[str, Any]) -> None:
    tickets = {row["class"]["en"]: row for row in rows(report, "tickets")}
    assert (tickets["Fault report"]["opened"], tickets["Fault report"]["in time"]) == (2, 2)
    sites = {row["name"]["en"]: row for row in rows(report, "sites")}
    assert len(sites) == 2
    cut = next(row for row in sites.values() if row["faults"] == "1")
    planned = next(row for row in sites.values() if row["faults"] == "2")
    assert (cut["cut off"], cut["planned work"]) == (90, 0)
    assert (planned["cut off"], planned["planned work"], planned["availability"]) == (0, 90, 1)
    assert cut["availability"] == pytest.approx(1 - 90 / (report["to_at"] - report["from_at"]), abs=1e-6)
    assert rows(report, "faults")[0]["number"] == 1
    assert rows(report, "hurt")[0]["meeting"] == "春耕部署会"
    unit = next(row for row in rows(report, "units") if row["satisfaction"])
    assert (unit["satisfaction"], unit["score"]) == (3.5, 91.0)  # 70 in time, 30 x 3.5 / 5
    assert {row["per"]["en"] for row in rows(report, "savings")} == {"a year", "once"}


def test_every_table_names_its_source(report: dict[str, Any]) -> None:
    keys = [each["key"] for each in report["sections"]]
    assert keys == [
        "tickets", "teams", "units", "sites", "services", "faults", "meetings", "hurt", "exit", "capacity", "optics",
        "savings",
    ]  # fmt: skip
    assert all(each["source"]["zh"] and each["source"]["en"] for each in report["sections"])
    assert all(each["rows"] or each["missing"] or each["note"] for each in report["sections"])


async def test_what_nobody_measured_is_said_and_not_made_up(filled: Store, model: NetworkModel) -> None:
    assert model.supervision is not None
    silent = Prometheus("http://127.0.0.1:9")  # discard: nobody listens
    found = await MonthReport(model, model.supervision, filled, silent, None, lambda: NOW).document(MONTH)
    await silent.close()
    for key, why in (
        ("exit", "Prometheus"),
        ("capacity", "Prometheus"),
        ("optics", "Prometheus"),
        ("savings", "costs"),
    ):
        assert section(found, key)["rows"] == []
        assert why in section(found, key)["missing"]["en"]


def test_the_page_shows_every_table(report: dict[str, Any], signed_in: httpx.Client) -> None:
    page = signed_in.get(f"/api/desk/report/{MONTH}.html")
    assert page.headers["content-type"].startswith("text/html")
    assert page.text.count("<h2>") == len(report["sections"])
    assert "<script" not in page.text
    assert "http" not in re.sub(r"https?://[^ ]*w3", "", page.text)
    spoiled = {**report, "county": {"zh": "<b>x</b>", "en": "x"}}
    assert "<b>x</b>" not in html(spoiled)


@pytest.mark.parametrize(("month", "status"), [("2026-13", 422), ("2199-01", 422), ("x", 422)])
def test_months_that_are_none(signed_in: httpx.Client, month: str, status: int) -> None:
    assert signed_in.get(f"/api/desk/report/{month}").status_code == status


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(0.99987, "share", "99.987%"), (1, "share", "100%"), (3725, "s", "1 h 2 min"), (0, "s", "0 s"),
     (9.4e8, "bit/s", "940 Mbit/s"), (1_600_000, "CNY", "1,600,000"), (12, "", "12"), (-18.25, "dBm", "-18.25")],
)  # fmt: skip
def test_figures_as_people_read_them(value: float, unit: str, text: str) -> None:
    assert figure(value, unit) == text
    assert duration(90061) == "1 d 1 h"


def test_the_command_prints_it_and_writes_a_pdf(
    filled: Store, county: County, places: Places, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    chromium: Callable[[], None],
) -> None:  # fmt: skip
    chromium()
    assert main(["report", "month", MONTH, "--json"]) == 0
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert document["month"] == MONTH
    paper = tmp_path / "month.pdf"
    assert main(["report", "month", MONTH, "--pdf", str(paper), "--html", str(tmp_path / "month.html")]) == 0
    assert paper.read_bytes().startswith(b"%PDF-")
    assert paper.stat().st_size > 20_000
    assert "运行月报" in (tmp_path / "month.html").read_text(encoding="utf-8")
    assert main(["report", "month", "november"]) == 2
    assert "2026-11" in capsys.readouterr().err


@pytest.fixture
def chromium() -> Callable[[], None]:
    from provision.printing import CHROMIUM

    def needed() -> None:
        if not CHROMIUM.exists():
            pytest.skip("chromium is not installed")

    return needed
