"""The network pages' API; every route needs the right WATCH, and all but the what-if only reads.

==================================  ==================================================================================
``GET /api/net/link/NAME``          one link: light, probe, what rides it, its cut, its ducts, its faults
``GET /api/net/site/CODE``          a site's faults
``GET /api/net/impact?cut=NAME``    what the cut of a link, duct, device or site would mean now
``GET /api/net/meetings``           meetings of now and booked ones on the network
``GET /api/net/capacity``           busiest links with their trends
``GET /api/net/exit``               the shared exit: carriers' lines and users
``GET /api/net/optics``             received light of every fibre, its margin and trend
``GET /api/net/changes``            configurations, plans, audited acts; ``/plan/ID`` and ``/diff`` one of them
``GET /api/search?q=WORDS``         everything that has a name
==================================  ==================================================================================
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, HTTPException, Query

from dashboards.access import Access
from dashboards.live import Live
from dashboards.network.capacity import Capacity
from dashboards.network.changes import Changes, NoSuchChange
from dashboards.network.halls import Booked, Ways, meetings_document
from dashboards.network.link import cut_document, faults_of, link_document
from dashboards.network.optics import Optics
from dashboards.network.search import Entry, Index, tickets
from dashboards.sources import Collector, Prometheus, SourceDown
from identity.people import Right
from inventory.impact import Meeting
from inventory.model import NetworkModel
from inventory.optics import RECEIVER_LIMIT_DBM
from inventory.places import Places
from inventory.whatif import UnknownTarget, what_if
from store.engine import Store

T = TypeVar("T")
Document = dict[str, Any]
Meetings = Callable[[], Sequence[Booked]]
"""Meetings that run or are booked; it reads the store, and so is called beside the loop."""


def build_network(
    model: NetworkModel,
    places: Places,
    store: Store,
    live: Live,
    access: Access,
    collector: Collector,
    prometheus: Prometheus,
    meetings: Meetings,
) -> APIRouter:
    """The router."""
    router = APIRouter(prefix="/api", dependencies=[Depends(access.needs(Right.WATCH))])
    optics, capacity = Optics(model, prometheus), Capacity(model, prometheus)
    changes, index = Changes(places, store), Index(model)

    @router.get("/net/link/{name}")
    async def link(name: str) -> Document:
        if name not in model.links:
            raise HTTPException(404, f"link {name!r}: not in the county")
        silent: list[str] = []
        found = model.links[name]
        light, probes, past = await asyncio.gather(
            _or_silent(optics.of_link(found), [], silent),
            _or_silent(collector.get("/probes"), {}, silent),
            asyncio.to_thread(faults_of, store, [name, *found.ducts], datetime.now(UTC)),
        )
        document = link_document(live.impacts, name, live.faults, probes)
        return {
            **document,
            "optics": light,
            "limit_dbm": RECEIVER_LIMIT_DBM,
            "faults": past,
            "silent": sorted(set(silent)),
        }

    @router.get("/net/site/{code}")
    async def site(code: str) -> Document:
        if code not in model.sites:
            raise HTTPException(404, f"site {code!r}: not in the county")
        hosts = [host.name for host in model.site_hosts(code)]
        lines = [port.link for host in model.site_hosts(code) for port in host.ports]
        past = await asyncio.to_thread(faults_of, store, [code, *hosts, *lines], datetime.now(UTC))
        return {"code": code, "faults": past}

    @router.get("/net/impact")
    async def impact(cut: Annotated[str, Query(max_length=64)]) -> Document:
        booked = await asyncio.to_thread(meetings)
        try:
            shown = [Meeting(each.id, each.title, each.halls) for each in booked]
            return cut_document(model, cut, what_if(live.impacts, cut, live.faults, shown, live.loads or None))
        except UnknownTarget as problem:
            raise HTTPException(404, str(problem)) from None

    @router.get("/net/meetings")
    async def on_the_network() -> Document:
        silent: list[str] = []
        booked, probes = await asyncio.gather(
            asyncio.to_thread(meetings), _or_silent(collector.get("/probes"), {}, silent)
        )
        ways = Ways(live.impacts, live.faults)
        return {"meetings": meetings_document(model, booked, ways, probes, live.loads), "silent": silent}

    @router.get("/net/capacity")
    async def links() -> Document:
        return await _or_503(capacity.links())

    @router.get("/net/exit")
    async def shared_exit() -> Document:
        return await _or_503(capacity.exit())

    @router.get("/net/optics")
    async def light() -> Document:
        return await _or_503(optics.document())

    @router.get("/net/changes")
    def history(device: Annotated[str, Query(max_length=64)] = "", last: Annotated[int, Query(ge=1)] = 100) -> Document:
        if device and device not in model.hosts:
            raise HTTPException(404, f"device {device!r}: not in the county")
        try:
            versions = changes.versions(device, last)
        except NoSuchChange as problem:
            raise HTTPException(503, str(problem)) from None
        plans = [plan for plan in changes.plans() if not device or device in plan["hosts"]]
        return {"versions": versions, "plans": plans, "acts": [] if device else changes.audit(last)}

    @router.get("/net/changes/plan/{plan_id}")
    def plan(plan_id: str) -> Document:
        try:
            return changes.plan(plan_id)
        except NoSuchChange as problem:
            raise HTTPException(404, str(problem)) from None

    @router.get("/net/changes/diff")
    def difference(
        device: Annotated[str, Query(max_length=64)], commit: Annotated[str, Query(max_length=64)]
    ) -> Document:
        if device not in model.hosts:
            raise HTTPException(404, f"device {device!r}: not in the county")
        try:
            return changes.difference(device, commit)
        except NoSuchChange as problem:
            raise HTTPException(404, str(problem)) from None

    @router.get("/search")
    def search(q: Annotated[str, Query(max_length=100)]) -> Document:
        booked = [
            Entry("meeting", each.id, each.title, each.title, f"/meetings?meeting={each.id}") for each in meetings()
        ]
        with store.reading() as session:
            found = tickets(session, q)
        return {"found": index.find(q, [*booked, *found])}

    return router


async def _or_silent(asked: Awaitable[T], empty: T, silent: list[str]) -> T:
    """What the source says, else ``empty`` and its silence on the list."""
    try:
        return await asked
    except SourceDown as silence:
        silent.append(str(silence))
        return empty


async def _or_503(asked: Awaitable[Document]) -> Document:
    try:
        return await asked
    except SourceDown as silence:
        raise HTTPException(503, str(silence)) from None
