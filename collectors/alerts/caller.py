"""The part of the collector that calls people; its state is all in the store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from collectors.alerts import calls
from collectors.alerts.channels import Secret
from collectors.alerts.deliver import Counts, deliver, plan
from collectors.alerts.silences import reconcile
from collectors.alerts.tables import WindowRow, windows
from collectors.events import Events
from collectors.faults.tables import FaultRow, open_faults
from collectors.faults.tell import ADDRESS
from inventory.model import NetworkModel
from store.base import utc_now
from store.engine import Store

log = logging.getLogger("sanwang.alerts")

_LOOK_S = 2.0


class Caller:
    """Owned by the collector.

    Args:
        store: With the alerts' tables.
        model: The county, with ``alerting`` when somebody is called.
        events: Where messages that could not be delivered are told.
        secret: Passwords of mail server and gateway.
        alertmanager: Host and port.
        now: UTC; injected by tests.
    """

    def __init__(
        self,
        store: Store,
        model: NetworkModel,
        events: Events,
        secret: Secret,
        *,
        alertmanager: tuple[str, int] = ADDRESS,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store, self._model, self._events = store, model, events
        self._secret, self._alertmanager, self._now = secret, alertmanager, now
        self._silenced = True  # what an earlier collector left is looked at once
        self.counts = Counts()

    async def take(self, payload: Mapping[str, Any]) -> int:
        """What Alertmanager's webhook brings; BadPayload, or SQLAlchemyError: it comes again then."""
        return await asyncio.to_thread(self._take, payload)

    def _take(self, payload: Mapping[str, Any]) -> int:
        alerting = self._model.alerting
        if alerting is None:
            return 0
        with self._store.session() as session:
            return calls.take(session, self._model, alerting, payload, self._now())

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat("calls", self._call))
            group.create_task(self._repeat("windows", self._silence))
            group.create_task(self._repeat("messages", self._deliver))

    async def _repeat(self, name: str, step: Callable[[], list[tuple[str, str]] | None]) -> None:
        said = ""
        while True:
            try:
                for recipient, why in await asyncio.to_thread(step) or ():
                    self._events.emit("message", recipient, "not delivered", reason=why)
                said = ""
            except (SQLAlchemyError, OSError) as problem:
                if str(problem) != said:
                    log.error("%s: %s; tried again", name, problem)
                said = str(problem)
            await asyncio.sleep(_LOOK_S)

    def _call(self) -> None:
        alerting = self._model.alerting
        with self._store.session() as session:
            if alerting is not None:
                calls.escalate(session, self._model, alerting, self._now())
            plan(session, self._model, alerting, self._now())

    def _deliver(self) -> list[tuple[str, str]]:
        if self._model.alerting is None:
            return []
        return deliver(self._store, self._model.alerting, self._now, self._secret, self.counts)

    def _silence(self) -> None:
        now = self._now()
        with self._store.reading() as session:
            found = windows(session, now)
        running = [row for row in found if row.start_at <= now]
        if running:
            with self._store.session() as session:
                mark(session, running)
        if found or self._silenced:
            reconcile(found, now, self._alertmanager)
            self._silenced = bool(found)


def mark(session: Session, running: list[WindowRow]) -> None:
    """Write down of open faults in whose window they opened."""
    for fault in open_faults(session):
        if fault.window is not None:
            continue
        kind, _, subject = fault.key.partition(":")
        host = subject.partition("/")[0]
        for row in running:
            inside = subject in row.links if kind == "link" else kind in ("host", "service") and host in row.hosts
            if inside and row.start_at <= fault.opened_at <= row.end_at:
                session.get_one(FaultRow, fault.id).window = row.id
                break
