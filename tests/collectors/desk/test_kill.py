"""kill -9 at any moment: a process of its own ticks over a day in seconds, and is killed again and again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from collectors.desk import filing
from collectors.desk.service import DeskService
from collectors.desk.steps import Desk
from collectors.desk.tables import MarkRow, StepRow
from collectors.events import Events
from inventory.model import NetworkModel
from store.audit import verify_chain
from store.engine import Store, open_store
from tests.collectors.desk.conftest import Clock

START = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)
FASTER = 12 * 3600  # half a day in a second: 24 hours' limits are over in two
TICKETS = 12


def _ticking(url: str, model: NetworkModel, began: float) -> None:
    store = open_store(url)
    assert model.supervision is not None

    def passed() -> float:
        return (time.monotonic() - began) * FASTER

    desk = DeskService(
        model, model.supervision, store, Events(), now=lambda: START + timedelta(seconds=passed()), monotonic_s=passed
    )
    while True:
        desk.look()


def test_killed_again_and_again_everything_fires_once(store: Store, url: str, model: NetworkModel) -> None:
    assert model.supervision is not None
    at = Desk(model, model.supervision, lambda: START)
    with store.session() as session:
        for number in range(TICKETS):
            filing.report(session, at, who="qian", site="t01", text=f"慢 {number}")
    store.engine.dispose()
    forking = multiprocessing.get_context("fork")
    began = time.monotonic()
    kills = 0
    while time.monotonic() - began < 4.0:
        process = forking.Process(target=_ticking, args=(url, model, began))
        process.start()
        time.sleep(0.11 + 0.07 * (kills % 5))
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        kills += 1
    assert kills > 5
    clock = Clock()
    clock.wall = START + timedelta(days=10)  # whatever the killed ones had no time for
    final = DeskService(model, model.supervision, store, Events(), now=clock.now, monotonic_s=clock.monotonic_s)
    for _ in range(4):
        final.look()
        clock.go(hours=1)
    with store.reading() as session:
        steps = Counter((row[0], row[1]) for row in session.execute(select(StepRow.ticket, StepRow.what)))
        marks = Counter(session.scalars(select(MarkRow.kind)))
        chain = verify_chain(session)
    for ticket in range(1, TICKETS + 1):
        fired = {what: steps[ticket, what] for what in ("late-response", "yellow", "red", "escalate")}
        assert fired == {"late-response": 1, "yellow": 1, "red": 1, "escalate": 4}
    assert set(marks.values()) == {TICKETS}
    assert chain.ok
