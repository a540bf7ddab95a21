"""``GET /api/figures`` (LEAD): the leaders' figures with everything they are made of; ``/units``: each unit's row.

``{"at": s, "month": "2026-11", "groups": [{"key": "state" | "use" | "quality" | "cost", "figures": [figure]}]}``; a
figure is ``formula.Figure.document``: its value is null when it is unknown, and its inputs then say why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Depends
from sqlalchemy import select

from collectors.desk.months import month_of
from collectors.desk.scores import scores
from collectors.desk.sla import availability
from collectors.desk.steps import Desk
from collectors.desk.tables import RED, YELLOW, MarkRow
from collectors.faults.tables import FaultRow, faults_between, open_faults
from dashboards.access import Access
from dashboards.figures.cost import cost_figures
from dashboards.figures.formula import Figure
from dashboards.figures.measured import Period, measuring_since
from dashboards.figures.quality import availability_figures, handling_figures, path_figures, restore_figures
from dashboards.figures.state import state_figures
from dashboards.figures.units import busy_loads, unit_rows
from dashboards.figures.use import capacity_figures, meeting_figures
from dashboards.live import Live
from dashboards.sources import Prometheus
from identity.people import Right
from inventory.model import NetworkModel
from inventory.schema import CostsIntent
from inventory.workdays import CHINA
from store.engine import Store
from vconf import attendance, meetings
from vconf.attendance import Stay
from vconf.meetings import Meeting

Document = dict[str, Any]


def local_now() -> datetime:
    """The time of day of the county, as its months and days begin (``inventory.workdays``)."""
    return datetime.now(CHINA)


class Figures:
    """Gathers the inputs and makes the figures of them; ``now`` gives an aware local time."""

    def __init__(
        self,
        model: NetworkModel,
        costs: CostsIntent | None,
        live: Live,
        prometheus: Prometheus,
        store: Store,
        now: Callable[[], datetime] = local_now,
    ) -> None:
        self._model, self._costs, self._live = model, costs, live
        self._prometheus, self._store, self._now = prometheus, store, now

    async def groups(self) -> list[tuple[str, list[Figure]]]:
        """Every group of figures, in the page's order."""
        now = self._now()
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        month = Period(day.replace(day=1), now)
        (faults, past), (today, booked, stays) = await asyncio.to_thread(self._read, day, month)
        sla, scored, cards = await asyncio.to_thread(self._supervised, month)
        since = await measuring_since(self._prometheus, now)
        capacity, paths = await asyncio.gather(
            capacity_figures(self._model, self._prometheus, since), path_figures(self._prometheus, since)
        )
        return [
            ("state", state_figures(self._model, self._live.document, faults, today, now)),
            ("use", [*meeting_figures(self._model, month, booked, stays), *capacity]),
            (
                "quality",
                [
                    *availability_figures(sla, now),
                    *restore_figures(past, month),
                    *paths,
                    *handling_figures(scored, cards, now),
                ],
            ),
            ("cost", cost_figures(self._model, self._costs)),
        ]

    async def document(self) -> Document:
        """As JSON types."""
        groups = await self.groups()
        now = self._now()
        return {
            "at": now.timestamp(),
            "month": f"{now:%Y-%m}",
            "groups": [{"key": key, "figures": [figure.document() for figure in found]} for key, found in groups],
        }

    async def units(self) -> Document:
        """Each unit's row, as JSON types."""
        now = self._now()
        month = Period(now.replace(day=1, hour=0, minute=0, second=0, microsecond=0), now)
        (sla, scored, _), busy = await asyncio.gather(
            asyncio.to_thread(self._supervised, month), busy_loads(self._prometheus)
        )
        rows = unit_rows(self._model, self._costs, self._live.document, busy, sla, scored)
        return {"at": now.timestamp(), "month": f"{now:%Y-%m}", "units": rows}

    def _read(
        self, day: datetime, month: Period
    ) -> tuple[
        tuple[Sequence[FaultRow], Sequence[FaultRow]], tuple[Sequence[Meeting], Sequence[Meeting], Sequence[Stay]]
    ]:
        with self._store.reading() as session:
            faults = open_faults(session), faults_between(session, month.start, month.end)
            booked = meetings.between(session, month.start, month.end)
            today = meetings.between(session, day, day + timedelta(days=1))
            stays = attendance.stays(session, month.start.astimezone(UTC), month.end)
            session.expunge_all()
        return faults, (today, booked, stays)

    def _supervised(self, month: Period) -> tuple[Document | None, Document | None, list[tuple[str, int]]]:
        """Service levels, scores and cards of the month; None, None and nothing in a county without supervision."""
        if self._model.supervision is None:
            return None, None, []
        desk = Desk(self._model, self._model.supervision, lambda: month.end)
        with self._store.reading() as session:
            given = select(MarkRow.kind, MarkRow.ticket).where(
                MarkRow.kind.in_((YELLOW, RED)), MarkRow.at >= month.start, MarkRow.withdrawn_at.is_(None)
            )
            cards = [(str(kind), int(ticket)) for kind, ticket in session.execute(given.order_by(MarkRow.ticket))]
            name = month_of(month.end)
            return availability(session, desk, name), scores(session, desk, name), cards


def build_figures(figures: Figures, access: Access) -> APIRouter:
    """The router."""
    router = APIRouter(prefix="/api")

    @router.get("/figures", dependencies=[Depends(access.needs(Right.LEAD))])
    async def leaders() -> Document:
        return await figures.document()

    @router.get("/figures/units", dependencies=[Depends(access.needs(Right.LEAD))])
    async def units() -> Document:
        return await figures.units()

    return router
