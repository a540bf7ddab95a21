"""The desk inside the collector: one task that looks at the time and the faults every two seconds.

The database is asked in a thread.  A database that is away is no reason to stop: what came due meanwhile fires once it
is back.  Every new step, whoever made it, is told on the collector's stream of events, so that pages are live.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from collectors.desk.actions import Grant
from collectors.desk.clock import Trust
from collectors.desk.steps import Desk
from collectors.desk.tables import DeskClockRow, StepRow, TicketRow
from collectors.desk.tick import pending, tick
from collectors.events import Events
from inventory.model import NetworkModel
from inventory.supervision import Supervision
from store import audit
from store.base import utc_now
from store.engine import Store

log = logging.getLogger("sanwang.desk")

EVERY_S = 2.0


class DeskService:
    """Owns the desk's clock in a process; there may be several, they meet in the store.

    Args:
        model, rules: The county.
        store: Tickets and faults.
        events: Where steps are told.
        grant: Does what a granted request asks for.
        now, monotonic_s: Wall clock (UTC) and monotonic clock.
    """

    def __init__(
        self, model: NetworkModel, rules: Supervision, store: Store, events: Events, grant: Grant | None = None,
        *, now: Callable[[], datetime] = utc_now, monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._desk = Desk(model, rules, now)
        self._store, self._events, self._grant = store, events, grant
        self._now, self._monotonic_s = now, monotonic_s
        self._trust = Trust()
        self._told = -1  # the last step that was told as an event
        self.good = 0
        self.failed = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                fresh = await asyncio.to_thread(self.look)
                self.good += 1
                for step, site, name in fresh:
                    detail = {"site": site, "class": name, "step": step.id, "who": step.who}
                    self._events.emit("ticket", str(step.ticket), step.what, **detail)
            except SQLAlchemyError as problem:
                self.failed += 1
                log.error("desk: the store: %s; it is asked again", str(problem).split("\n")[0])
            except Exception:  # tickets must not take the watch of the county down with them: an alert tells
                self.failed += 1
                log.exception("desk: a look failed; the next one comes")
            await asyncio.sleep(EVERY_S)

    def look(self) -> list[tuple[StepRow, str, str]]:
        """One look: do what is due; new steps with their tickets' site and class.  Raises SQLAlchemyError."""
        wall, monotonic_s = self._now(), self._monotonic_s()
        if self._trust.wall is None:
            with self._store.reading() as session:
                seen = session.get(DeskClockRow, 1)
                self._told = session.scalar(select(func.max(StepRow.id))) or 0
            off = self._trust.began(seen.at if seen else None, wall, monotonic_s)
        else:
            off = self._trust.look(wall, monotonic_s)
        if off is not None:
            log.warning("desk: the clock was stepped by %s: deadlines wait until it is steady", off)
            with self._store.session() as session:
                audit.record(session, "collect", "desk.clock-step", "", {"seconds": round(off.total_seconds(), 3)})
        steady = self._trust.steady(monotonic_s)
        with self._store.reading() as session:
            due = pending(session, self._desk, wall, steady=steady)
        if due:
            with self._store.session() as session:
                tick(session, self._desk, wall, steady=steady, grant=self._grant)
        with self._store.reading() as session:
            query = select(StepRow, TicketRow.site, TicketRow.class_name).join(
                TicketRow, TicketRow.id == StepRow.ticket
            )
            fresh = session.execute(query.where(StepRow.id > self._told).order_by(StepRow.id)).all()
        if fresh:
            self._told = fresh[-1][0].id
        return [(row, site, name) for row, site, name in fresh]
