"""Booking: groups, repeats, conflicts, changes; what is told of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from inventory.impact import Faults, ImpactMap
from inventory.load import load_model
from inventory.model import LinkKind
from store.audit import AuditEntry
from store.engine import Store, open_store
from vconf import meetings
from vconf.booking import book as booking
from vconf.booking.book import Change, Wanted
from vconf.booking.checker import Checker
from vconf.booking.conflicts import Clashes
from vconf.booking.groups import groups, spread
from vconf.booking.need import hall_needs
from vconf.booking.repeat import MOST, starts
from vconf.meetings import Meeting, MeetingError

MONDAY = datetime(2027, 5, 3, 1, tzinfo=UTC)  # nine o'clock in the county
HOUR = timedelta(hours=1)
KNOWN = ("t01", "t02", "t03")


@pytest.fixture
def store() -> Iterator[Store]:
    opened = open_store("sqlite://")
    yield opened
    opened.close()


def book(store: Store, *halls: str, start: datetime = MONDAY, force: bool = False, **more: Any) -> list[Meeting]:
    wanted = Wanted(title=more.pop("title", "例会"), start_at=start, duration=HOUR, halls=halls, **more)
    with store.session() as session:
        return booking.book(session, wanted, "li", KNOWN, force=force)


def test_groups_are_halls_by_kind_and_by_what_they_hang_on() -> None:
    model = load_model("shili")
    found = groups(model)
    assert found["all"].halls == tuple(model.halls)
    assert len(found["townships"].halls) == 11
    assert "villages" not in found, "none has a hall"
    assert "t01" in found["under:c1"].halls
    assert spread(model, ["t05", "townships", "nowhere"])[:2] == ["t05", "t01"]
    assert spread(model, ["t05", "townships", "nowhere"])[-1] == "nowhere"


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        ("FREQ=DAILY;COUNT=3", [3, 4, 5]),
        ("RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;COUNT=2", [3, 17]),
        ("FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20270512", [3, 5, 10, 12]),
        ("FREQ=DAILY;UNTIL=20270504T010000Z", [3, 4]),
        ("FREQ=MONTHLY;BYDAY=MO;BYSETPOS=1;COUNT=1", [3]),
    ],
)
def test_a_rule_gives_its_days(rule: str, days: list[int]) -> None:
    assert [at.day for at in starts(rule, MONDAY)] == days


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("FREQ=WEEKLY", "COUNT or UNTIL"),
        ("FREQ=WEEKLY;COUNT=2;UNTIL=20280101", "one of them"),
        ("FREQ=DAILY;COUNT=5000", f"more than {MOST}"),
        ("FREQ=HOURLY;COUNT=2", "FREQ: found 'HOURLY'"),
        ("FREQ=WEEKLY;BYDAY=TU;COUNT=2", "is not one that"),
        ("FREQ=WEEKLY;COUNT=x", "no rule"),
        ("FREQ=WEEKLY;UNTIL=soon", "UNTIL: found 'SOON'"),
        ("every week", "NAME=VALUE"),
    ],
)
def test_a_rule_that_cannot_be_says_why(rule: str, words: str) -> None:
    with pytest.raises(MeetingError, match=words):
        starts(rule, MONDAY)


@given(st.text(max_size=60) | st.from_regex(r"(FREQ=(DAILY|WEEKLY);)?(COUNT|UNTIL|BYDAY|INTERVAL)=[0-9A-Z,-]{1,9}"))
def test_no_rule_whatever_breaks_anything(rule: str) -> None:
    try:
        found = starts(rule, MONDAY)
    except MeetingError:
        return
    assert 1 <= len(found) <= MOST
    assert found == sorted(found)


def test_nine_o_clock_stays_nine_o_clock_where_clocks_are_changed() -> None:
    first = datetime(2027, 3, 27, 8, tzinfo=UTC)
    assert [at.hour for at in starts("FREQ=DAILY;COUNT=2", first, "Europe/Berlin")] == [8, 7]


def test_a_hall_is_not_booked_twice_unless_it_is_forced(store: Store) -> None:
    (first,) = book(store, "t01", "t02")
    with pytest.raises(Clashes, match=r"t02 has meeting 1 \(例会\) 05-03 09:00") as told:
        book(store, "t02", "t03", start=MONDAY + HOUR / 2)
    assert [(each.hall, each.meeting) for each in told.value.found] == [("t02", first.id)]
    assert "青山（t02）05-03 09:00–10:00 已有会议 1" in told.value.found[0].words("青山")[0]
    book(store, "t02", start=MONDAY + HOUR)  # begins when the other ends
    book(store, "t03")
    (forced,) = book(store, "t02", start=MONDAY + HOUR / 2, force=True)
    with store.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.what == "meeting.force")).one()
        assert json.loads(entry.detail)["meeting"] == forced.id
        assert len(meetings.upcoming(session, MONDAY)) == 4
    with store.session() as session:
        booking.cancel(session, first.id, "li", "", MONDAY)
    book(store, "t01")


def test_a_series_is_changed_and_cancelled_whole_or_one_by_one(store: Store) -> None:
    one, two, three = book(store, "t01", "t02", repeat="FREQ=WEEKLY;COUNT=3")
    assert {each.series for each in (one, two, three)} == {one.id}
    assert two.start_at == two.recurrence_at == MONDAY + timedelta(days=7)

    def change(number: int, wanted: Change, now: datetime = MONDAY - HOUR, **more: bool) -> list[Meeting]:
        with store.session() as session:
            return booking.change(session, number, wanted, "li", KNOWN, now, **more)

    (moved,) = change(two.id, Change(start_at=two.start_at + HOUR, halls=("t02", "t03")))
    assert (moved.start_at, moved.recurrence_at, moved.main) == (two.start_at + HOUR, two.recurrence_at, "t02")
    assert (moved.end_at - moved.start_at, moved.sequence) == (HOUR, 1)
    whole = change(three.id, Change(title="周例会", start_at=three.start_at + HOUR), series=True)
    assert [(each.title, each.start_at - each.recurrence_at) for each in whole if each.recurrence_at] == [
        ("周例会", HOUR),
        ("周例会", 2 * HOUR),
        ("周例会", HOUR),
    ]
    book(store, "t03", start=MONDAY)
    with pytest.raises(Clashes):
        change(one.id, Change(halls=("t03",), start_at=MONDAY))
    with store.reading() as session:
        assert meetings.found(session, one.id).halls == ("t01", "t02"), "nothing was changed"
    with pytest.raises(MeetingError, match="has begun"):
        change(one.id, Change(title="x"), now=MONDAY + 2 * HOUR)
    with pytest.raises(MeetingError, match="halls: found 't99'"):
        change(one.id, Change(halls=("t99",)))
    with store.session() as session:
        gone = booking.cancel(session, one.id, "li", "改期", MONDAY, series=True)
    assert len(gone) == 3
    assert all(each.cancelled_at and each.sequence >= 2 for each in gone)
    with pytest.raises(MeetingError, match="cancelled or over"):
        change(one.id, Change(title="x"))


def test_a_booking_is_checked_beside_what_else_is_booked_then(store: Store) -> None:
    model = load_model("shili")
    impacts = ImpactMap(model)
    need = hall_needs(2).down
    line = next(name for name in impacts.paths(Faults())["t07"] or () if model.links[name].kind is LinkKind.ACCESS)
    checker = Checker(impacts, {line: need * 3 // 2}, lambda: faults[0])
    faults = [Faults()]

    def ok(start: datetime, now: datetime = MONDAY - timedelta(days=3)) -> bool:
        with store.reading() as session:
            spans = [(start, start + HOUR), (start + timedelta(days=7), start + timedelta(days=7) + HOUR)]
            return checker.of(session, ("t01", "t07"), spans, now).ok

    assert ok(MONDAY)
    with store.session() as session:
        other = Wanted(title="别的会", start_at=MONDAY + timedelta(days=7), duration=HOUR, halls=("t07", "t02"))
        (made,) = booking.book(session, other, "li", model.halls)
    assert not ok(MONDAY), "its second time meets another meeting on that line"
    assert ok(MONDAY + HOUR)
    with store.session() as session:
        booking.cancel(session, made.id, "li", "", MONDAY)
    assert ok(MONDAY)
    faults[0] = Faults(links=frozenset(model.links))
    assert ok(MONDAY), "what is broken days before says nothing"
    assert not ok(MONDAY, now=MONDAY - HOUR)
