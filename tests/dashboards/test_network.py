"""What the network's pages compute: trends, ways of halls, what-if, search, changes; and their routes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.desk import filing
from collectors.desk.steps import Desk
from collectors.faults.tables import FaultRow
from dashboards.network.capacity import exit_users, peaks, row
from dashboards.network.changes import Changes, NoSuchChange
from dashboards.network.halls import Booked, Ways, meetings_document, need_bps
from dashboards.network.link import cut_document, faults_of
from dashboards.network.optics import ends, trends_of
from dashboards.network.search import Entry, Index, initials
from dashboards.network.trend import fit
from inventory.impact import Faults, ImpactMap, Meeting
from inventory.load import load_model
from inventory.optics import RECEIVER_LIMIT_DBM
from inventory.places import CHECKOUT, Places
from inventory.whatif import UnknownTarget, cut_of, what_if
from provision.backup.archive import Archive, Kept, Snapshot, place
from provision.render.qos import SHARES
from store.audit import record
from store.engine import Store
from tests.dashboards.fake import FakeSources
from tests.dashboards.prometheus import FADING, FADING_DB_PER_DAY, GROWING

MODEL = load_model("shili")
IMPACTS = ImpactMap(MODEL)
DAY = 86_400.0
GOOD = {"loss_ratio": 0.0, "rtt_ms": 1.0, "forward_jitter_ms": 0.1, "backward_jitter_ms": 0.2, "fresh": True}


# Trends


@given(st.floats(-1, 1), st.floats(-30, 30), st.floats(0.2, 15))
def test_a_straight_line_is_found_again(per_day: float, start: float, days: float) -> None:
    points = [(1e9 + at * days * DAY / 49, start + per_day * at * days / 49) for at in range(50)]
    line = fit(points)
    assert line is not None
    assert line.per_day == pytest.approx(per_day, abs=1e-6)
    assert line.last == pytest.approx(points[-1][1], abs=1e-6)


def test_the_day_is_told_only_of_what_is_more_than_chance() -> None:
    falling = fit([(at * 3_600.0, -17.0 - 0.05 * at / 24 + 0.02 * math.sin(at)) for at in range(168)])
    noise = fit([(at * 3_600.0, -19.0 + 0.4 * math.sin(at * 2.4)) for at in range(168)])
    assert falling is not None
    assert noise is not None
    assert falling.days_until(-19.5, falling=True) == pytest.approx((19.5 - 17.35) / 0.05, rel=0.02)
    assert falling.days_until(-17.2, falling=True) == 0.0
    assert falling.days_until(0.0, falling=False) is None, "it falls, and never rises to that"
    assert noise.days_until(-19.5, falling=True) is None


@given(st.lists(st.tuples(st.floats(), st.floats()), max_size=30))
def test_no_points_break_the_fit(points: list[tuple[float, float]]) -> None:
    line = fit(sorted((at, value) for at, value in points if abs(at) < 1e10 and abs(value) < 1e6))
    assert line is None or line.points >= 8


def test_moments_without_light_are_no_trend() -> None:
    values = [[at * 3_600.0, "-12.0" if at % 10 else "-40.0"] for at in range(100)]
    line = trends_of([{"metric": {"host": "t01-rt", "port": "p101"}, "values": values}])["t01-rt", "p101"]
    assert line.last == pytest.approx(-12.0)
    assert not line.sure


def test_the_limit_is_the_one_of_the_rules() -> None:
    rules = (CHECKOUT / "dashboards" / "prometheus" / "rules.yml").read_text(encoding="utf-8")
    assert f"30 * 86400) < {RECEIVER_LIMIT_DBM}" in rules


def test_light_is_what_one_end_sends_and_the_other_receives() -> None:
    link = MODEL.links["t01-c1"]
    (a, b) = ((end.host, end.port) for end in link.ends)
    first, second = ends(MODEL, link, {a: -12.0, b: -14.0}, {a: -5.0, b: -6.0}, {})
    assert (first["rx_dbm"], first["tx_dbm"], first["loss_db"], first["margin_db"]) == (-12.0, -6.0, 6.0, 7.5)
    assert (second["rx_dbm"], second["tx_dbm"], second["loss_db"], second["margin_db"]) == (-14.0, -5.0, 9.0, 5.5)
    assert first["days"] is None


# Capacity


def test_growth_is_told_by_peaks_and_a_full_link_now() -> None:
    rate = MODEL.links[GROWING].rate_bps
    history = [(at * 1_800.0, rate * (0.5 + 0.1 * at / 336 + (0.2 if at % 4 == 0 else 0))) for at in range(336)]
    found = row(MODEL, GROWING, 0.6 * rate, history)
    assert found["days"] == pytest.approx(0.0, abs=0.3) or found["days"] < 1
    assert len(peaks(history)) == 84
    calm = row(MODEL, GROWING, 0.1 * rate, [(at, 0.1 * rate) for at, _ in history])
    assert calm["days"] is None


def test_users_of_the_exit_are_named_by_their_share() -> None:
    def sample(share: str, value: str, direction: str = "down") -> dict[str, object]:
        return {"metric": {"share": share, "direction": direction}, "value": [0, value]}

    found = exit_users(MODEL, [sample("3", "8000000"), sample("17", "NaN")], [], [sample("17", "5e6", "up")])
    assert [each["share"] for each in found] == ["3", "17"]
    assert found[0]["down_bps"] == 8_000_000
    for each in found:
        assert each["units"]
        assert {MODEL.sites[code].number % SHARES for code in each["units"]} == {int(each["share"])}


# Halls


def booked(*halls: str, number: str = "1", start: float = 1e9) -> Booked:
    return Booked(number, "会", start, start + 3_600, halls)


def judged(faults: Faults, probes: Mapping[str, Any], load: Mapping[str, float], *meetings: Booked) -> dict[str, Any]:
    ways = Ways(IMPACTS, faults)
    hall: dict[str, Any] = meetings_document(MODEL, meetings, ways, probes, load)[0]["halls"][0]
    return hall


def test_a_hall_on_two_good_ways_can_be_held() -> None:
    probes = {"c1-core-t01-rt": GOOD}
    hall = judged(Faults(), probes, {}, booked("t01"))
    assert hall["verdict"] == "good"
    assert hall["second"] not in (None, hall["way"])


@pytest.mark.parametrize(
    ("faults", "figures", "load", "verdict", "why"),
    [
        ({"t01-c1"}, GOOD, {}, "weak", "unprotected"),
        ({"t01-c1", "t01-c2"}, GOOD, {}, "bad", "no-way"),
        (set(), {**GOOD, "loss_ratio": 0.05}, {}, "bad", "loss"),
        (set(), {**GOOD, "forward_jitter_ms": 50.0}, {}, "weak", "jitter"),
        (set(), {**GOOD, "mos": 2.1}, {}, "weak", "voice"),
        (set(), {**GOOD, "fresh": False}, {}, "weak", "not-measured"),
        (set(), GOOD, {"t01-c1": 99e6}, "bad", "full"),
    ],
)
def test_what_speaks_against_a_hall(
    faults: set[str], figures: dict[str, object], load: dict[str, float], verdict: str, why: str
) -> None:
    hall = judged(Faults(frozenset(faults)), {"c1-core-t01-rt": figures}, load, booked("t01"))
    assert hall["verdict"] == verdict
    assert why in hall["why"]


def test_two_meetings_cannot_have_one_hall_at_once() -> None:
    probes = {"c1-core-t01-rt": GOOD}
    first, second = booked("t01"), booked("t01", number="2", start=1e9 + 1_800)
    assert "clash" in judged(Faults(), probes, {}, first, second)["why"]
    later = booked("t01", number="2", start=1e9 + 3_600)
    assert judged(Faults(), probes, {}, first, later)["verdict"] == "good"


def test_a_way_without_a_probe_of_its_own_is_measured_by_its_lines() -> None:
    way = IMPACTS.paths(Faults())["t01"]
    assert way is not None
    lossy = {f"link:{name}": {**GOOD, "loss_ratio": 0.1} for name in way if MODEL.links[name].kind.value == "access"}
    hall = judged(Faults(), lossy, {}, booked("t01"))
    assert hall["figures"]["source"] == "lines"
    assert hall["figures"]["loss_ratio"] == pytest.approx(0.1)


def test_more_halls_need_more_room() -> None:
    assert need_bps(2) < need_bps(20)
    assert need_bps(1) == need_bps(2)


# What if


def test_a_duct_cuts_all_its_links_and_a_site_all_its_hosts() -> None:
    assert cut_of(MODEL, "north").links == {name for name, link in MODEL.links.items() if "north" in link.ducts}
    assert cut_of(MODEL, "t01").hosts == {host.name for host in MODEL.site_hosts("t01")}
    assert cut_of(MODEL, "t01-c1-core").links == {"t01-c1"}
    with pytest.raises(UnknownTarget, match="near it"):
        cut_of(MODEL, "t01-cc1")


def test_a_cut_is_judged_on_top_of_what_is_broken() -> None:
    meeting = [Meeting("1", "会", ("t01",))]
    alone = cut_document(MODEL, "t01-c1", what_if(IMPACTS, "t01-c1", Faults(), meeting))
    assert "t01" not in alone["impact"]["sites_cut"]
    assert "t01" in alone["impact"]["sites_unprotected"]
    second = cut_document(MODEL, "t01-c1", what_if(IMPACTS, "t01-c1", Faults(frozenset({"t01-c2"})), meeting))
    assert "t01" in second["impact"]["sites_cut"]
    assert second["before"]["sites_cut"] == ()
    assert second["impact"]["meetings"]


# Search


@pytest.mark.parametrize(
    ("typed", "kind", "name"),
    [
        ("白云", "site", "t02"),
        ("byz", "site", "t02"),
        ("BAIYUN", "site", "t02"),
        ("T03-C3", "link", "t03-c3"),
        ("t01-rt", "host", "t01-rt"),
        (str(MODEL.hosts["t05-rt"].management), "host", "t05-rt"),
        ("北环", "duct", "north"),
        ("northern duct", "duct", "north"),
    ],
)
def test_everything_with_a_name_is_found_first(typed: str, kind: str, name: str) -> None:
    first = Index(MODEL).find(typed)[0]
    assert (first["kind"], first["name"]) == (kind, name)


def test_initials_follow_the_national_standard() -> None:
    assert initials("安吧擦大鹅发嘎哈机卡拉马那哦怕七然三他挖西压杂") == "abcdefghjklmnopqrstwxyz"
    assert initials("示例县 Shili 12") == "slx"


@given(st.text(max_size=40))
def test_no_words_break_the_search(typed: str) -> None:
    assert len(Index(MODEL).find(typed)) <= 30


def test_what_the_store_holds_is_searched_with_it() -> None:
    more = [Entry("meeting", "7", "防汛调度会", "防汛调度会", "/meetings?meeting=7")]
    assert Index(MODEL).find("fxddh", more)[0]["kind"] == "meeting"


def test_a_ticket_is_found_by_its_number_and_its_words(signed_in: httpx.Client, store: Store) -> None:
    assert MODEL.supervision is not None
    desk = Desk(MODEL, MODEL.supervision, lambda: datetime.now(UTC))
    with store.session() as session:
        number = filing.report(session, desk, site="t01", text="打印机上不了网 100%", who="qian", channel="page")[0].id
    for asked in (str(number), "打印机", "100% 打印机"):
        found = signed_in.get("/api/search", params={"q": asked}).json()["found"]
        assert ("ticket", str(number)) in {(each["kind"], each["name"]) for each in found}, asked


# Faults and changes


def test_a_link_s_past_holds_what_named_it_and_what_followed_from_it(store: Store) -> None:
    now = datetime.now(UTC)

    def add(number: int, subject: str, children: list[dict[str, str]], days: float) -> FaultRow:
        opened = now - timedelta(days=days)
        return FaultRow(
            id=number, key=f"link:{subject}", kind="link-down", subject=subject, site="t01", severity="critical",
            opened_at=opened, cleared_at=opened + timedelta(hours=1), detail={"children": children}, impact={},
        )  # fmt: skip

    with store.session() as session:
        session.add(add(901, "t01-c1", [], 2))
        session.add(add(902, "north", [{"kind": "link", "subject": "t01-c1"}], 1))
        session.add(add(903, "t02-c2", [], 1))
        session.add(add(904, "t01-c1", [], 200))
    assert [each["id"] for each in faults_of(store, ["t01-c1"], now)] == [902, 901]


def test_changes_are_told_from_git_and_audit(store: Store, places: Places) -> None:
    changes = Changes(places, store)
    assert changes.versions("", 10) == []
    archive = Archive(place(places))
    first = {"t01-rt": Snapshot({"/etc/hostname": Kept("t01\n", "0644", "0" * 64)})}
    then = {"t01-rt": Snapshot({"/etc/hostname": Kept("t01-rt\n", "0644", "1" * 64)})}
    archive.put(first, who="wang", what="backup", why="first")
    commit = archive.put(then, who="wang", what="apply", why="its own name")
    with store.session() as session:
        record(session, "wang", "apply", "its own name", {"host": "t01-rt"})
        record(session, "hall:t01", "meeting.join", "", {"meeting": 1})
    newest = changes.versions("t01-rt", 10)[0]
    assert (newest["who"], newest["why"], newest["commit"]) == ("wang", "its own name", commit)
    assert "+t01-rt" in changes.difference("t01-rt", commit)["diff"]
    assert [each["what"] for each in changes.audit(10)] == ["apply"]
    for device, wrong in (("t02-rt", commit), ("t01-rt", "zz"), ("t01-rt", "0" * 40)):
        with pytest.raises(NoSuchChange):
            changes.difference(device, wrong)
    with pytest.raises(NoSuchChange):
        changes.plan("../../etc/pa")


# Routes


def test_a_link_s_document_says_all_of_it(signed_in: httpx.Client, sources: FakeSources) -> None:
    found = signed_in.get(f"/api/net/link/{FADING}").json()
    assert found["silent"] == []
    assert found["probe"]["mos"] == 4.41
    assert "t03" in found["halls"]
    assert FADING in found["mates"][0]["links"]
    slopes = [end["trend"]["per_day"] for end in found["optics"]]
    assert slopes == pytest.approx([-FADING_DB_PER_DAY] * 2, abs=0.005)
    assert signed_in.get("/api/net/link/nowhere").status_code == 404


def test_a_cut_is_computed_and_an_unknown_one_refused(signed_in: httpx.Client, sources: FakeSources) -> None:
    found = signed_in.get("/api/net/impact?cut=north").json()
    assert "t01" in found["impact"]["sites_unprotected"]
    assert found["impact"]["meetings"][0]["title"] == "春耕部署会"
    assert signed_in.get("/api/net/impact?cut=nowhere").status_code == 404


def test_capacity_and_light_put_first_what_ends_first(signed_in: httpx.Client, sources: FakeSources) -> None:
    assert signed_in.get("/api/net/capacity").json()["links"][0]["link"] == GROWING
    light = signed_in.get("/api/net/optics").json()["ends"]
    assert {light[0]["link"], light[1]["link"]} == {FADING}
    assert light[0]["days"] == pytest.approx(32, abs=1.5)
    assert light[2]["days"] is None
    users = signed_in.get("/api/net/exit").json()["users"]
    assert [each["share"] for each in users] == ["40", "17", "3"]


def test_a_silent_prometheus_is_told_and_the_rest_stays(signed_in: httpx.Client, sources: FakeSources) -> None:
    sources.no_prometheus = True
    answer = signed_in.get("/api/net/optics")
    assert answer.status_code == 503
    assert "Prometheus" in answer.json()["detail"]
    found = signed_in.get("/api/net/link/t04-c1").json()
    assert found["mates"]
    assert any("Prometheus" in words for words in found["silent"])
