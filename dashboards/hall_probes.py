"""The network's own figures of one hall's path, for its line test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from collectors.probe.halls import hall_figures
from dashboards.sources import Collector, SourceDown
from inventory.model import NetworkModel


def hall_probes(model: NetworkModel, collector: Collector) -> Callable[[str], Awaitable[Mapping[str, Any] | None]]:
    """A reader of a hall's figures as the collector knows them now; None: no path of its own, or no collector."""
    every = all_probes(model, collector)

    async def of(hall: str) -> Mapping[str, Any] | None:
        return (await every()).get(hall)

    return of


def all_probes(model: NetworkModel, collector: Collector) -> Callable[[], Awaitable[Mapping[str, Mapping[str, Any]]]]:
    """The same of every hall that has a path; {} while the collector is silent."""

    async def of() -> Mapping[str, Mapping[str, Any]]:
        try:
            measured = await collector.get("/probes")
        except SourceDown:
            return {}
        return hall_figures(model, measured)

    return of
