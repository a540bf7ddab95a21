"""The network's own figures of one hall's path, for its line test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from collectors.probe.halls import hall_figures
from dashboards.sources import Collector, SourceDown
from inventory.model import NetworkModel


def hall_probes(model: NetworkModel, collector: Collector) -> Callable[[str], Awaitable[Mapping[str, Any] | None]]:
    """A reader of a hall's figures as the collector knows them now; None: no path of its own, or no collector."""

    async def of(hall: str) -> Mapping[str, Any] | None:
        try:
            measured = await collector.get("/probes")
        except SourceDown:
            return None
        return hall_figures(model, measured).get(hall)

    return of
