"""The log tells when a line was changed, taken out, put in or cut off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, update

from store.audit import GENESIS, AuditEntry, Chain, record, verify_chain
from store.engine import Store, open_store


def filled(store: Store, entries: int = 5) -> tuple[int, str]:
    """Write some entries; returns the head."""
    with store.session() as session:
        for number in range(entries):
            record(session, "li", "apply", "工单 17: 镇政府换光模块", {"host": f"t{number:02}-rt"})
    return verified(store).head


def verified(store: Store, head: tuple[int, str] | None = None) -> Chain:
    with store.reading() as session:
        return verify_chain(session, head)


def test_an_empty_log_is_good(store: Store) -> None:
    assert verified(store) == Chain(entries=0, head=(0, GENESIS), problems=())


def test_a_log_left_alone_is_good_and_its_head_stands(store: Store) -> None:
    head = filled(store)
    assert head[0] == 5
    filled(store, 2)
    assert verified(store, head).ok
    assert verified(store, head).entries == 7


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("at", "2020-01-01T00:00:00.000000+00:00"),
        ("who", "wang"),
        ("what", "enrol"),
        ("why", ""),
        ("detail", "{}"),
        ("previous", GENESIS),
        ("digest", GENESIS),
    ],
)
def test_any_changed_field_is_found_and_its_entry_named(store: Store, column: str, value: str) -> None:
    filled(store)
    with store.session() as session:
        session.execute(update(AuditEntry).where(AuditEntry.number == 3).values({column: value}))
    found = verified(store)
    assert not found.ok
    assert any("entry 3" in problem for problem in found.problems)


@pytest.mark.parametrize("number", [1, 3])
def test_an_entry_taken_out_is_found(store: Store, number: int) -> None:
    filled(store)
    with store.session() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.number == number))
    assert verified(store).problems == (f"entry {number + 1}: expected {number}, entries between them are missing",)


def test_a_tail_cut_off_is_found_by_a_head_noted_elsewhere(store: Store) -> None:
    head = filled(store)
    with store.session() as session:
        session.execute(delete(AuditEntry).where(AuditEntry.number > 3))
    assert verified(store).ok
    assert [problem[:7] for problem in verified(store, head).problems] == ["entry 5"]


def test_a_chain_written_anew_is_found_by_a_head_noted_elsewhere(store: Store) -> None:
    head = filled(store)
    with store.session() as session:
        session.execute(delete(AuditEntry))
        for _ in range(5):
            record(session, "wang", "apply")
    assert verified(store).ok
    assert not verified(store, head).ok


def test_an_entry_put_in_without_the_chain_is_found(store: Store) -> None:
    filled(store)
    with store.session() as session:
        row = session.execute(select(AuditEntry.__table__).where(AuditEntry.number == 5)).mappings().one()
        session.execute(insert(AuditEntry), {**row, "number": 6})
    assert not verified(store).ok


@given(
    who=st.text(max_size=20).filter(lambda text: "\x00" not in text),
    detail=st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=8) | st.none() | st.booleans()),
)
def test_whatever_is_recorded_verifies(who: str, detail: dict[str, object]) -> None:
    store = open_store("sqlite://")
    try:
        with store.session() as session:
            record(session, who.encode("utf-8", "replace").decode(), "apply", detail=_printable(detail))
        assert verified(store).ok
    finally:
        store.close()


def _printable(detail: dict[str, object]) -> dict[str, object]:
    """Lone surrogates cannot be stored by any engine."""

    def clean(value: object) -> object:
        return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value

    return {str(clean(name)): clean(value) for name, value in detail.items()}
