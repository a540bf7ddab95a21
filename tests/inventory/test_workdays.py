"""Working time: against days counted by hand from the notices, and properties that hold for any two moments."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.load import Loaded
from inventory.workdays import CHINA, Limit, WorkCalendar, gone, passed

MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 1)).map(lambda naive: naive.replace(tzinfo=UTC))
DAY_S = 7 * 3600.0


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CHINA)


@pytest.fixture(scope="module")
def calendar(xiao: Loaded) -> WorkCalendar:
    assert xiao.model.supervision is not None
    return xiao.model.supervision.calendar


def test_a_year_of_the_notice(calendar: WorkCalendar) -> None:
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]
    # 261 weekdays, 18 of them off by the notice, 6 weekend days made up for.
    assert sum(day.weekday() < 5 for day in days) == 261
    assert sum(calendar.working(day) for day in days) == 248


@pytest.mark.parametrize(
    ("start", "days", "end"),
    [
        ("2026-11-20T10:00", 1, "2026-11-23T18:00"),  # Friday: the next working day is Monday
        ("2026-02-13T17:59", 1, "2026-02-14T18:00"),  # the Saturday before Spring Festival is worked
        ("2026-02-14T09:00", 1, "2026-02-24T18:00"),  # then nine days off
        ("2026-02-14T09:00", 5, "2026-02-28T18:00"),  # Tuesday to Friday, and the worked Saturday
        ("2026-09-30T20:00", 2, "2026-10-09T18:00"),
        ("2026-12-31T12:00", 1, "2027-01-01T18:00"),  # no notice for 2027 is known: weekends only
    ],
)
def test_working_days(calendar: WorkCalendar, start: str, days: int, end: str) -> None:
    assert Limit(f"{days}wd", days, "wd").deadline(calendar, local(start)) == local(end)


def test_lunch_and_night_do_not_count(calendar: WorkCalendar) -> None:
    assert calendar.seconds(local("2026-11-20T11:00"), local("2026-11-20T15:00")) == 1.5 * 3600
    assert calendar.after(local("2026-11-20T17:00"), 7200) == local("2026-11-23T09:30")
    assert Limit("4h", 4, "h").deadline(calendar, local("2026-11-20T17:00")) == local("2026-11-20T21:00")


def test_where_the_notices_end(calendar: WorkCalendar) -> None:
    assert calendar.ends == date(2026, 12, 31)
    assert calendar.known(local("2026-12-31T23:59"))
    assert not calendar.known(local("2027-01-01T00:00"))


@given(data=st.data())
def test_counting_and_adding_are_each_others_reverse(calendar: WorkCalendar, data: st.DataObject) -> None:
    start, seconds = data.draw(MOMENTS), data.draw(st.floats(0, 30 * DAY_S))
    working = data.draw(st.booleans())
    end = passed(calendar, start, seconds, working=working)
    assert gone(calendar, start, end, working=working) == pytest.approx(seconds, abs=1e-3)


@given(data=st.data())
def test_time_adds_up_and_never_runs_backwards(calendar: WorkCalendar, data: st.DataObject) -> None:
    a, b, c = sorted(data.draw(st.tuples(MOMENTS, MOMENTS, MOMENTS)))
    assert calendar.seconds(a, b) + calendar.seconds(b, c) == pytest.approx(calendar.seconds(a, c), abs=1e-3)
    assert 0 <= calendar.seconds(a, b) <= (b - a).total_seconds()
    assert calendar.seconds(b, a) == 0 or a == b


@given(data=st.data())
def test_a_limit_in_working_days_grants_that_many(calendar: WorkCalendar, data: st.DataObject) -> None:
    start, days = data.draw(MOMENTS), data.draw(st.integers(1, 20))
    limit = Limit(f"{days}wd", days, "wd")
    granted = limit.seconds(calendar, start)
    assert days * DAY_S <= granted + 1e-6 <= (days + 1) * DAY_S + 1e-6  # the day of filing is a gift
    assert passed(calendar, start, granted, working=True) == limit.deadline(calendar, start)
