"""``GET /api/figures`` (LEAD): the leaders' figures with everything they are made of.

``{"at": s, "month": "2026-11", "groups": [{"key": "state" | "use" | "quality" | "cost", "figures": [figure]}]}``; a
figure is ``formula.Figure.document``: its value is null when it is unknown, and its inputs then say why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Depends

from collectors.faults.tables import FaultRow, faults_between, open_faults
from dashboards.access import Access
from dashboards.figures.cost import cost_figures
from dashboards.figures.formula import Figure
from dashboards.figures.measured import Period
from dashboards.figures.quality import path_figures, restore_figures
from dashboards.figures.state import state_figures
from dashboards.figures.use import capacity_figures, meeting_figures
from dashboards.live import Live
from dashboards.sources import Prometheus
from identity.people import Right
from inventory.model import NetworkModel
from inventory.schema import CostsIntent
from store.engine import Store
from vconf import meetings
from vconf.meetings import Meeting, Stay

Document = dict[str, Any]


def local_now() -> datetime:
    """The time of day here, aware."""
    return datetime.now().astimezone()


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
        capacity, paths = await asyncio.gather(
            capacity_figures(self._model, self._prometheus, now), path_figures(self._prometheus, now)
        )
        return [
            ("state", state_figures(self._model, self._live.document, faults, today, now)),
            ("use", [*meeting_figures(self._model, month, booked, stays), *capacity]),
            ("quality", [*restore_figures(past, month), *paths]),
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

    def _read(
        self, day: datetime, month: Period
    ) -> tuple[
        tuple[Sequence[FaultRow], Sequence[FaultRow]], tuple[Sequence[Meeting], Sequence[Meeting], Sequence[Stay]]
    ]:
        with self._store.reading() as session:
            faults = open_faults(session), faults_between(session, month.start, month.end)
            booked = meetings.between(session, month.start, month.end)
            today = meetings.between(session, day, day + timedelta(days=1))
            stays = meetings.stays(session, month.start.astimezone(UTC), month.end)
            session.expunge_all()
        return faults, (today, booked, stays)


def build_figures(figures: Figures, access: Access) -> APIRouter:
    """The router."""
    router = APIRouter(prefix="/api")

    @router.get("/figures", dependencies=[Depends(access.needs(Right.LEAD))])
    async def leaders() -> Document:
        return await figures.document()

    return router
