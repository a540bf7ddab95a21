"""The operations API: who gets in, what it says, and how fast a change is told."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from dashboards.access import COOKIE, DEVICE_COOKIE
from dashboards.shield import MAX_BODY_BYTES
from identity.tokens import Tokens
from inventory.model import NetworkModel
from sanwang import ops_link
from tests.dashboards.conftest import County
from tests.dashboards.fake import FakeSources


def feed_of(county: County, *, origin: str | None = "", cookie: bool = True) -> ClientConnection:
    """The live feed, as our own page opens it unless told otherwise."""
    headers = {"cookie": "; ".join(f"{item.name}={item.value}" for item in county.client.cookies.jar)} if cookie else {}
    url = county.base.replace("https", "wss") + "/api/live"
    wanted: Any = county.base if origin == "" else origin
    return connect(url, ssl=county.trust, origin=wanted, additional_headers=headers, proxy=None)


def read(feed: ClientConnection) -> dict[str, Any]:
    """One message."""
    message: dict[str, Any] = json.loads(feed.recv(5))
    return message


def wait_for(client: httpx.Client, good: Any, what: str) -> dict[str, Any]:
    """Ask ``/api/state`` until it is as expected."""
    deadline = time.monotonic() + 60
    while True:
        state: dict[str, Any] = client.get("/api/state").json()
        if good(state):
            return state
        assert time.monotonic() < deadline, f"{what}: {state['sources']} {state['impact']['causes']}"
        time.sleep(0.02)


@pytest.mark.parametrize("path", ["/api/session", "/api/county", "/api/state", "/api/site/t01", "/api/series/traffic"])
def test_nothing_is_told_without_a_session(county: County, path: str) -> None:
    answer = county.client.get(path)
    assert answer.status_code == 401
    assert "sanwang ops-link" in answer.json()["detail"]


def test_a_link_opens_once(county: County) -> None:
    token = county.token()
    assert county.client.post("/api/session", json={"token": token}).status_code == 200
    kept = {each.name: (each.secure, each.path) for each in county.client.cookies.jar}
    assert kept == {COOKIE: (True, "/"), DEVICE_COOKIE: (True, "/")}
    county.client.cookies.clear()
    again = county.client.post("/api/session", json={"token": token})
    assert again.status_code == 401
    assert "used already" in again.json()["detail"]


def test_the_cookies_are_kept_from_scripts_and_other_sites(county: County) -> None:
    answer = county.client.post("/api/session", json={"token": county.token()})
    headers = answer.headers.get_list("set-cookie")
    assert len(headers) == 2
    for header in headers:
        parts = {part.strip().lower() for part in header.split(";")}
        assert {"httponly", "secure", "samesite=strict", "path=/"} <= parts


def test_the_mark_of_a_known_browser_opens_nothing(county: County) -> None:
    assert county.client.post("/api/session", json={"token": county.token()}).status_code == 200
    mark = county.client.cookies[DEVICE_COOKIE]
    for name in (DEVICE_COOKIE, COOKIE):
        county.client.cookies.clear()
        county.client.cookies.set(name, mark)
        assert county.client.get("/api/session").status_code == 401
    assert county.client.post("/api/session", json={"token": mark}).status_code == 401


@pytest.mark.parametrize("purpose", ["hall", "ops-session", "join"])
def test_a_token_for_something_else_opens_nothing(county: County, purpose: str) -> None:
    other = Tokens(county.secrets.resolve(ops_link.KEY)).issue(purpose, "x", lifetime_s=60)
    assert county.client.post("/api/session", json={"token": other}).status_code == 401


def test_a_one_time_link_is_no_session(county: County) -> None:
    assert county.client.get("/api/state", headers={"cookie": f"{COOKIE}={county.token()}"}).status_code == 401


def test_the_map_names_everything_and_is_sent_once(signed_in: httpx.Client, model: NetworkModel) -> None:
    answer = signed_in.get("/api/county")
    county = answer.json()
    assert {site["code"] for site in county["sites"]} == set(model.sites)
    assert {link["name"] for link in county["links"]} == set(model.links)
    assert {hall["code"] for hall in county["halls"]} == set(model.halls)
    again = signed_in.get("/api/county", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_cut_ring_names_cause_halls_and_meeting(signed_in: httpx.Client, sources: FakeSources) -> None:
    wait_for(signed_in, lambda state: state["meetings"] and state["links"]["ring-c1-c2"]["state"] == "up", "first look")
    sources.link("ring-c1-c2", "down")
    state = wait_for(signed_in, lambda state: state["impact"]["causes"], "the cut")
    assert state["links"]["ring-c1-c2"]["state"] == "down"
    assert [cause["name"] for cause in state["impact"]["causes"]] == ["ring-c1-c2"]
    assert "t02" in [hall["hall"] for hall in state["impact"]["halls"]]
    assert [meeting["title"] for meeting in state["impact"]["meetings"]] == ["春耕部署会"]
    sources.link("ring-c1-c2", "up")
    wait_for(signed_in, lambda state: not state["impact"]["causes"], "the healing")


def test_a_dead_centre_is_one_cause(signed_in: httpx.Client, sources: FakeSources, model: NetworkModel) -> None:
    dead = [host.name for host in model.site_hosts("c1")]
    for name in dead:
        sources.host(name, "down")
    state = wait_for(signed_in, lambda state: len(state["impact"]["hosts"]) == len(dead), "the dead centre")
    assert [(cause["kind"], cause["name"]) for cause in state["impact"]["causes"]] == [("site", "c1")]
    assert state["impact"]["centres_dead"] == ["c1"]


def test_a_silent_collector_makes_everything_unknown(signed_in: httpx.Client, sources: FakeSources) -> None:
    wait_for(signed_in, lambda state: state["sources"]["collector"] == "ok", "first look")
    sources.fall_silent()
    state = wait_for(signed_in, lambda state: state["sources"]["collector"] != "ok", "the silence")
    assert {link["state"] for link in state["links"].values()} == {"unknown"}
    assert state["status"] == {}
    assert "collector" in state["sources"]["collector"]


def test_the_feed_tells_a_change_with_what_it_means(
    county: County, signed_in: httpx.Client, sources: FakeSources
) -> None:
    wait_for(signed_in, lambda state: state["links"]["ring-c1-c2"]["state"] == "up", "first look")
    with feed_of(county) as feed:
        first = read(feed)
        assert first["type"] == "state"
        assert first["links"]["t01-c1"]["state"] == "up"
        sources.link("t01-c1", "down")
        change = read(feed)
        while change.get("links", {}).get("t01-c1", {}).get("state") != "down":  # loads may change before
            change = read(feed)
        states = {name: link["state"] for name, link in change["links"].items()}
        changed = {name for name, state in states.items() if state != first["links"][name]["state"]}
        assert changed == {"t01-c1"}
        assert len(states) < len(first["links"]), "only what changed is sent"
        assert change["seq"] > first["seq"]
        assert change["impact"]["sites_unprotected"] == ["t01"]


@pytest.mark.parametrize("origin", [None, "https://elsewhere.example", "http://127.0.0.1"])
def test_the_feed_refuses_other_origins(county: County, signed_in: httpx.Client, origin: str | None) -> None:
    with feed_of(county, origin=origin) as feed, pytest.raises(ConnectionClosed) as end:
        feed.recv(5)
    assert end.value.rcvd is not None
    assert end.value.rcvd.code == 4401


def test_the_feed_refuses_without_session(county: County) -> None:
    with feed_of(county, cookie=False) as feed, pytest.raises(ConnectionClosed) as end:
        feed.recv(5)
    assert end.value.rcvd is not None
    assert end.value.rcvd.code == 4401


def test_alerts_come_in_both_languages(signed_in: httpx.Client, sources: FakeSources) -> None:
    labels = {"alertname": "LinkDown", "severity": "critical", "link": "ring-c1-c2"}
    notes = {"summary": "Link ring-c1-c2 is down", "summary_zh": "链路 ring-c1-c2 中断"}
    sources.alerts.append({"labels": labels, "annotations": notes, "startsAt": "2026-01-01T00:00:00Z"})
    (alert,) = wait_for(signed_in, lambda state: state["alerts"], "the alert")["alerts"]
    assert (alert["zh"], alert["en"]) == ("链路 ring-c1-c2 中断", "Link ring-c1-c2 is down")
    assert (alert["link"], alert["severity"]) == ("ring-c1-c2", "critical")


def test_a_site_shows_ports_light_and_probes(signed_in: httpx.Client, model: NetworkModel) -> None:
    site = signed_in.get("/api/site/t01").json()
    ports = {row["port"]: row for row in site["ports"] if row["host"] == "t01-rt"}
    assert set(ports) == {port.name for port in model.hosts["t01-rt"].ports}
    fibre = next(port.name for port in model.hosts["t01-rt"].ports if model.links[port.link].fibre)
    assert -30 < ports[fibre]["rx_dbm"] < 0
    assert {probe["target"] for probe in site["probes"]} == {"t01-rt"}
    assert site["silent"] == []
    assert signed_in.get("/api/site/nowhere").status_code == 404


def test_a_site_with_an_access_switch_shows_each_cable_once_by_the_name_on_the_front(
    signed_in: httpx.Client, model: NetworkModel
) -> None:
    rows = signed_in.get("/api/site/b05").json()["ports"]
    labels = {row["link"]: (row["host"], row["label"]) for row in rows if row["kind"] == "lan"}
    uplinks = [port for port in model.hosts["b05-sw"].ports if port.peer_host == "b05-rt"]
    assert labels == {port.link: ("b05-sw", port.label) for port in uplinks}
    assert len(rows) == len(uplinks) + 2, "and the two fibres"


def test_series_are_asked_by_name_only(signed_in: httpx.Client, sources: FakeSources) -> None:
    answer = signed_in.get("/api/series/traffic", params={"site": "t01", "range_s": 600})
    assert answer.status_code == 200
    assert answer.json()["lines"][0]["points"]
    assert sources.asked[-1] == 'sanwang_link_bps{host=~"t01-rt|t01-hall", link!=""}'
    for name, site in (("up", "t01"), ("traffic", "t01.*"), ("traffic", '"} or up{a="'), ("traffic", "")):
        refused = signed_in.get(f"/api/series/{name}", params={"site": site})
        assert refused.status_code == 422, (name, site)


@pytest.mark.parametrize("range_s", ["0", "-5", "nan", "inf", "99999999"])
def test_a_range_without_bounds_is_refused(signed_in: httpx.Client, range_s: str) -> None:
    assert signed_in.get("/api/series/traffic", params={"site": "t01", "range_s": range_s}).status_code == 422


def test_every_answer_carries_the_security_headers(county: County) -> None:
    for path in ("/ops/", "/api/state", "/nothing-here", "/assets/a-1.js"):
        headers = county.client.get(path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
    assert "immutable" in county.client.get("/assets/a-1.js").headers["cache-control"]
    assert county.client.get("/assets/none.js").headers["cache-control"] == "no-cache"
    assert county.client.get("/api/state").headers["cache-control"] == "no-store"


def test_a_large_body_is_refused(county: County) -> None:
    assert county.client.post("/api/session", content=b" " * (MAX_BODY_BYTES + 1)).status_code == 413

    def pieces() -> Any:
        for _ in range(MAX_BODY_BYTES // 1024 + 1):
            yield b" " * 1024

    assert county.client.post("/api/session", content=pieces()).status_code == 413


def test_the_root_leads_to_the_operations_page(county: County) -> None:
    assert county.client.get("/", follow_redirects=False).headers["location"] == "/ops/"
