"""The operations API under ``/api``: everything the page ``ops`` shows, and nothing without a session.

=======================  ================================================================================
``GET /api/county``      the map: sites, links, hosts, halls (cacheable, ETag)
``GET /api/state``       links, hosts, status, alerts, impact, running meetings as they are now
``WS /api/live``         the same document once, then what changes, as it changes
``GET /api/site/CODE``   one site: ports, probes, services, halls
``GET /api/series/NAME`` one named series of a site or link over time
=======================  ================================================================================
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response, WebSocket, WebSocketDisconnect

from dashboards.access import Access
from dashboards.county import county_document, encoded
from dashboards.live import Live
from dashboards.series import SERIES, BadQuestion, expression, lines, window
from dashboards.site import site_document
from dashboards.sources import Collector, Prometheus, SourceDown
from identity.people import Right
from inventory.model import NetworkModel

Document = dict[str, Any]

_NOT_SIGNED_IN = 4401  # WebSocket close codes of our own (RFC 6455 section 7.4.2), said to the page
_TOO_SLOW = 4408
_PING_S = 10.0


def build_api(
    model: NetworkModel, live: Live, access: Access, collector: Collector, prometheus: Prometheus
) -> APIRouter:
    """The router; ``live.run()`` is its caller's task."""
    router = APIRouter(prefix="/api")
    county, etag = encoded(county_document(model))
    may_watch = Depends(access.needs(Right.WATCH))

    @router.get("/county", dependencies=[may_watch])
    def county_map(request: Request) -> Response:
        headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(county, media_type="application/json", headers=headers)

    @router.get("/state", dependencies=[may_watch])
    async def state() -> Document:
        return live.document

    @router.websocket("/live")
    async def feed(websocket: WebSocket) -> None:
        await websocket.accept()

        async def admitted() -> bool:
            return await asyncio.to_thread(access.admits, websocket, Right.WATCH) is not None

        if await admitted():
            await _feed(websocket, live, admitted)
        else:
            await websocket.close(_NOT_SIGNED_IN, "not signed in")

    @router.get("/site/{code}", dependencies=[may_watch])
    async def site(code: str) -> Document:
        if code not in model.sites:
            raise HTTPException(404, f"site {code!r}: not in the county")
        return await site_document(model, code, collector, prometheus)

    @router.get("/series/{name}", dependencies=[may_watch])
    async def series(
        name: str,
        site: Annotated[str, Query(max_length=16)] = "",
        link: Annotated[str, Query(max_length=64)] = "",
        range_s: float = 3600.0,
        step_s: float | None = None,
    ) -> Document:
        try:
            asked = expression(model, name, site, link)
            start, end, step = window(time.time(), range_s, step_s)
        except BadQuestion as problem:
            raise HTTPException(422, str(problem)) from None
        try:
            matrix = await prometheus.query_range(asked, start, end, step)
        except SourceDown as silence:
            raise HTTPException(503, str(silence)) from None
        found = lines(name, matrix)
        return {"name": name, "unit": SERIES[name].unit, "start": start, "end": end, "step_s": step, "lines": found}

    return router


async def _feed(websocket: WebSocket, live: Live, admitted: Callable[[], Awaitable[bool]]) -> None:
    """The whole document, then changes; a page that leaves, is too slow or is signed out ends it."""
    with live.page() as changes:
        await websocket.send_json({"type": "state", **live.document})
        leaving = asyncio.create_task(_until_gone(websocket))
        asked = time.monotonic()
        try:
            while not leaving.done():
                if time.monotonic() - asked >= _PING_S:
                    asked = time.monotonic()
                    if not await admitted():
                        await websocket.close(_NOT_SIGNED_IN, "signed out")
                        return
                try:
                    change = await asyncio.wait_for(changes.get(), _PING_S)
                except TimeoutError:
                    await websocket.send_json({"type": "beat", "at": time.time()})
                    continue
                if change is None:
                    await websocket.close(_TOO_SLOW, "too slow")
                    return
                await websocket.send_json(change)
        except (WebSocketDisconnect, RuntimeError):
            return  # the page left while we were sending
        finally:
            leaving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await leaving


async def _until_gone(websocket: WebSocket) -> None:
    """Read, and so notice that the page left; what it sends means nothing."""
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        while True:
            await websocket.receive_text()
