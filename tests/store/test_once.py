"""Asked twice, done once: one after the other, at the same moment, and again when the first time failed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from store import audit
from store.engine import Store
from store.once import KEPT, KeyReused, OnceRow, once

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


def note(session: Session, key: str, body: dict[str, str], now: datetime = NOW, who: str = "qian") -> int:
    def make() -> int:
        audit.record(session, who, "noted", body["text"], {})
        session.flush()
        return session.scalar(select(func.count()).select_from(audit.AuditEntry)) or 0

    return once(session, who, "note", key, body, now, make)


def noted(store: Store) -> int:
    with store.reading() as session:
        return session.scalar(select(func.count()).select_from(audit.AuditEntry)) or 0


def test_the_second_time_says_what_came_of_the_first(store: Store) -> None:
    for _ in range(2):
        with store.session() as session:
            assert note(session, "key-0001", {"text": "a"}) == 1
    with store.session() as session:
        assert note(session, "key-0001", {"text": "a"}, who="zhao") == 2, "keys are each person's own"
        assert note(session, "", {"text": "a"}) == 3
    with pytest.raises(KeyReused), store.session() as session:
        note(session, "key-0001", {"text": "b"})
    with store.session() as session:
        assert note(session, "key-0002", {"text": "c"}, NOW + KEPT + timedelta(minutes=1)) == 4
        assert session.scalars(select(OnceRow.key)).all() == ["key-0002"], "old keys are forgotten"


def test_what_failed_leaves_its_key_free(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.session() as session:
        once(session, "qian", "note", "key-0001", {}, NOW, lambda: 1 // 0)
    with store.session() as session:
        assert note(session, "key-0001", {"text": "a"}) == 1


def test_asked_by_several_at_the_same_moment(store: Store) -> None:
    if ":memory:" in str(store.engine.url) or str(store.engine.url) == "sqlite://":
        pytest.skip("one connection")
    together = Barrier(4)

    def ask(_: int) -> int:
        together.wait()
        with store.session() as session:
            return note(session, "key-0001", {"text": "a"})

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == [1, 1, 1, 1]
    assert noted(store) == 1
