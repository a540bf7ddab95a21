"""Other rooms' tables, read: the queries fit the owners' tables and say what was written there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import TableClause

from collectors.tables import LinkStateRow, write_links
from store.engine import Store
from store.queries import LINK_STATE, MEETING, MEETING_HALL, booked_meetings, link_states
from vconf import meetings
from vconf.tables import MeetingHallRow, MeetingRow

NINE = datetime(2027, 5, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_the_columns_named_are_the_owners(store: Store) -> None:
    owners: list[tuple[TableClause, type]] = [
        (MEETING, MeetingRow), (MEETING_HALL, MeetingHallRow), (LINK_STATE, LinkStateRow),
    ]  # fmt: skip
    for ours, owner in owners:
        table = owner.__table__  # type: ignore[attr-defined]
        assert ours.name == table.name
        for name, found in ours.columns.items():
            assert issubclass(type(table.columns[name].type), type(found.type))


def book(store: Store, title: str, start: datetime, *halls: str) -> int:
    with store.session() as session:
        return meetings.book(
            session, title=title, start_at=start, duration=HOUR, halls=halls, who="chen", known_halls=["t01", "t02"]
        ).id


def test_meetings_that_overlap_the_window_are_found_with_their_halls(store: Store) -> None:
    early, within, late = (
        book(store, name, NINE + shift, "t02", "t01")
        for name, shift in (("early", -HOUR), ("防汛会商", timedelta()), ("late", HOUR))
    )
    with store.reading() as session:
        found = booked_meetings(session, NINE, NINE + HOUR)
        assert [(each.id, each.title, each.halls) for each in found] == [(within, "防汛会商", ("t01", "t02"))]
        assert (found[0].start_at, found[0].end_at) == (NINE, NINE + HOUR)
        everything = booked_meetings(session, NINE - HOUR, NINE + 2 * HOUR)
        assert [each.id for each in everything] == [early, within, late]
        assert booked_meetings(session, NINE + 3 * HOUR, NINE + 4 * HOUR) == ()


def test_a_cancelled_meeting_is_none(store: Store) -> None:
    number = book(store, "off", NINE, "t01")
    with store.session() as session:
        meetings.cancel(session, number, who="chen", why="moved")
    with store.reading() as session:
        assert booked_meetings(session, NINE, NINE + HOUR) == ()


def test_link_states_come_with_their_age(store: Store) -> None:
    with store.session() as session:
        write_links(session, {"ring-c1-c2": ("down", "no carrier at c1-core", NINE), "t01-c1": ("up", "", NINE)})
    with store.reading() as session:
        states = link_states(session)
    assert {name: (each.state, each.reason) for name, each in states.items()} == {
        "ring-c1-c2": ("down", "no carrier at c1-core"),
        "t01-c1": ("up", ""),
    }
    assert abs(datetime.now(UTC) - states["t01-c1"].checked_at) < timedelta(minutes=1)
