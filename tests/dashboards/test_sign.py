"""Signing in over HTTPS, and the three administrators' routes, from the first account to the last audit entry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from dashboards.access import COOKIE, ops_token
from identity.second_factor import code_at
from identity.tokens import Tokens
from sanwang import ops_link
from store.base import utc_now
from tests.dashboards.conftest import County
from tests.identity.people import BETTER, GOOD, secret_of

As = Callable[[str], httpx.Client]


@pytest.fixture
def as_(county: County) -> Iterator[As]:
    """A browser of somebody who came in by a one-time link."""
    made = []

    def open_(login: str) -> httpx.Client:
        client = httpx.Client(
            base_url=county.base, verify=county.trust, trust_env=False, headers={"origin": county.base}, timeout=60
        )
        made.append(client)
        if login:
            token = ops_token(Tokens(county.secrets.resolve(ops_link.KEY)), login)
            assert good(client.post("/api/session", json={"token": token}))["login"] == login
        return client

    yield open_
    for client in made:
        client.close()


def good(answer: httpx.Response) -> Any:
    """What it says."""
    assert answer.status_code == 200, answer.text
    return answer.json()


def said(answer: httpx.Response, status: int) -> str:
    """Why not, in English; Chinese is there too."""
    assert answer.status_code == status, answer.text
    detail = answer.json()["detail"]
    if isinstance(detail, str):
        return detail
    assert detail["zh"]
    return str(detail["en"])


def test_from_the_first_account_to_the_role_of_a_unit(county: County, as_: As) -> None:
    system, security, auditor = as_("wu"), as_("zheng"), as_("sun")
    new = {"login": "ma", "zh": "马文书", "en": "Clerk Ma", "unit": "t02", "why": "clerk of the township"}
    invite = good(system.post("/api/accounts", json=new))["invite"]
    assert "account already" in said(system.post("/api/accounts", json=new), 422)
    assert "not in the county" in said(system.post("/api/accounts", json={**new, "login": "mo", "unit": "t99"}), 422)

    ma = as_("")
    assert good(ma.post("/api/sign/invite", json={"token": invite}))["login"] == "ma"
    assert "three of" in said(ma.post("/api/sign/invite", json={"token": invite, "password": "allsmallletters"}), 422)
    assert good(ma.post("/api/sign/invite", json={"token": invite, "password": GOOD}))["stage"] == "in"
    assert good(ma.get("/api/session"))["rights"] == []
    assert "used or has expired" in said(ma.post("/api/sign/invite", json={"token": invite}), 401)

    role = {"login": "ma", "role": "clerk", "units": ["t02"], "days": 30, "why": "test"}
    assert "needs the right grant" in said(system.post("/api/grants", json=role), 403)
    assert "not of your unit" in said(as_("he").post("/api/grants", json={**role, "units": ["t01"]}), 422)
    number = good(security.post("/api/grants", json=role))["id"]
    assert "session has ended" in said(ma.get("/api/session"), 401), "the session was made for somebody without a role"
    again = good(ma.post("/api/sign/password", json={"login": " MA ", "password": GOOD}))
    assert again["stage"] == "in"
    session = good(ma.get("/api/session"))
    assert (session["roles"], session["rights"], session["units"]) == (["clerk"], ["report"], ["t02"])
    assert "may not do this" in said(ma.get("/api/state"), 403)
    assert [each["login"] for each in good(as_("he").get("/api/accounts"))["people"]] == ["he", "qian"]

    good(security.post(f"/api/grants/{number}/end", json={"why": "moved"}))
    good(system.post("/api/accounts/ma/lock", json={"why": "left"}))
    assert "locked" in said(ma.post("/api/sign/password", json={"login": "ma", "password": GOOD}), 401)

    entries = good(auditor.get("/api/audit", params={"text": '"ma"'}))["entries"]
    assert [entry["what"] for entry in entries][:4] == ["account.lock", "role.revoke", "role.grant", "account.add"]
    assert [entry["who"] for entry in entries][:4] == ["wu", "zheng", "zheng", "wu"]
    assert all(GOOD not in str(entry) for entry in good(auditor.get("/api/audit", params={"limit": 500}))["entries"])
    assert good(auditor.get("/api/audit/verify"))["ok"]
    page = good(auditor.get("/api/audit", params={"limit": 2}))
    older = good(auditor.get("/api/audit", params={"limit": 2, "before": page["entries"][-1]["number"]}))
    assert older["entries"][0]["number"] == page["entries"][-1]["number"] - 1


def test_an_engineer_with_a_telephone(county: County, as_: As) -> None:
    system, security, li = as_("wu"), as_("zheng"), as_("")
    invite = good(system.post("/api/accounts", json={"login": "li", "why": "engineer"}))["invite"]
    assert good(li.post("/api/sign/invite", json={"token": invite, "password": GOOD}))["stage"] == "enrol"
    assert li.get("/api/session").status_code == 401
    begun = good(li.post("/api/sign/enrol", json={}))
    assert begun["qr"].startswith("data:image/svg+xml")
    secret = secret_of(begun["uri"])
    wrong = li.post("/api/sign/enrol/confirm", json={"pending": begun["pending"], "code": "000000"})
    assert "code is wrong" in said(wrong, 401)
    code = code_at(secret, utc_now())
    step = good(li.post("/api/sign/enrol/confirm", json={"pending": begun["pending"], "code": code}))
    assert (step["stage"], len(step["recovery"])) == ("release", 8)
    assert li.get("/api/session").status_code == 401, "nobody has vouched for the person yet"
    assert "needs the right grant" in said(system.post("/api/accounts/li/release", json={"why": "x"}), 403)
    good(security.post("/api/accounts/li/release", json={"why": "seen"}))
    assert good(li.post("/api/sign/password", json={"login": "li", "password": GOOD}))["stage"] == "code"
    assert "code is wrong" in said(li.post("/api/sign/code", json={"code": code}), 401), "a code is taken once"
    assert good(li.post("/api/sign/code", json={"code": step["recovery"][0]}))["stage"] == "in"
    own = good(li.get("/api/own"))
    assert own["strong"]
    assert own["account"]["recovery_left"] == 7
    assert {duty["role"] for duty in own["duties"]} == {"engineer", "operator"}

    good(security.post("/api/accounts/li/factor", json={"why": "telephone lost"}))
    assert li.get("/api/session").status_code == 401
    assert good(li.post("/api/sign/password", json={"login": "li", "password": GOOD}))["stage"] == "enrol"


def test_own_sessions_and_password(county: County, as_: As) -> None:
    system, here, there = as_("wu"), as_(""), as_("")
    invite = good(system.post("/api/accounts", json={"login": "zhao", "why": "duty desk"}))["invite"]
    good(here.post("/api/sign/invite", json={"token": invite, "password": GOOD}))
    good(there.post("/api/sign/password", json={"login": "zhao", "password": GOOD}))
    sessions = good(here.get("/api/own"))["sessions"]
    assert sorted(each["this"] for each in sessions) == [False, True]
    other = next(each["id"] for each in sessions if not each["this"])
    assert here.delete(f"/api/own/sessions/{other[:-1]}x").status_code == 404
    good(here.delete(f"/api/own/sessions/{other}"))
    assert there.get("/api/session").status_code == 401
    assert "wrong" in said(here.post("/api/own/password", json={"old": BETTER, "new": BETTER}), 422)
    good(here.post("/api/own/password", json={"old": GOOD, "new": BETTER}))
    cookie = here.cookies[COOKIE]
    good(here.delete("/api/session"))
    assert COOKIE not in here.cookies
    assert here.get("/api/session", headers={"cookie": f"{COOKIE}={cookie}"}).status_code == 401


def drain(feed: ClientConnection) -> None:
    """Read until it ends."""
    while True:
        feed.recv(10)


def test_an_open_page_is_told_that_its_session_has_ended(
    county: County, as_: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboards.api._PING_S", 0.2)
    client = as_("zhao")
    cookie = f"{COOKIE}={client.cookies[COOKIE]}"
    url = county.base.replace("https", "wss") + "/api/live"
    origin: Any = county.base
    with connect(url, ssl=county.trust, origin=origin, additional_headers={"cookie": cookie}, proxy=None) as feed:
        assert "state" in str(feed.recv(5))
        good(client.delete("/api/session"))
        with pytest.raises(ConnectionClosed):
            drain(feed)
        assert feed.close_code == 4401


@pytest.mark.parametrize(
    "body", [{}, {"login": "zhao"}, {"login": ["zhao"], "password": GOOD}, {"login": "x" * 300, "password": GOOD}]
)
def test_what_is_no_sign_in_at_all(county: County, as_: As, body: dict[str, object]) -> None:
    assert as_("").post("/api/sign/password", json=body).status_code == 422


def test_a_made_up_cookie_opens_nothing(county: County, as_: As) -> None:
    for value in ("x", "%00", "a" * 4000, "../..", '"'):
        assert as_("").get("/api/own", headers={"cookie": f"{COOKIE}={value}"}).status_code == 401


def test_a_walls_session_shows_and_does_nothing(county: County, as_: As) -> None:
    wall = as_("zhao")
    assert "handle" in good(wall.get("/api/session"))["rights"]
    assert good(wall.post("/api/session/screen"))["stage"] == "screen"
    shown = good(wall.get("/api/session"))
    assert (shown["rights"], shown["screen"]) == (["watch"], True)
    good(wall.get("/api/state"))
    assert "only shows" in said(wall.post("/api/own/password", json={"old": GOOD, "new": BETTER}), 403)
    assert wall.post("/api/desk/shift/note", json={"text": "x"}).status_code == 403
    assert wall.post("/api/session/screen").status_code == 403
    assert [each["how"] for each in good(wall.get("/api/own"))["sessions"] if each["this"]] == ["screen"]
    good(wall.delete("/api/session"))
    assert wall.get("/api/session").status_code == 401
