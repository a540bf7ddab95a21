"""The county as it is now: one document, kept up to date, and told to every open page as it changes.

The collector's events only wake this up; what is shown is always a fresh answer of the collector, so that a lost
event cannot leave a wrong picture. When a source is silent its part is shown as unknown, never as its last good state.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from dashboards.causes import causes, impact_document
from dashboards.seen import Seen, alert_document, faults_seen, hosts_seen, links_seen, loads_seen, watched_hosts
from dashboards.sources import Alertmanager, Collector, Prometheus, SourceDown
from inventory.impact import Faults, ImpactMap, Meeting
from inventory.model import NetworkModel

log = logging.getLogger("sanwang.live")

Document = dict[str, Any]
Meetings = Callable[[], Awaitable[Sequence[tuple[Meeting, Document]]]]
"""Meetings that run now, each with what the page shows of it."""

_QUEUE = 64  # changes a slow page may be behind before it is made to start over
_STATUS_S, _ALERTS_S, _MEETINGS_S, _LOADS_S = 2.0, 2.0, 3.0, 10.0
_UNWATCHED = 4  # times slower while no page is open; the collector's events are followed all the same
_RETRY_S = 1.0
_SETTLE_S = 0.03  # events of one fault come together
_COLLECTOR_PATHS = ("/links", "/hosts", "/status", "/faults")
_LOAD_EXPRESSION = "sanwang_link_bps"


class Live:
    """Owns the document and its sources.

    Args:
        model: The county.
        collector: State of links, hosts and services.
        alertmanager: Alerts.
        prometheus: Load of links.
        meetings: Which meetings run now.
    """

    def __init__(
        self,
        model: NetworkModel,
        collector: Collector,
        alertmanager: Alertmanager,
        prometheus: Prometheus,
        meetings: Meetings,
    ) -> None:
        self._model = model
        self.impacts = ImpactMap(model)
        self._collector, self._alertmanager, self._prometheus = collector, alertmanager, prometheus
        self._read_meetings = meetings
        self._running: list[Meeting] = []
        self._faults: list[Document] = []  # the collector's verdict
        self._loads: dict[str, float] = {}
        self._wakes = {name: asyncio.Event() for name in ("collector", "alertmanager", "meetings", "prometheus")}
        self._pages: set[asyncio.Queue[Document | None]] = set()
        self.dropped = 0  # pages made to start over because they were too slow
        unknown = Seen("unknown", None).document()
        self.document: Document = {
            "seq": 0,
            "at": time.time(),
            "sources": dict.fromkeys(("collector", "alertmanager", "prometheus", "meetings"), "not asked yet"),
            "links": dict.fromkeys(model.links, unknown),
            "hosts": dict.fromkeys(watched_hosts(model), unknown),
            "status": {},
            "faults": [],
            "alerts": [],
            "meetings": [],
            "impact": impact_document(self.impacts.of(Faults()), ()),
            "desk": 0,  # grows with every step of a ticket: pages then ask the desk
        }

    async def run(self) -> None:
        """Keep the document up to date until cancelled; an error that is no source's silence ends it, loudly."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow())
            group.create_task(self._repeat("collector", _STATUS_S, self._ask_collector))
            group.create_task(self._repeat("alertmanager", _ALERTS_S, self._ask_alerts))
            group.create_task(self._repeat("meetings", _MEETINGS_S, self._ask_meetings))
            group.create_task(self._repeat("prometheus", _LOADS_S, self._ask_loads))

    @property
    def faults(self) -> Faults:
        """Links and hosts that are down now."""
        down = (
            {name for name, each in self.document[what].items() if each["state"] == "down"}
            for what in ("links", "hosts")
        )
        return Faults(*map(frozenset, down))

    @property
    def loads(self) -> dict[str, float]:
        """Measured load of each link, bit/s; {} while nobody measures."""
        return self._loads

    @contextlib.contextmanager
    def page(self) -> Iterator[asyncio.Queue[Document | None]]:
        """A queue of changes from now on; None in it means: too slow, start over."""
        queue: asyncio.Queue[Document | None] = asyncio.Queue(_QUEUE)
        if not self._pages:
            for wake in self._wakes.values():
                wake.set()
        self._pages.add(queue)
        try:
            yield queue
        finally:
            self._pages.discard(queue)

    async def _follow(self) -> None:
        wake = self._wakes["collector"]
        while True:
            with contextlib.suppress(SourceDown):  # the next question to the collector tells its silence
                async for event in self._collector.events():
                    if event.get("kind") == "ticket":
                        self._publish({"desk": self.document["desk"] + 1})
                    wake.set()
            wake.set()
            await asyncio.sleep(_RETRY_S)

    async def _repeat(self, name: str, every_s: float, ask: Callable[[], Awaitable[None]]) -> None:
        wake = self._wakes[name]
        while True:
            try:
                await ask()
                self._source(name, "ok")
            except SourceDown as silence:
                self._silent(name)
                self._source(name, str(silence))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), every_s if self._pages else every_s * _UNWATCHED)
                await asyncio.sleep(_SETTLE_S)
            wake.clear()

    def _source(self, name: str, words: str) -> None:
        if self.document["sources"][name] != words:
            log.info("%s: %s", name, words)
            self._publish({"sources": {**self.document["sources"], name: words}})

    def _silent(self, name: str) -> None:
        """Forget what a silent source told."""
        if name == "collector":
            unknown = Seen("unknown", None).document()
            self._change(dict.fromkeys(self.document["links"], unknown), dict.fromkeys(self.document["hosts"], unknown))
            self._publish({"status": {}, "faults": []})
        elif name == "alertmanager":
            self._publish({"alerts": []})
        elif name == "prometheus":
            self._loads = {}

    async def _ask_collector(self) -> None:
        links, hosts, status, faults = await asyncio.gather(*map(self._collector.get, _COLLECTOR_PATHS))
        seen_links, seen_hosts = links_seen(self._model, links), hosts_seen(self._model, hosts)
        self._faults = faults_seen(faults)
        self._change(
            {name: self._with_load(name, seen.document()) for name, seen in seen_links.items()},
            {name: seen.document() for name, seen in seen_hosts.items()},
        )
        self._publish({"status": status, "faults": self._faults})

    def _with_load(self, name: str, document: Document) -> Document:
        bps = self._loads.get(name)
        if bps is None:
            return document
        return {**document, "bps": round(bps), "load": round(min(1.0, bps / self._model.links[name].rate_bps), 3)}

    def _change(self, links: dict[str, Document], hosts: dict[str, Document]) -> None:
        """Links and hosts together, so that no page sees a fault without what it means."""
        down_links = {name for name, link in links.items() if link["state"] == "down"}
        down_hosts = {name for name, host in hosts.items() if host["state"] == "down"}
        impact = self.impacts.of(
            Faults(frozenset(down_links), frozenset(down_hosts)), self._running, self._loads or None
        )
        found = impact_document(impact, causes(self._model, self._faults, down_links))
        self._publish({"links": links, "hosts": hosts, "impact": found})

    async def _ask_alerts(self) -> None:
        self._publish({"alerts": [alert_document(alert) for alert in await self._alertmanager.alerts()]})

    async def _ask_meetings(self) -> None:
        found = await self._read_meetings()
        self._running = [meeting for meeting, _ in found]
        self._publish({"meetings": [shown for _, shown in found]})
        self._change(self.document["links"], self.document["hosts"])

    async def _ask_loads(self) -> None:
        self._loads = loads_seen(self._model, await self._prometheus.query(_LOAD_EXPRESSION))

    def _publish(self, parts: Document) -> None:
        """Tell the pages what differs; of links and hosts only the entries that do."""
        change: Document = {}
        for name, value in parts.items():
            old = self.document[name]
            if value == old:
                continue
            self.document[name] = value
            if name in ("links", "hosts"):
                value = {key: entry for key, entry in value.items() if old.get(key) != entry}
            change[name] = value
        if not change:
            return
        self.document["seq"] += 1
        self.document["at"] = time.time()
        message = {"type": "change", "seq": self.document["seq"], "at": self.document["at"], **change}
        for queue in self._pages:
            self._offer(queue, message)

    def _offer(self, queue: asyncio.Queue[Document | None], message: Document) -> None:
        if queue.full():
            while not queue.empty():
                queue.get_nowait()
            self.dropped += 1
            queue.put_nowait(None)
            return
        queue.put_nowait(message)
