"""Opening, sessions, times, and several processes at once."""

from __future__ import annotations

import multiprocessing
import stat
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, create_engine, func, insert, select, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import ArgumentError, OperationalError, StatementError

from store.audit import AuditEntry, record, verify_chain
from store.base import UtcDateTime
from store.engine import Store, open_store


def test_a_session_commits_when_its_block_ends_well(store: Store) -> None:
    with store.session() as session:
        record(session, "li", "enrol")
    with store.reading() as session:
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == 1


def test_a_session_undoes_everything_when_its_block_raises(store: Store) -> None:
    def book_and_fail() -> None:
        with store.session() as session:
            record(session, "li", "enrol")
            raise RuntimeError("the device went away")

    with pytest.raises(RuntimeError, match="went away"):
        book_and_fail()
    with store.reading() as session:
        assert session.scalars(select(AuditEntry)).all() == []


def test_a_reading_session_keeps_nothing(store: Store) -> None:
    with store.reading() as session:
        record(session, "li", "enrol")
    with store.reading() as session:
        assert session.scalars(select(AuditEntry)).all() == []


def test_readers_see_a_snapshot_and_do_not_wait_for_a_writer(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    with store.session() as writing:
        record(writing, "li", "enrol")
        with store.reading() as session:
            assert session.scalars(select(AuditEntry)).all() == []
    store.close()


def test_opening_again_keeps_what_is_there(url: str) -> None:
    first = open_store(url)
    with first.session() as session:
        record(session, "li", "enrol")
    first.close()
    second = open_store(url)
    with second.reading() as session:
        assert [entry.who for entry in session.scalars(select(AuditEntry))] == ["li"]
    second.close()


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/deep/store.db").close()
    assert stat.S_IMODE((tmp_path / "deep" / "store.db").stat().st_mode) == 0o600


def test_sqlite_keeps_foreign_keys_and_a_write_ahead_log(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    with store.engine.connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
        assert connection.scalar(text("PRAGMA busy_timeout")) >= 1000
    store.close()


@pytest.mark.parametrize(("bad", "error"), [("not a url", ArgumentError), ("sqlite:////proc/none/store.db", OSError)])
def test_a_url_that_cannot_be_opened_is_told(bad: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        open_store(bad)


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(OperationalError):
        open_store(f"postgresql://sanwang@/none?host={tmp_path}")


def _append(url: str, who: str, times: int) -> None:
    """What each process of the test below does: opening included, which migrates."""
    store = open_store(url)
    for number in range(times):
        with store.session() as session:
            record(session, who, "write", detail={"number": number})
    store.close()


def test_processes_open_and_write_at_the_same_time(url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_append, args=(url, f"w{number}", 20)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    store = open_store(url)
    with store.reading() as session:
        chain = verify_chain(session)
        counts = Counter(session.scalars(select(AuditEntry.who)))
    store.close()
    assert chain.ok
    assert chain.entries == 80
    assert counts == {"w0": 20, "w1": 20, "w2": 20, "w3": 20}


@given(
    moment=st.datetimes(
        min_value=datetime(1990, 1, 1),
        max_value=datetime(2200, 1, 1),
        timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    )
)
def test_a_moment_comes_back_the_same_in_utc(moment: datetime) -> None:
    """On SQLite by way of its own text form, the narrowest of all engines."""
    column, dialect = UtcDateTime(), sqlite.dialect()
    bound = column.bind_processor(dialect)
    result = column.result_processor(dialect, None)
    assert bound is not None
    assert result is not None
    back = result(bound(moment))
    assert back == moment
    assert back.tzinfo is UTC


def test_a_moment_comes_back_the_same_from_the_engine(store: Store) -> None:
    moments = Table("moments", MetaData(), Column("id", Integer, primary_key=True), Column("at", UtcDateTime()))
    beijing = datetime(2026, 3, 1, 8, 30, 0, 123456, timezone(timedelta(hours=8)))
    with store.session() as session:
        moments.create(session.connection())
        session.execute(insert(moments), [{"id": 1, "at": beijing}, {"id": 2, "at": None}])
    with store.reading() as session:
        first, second = session.scalars(select(moments.c.at).order_by(moments.c.id))
    assert first == beijing
    assert first.tzinfo is UTC
    assert second is None


def test_a_naive_moment_is_refused() -> None:
    engine = create_engine("sqlite://")
    moments = Table("moments", MetaData(), Column("at", UtcDateTime()))
    with engine.begin() as connection:
        moments.create(connection)
        with pytest.raises(StatementError, match="has no time zone"):
            connection.execute(insert(moments), {"at": datetime(2026, 3, 1, 8, 30)})
    engine.dispose()
