"""Events reach the store once each, whatever happens on the way; repeats are folded; six months can be proved."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.exc import OperationalError

from collectors import seals
from collectors.county import County
from collectors.damper import RATE_PER_S, REPEAT_S, Damper
from collectors.events import Event, Events
from collectors.expected import expect
from collectors.record import Recorder, row_of
from collectors.spool import Spool
from collectors.tables import EventRow, EventSealRow, search_events, write_events
from store.audit import AuditEntry
from store.engine import Store, open_store

from .county import all_well, cut, healthy, model, say

START = datetime(2026, 1, 1, tzinfo=UTC)


def event(number: int, text: str = "down") -> Event:
    return Event(
        number, 1_767_225_600.125 + number, "link", f"ring-{number % 3}", text, {"reason": "光缆", "n": number}
    )


def rows(store: Store) -> list[EventRow]:
    with store.reading() as session:
        return list(session.scalars(select(EventRow).order_by(EventRow.number)))


async def until(happened: Callable[[], bool]) -> None:
    for _ in range(1000):
        if happened():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen within ten seconds")


# The spool.


def _tell_until_killed(folder: Path, told: int) -> None:
    spool = Spool(folder)
    for number in range(1, told + 1):
        spool.append(event(number))
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_process_told_is_taken_by_the_next(tmp_path: Path) -> None:
    child = multiprocessing.get_context("fork").Process(target=_tell_until_killed, args=(tmp_path, 500))
    child.start()
    child.join(20)
    assert child.exitcode == -signal.SIGKILL
    spool = Spool(tmp_path)
    spool.append(event(501))
    files, events = spool.take()
    assert [each.number for each in events] == list(range(1, 502))
    assert events[0] == event(1)
    spool.append(event(502))  # told while the store writes
    spool.done(files, events)
    assert [each.number for each in spool.take()[1]] == [502]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this kernel has no /dev/full")
def test_a_full_disk_keeps_events_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path)
    spool.append(event(1))
    opened = os.open
    monkeypatch.setattr(
        os, "open", lambda path, *rest: opened("/dev/full" if str(path).endswith(".jsonl") else path, *rest)
    )
    spool.take()
    for number in (2, 3):
        spool.append(event(number))
    monkeypatch.undo()
    spool.append(event(4))
    files, events = spool.take()
    assert [each.number for each in events] == [1, 2, 3, 4]
    spool.done(files, events)
    assert spool.empty
    assert spool.dropped == 0


def test_a_line_cut_in_half_costs_that_line_alone(tmp_path: Path) -> None:
    whole = json.dumps(event(1).document()).encode() + b"\n"
    (tmp_path / "1.jsonl").write_bytes(whole[:-20] + b"\n" + whole + b'null\n{"number": 3}\n')
    assert [each.number for each in Spool(tmp_path).take()[1]] == [1]


# The recorder.


async def test_a_store_that_is_away_for_a_while_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collectors.record._BATCH_S", 0.01)
    monkeypatch.setattr("collectors.record._AGAIN_S", 0.01)
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    county = all_well()
    recorder = Recorder(store, county, tmp_path / "spool")
    away = True

    def refuse(*_: object) -> int:
        raise OperationalError("INSERT", {}, Exception("the database is gone"))

    def writing(session: object, some: list[EventRow]) -> int:
        return refuse() if away else write_events(session, some)  # type: ignore[arg-type]

    monkeypatch.setattr("collectors.record.write_events", writing)
    task = asyncio.create_task(recorder.run())
    told = [county.events.emit("link", "ring-c1-c2", "down").number for _ in range(50)]
    await until(lambda: recorder.failed >= 3)
    assert rows(store) == []
    away = False
    told += [county.events.emit("link", "ring-c1-c2", "up").number for _ in range(50)]
    await until(lambda: recorder.written >= 100)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [row.number for row in rows(store)] == told
    store.close()


async def test_a_disk_that_is_full_for_a_while_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collectors.record._BATCH_S", 0.01)
    monkeypatch.setattr("collectors.record._AGAIN_S", 0.01)
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    with store.session() as session:
        pages = session.connection().exec_driver_sql("PRAGMA page_count").scalar_one()
    limit = [pages]

    def bounded(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count={limit[0]}")  # what SQLite meets when the disk has no room

    sqlalchemy_event.listen(store.engine, "checkout", bounded)
    county = all_well()
    recorder = Recorder(store, county, tmp_path / "spool")
    task = asyncio.create_task(recorder.run())
    told = [county.events.emit("link", f"link-{n}", "down", reason="x" * 500).number for n in range(400)]
    await until(lambda: recorder.failed >= 3)
    assert recorder.written == 0
    limit[0] = 1 << 30
    await until(lambda: recorder.written >= 400)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [row.number for row in rows(store)] == told
    store.close()


async def test_an_event_is_stored_once_though_the_process_died_before_it_knew(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    spool = Spool(tmp_path / "spool")
    for number in range(1, 11):
        spool.append(event(number))
    spool.close()
    with store.session() as session:  # half of them were written, and then came the kill
        write_events(session, [row_of(event(number)) for number in range(1, 6)])
    recorder = Recorder(store, all_well(), tmp_path / "spool")
    recorder._events()
    assert [row.number for row in rows(store)] == list(range(1, 11))
    assert recorder.written == 5
    store.close()


def test_numbers_grow_though_the_clock_was_set_back(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    far = 9_000_000_000_000  # a number of the year 2255
    with store.session() as session:
        write_events(session, [row_of(event(1))])
        session.add(EventSealRow(last=far, first=1, count=1, until_at=START, digest="0" * 64))
    county = all_well()
    Recorder(store, county, tmp_path / "spool")
    assert county.events.emit("link", "ring-c1-c2", "down").number == far + 1
    store.close()


async def test_what_an_earlier_collector_told_is_not_told_again(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    first = all_well()
    recorder = Recorder(store, first, tmp_path / "spool")
    first.events.emit("link", "ring-c1-c2", "down")
    recorder._events()
    first.events.emit("link", "ring-c2-c3", "down")  # in the spool alone
    first.events.emit("link", "ring-c3-c1", "down")

    second = County(model(), expect(model()))  # in a process of its own
    Recorder(store, second, tmp_path / "spool")
    for name, state in healthy(second).items():
        say(second, name, state)
    for link in ("ring-c1-c2", "ring-c2-c3"):
        cut(second, link, carrier=True)
    second.evaluate()
    told = [(event.subject, event.state) for event in second.events.recent if event.kind == "link"]
    assert ("ring-c3-c1", "up") in told  # it came back while nobody looked
    assert not [each for each in told if each[0] in ("ring-c1-c2", "ring-c2-c3")]
    assert second.links["ring-c1-c2"].state == second.links["ring-c2-c3"].state == "down"
    store.close()


# The damper.


def test_repeats_are_counted_and_told_once_a_minute() -> None:
    events, now = Events(), [100.0]
    damper = Damper(events, lambda: now[0])
    for _ in range(40):
        damper.tell("syslog", "b01-sw", "fan failed", severity=3)
    damper.tell("syslog", "b02-sw", "fan failed", severity=3)
    damper.flush()
    assert [(e.subject, e.detail.get("repeated")) for e in events.recent] == [("b01-sw", None), ("b02-sw", None)]
    now[0] += REPEAT_S
    damper.flush()
    assert [(e.subject, e.detail.get("repeated")) for e in events.recent][2:] == [("b01-sw", 39)]
    damper.tell("syslog", "b01-sw", "fan failed", severity=3)
    assert len(events.recent) == 4


def test_a_flood_of_one_host_leaves_the_others_heard() -> None:
    events, now = Events(), [100.0]
    damper = Damper(events, lambda: now[0])
    for number in range(5 * RATE_PER_S):
        damper.tell("syslog", "b01-sw", f"storm {number}")
    assert damper.tell("syslog", "b02-sw", "fan failed")
    now[0] += REPEAT_S
    damper.flush()
    flood = [e for e in events.recent if e.kind == "flood"]
    assert [(e.subject, e.detail["count"]) for e in flood] == [("b01-sw", 4 * RATE_PER_S)]
    assert len(events.recent) == RATE_PER_S + 2


# Search and seals, on both databases.


def _fill(
    store: Store, count: int, start: datetime = START, step: timedelta = timedelta(hours=1), first: int = 1
) -> None:
    with store.session() as session:
        session.add_all(
            EventRow(
                number=first + n,
                at=start + n * step,
                kind="syslog" if n % 2 else "link",
                subject=("c1-core", "c1-core/ospfd", "c1-core2")[n % 3],
                state=f"Neighbour {n} 中断 100%_",
                detail={"n": n},
            )
            for n in range(count)
        )


def test_events_are_found_by_time_kind_subject_and_words(store: Store) -> None:
    _fill(store, 30)
    with store.reading() as session:
        found = search_events(session, since=START + timedelta(hours=10), subject="c1-core")
        assert {row.subject for row in found} == {"c1-core", "c1-core/ospfd"}
        assert found[0].number > found[-1].number >= 11
        assert [row.number for row in search_events(session, since=START, text="neighbour 7 中断")] == [8]
        assert search_events(session, since=START, text="100%_x") == []
        assert len(search_events(session, since=START, text="100%_", kind="link")) == 15
        page = search_events(session, since=START, limit=10)
        rest = search_events(session, since=START, limit=100, before=page[-1].number)
        assert [row.number for row in (*page, *rest)] == list(range(30, 0, -1))


def _sealed(store: Store) -> None:
    _fill(store, 40)
    with store.session() as session:
        assert seals.seal(session) is not None
        assert seals.seal(session) is None
    _fill(store, 40, START + timedelta(hours=40), first=101)
    with store.session() as session:
        seals.seal(session)


def test_seals_hold_and_retention_keeps_the_oldest_provable(store: Store) -> None:
    _sealed(store)
    _fill(store, 3, START + timedelta(hours=80), first=201)
    with store.session() as session:
        proof = seals.verify(session)
        assert (proof.ok, proof.events, proof.unsealed) == (True, 80, 3)
        assert (
            seals.drop_old(session, START + timedelta(hours=41) + seals.KEEP) == 0
        )  # a gap: perhaps a clock that jumped
    for number in range(8):  # a county that is recorded day after day
        with store.session() as session:
            at = START + timedelta(days=25 * (number + 1))
            session.add(EventRow(number=1000 + number, at=at, kind="link", subject="x", state="up", detail={}))
        with store.session() as session:
            seals.seal(session)
    with store.session() as session:
        assert seals.drop_old(session, START + timedelta(hours=41) + seals.KEEP) == 40
        proof = seals.verify(session)
    assert proof.ok
    assert proof.oldest is not None
    assert proof.oldest_seal is not None
    assert proof.oldest.number == proof.oldest_seal.first == 101


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (update(EventRow).where(EventRow.number == 7).values(state="nothing happened"), "not what was sealed"),
        (update(EventRow).where(EventRow.number == 107).values(detail={}), "not what was sealed"),
        (delete(EventRow).where(EventRow.number == 7), "40 were sealed, 39 are there"),
        (update(EventSealRow).where(EventSealRow.last == 140).values(digest="f" * 64), "audit log holds no such seal"),
        (delete(AuditEntry).where(AuditEntry.number == 1), "audit log holds no such seal"),
    ],
)
def test_whatever_is_changed_later_is_seen(tmp_path: Path, what: object, words: str) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    _sealed(store)
    with store.session() as session:
        session.execute(what)  # type: ignore[call-overload]
    with store.reading() as session:
        problems = seals.verify(session).problems
    assert any(words in problem for problem in problems)
    store.close()
