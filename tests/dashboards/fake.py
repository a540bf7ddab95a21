"""A county's sources for tests: a real HTTP server on a unix socket that answers as collector, Prometheus and
Alertmanager do. A test sets what is down; everything else follows from the model."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from collectors.expected import expect
from collectors.faults.diagnose import Dark, Diagnosis, Root, Symptoms
from inventory.model import NetworkModel, Role
from inventory.probes import link_paths, probe_paths
from tests.dashboards import prometheus


class FakeSources:
    """What the sources say now; ``link`` and ``host`` change it and send the event."""

    def __init__(self, model: NetworkModel, socket: Path) -> None:
        self.model, self.socket = model, socket
        self.down_links: dict[str, float] = {}
        self.down_hosts: dict[str, float] = {}
        self.unknown = False
        self.silent = False
        self.no_prometheus = False
        self.alerts: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.numbers: dict[str, float] = {}  # part of an expression -> the one number it gives
        self.vectors: dict[str, dict[str, float]] = {}  # part of an expression -> value by link
        self._events: set[asyncio.Queue[dict[str, Any]]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started = time.time() - 7200
        self._diagnosis = Diagnosis(model, expect(model))
        config = uvicorn.Config(self._application(), uds=str(socket), log_level="warning", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Serve in a thread until ``stop``."""
        self._thread.start()
        deadline = time.monotonic() + 60
        while not self._server.started:
            assert time.monotonic() < deadline, "the fake sources did not start"
            time.sleep(0.01)

    def stop(self) -> None:
        """End the thread."""
        self._server.should_exit = True
        self._thread.join(60)

    def reset(self) -> None:
        """Everything up, nothing told, every question forgotten."""
        self.down_links.clear()
        self.down_hosts.clear()
        self.alerts.clear()
        self.asked.clear()
        self.numbers.clear()
        self.vectors.clear()
        self.unknown = self.silent = self.no_prometheus = False
        self._tell({"kind": "link", "subject": "", "state": "up"})

    def fall_silent(self) -> None:
        """Answer nothing more to ``/status``, after one last event."""
        self.silent = True
        self._tell({"kind": "link", "subject": "", "state": "up"})

    def link(self, name: str, state: str) -> None:
        """Change a link's state and tell it."""
        if state == "down":
            self.down_links[name] = time.time()
        else:
            self.down_links.pop(name, None)
        self._tell({"kind": "link", "subject": name, "state": state})

    def host(self, name: str, state: str) -> None:
        """Change a host's state, its links' with it, and tell it."""
        for port in self.model.hosts[name].ports:
            if state == "down":
                self.down_links[port.link] = time.time()
            else:
                self.down_links.pop(port.link, None)
        if state == "down":
            self.down_hosts[name] = time.time()
        else:
            self.down_hosts.pop(name, None)
        self._tell({"kind": "host", "subject": name, "state": state})

    def _tell(self, event: dict[str, Any]) -> None:
        assert self._loop is not None
        for queue in list(self._events):
            self._loop.call_soon_threadsafe(queue.put_nowait, event)

    def _run(self) -> None:
        async def main() -> None:
            self._loop = asyncio.get_running_loop()
            await self._server.serve()

        asyncio.run(main())

    def _application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/status", self._status),
                Route("/links", self._links),
                Route("/hosts", self._hosts),
                Route("/probes", self._probes),
                Route("/faults", self._faults),
                Route("/events", self._stream),
                Route("/api/v1/query", self._query),
                Route("/api/v1/query_range", self._query_range),
                Route("/api/v2/alerts", self._alerts),
            ]
        )

    async def _status(self, _: Request) -> Response:
        if self.silent:
            return Response(status_code=503)
        hosts = sum(host.role is not Role.OUTSIDE for host in self.model.hosts.values())
        count = {"expected": hosts, "ok": hosts - len(self.down_hosts)}
        links = len([link for link in self.model.links.values() if link.fibre])
        bfd = {"expected": links, "ok": links - len(self.down_links)}
        tunnels = {"expected": len(self.model.tunnels), "ok": len(self.model.tunnels)}
        ready = not self.down_links and not self.down_hosts
        one = {"expected": 1, "ok": 1}
        parts = {"hosts": count, "services": count, "ospf": bfd, "bfd": bfd, "tunnels": tunnels, "targets": count}
        return JSONResponse({"ready": ready, **parts, "relay": one, "problems": []})

    def _entry(self, down_at: float | None) -> dict[str, Any]:
        if self.unknown:
            return {"state": "unknown", "since": None}
        return {"state": "down" if down_at else "up", "since": down_at or self._started}

    async def _links(self, _: Request) -> Response:
        return JSONResponse({name: self._entry(self.down_links.get(name)) for name in self.model.links})

    async def _hosts(self, _: Request) -> Response:
        inside = [host.name for host in self.model.hosts.values() if host.role is not Role.OUTSIDE]
        return JSONResponse({name: self._entry(self.down_hosts.get(name)) for name in inside})

    async def _probes(self, _: Request) -> Response:
        jitter = {"forward_jitter_ms": 0.02, "backward_jitter_ms": 0.03}
        losses = {"loss_ratio": 0.0, "loss_forward_ratio": 0.0, "loss_backward_ratio": 0.0}
        figures = {"rtt_ms": 0.42, **losses, **jitter, "bottleneck_bps": 94_000_000, "mos": 4.41, "fresh": True}
        paths = (*probe_paths(self.model), *link_paths(self.model))
        return JSONResponse({path.name: {**figures, "host": path.host} for path in paths})

    async def _faults(self, _: Request) -> Response:
        """The collector's own diagnosis of what is down."""
        links = {name: Dark(False, at) for name, at in self.down_links.items()}
        links |= {port.link: Dark(False, at) for host, at in self.down_hosts.items()
                  for port in self.model.hosts[host].ports}  # fmt: skip
        hosts = {name: Dark(False, at) for name, at in self.down_hosts.items()}
        roots = self._diagnosis.find(Symptoms(links, hosts))
        faults = [self._fault(root, min([*self.down_links.values(), *self.down_hosts.values()])) for root in roots]
        return JSONResponse({"at": time.time(), "faults": [{"id": at, **each} for at, each in enumerate(faults, 1)]})

    def _fault(self, root: Root, at: float) -> dict[str, Any]:
        what, _, name = root.key.partition(":")
        words = {"zh": f"{name} 中断", "en": f"{name} is down", "next_step": ""}
        none = dict.fromkeys(("acknowledged_by", "acknowledged_at", "acknowledged_why", "window", "cleared_at"))
        about = {"subject": name, "link": name if what == "link" else "", "host": name if what == "host" else ""}
        kind = {"key": root.key, "kind": root.kind, "site": root.site, "severity": root.severity}
        more: dict[str, Any] = {"links": list(root.links), "hosts": list(root.hosts), "detail": {}, "children": []}
        more["impact"] = {}
        return {**kind, **about, **words, "opened_at": at, **none, **more}

    async def _stream(self, _: Request) -> Response:
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

        async def events() -> AsyncIterator[str]:
            self._events.add(queue)
            try:
                yield ": hello\n\n"
                while not self._server.should_exit:
                    try:
                        event = await asyncio.wait_for(queue.get(), 0.2)
                    except TimeoutError:
                        continue
                    yield f"event: {event['kind']}\ndata: {json.dumps(event)}\n\n"
            finally:
                self._events.discard(queue)

        return StreamingResponse(events(), media_type="text/event-stream")

    async def _alerts(self, _: Request) -> Response:
        return JSONResponse(self.alerts)

    async def _query(self, request: Request) -> Response:
        if self.no_prometheus:
            return Response(status_code=503)
        asked = request.query_params["query"]
        self.asked.append(asked)
        now = time.time()
        planted: prometheus.Rows = [({}, value) for part, value in self.numbers.items() if part in asked]
        for part, values in self.vectors.items():
            planted += [({"link": link}, value) for link, value in values.items() if part in asked]
        rows = planted or prometheus.rows(self.model, asked, now)
        result = [{"metric": metric, "value": [now, str(value)]} for metric, value in rows]
        return JSONResponse(prometheus.document("vector", result))

    async def _query_range(self, request: Request) -> Response:
        if self.no_prometheus:
            return Response(status_code=503)
        asked = request.query_params["query"]
        self.asked.append(asked)
        start, end, step = (float(request.query_params[name]) for name in ("start", "end", "step"))
        times = [start + index * step for index in range(int((end - start) / step) + 1)]
        result = [
            {"metric": metric, "values": [[at, str(value(at))] for at in times]}
            for metric, value in prometheus.lines(self.model, asked, time.time())
        ]
        return JSONResponse(prometheus.document("matrix", result))
