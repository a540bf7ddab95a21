"""The fault book and maintenance windows over HTTP: what is asked is what is told, and what cannot be is refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from collectors.alerts.tables import WindowRow
from collectors.faults.tables import FaultRow
from dashboards.access import ops_token
from identity.tokens import Tokens
from sanwang import ops_link
from store import audit
from store.engine import Store
from tests.dashboards.conftest import County

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def book(store: Store) -> Iterator[Store]:
    """Three faults: of ten days ago, of yesterday, and one that is open."""
    with store.session() as session:
        for number, kind, site, days, cleared in (
            (11, "link-down", "t01", 10, True),
            (12, "host-down", "t02", 1, True),
            (13, "link-degraded", "t03", 0.01, False),
        ):
            opened = NOW - timedelta(days=days)
            session.add(
                FaultRow(
                    id=number, key=f"x:{number}", kind=kind, subject=f"{site}-c1", site=site,
                    severity="critical" if number < 13 else "warning", opened_at=opened,
                    cleared_at=opened + timedelta(minutes=5) if cleared else None, detail={},
                    impact={"sites_cut": ["s001"]} if number == 12 else {},
                )
            )  # fmt: skip
    yield store
    with store.session() as session:
        session.query(FaultRow).delete()
        session.query(WindowRow).delete()


@pytest.fixture
def zhao(county: County) -> httpx.Client:
    """An operator."""
    token = ops_token(Tokens(county.secrets.resolve(ops_link.KEY)), "zhao")
    assert county.client.post("/api/session", json={"token": token}).status_code == 200
    return county.client


def ids(client: httpx.Client, **asked: Any) -> list[int]:
    """Numbers of the faults that an answer lists."""
    answer = client.get("/api/faults", params=asked)
    assert answer.status_code == 200, answer.text
    return [fault["id"] for fault in answer.json()["faults"]]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [13]),
        ({"state": "all"}, [13, 12, 11]),
        ({"state": "cleared"}, [12, 11]),
        ({"state": "all", "start_at": (NOW - timedelta(days=2)).timestamp()}, [13, 12]),
        ({"state": "all", "end_at": (NOW - timedelta(days=2)).timestamp()}, [11]),
        ({"state": "all", "kind": "host-down"}, [12]),
        ({"state": "all", "severity": "warning"}, [13]),
        ({"state": "all", "site": "t01"}, [11]),
        ({"state": "all", "site": "s001"}, [12]),
        ({"state": "all", "text": "T03-"}, [13]),
        ({"state": "all", "before": 13}, [12, 11]),
        ({"state": "all", "limit": 2}, [13, 12]),
    ],
)
def test_history_is_filtered_as_asked(book: Store, zhao: httpx.Client, asked: dict[str, Any], found: list[int]) -> None:
    assert ids(zhao, **asked) == found


def test_more_is_said_when_more_is_there(book: Store, zhao: httpx.Client) -> None:
    assert zhao.get("/api/faults", params={"state": "all", "limit": 2}).json()["more"] is True
    assert zhao.get("/api/faults", params={"state": "all", "limit": 3}).json()["more"] is False


@pytest.mark.parametrize("asked", [{"state": "gone"}, {"state": "all", "start_at": 2e9, "end_at": 1e9}, {"limit": 0}])
def test_a_question_that_makes_no_sense_is_refused(book: Store, zhao: httpx.Client, asked: dict[str, Any]) -> None:
    assert zhao.get("/api/faults", params=asked).status_code == 422


def test_the_first_who_looks_after_a_fault_stays_its_name_and_every_word_is_audited(
    book: Store, zhao: httpx.Client
) -> None:
    first = zhao.post("/api/faults/13/acknowledge", json={"why": "看过了"})
    assert first.json()["acknowledged"]["who"] == "zhao"
    zhao.post("/api/faults/13/acknowledge", json={"why": "还在看"})
    assert zhao.get("/api/faults").json()["faults"][0]["acknowledged"]["why"] == "看过了"
    with book.reading() as session:
        rows = session.query(audit.AuditEntry).filter_by(what="fault.acknowledge").order_by(audit.AuditEntry.number)
        told = [row.why for row in rows]
    assert told[-2:] == ["看过了", "还在看"]


@pytest.mark.parametrize(("number", "why", "status"), [(13, " ", 422), (99, "x", 404), (13, "x" * 501, 422)])
def test_an_acknowledgement_needs_a_fault_and_a_reason(
    book: Store, zhao: httpx.Client, number: int, why: str, status: int
) -> None:
    assert zhao.post(f"/api/faults/{number}/acknowledge", json={"why": why}).status_code == status


def test_a_window_covers_all_boxes_of_a_site_and_ends_when_told(book: Store, zhao: httpx.Client) -> None:
    end = (datetime.now(UTC) + timedelta(hours=1)).timestamp()
    made = zhao.post("/api/maintenance", json={"sites": ["t01"], "links": ["t01-c1"], "end_at": end, "why": "换电源"})
    assert made.status_code == 200, made.text
    assert (made.json()["state"], made.json()["links"]) == ("running", ["t01-c1"])
    assert "t01-rt" in made.json()["hosts"]
    number = made.json()["id"]
    assert zhao.post(f"/api/maintenance/{number}/end", json={"why": "完工"}).json()["state"] == "over"
    assert [(one["id"], one["state"]) for one in zhao.get("/api/maintenance").json()["windows"]] == [(number, "over")]


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"sites": ["nowhere"]}, 422),
        ({"sites": [], "hosts": []}, 422),
        ({"why": " "}, 422),
        ({"end_at": 1.0}, 422),
        ({"end_at": 9e9}, 422),
        ({"end_at": (NOW + timedelta(days=30)).timestamp()}, 422),
        ({"nonsense": 1}, 422),
    ],
)
def test_a_window_that_cannot_be_is_refused(
    book: Store, zhao: httpx.Client, changed: dict[str, Any], status: int
) -> None:
    body = {"sites": ["t01"], "end_at": (NOW + timedelta(hours=1)).timestamp(), "why": "x", **changed}
    assert zhao.post("/api/maintenance", json=body).status_code == status
    assert zhao.post("/api/maintenance/999/end", json={"why": ""}).status_code == 404
