"""The desk over HTTPS: who may do what to which ticket, and what a unit's clerk is told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from collectors.desk.service import DeskService
from collectors.events import Events
from collectors.faults.tables import FaultRow
from dashboards.access import ops_token
from identity.tokens import Tokens
from inventory.model import NetworkModel
from sanwang import ops_link
from store.engine import Store
from tests.dashboards.conftest import County
from vconf import meetings

As = Callable[[str], httpx.Client]


@pytest.fixture
def as_(county: County) -> Iterator[As]:
    """A client signed in as somebody of the county."""
    opened: list[httpx.Client] = []
    tokens = Tokens(county.secrets.resolve(ops_link.KEY))

    def sign_in(login: str) -> httpx.Client:
        client = httpx.Client(
            base_url=county.base, verify=county.trust, trust_env=False, headers={"origin": county.base}, timeout=60
        )
        opened.append(client)
        assert client.post("/api/session", json={"token": ops_token(tokens, login)}).status_code == 200
        return client

    yield sign_in
    for client in opened:
        client.close()


def good(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_from_a_fault_to_a_closed_ticket(as_: As, store: Store, model: NetworkModel) -> None:
    """Monitoring sees it, a clerk reports it and hears at once that it is known, an operator and the end."""
    assert model.supervision is not None
    desk = DeskService(model, model.supervision, store, Events())
    with store.session() as session:
        row = FaultRow(
            id=1, key="link:t01-c1", kind="link-down", subject="t01-c1", site="t01", severity="critical",
            opened_at=datetime.now(UTC) - timedelta(minutes=1), detail={}, impact={"sites_cut": ["t01", "s001"]},
        )  # fmt: skip
        session.add(row)
    desk.look()
    clerk, operator, supervisor = as_("qian"), as_("zhao"), as_("huang")
    assert "已知" in good(clerk.get("/api/desk/known", params={"site": "t01"}))["zh"]
    filed = good(clerk.post("/api/desk/reports", json={"site": "t01", "text": "全镇上不了网", "contact": "周明"}))
    ticket = filed["known"]["ticket"]["id"]
    assert filed["ticket"]["parent"] == ticket
    neighbour = good(as_("zhao").post("/api/desk/reports", json={"site": "s001", "text": "校内", "channel": "phone"}))
    assert neighbour["ticket"]["parent"] == ticket
    assert {each["site"] for each in good(clerk.get(f"/api/desk/tickets/{ticket}"))["linked"]} == {"t01"}
    assert "校内" not in clerk.get(f"/api/desk/tickets/{ticket}").text
    assert filed["ticket"]["clock"]["due_at"] is None

    shown = good(operator.get(f"/api/desk/tickets/{ticket}"))
    assert (shown["class"], shown["state"], shown["linked"][0]["site"]) == ("outage", "opened", "t01")
    assert shown["fault_detail"]["key"] == "link:t01-c1"
    assert (shown["subject"][:2], shown["subject_en"][:4]) == ("链路", "Link")
    assert "take" in shown["may"]
    assert "correct" not in shown["may"]
    good(operator.post(f"/api/desk/tickets/{ticket}/take", json={}))
    early = operator.post(f"/api/desk/tickets/{ticket}/restore", json={"why": "接好了"})
    assert early.status_code == 409
    assert "still there" in early.json()["detail"]["en"]
    good(supervisor.post(f"/api/desk/tickets/{ticket}/correct", json={"why": "请派人到现场"}))
    assert operator.post(f"/api/desk/tickets/{ticket}/correct", json={"why": "x"}).status_code == 403

    with store.session() as session:
        fault = session.get(FaultRow, 1)
        assert fault is not None
        fault.cleared_at = datetime.now(UTC)
    desk.look()
    own = good(clerk.get(f"/api/desk/tickets/{filed['ticket']['id']}"))
    assert own["state"] == "restored"
    assert good(clerk.post(f"/api/desk/tickets/{own['id']}/close", json={"satisfaction": 5}))["satisfaction"] == 5
    done = good(operator.post(f"/api/desk/tickets/{ticket}/close", json={"satisfaction": 4}))
    assert [each["what"] for each in done["history"]] == [
        "opened",
        "linked",
        "linked",
        "take",
        "correct",
        "restore",
        "close",
    ]
    month = good(supervisor.get("/api/desk/scores"))
    unit = next(each for each in month["units"] if each["name"] == "t01")
    assert (unit["finished"], unit["on_time"], unit["corrections"], unit["satisfaction"]) == (1, 1, 1, 4.5)
    assert unit["score"] == pytest.approx(70 + 30 * 4.5 / 5 - 5)
    level = good(supervisor.get("/api/desk/sla"))
    assert next(each for each in level["sites"] if each["site"] == "t01")["cut_s"] >= 0
    assert next(each for each in level["sites"] if each["site"] == "t01")["faults"] == [1]


def test_a_clerk_sees_and_touches_its_own_unit_alone(as_: As) -> None:
    clerk, operator = as_("qian"), as_("li")
    other = good(operator.post("/api/desk/reports", json={"site": "t02", "text": "电话报障", "channel": "phone"}))
    number = other["ticket"]["id"]
    assert clerk.get(f"/api/desk/tickets/{number}").status_code == 404
    assert clerk.post(f"/api/desk/tickets/{number}/comment", json={"text": "?"}).status_code == 404
    assert clerk.post("/api/desk/reports", json={"site": "t02", "text": "?"}).status_code == 403
    assert clerk.get("/api/desk/tickets", params={"site": "t02"}).status_code == 403
    assert {each["site"] for each in good(clerk.get("/api/desk/tickets", params={"state": "all"}))["tickets"]} <= {
        "t01"
    }
    assert [each["site"] for each in good(clerk.get("/api/desk/classes"))["units"]] == ["t01"]
    assert {each["site"] for each in good(clerk.get("/api/desk/sla"))["sites"]} == {"t01"}
    for path in ("board", "scores", "shift", "shifts"):
        assert clerk.get(f"/api/desk/{path}").status_code == 403
    assert clerk.post(f"/api/desk/tickets/{number}/take", json={}).status_code == 403


def test_a_granted_meeting_is_booked_and_a_refusal_needs_a_reason(as_: As, store: Store) -> None:
    clerk, operator = as_("qian"), as_("zhao")
    start = datetime.now(UTC).timestamp() + 86400
    body = {
        "site": "t01", "request": "meeting", "text": "防汛会商",
        "detail": {"title": "防汛会商", "start_at": start, "minutes": 90, "halls": ["t01", "t02"]},
    }  # fmt: skip
    number = good(clerk.post("/api/desk/requests", json=body))["ticket"]["id"]
    good(operator.post(f"/api/desk/tickets/{number}/take", json={}))
    without = operator.post(f"/api/desk/tickets/{number}/restore", json={"outcome": "refused"})
    assert without.status_code == 422
    assert "why" in without.json()["detail"]["en"]
    done = good(operator.post(f"/api/desk/tickets/{number}/restore", json={"outcome": "granted"}))
    assert done["outcome"] == "granted"
    with store.reading() as session:
        booked = [each for each in meetings.upcoming(session, datetime.now(UTC)) if each.title == "防汛会商"]
    assert [each.halls for each in booked] == [("t01", "t02")]
    assert f"meeting {booked[0].id}" in str(done["history"])
    again = operator.post(f"/api/desk/tickets/{number}/restore", json={"outcome": "granted"})
    assert again.status_code == 409


@pytest.mark.parametrize(
    ("request_", "detail", "words"),
    [
        ("meeting", {"title": "x", "start_at": 1, "minutes": 0, "halls": ["no"]}, ("start_at", "minutes", "no")),
        ("opening", {"source": "t01", "target": "", "protocol": "tcp", "ports": "https"}, ("target", "ports")),
        ("bandwidth", {"rate": "fast"}, ("rate",)),
        ("new-site", {"name": "新单位", "address": "x", "networks": ["mgmt"]}, ("networks",)),
        ("wish", {}, ("request",)),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for(as_: As, request_: str, detail: dict[str, Any], words: tuple[str, ...]) -> None:
    answer = as_("qian").post(
        "/api/desk/requests", json={"site": "t01", "request": request_, "text": "x", "detail": detail}
    )
    assert answer.status_code == 422
    for word in words:
        assert word in answer.json()["detail"]["en"]


def test_the_shift_log_from_one_to_the_next(as_: As) -> None:
    first, second, leader = as_("zhao"), as_("li"), as_("liu")
    assert good(first.get("/api/desk/shift"))["current"] is None
    assert first.post("/api/desk/shift/note", json={"text": "?"}).status_code == 409
    good(first.post("/api/desk/shift/on", json={}))
    assert second.post("/api/desk/shift/on", json={}).status_code == 409
    noted = good(first.post("/api/desk/shift/note", json={"text": "巡检正常"}))
    assert noted["current"]["notes"][0]["text"] == "巡检正常"
    assert second.post("/api/desk/shift/handover", json={"to": "wang", "text": "x"}).status_code == 409
    assert leader.post("/api/desk/shift/note", json={"text": "?"}).status_code == 403
    number = good(first.post("/api/desk/reports", json={"site": "b01", "text": "慢", "channel": "phone"}))["ticket"][
        "id"
    ]
    assert first.post("/api/desk/shift/off", json={}).status_code == 409
    over = good(first.post("/api/desk/shift/handover", json={"to": "li", "text": "b01 慢，已派人"}))
    assert over["current"] is None
    assert number in over["handover"]["open_tickets"]
    taken = good(second.post("/api/desk/shift/on", json={}))
    assert taken["mine"]
    assert taken["handover"] is None
    assert good(leader.get("/api/desk/shifts"))["shifts"][1]["handed_to"] == "li"


def test_the_board_and_the_calendar(as_: As) -> None:
    supervisor = as_("huang")
    board = good(supervisor.get("/api/desk/board"))
    assert board["counts"]["active"] >= len(board["next"]) > 0
    assert {each["site"] for each in board["by_unit"]} >= {"b01"}
    year = good(supervisor.get("/api/desk/calendar", params={"year": 2026}))
    assert year["known"]
    assert year["days"]["2026-02-14"]["working"]
    assert not year["days"]["2026-10-01"]["working"]
    assert "weekends only" in good(supervisor.get("/api/desk/calendar", params={"year": 2031}))["warning"]


def test_a_month_is_published_once_and_frozen(as_: As) -> None:
    supervisor, clerk = as_("huang"), as_("qian")
    assert supervisor.post("/api/desk/scores/2199-01/publish", json={}).status_code == 422
    assert clerk.post("/api/desk/scores/2026-01/publish", json={}).status_code == 403
    good(supervisor.post("/api/desk/scores/2026-01/publish", json={"why": "月度公布"}))
    assert supervisor.post("/api/desk/scores/2026-01/publish", json={}).status_code == 409
    assert [each["month"] for each in good(clerk.get("/api/desk/published"))["months"]] == ["2026-01"]


def test_what_was_sent_twice_because_its_answer_was_lost_is_done_once(as_: As) -> None:
    clerk, operator = as_("qian"), as_("zhao")

    def sent(client: httpx.Client, path: str, key: str, body: dict[str, Any]) -> httpx.Response:
        return client.post(path, json=body, headers={"idempotency-key": key})

    body = {"site": "t01", "text": "全镇上不了网"}
    first, again = (good(sent(clerk, "/api/desk/reports", "report-0001", body)) for _ in range(2))
    assert first["ticket"]["id"] == again["ticket"]["id"]
    assert good(sent(clerk, "/api/desk/reports", "report-0002", body))["ticket"]["id"] != first["ticket"]["id"]
    other = sent(clerk, "/api/desk/reports", "report-0001", {**body, "text": "别的"})
    assert (other.status_code, "reload" in other.json()["detail"]["en"]) == (422, True)
    assert sent(clerk, "/api/desk/reports", "no", body).status_code == 422

    detail = {"rate": "1G"}
    asked = {"site": "t01", "request": "bandwidth", "text": "课多", "detail": detail}
    made = {good(sent(clerk, "/api/desk/requests", "request-1", asked))["ticket"]["id"] for _ in range(2)}
    assert len(made) == 1

    for _ in range(2):
        noted = good(sent(operator, "/api/desk/shift/note", "shift-note-1", {"text": "巡检"}))
        told = good(
            sent(operator, f"/api/desk/tickets/{first['ticket']['id']}/comment", "comment-1", {"text": "已派人"})
        )
        window = good(sent(operator, "/api/maintenance", "window-01", {"sites": ["t01"], "minutes": 30, "why": "割接"}))
    assert [each["text"] for each in noted["current"]["notes"]].count("巡检") == 1
    assert [each["what"] for each in told["history"]].count("comment") == 1
    shown = good(operator.get("/api/maintenance"))["windows"]
    assert [each["id"] for each in shown] == [window["id"]]
    assert window["end_at"] - window["start_at"] == 1800
