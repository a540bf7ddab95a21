"""Calendars: what we write others can read, what others write we take in, whatever else comes is refused with words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar

from inventory.load import load_model
from inventory.model import NetworkModel
from store.engine import Store, open_store
from vconf import meetings
from vconf.booking import book as booking
from vconf.booking import feeds
from vconf.booking.book import Change, Wanted
from vconf.booking.ical import About, calendar
from vconf.booking.ical_read import Occasion, read
from vconf.booking.imports import Importer, Taken
from vconf.meetings import Meeting, MeetingError

MONDAY = datetime(2027, 5, 3, 1, tzinfo=UTC)
NOW = MONDAY - timedelta(days=1)
HOUR = timedelta(hours=1)
ABOUT = About("shili", "会议", lambda hall: f"{hall} 会场", "https://10.32.2.6/hall/")

OUTLOOK = """\
BEGIN:VCALENDAR\r
PRODID:-//Microsoft Corporation//Outlook 16.0 MIMEDIR//EN\r
VERSION:2.0\r
METHOD:{method}\r
BEGIN:VTIMEZONE\r
TZID:China Standard Time\r
BEGIN:STANDARD\r
DTSTART:16010101T000000\r
TZOFFSETFROM:+0800\r
TZOFFSETTO:+0800\r
END:STANDARD\r
END:VTIMEZONE\r
BEGIN:VEVENT\r
UID:040000008200E00074C5B7101A82E008\r
SEQUENCE:{sequence}\r
DTSTART;TZID="China Standard Time":{start}\r
DURATION:PT1H30M\r
{rule}SUMMARY;LANGUAGE=zh-cn:{title}\r
LOCATION:青松镇会场；白云镇会场\r
END:VEVENT\r
{more}END:VCALENDAR\r
"""


def outlook(**changes: str) -> bytes:
    usual = {
        "method": "REQUEST",
        "sequence": "0",
        "start": "20270503T090000",
        "title": "县区联席会议",
        "rule": "",
        "more": "",
    }
    return OUTLOOK.format(**usual | changes).encode()


@pytest.fixture(scope="module")
def model() -> NetworkModel:
    return load_model("shili")


@pytest.fixture
def store() -> Iterator[Store]:
    opened = open_store("sqlite://")
    yield opened
    opened.close()


def meeting(number: int, title: str, start: datetime, lasts: timedelta, halls: tuple[str, ...], main: str) -> Meeting:
    return Meeting(number, title, start, start + lasts, "li", None, tuple(sorted(halls)), main=main, owner="@li")


_TITLES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=80)
_HALLS = st.sets(st.from_regex(r"[a-z][0-9]{2}", fullmatch=True), min_size=1, max_size=30).map(
    lambda s: tuple(sorted(s))
)
_TIMES = st.datetimes(datetime(2026, 1, 1), datetime(2037, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC))


@settings(max_examples=25, deadline=None)
@given(_TITLES, _TIMES, st.integers(1, 720), _HALLS, st.integers(0, 99))
def test_what_is_written_is_read_again(
    title: str, start: datetime, minutes: int, halls: tuple[str, ...], n: int
) -> None:
    written = replace(meeting(7, title, start, timedelta(minutes=minutes), halls, halls[-1]), sequence=n)
    data = calendar([written], {}, ABOUT, NOW)
    assert all(len(line) <= 75 for line in data.split(b"\r\n")), "RFC 5545 section 3.1"
    (found,) = read(data)
    assert (found.uid, found.sequence) == ("meeting-7@shili.sanwang.internal", n)
    assert (found.title, found.start_at, found.duration) == (title, start, timedelta(minutes=minutes))
    assert (found.halls[0], set(found.halls), found.cancelled) == (halls[-1], set(halls), False)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: outlook(more=text, rule=text[:40] + "\r\n")))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    try:
        assert read(data)
    except MeetingError:
        pass  # any other exception is what this looks for


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"hello", "expected"),
        (b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "found 0 events"),
        (
            outlook().replace(b'DTSTART;TZID="China Standard Time":20270503T090000', b"DTSTART;VALUE=DATE:20270503"),
            "a day and a time",
        ),
        (outlook().replace(b"UID:0", b"X:0"), "UID: found 0 characters"),
        (b" " * 300_000, "at most 262144"),
    ],
)
def test_a_bad_calendar_says_what_is_wrong(data: bytes, words: str) -> None:
    with pytest.raises(MeetingError, match=words):
        read(data)


def series(store: Store, model: NetworkModel, **more: Any) -> list[Meeting]:
    wanted = Wanted(
        title="例会", start_at=MONDAY, duration=HOUR, halls=("t01", "t02"), repeat="FREQ=WEEKLY;COUNT=4", **more
    )
    with store.session() as session:
        return booking.book(session, wanted, "li", model.halls)


def written(store: Store, model: NetworkModel, subject: str = "county") -> bytes:
    with store.reading() as session:
        return feeds.feed(session, model, subject, "", NOW)


def test_a_series_is_one_event_with_what_became_of_single_ones(store: Store, model: NetworkModel) -> None:
    _, two, three, _ = series(store, model)
    with store.session() as session:
        booking.cancel(session, two.id, "li", "", NOW)
        booking.change(session, three.id, Change(start_at=three.start_at + HOUR), "li", model.halls, NOW)
    whole, moved = read(written(store, model))
    assert (whole.rule, whole.start_at, whole.zone) == ("FREQ=WEEKLY;COUNT=4", MONDAY, "Asia/Shanghai")
    assert whole.without == {two.start_at}
    assert (moved.recurrence_at, moved.start_at) == (three.start_at, three.start_at + HOUR)

    # another county that takes it in has the same meetings
    other = open_store("sqlite://")
    with other.session() as session:
        Importer(model=replace(model, name="other"), who="wu", now=NOW, may=lambda _: True).take(
            session, (whole, moved)
        )
    with other.reading() as session:
        starts = [each.start_at for each in meetings.upcoming(session, NOW)]
    other.close()
    with store.reading() as session:
        assert starts == [each.start_at for each in meetings.upcoming(session, NOW)]

    with store.session() as session:
        booking.change(session, three.id, Change(halls=("t02", "t03")), "li", model.halls, NOW)
    (hall,) = read(written(store, model, "hall:t01"))
    assert hall.without == {two.start_at, three.start_at}, "not that hall's any more"


def test_who_is_told_that_it_is_cancelled_can_read_which(store: Store, model: NetworkModel) -> None:
    one, two, *_ = series(store, model)
    with store.session() as session:
        gone = booking.cancel(session, two.id, "li", "", NOW)
    (single,) = read(calendar(gone, {}, ABOUT, NOW, "CANCEL"))
    assert (single.cancelled, single.recurrence_at) == (True, two.start_at)
    with store.session() as session:
        gone = booking.cancel(session, one.id, "li", "", NOW, series=True)
    (whole,) = read(calendar(gone, {}, ABOUT, NOW, "CANCEL", whole=True))
    assert (whole.cancelled, whole.recurrence_at) == (True, None)


def take(store: Store, model: NetworkModel, data: bytes, now: datetime = NOW, **more: Any) -> list[Taken]:
    importer = Importer(model=model, who="li", now=now, may=more.pop("may", lambda _: True), **more)
    with store.session() as session:
        return importer.take(session, read(data))


def test_outlooks_request_is_booked_changed_and_cancelled(store: Store, model: NetworkModel) -> None:
    (taken,) = take(store, model, outlook())
    (made,) = taken.meetings
    assert (taken.done, made.title, made.halls, made.start_at) == ("booked", "县区联席会议", ("t01", "t02"), MONDAY)
    assert made.end_at - made.start_at == timedelta(minutes=90)
    assert take(store, model, outlook())[0].done == "known"
    (taken,) = take(store, model, outlook(sequence="1", start="20270503T100000"))
    assert (taken.done, taken.meetings[0].id, taken.meetings[0].start_at) == ("changed", made.id, MONDAY + HOUR)
    assert take(store, model, outlook())[0].done == "known", "an older version comes late"
    with pytest.raises(MeetingError, match="not yours"):
        take(store, model, outlook(sequence="2"), may=lambda _: False)
    assert take(store, model, outlook(method="CANCEL", sequence="3"))[0].done == "cancelled"
    assert take(store, model, outlook(method="CANCEL", sequence="3"))[0].done == "known"


def test_outlooks_series_grows_shrinks_and_moves(store: Store, model: NetworkModel) -> None:
    def upcoming() -> list[tuple[int, int]]:
        with store.reading() as session:
            return [(each.start_at.day, each.start_at.hour) for each in meetings.upcoming(session, NOW)]

    three = "RRULE:FREQ=WEEKLY;COUNT=3\r\n"
    assert len(take(store, model, outlook(rule=three))[0].meetings) == 3
    assert take(store, model, outlook(rule=three))[0].done == "known"
    moved = (
        "BEGIN:VEVENT\r\nUID:040000008200E00074C5B7101A82E008\r\nSEQUENCE:1\r\nSUMMARY:x\r\nLOCATION:青松镇会场\r\n"
        "RECURRENCE-ID;TZID=Asia/Shanghai:20270510T090000\r\nDTSTART;TZID=Asia/Shanghai:20270511T140000\r\n"
        "DURATION:PT1H\r\nEND:VEVENT\r\n"
    )
    take(store, model, outlook(rule=three, sequence="1", more=moved))
    assert upcoming() == [(3, 1), (11, 6), (17, 1)]
    assert {each.done for each in take(store, model, outlook(rule=three, sequence="1", more=moved))} == {"known"}
    take(
        store, model, outlook(rule="RRULE:FREQ=WEEKLY;COUNT=4\r\nEXDATE:20270503T010000Z\r\n", sequence="2", more=moved)
    )
    assert upcoming() == [(11, 6), (17, 1), (24, 1)]


def test_a_calendar_without_a_hall_or_with_one_that_is_taken_books_nothing(store: Store, model: NetworkModel) -> None:
    nowhere = outlook().replace("青松镇会场；白云镇会场".encode(), b"Somewhere")
    with pytest.raises(MeetingError, match="halls: found 'Somewhere'"):
        take(store, model, nowhere)
    assert take(store, model, nowhere, halls=("townships",))[0].meetings[0].halls[-1] == "t11"
    with pytest.raises(MeetingError, match="t01 has meeting 1"):
        take(store, model, outlook().replace(b"UID:0", b"UID:1"))


def test_a_feed_is_read_by_whoever_has_its_address_until_it_is_revoked(store: Store, model: NetworkModel) -> None:
    series(store, model)
    with store.session() as session:
        token = feeds.make(session, feeds.subject_of(model, "t01"), "li", NOW)
    with store.reading() as session:
        assert feeds.subject(session, token) == "hall:t01"
        assert feeds.subject(session, token[:-1] + "!") is None
        assert len(feeds.of(session, "person:li", NOW)) == 4
        assert feeds.of(session, "hall:t09", NOW) == feeds.of(session, "person:wu", NOW) == []
        data = feeds.feed(session, model, "hall:t01", "https://x/", NOW)
    names = [component.name for component in Calendar.from_ical(data).walk()]
    assert names.count("VTIMEZONE") == names.count("VEVENT") == 1
    with store.session() as session:
        assert feeds.revoke(session, "hall:t01", "li", NOW) == 1
    with store.reading() as session:
        assert feeds.subject(session, token) is None
    with pytest.raises(MeetingError, match="expected a hall's code"):
        feeds.subject_of(model, "t99")


def test_an_occasion_is_what_it_is() -> None:
    (found,) = read(outlook())
    assert found == Occasion(
        uid="040000008200E00074C5B7101A82E008", sequence=0, title="县区联席会议", start_at=MONDAY,
        duration=timedelta(minutes=90), zone="Asia/Shanghai", rule="", without=frozenset(), recurrence_at=None,
        halls=("青松镇会场", "白云镇会场"), cancelled=False,
    )  # fmt: skip
