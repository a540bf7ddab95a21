"""Faults put together: the watch steps after every judging; rows go to the store, alerts to Alertmanager.

Both are behind when they are away and catch up by themselves: what is not written or told yet is kept in memory, and a
fault that is open is told again and again.  A collector that starts takes up the store's open faults.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from collectors.county import County
from collectors.faults.ask import Asker
from collectors.faults.book import Change, Fault
from collectors.faults.impacts import impacts, meetings
from collectors.faults.rows import NO_MARKS, fault_document, fault_of, marks_of, save
from collectors.faults.tables import FaultRow, open_faults
from collectors.faults.tell import ADDRESS, REPEAT_S, alert, post
from collectors.faults.watch import Watch
from collectors.faults.words import words
from inventory.impact import ImpactMap
from store.base import utc_now
from store.engine import Store

log = logging.getLogger("sanwang.faults")

_RETRY_S = 1.0
_REFRESH_S = 2.0  # acknowledgements are written by others
_IMPACT_S = 15.0
_FORGET = timedelta(hours=2)  # an alert that was not resolved ends by itself within that time

Document = dict[str, Any]


class Faults:
    """Owned by the collector; everything but the writing and telling happens in its loop."""

    def __init__(self, county: County, store: Store, alertmanager: tuple[str, int] = ADDRESS) -> None:
        self._county, self._store, self._alertmanager = county, store, alertmanager
        self.watch = Watch(county)
        self._asker = Asker(county)
        self._unwritten: dict[int, Fault] = {}
        self._untold: dict[int, Fault] = {}
        self._marks: dict[int, Document] = {}  # of open faults: who acknowledged, which window
        self._write_wake, self._tell_wake = asyncio.Event(), asyncio.Event()
        self.opened = self.told = self.failed = 0
        self._where: ImpactMap | None = None  # made when the first fault asks
        self._asked: tuple[object, ...] = ()
        self.loads: Callable[[], Mapping[str, float]] | None = None  # measured load of links, in bit/s

    def adopt(self) -> None:
        """Take up what the store has; call before the loop begins."""
        with self._store.reading() as session:
            rows = [(fault_of(row), marks_of(row)) for row in open_faults(session)]
            highest = session.scalar(select(func.max(FaultRow.id))) or 0
            lately = session.scalars(select(FaultRow).where(FaultRow.cleared_at > utc_now() - _FORGET)).all()
            self._untold = {row.id: fault_of(row) for row in lately}
        self.watch.book.adopt([fault for fault, _ in rows], highest + 1, time.monotonic())
        self._marks = {fault.id: marks for fault, marks in rows}
        self._county.judged.append(self._judged)

    def _judged(self, now: float, wall: float) -> None:
        for change in self.watch.step(now, wall):
            self._changed(change)

    def _changed(self, change: Change) -> None:
        fault = change.fault
        self._unwritten[fault.id] = fault
        self._untold[fault.id] = fault
        self.opened += change.what == "opened"
        self._county.events.emit("fault", fault.key, change.what, fault=self.document(fault))
        self._write_wake.set()
        self._tell_wake.set()
        log.info("fault %d %s: %s %s", fault.id, change.what, fault.kind, fault.subject)

    async def run(self) -> None:
        """Until cancelled; what is unwritten then is written."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._asker.run())
                group.create_task(self._writing())
                group.create_task(self._telling())
        finally:
            if self._unwritten:
                _last_write(self._write)

    async def _writing(self) -> None:
        while True:
            try:
                await self._think()
                pending = dict(self._unwritten)
                marks = await asyncio.to_thread(self._write, list(pending.values()))
            except SQLAlchemyError as problem:
                self.failed += 1
                log.error("store: %s; %d faults wait", problem, len(self._unwritten))
                await asyncio.sleep(_RETRY_S)
                continue
            for number, fault in pending.items():
                if self._unwritten.get(number) is fault:
                    del self._unwritten[number]
            self._mark(marks)
            await _wait(self._write_wake, 0.0 if self._unwritten else _REFRESH_S)

    async def _think(self) -> None:
        """Work out what the open faults mean, anew when they, the meetings or a minute have gone on."""
        faults = self.watch.book.open
        shape = tuple((fault.id, fault.kind, fault.links, fault.hosts) for fault in faults)
        if not faults or (shape, time.monotonic() // _IMPACT_S) == self._asked:
            return
        self._asked = (shape, time.monotonic() // _IMPACT_S)
        loads = dict(self.loads()) if self.loads is not None else None
        for number, impact in (await asyncio.to_thread(self._impacts, faults, loads)).items():
            change = self.watch.book.impact(number, impact)
            if change is not None:
                self._changed(change)

    def _impacts(self, faults: list[Fault], loads: Mapping[str, float] | None) -> dict[int, Document]:
        self._where = self._where or ImpactMap(self._county.model)
        with self._store.reading() as session:
            booked = meetings(session, utc_now())
        return impacts(self._where, faults, booked, loads)

    def _write(self, faults: list[Fault] | None = None) -> dict[int, Document]:
        faults = list(self._unwritten.values()) if faults is None else faults
        if faults:
            with self._store.session() as session:
                for fault in faults:
                    save(session, fault)
        with self._store.reading() as session:
            return {row.id: marks_of(row) for row in open_faults(session)}

    def _mark(self, marks: dict[int, Document]) -> None:
        for fault in self.watch.book.open:
            mine = marks.get(fault.id)
            if mine is not None and mine != self._marks.get(fault.id, NO_MARKS):
                self._marks[fault.id] = mine
                self._county.events.emit("fault", fault.key, "acknowledged", fault=self.document(fault))
        self._marks = marks

    async def _telling(self) -> None:
        while True:
            now = time.time()
            pending = dict(self._untold)
            send = {**{fault.id: fault for fault in self.watch.book.open}, **pending}
            try:
                if send:
                    alerts = [alert(fault, words(self._county.model, fault), now) for fault in send.values()]
                    await asyncio.to_thread(post, alerts, self._alertmanager)
                    self.told += len(alerts)
            except OSError as problem:
                log.warning("%s; %d alerts wait", problem, len(send))
                await asyncio.sleep(_RETRY_S)
                continue
            for number, fault in pending.items():
                if self._untold.get(number) is fault:
                    del self._untold[number]
            await _wait(self._tell_wake, 0.0 if self._untold else REPEAT_S)

    def document(self, fault: Fault) -> Document:
        """A fault as JSON: ``GET /faults`` and the events show this."""
        return fault_document(self._county.model, fault, self._marks.get(fault.id))

    def faults_document(self) -> Document:
        """``GET /faults``."""
        return {"at": round(time.time(), 3), "faults": [self.document(fault) for fault in self.watch.book.open]}


def _last_write(action: Callable[[], object]) -> None:
    """The last write of a collector that leaves: the store may be the reason why it does."""
    try:
        action()
    except SQLAlchemyError as problem:
        log.error("store: %s", problem)


async def _wait(wake: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await wake.wait()
    except TimeoutError:
        pass
    wake.clear()
