"""The collector's HTTP interface: JSON documents, the stream of events, metrics."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from collectors import agents
from collectors.alerts.calls import BadPayload
from collectors.county import County
from collectors.events import Event

log = logging.getLogger("sanwang.collect")

_MAX_BODY_BYTES = 4 << 20
_COMMENT_S = 5.0  # an empty comment keeps the stream's reader sure that we live
_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"

MetricsPage = Callable[[str], bytes]
"""part ("fast", "slow" or "" for both) -> exposition text."""
TakeAlerts = Callable[[Mapping[str, Any]], Awaitable[int]]
"""Alertmanager's payload -> how many messages it made; BadPayload, SQLAlchemyError."""
SnmpPage = Callable[[str], bytes | None]
"""target host -> exposition text of its last poll, None when there is no such target."""


def sse(event: Event) -> str:
    """One server-sent event."""
    data = json.dumps(event.document(), ensure_ascii=False)
    return f"id: {event.number}\nevent: {event.kind}\ndata: {data}\n\n"


async def _stream(county: County, after: int | None) -> AsyncIterator[str]:
    with county.events.follow() as follower:
        yield ": sanwang events\n\n"
        last = 0
        for event in county.events.since(after) if after is not None else ():
            last = event.number
            yield sse(event)
        dropped = 0
        while True:
            if follower.dropped != dropped:
                dropped = follower.dropped
                yield f": {dropped} events dropped, ask /links and /hosts\n\n"
            try:
                async with asyncio.timeout(_COMMENT_S):
                    event = await follower.queue.get()
            except TimeoutError:
                yield ": alive\n\n"
                continue
            if event.number > last:
                yield sse(event)


def snmp_endpoint(page: SnmpPage) -> Callable[[Request], Awaitable[Response]]:
    """``GET /snmp?target=HOST``."""

    async def endpoint(request: Request) -> Response:
        target = request.query_params.get("target", "")
        body = page(target)
        if body is None:
            return PlainTextResponse(f"target: found {target!r}, expected an appliance of the county\n", 404)
        return Response(body, media_type=_EXPOSITION)

    return endpoint


def route_endpoint(county: County) -> Callable[[Request], Awaitable[Response]]:
    """``GET /route?host=HOST&...``: which way that host would send a packet now (``collectors.agent.lookup``)."""

    async def endpoint(request: Request) -> Response:
        fields = dict(request.query_params)
        name = fields.pop("host", "")
        host = county.model.hosts.get(name)
        if name not in county.views or host is None or host.management is None:
            return JSONResponse({"error": f"host: found {name!r}, expected an appliance of the county"}, 404)
        try:
            return JSONResponse(await agents.get(host.management, "/route", fields))
        except agents.NoAnswer as problem:
            return JSONResponse({"error": str(problem)})

    return endpoint


async def _bounded(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MAX_BODY_BYTES:
            raise ValueError(f"found more than {_MAX_BODY_BYTES} bytes")
    return body


def application(
    county: County,
    metrics: MetricsPage,
    snmp: SnmpPage,
    documents: Mapping[str, Callable[[], object]],
    take_alerts: TakeAlerts,
) -> Starlette:
    """All routes; ``documents`` are those of other parts, by path; ``POST /alerts`` is Alertmanager's webhook.

    ``GET /events`` streams; with ``?recent=N`` it gives the last N as one JSON list.
    """

    async def events(request: Request) -> Response:
        if "recent" in request.query_params:
            text = request.query_params["recent"]
            count = int(text) if text.isdigit() else 100
            return JSONResponse([event.document() for event in list(county.events.recent)[-count:]])
        last = request.headers.get("last-event-id", "")
        after = int(last) if last.isdigit() else None
        return StreamingResponse(_stream(county, after), media_type="text/event-stream")

    async def metrics_page(request: Request) -> Response:
        part = request.query_params.get("part", "")
        if part not in ("", "fast", "slow"):
            return PlainTextResponse(f"part: found {part!r}, expected fast or slow\n", 400)
        return Response(metrics(part), media_type=_EXPOSITION)

    async def host(request: Request) -> Response:
        view = county.views.get(request.path_params["name"])
        if view is None:
            return JSONResponse({"error": f"no appliance {request.path_params['name']!r}"}, 404)
        return JSONResponse({"host": view.host, "connected": view.connected, "state": view.sections})

    async def alerts(request: Request) -> Response:
        try:
            payload = json.loads(await _bounded(request))
            if not isinstance(payload, dict):
                raise BadPayload("expected an object")
            await take_alerts(payload)
        except ValueError as problem:
            return PlainTextResponse(f"alerts: {problem}\n", 400)
        except SQLAlchemyError as problem:
            log.error("alerts: the store does not take them: %s", problem)
            return PlainTextResponse("alerts: the store does not take them now\n", 503)  # it is told again
        return PlainTextResponse("")

    answers: dict[str, Callable[[], object]] = {
        **documents,
        "/status": county.status_document,
        "/links": county.links_document,
        "/hosts": county.hosts_document,
        "/probes": county.probes_document,
    }

    def document(make: Callable[[], object]) -> Callable[[Request], Response]:
        async def endpoint(_request: Request) -> Response:
            return JSONResponse(make())

        return endpoint  # type: ignore[return-value]

    return Starlette(
        routes=[
            *(Route(path, document(make)) for path, make in answers.items()),
            Route("/hosts/{name}", host),
            Route("/route", route_endpoint(county)),
            Route("/events", events),
            Route("/alerts", alerts, methods=["POST"]),
            Route("/metrics", metrics_page),
            Route("/snmp", snmp_endpoint(snmp)),
        ]
    )
