"""Scores, service levels, links between tickets, and the pure parts under them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from collectors.desk import actions, filing, scores, sla
from collectors.desk.clock import Trust
from collectors.desk.months import bounds, month_of
from collectors.desk.scores import Tally, points
from collectors.desk.service import DeskService
from collectors.desk.sla import union_s
from collectors.desk.steps import Desk, DeskError, Refused, get
from collectors.desk.tables import MarkRow, TicketRow
from inventory.supervision import Scoring
from inventory.workdays import CHINA
from store.engine import Store
from tests.collectors.desk.conftest import Clock

RULES = Scoring(70, 30, 1, 4, 1, 5, 2, 2)
EPOCH = datetime(2026, 11, 1, tzinfo=UTC)
SECONDS = st.integers(0, 86_400)
INTERVALS = st.lists(st.tuples(SECONDS, SECONDS).map(lambda pair: (min(pair), max(pair))), max_size=8)


@given(INTERVALS)
def test_overlapping_faults_count_once(spans: list[tuple[int, int]]) -> None:
    intervals = [(EPOCH + timedelta(seconds=a), EPOCH + timedelta(seconds=b)) for a, b in spans]
    covered = set().union(*(range(a, b) for a, b in spans)) if spans else set()
    assert union_s(intervals) == len(covered)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 10), st.lists(st.integers(1, 5), max_size=9))
def test_a_score_is_what_its_lines_add_up_to(finished: int, late: int, red: int, marks: list[int]) -> None:
    tally = Tally(finished=finished, on_time=max(0, finished - late), marks=marks)
    tally.points["red"] = red
    score, lines = points(tally, RULES)
    assert (score is None) == (not finished and not marks)
    if score is not None:
        assert 0 <= score <= 100
        assert score == pytest.approx(max(0.0, sum(line["points"] for line in lines)), abs=0.1)
        assert score == 100 or late or red or marks


@pytest.mark.parametrize(
    ("month", "start", "end"),
    [("2026-11", "2026-10-31T16:00", "2026-11-30T16:00"), ("2026-12", "2026-11-30T16:00", "2026-12-31T16:00")],
)
def test_a_month_is_the_countys(month: str, start: str, end: str) -> None:
    now = datetime(2027, 1, 1, tzinfo=UTC)
    assert [f"{moment:%Y-%m-%dT%H:%M}" for moment in bounds(month, now)] == [start, end]
    assert month_of(bounds(month, now)[0]) == month


@given(st.floats(-1e6, 1e6), st.floats(0, 3600))
def test_only_a_step_is_a_step(step_s: float, passed_s: float) -> None:
    trust = Trust()
    trust.began(None, EPOCH, 100.0)
    off = trust.look(EPOCH + timedelta(seconds=passed_s + step_s), 100.0 + passed_s)
    assert (off is not None) == (abs(step_s) > 10.0 + 1e-6) or abs(abs(step_s) - 10) < 1e-3
    assert trust.steady(100.0 + passed_s) == (off is None)


def test_cards_that_were_withdrawn_and_reports_that_hang_do_not_count(
    store: Store, desk: Desk, clock: Clock, service: Callable[..., DeskService]
) -> None:
    with store.session() as session:
        filing.report(session, desk, who="qian", site="t01", text="慢")
        filing.report(session, desk, who="qian", site="t01", text="还是慢")
        actions.link(session, desk, 2, "wang", 1)
    clock.go(days=2)
    for _ in range(2):
        service().look()
    with store.session() as session:
        assert session.scalars(select(MarkRow.ticket)).unique().all().count(2) == 0
        late = scores.scores(session, desk, "2026-11")["units"][0]
        assert (late["on_time_share"], late["yellow"], late["red"], late["late_responses"]) == (0.0, 1, 1, 1)
        assert late["score"] == 0.0
        actions.withdraw_card(session, desk, 1, "huang", "red", "时钟有误")
        with pytest.raises(DeskError, match="late-response, yellow"):
            actions.withdraw_card(session, desk, 1, "huang", "red", "再一次")
        actions.restore(session, desk, 1, "wang")
        assert get(session, 2).state == "restored"
        actions.close(session, desk, 2, "qian", 5)
        actions.close(session, desk, 1, "qian", 3)
        unit = scores.scores(session, desk, "2026-11")["units"][0]
    assert (unit["finished"], unit["on_time"], unit["red"], unit["rated"]) == (1, 1, 0, 2)
    assert unit["score"] == pytest.approx(70 + 30 * 4 / 5 - 1 - 1)


def test_what_may_hang_on_what(
    store: Store, desk: Desk, service: Callable[..., DeskService], fault: Callable[..., int]
) -> None:
    fault(impact={"sites_cut": ["t01"]})
    service().look()
    with store.session() as session:
        one, known = filing.report(session, desk, who="qian", site="t01", text="断网")
        other, unknown = filing.report(session, desk, who="wu", site="t02", text="断网", channel="phone")
        assert known is not None
        assert (one.parent, one.due_at, unknown) == (known.id, None, None)
        with pytest.raises(Refused, match="hangs on ticket"):
            actions.take(session, desk, one.id, "wang")
        with pytest.raises(Refused, match="stands for itself"):
            actions.link(session, desk, known.id, "wang", other.id)
        with pytest.raises(DeskError, match="no duplicate"):
            actions.link(session, desk, other.id, "wang", one.id)
        with pytest.raises(DeskError, match="no duplicate"):
            actions.link(session, desk, other.id, "wang", other.id)
        actions.withdraw(session, desk, other.id, "wu", "单位自己的线")
        with pytest.raises(Refused, match="is closed"):
            actions.take(session, desk, other.id, "wang")
        with pytest.raises(Refused, match="not withdrawn"):
            actions.withdraw(session, desk, known.id, "wang", "x")


def test_a_report_that_came_before_the_faults_ticket_joins_it(
    store: Store, desk: Desk, clock: Clock, service: Callable[..., DeskService], fault: Callable[..., int]
) -> None:
    with store.session() as session:
        old = filing.report(session, desk, who="qian", site="t01", text="昨天就慢")[0].id
    clock.go(hours=1)
    with store.session() as session:
        early, elsewhere, taken = (
            filing.report(session, desk, who="qian", site=site, text="断网")[0].id for site in ("t01", "t02", "t01")
        )
        actions.take(session, desk, taken, "wang")
    clock.go(seconds=20)
    fault(impact={"sites_cut": ["t01"]})
    service().look()
    with store.session() as session:
        cause = session.scalars(select(TicketRow).where(TicketRow.fault.is_not(None))).one()
        parents = {number: get(session, number).parent for number in (old, early, elsewhere, taken)}
    assert parents == {old: None, early: cause.id, elsewhere: None, taken: None}


def test_a_report_that_is_still_wrong_stands_for_itself_again(
    store: Store, desk: Desk, clock: Clock, service: Callable[..., DeskService], fault: Callable[..., int]
) -> None:
    from collectors.faults.tables import FaultRow

    number = fault(impact={"sites_cut": ["t01"]})
    service().look()
    with store.session() as session:
        filing.report(session, desk, who="qian", site="t01", text="断网")
        found = session.get(FaultRow, number)
        assert found is not None
        found.cleared_at = clock.now()
    service().look()
    clock.go(minutes=5)
    with store.session() as session:
        again = actions.reopen(session, desk, 2, "qian", "还是不通")
        assert (again.parent, again.state, again.reopened) == (None, "reopened", 1)
        assert again.due_at == clock.now() + timedelta(hours=24)
        assert get(session, 1).state == "restored"


def test_service_levels_of_a_month(store: Store, desk: Desk, clock: Clock, fault: Callable[..., int]) -> None:
    start = datetime(2026, 11, 1, tzinfo=CHINA)
    hour = timedelta(hours=1)
    cut = {"sites_cut": ["t01"], "services": [{"service": "portal", "usual": "c1-srv", "backend": ""}]}
    moved = {"sites_cut": [], "services": [{"service": "portal", "usual": "c1-srv", "backend": "c2-srv"}]}
    fault(opened_at=start - hour, cleared_at=start + hour, impact=cut)  # half of it in October
    partly = {"networks_cut": [{"site": "t01", "network": "edu"}]}
    fault(opened_at=start + hour / 2, cleared_at=start + 2 * hour, impact=partly)
    fault(opened_at=start + 3 * hour, cleared_at=start + 4 * hour, impact=cut, window=1)
    fault(opened_at=start + 5 * hour, cleared_at=start + 6 * hour, impact=moved)
    with store.reading() as session:
        found = sla.availability(session, desk, "2026-11")
    length_s = (clock.now() - start).total_seconds()
    site = next(each for each in found["sites"] if each["site"] == "t01")
    portal = next(each for each in found["services"] if each["service"] == "portal")
    assert (site["cut_s"], site["maintenance_s"], site["faults"]) == (7200, 3600, [1, 2, 3])
    assert site["availability"] == pytest.approx(1 - 7200 / length_s, abs=1e-6)
    assert (portal["cut_s"], portal["maintenance_s"], portal["faults"]) == (3600, 3600, [1, 3])
    assert (site["met"], portal["met"]) == (False, False)
    assert "city" not in {each["site"] for each in found["sites"]}


def test_planned_work_has_no_ticket_until_its_window_ends(
    store: Store, clock: Clock, service: Callable[..., DeskService], fault: Callable[..., int]
) -> None:
    from collectors.alerts.tables import open_window

    with store.session() as session:
        window = open_window(
            session, hosts=["t01-rt"], links=["t01-c1"], start=clock.now(), end=clock.now() + timedelta(hours=1),
            who="wang", why="割接",
        )  # fmt: skip
        number = window.id
    fault(window=number)
    service().look()
    with store.reading() as session:
        assert session.scalars(select(TicketRow)).all() == []
    clock.go(hours=1, minutes=1)
    service().look()
    with store.reading() as session:
        assert len(session.scalars(select(TicketRow)).all()) == 1
