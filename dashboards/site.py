"""One site's page: its ports with optical power, probes that end there, services it hosts."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from typing import Any

from collectors.probe.halls import hall_figures
from dashboards.sources import Collector, Prometheus, SourceDown
from inventory.model import Host, NetworkModel, Role
from inventory.probes import probe_paths

Document = dict[str, Any]


async def site_document(model: NetworkModel, code: str, collector: Collector, prometheus: Prometheus) -> Document:
    """As JSON types; ``silent`` names the sources that did not answer. Powers in dBm, times in milliseconds."""
    hosts = list(model.site_hosts(code))
    names = "|".join(host.name for host in hosts)
    silent: list[str] = []

    async def power(direction: str) -> dict[tuple[str, str], float]:
        try:
            found = await prometheus.query(f'sanwang_optical_power_dbm{{host=~"{names}", direction="{direction}"}}')
        except SourceDown as silence:
            silent.append(str(silence))
            return {}
        return by_port(found)

    async def probes() -> Document:
        try:
            return await collector.get("/probes")
        except SourceDown as silence:
            silent.append(str(silence))
            return {}

    received, sent, measured = await asyncio.gather(power("rx"), power("tx"), probes())
    return {
        "code": code,
        "ports": [row for host in hosts for row in _ports(model, host, received, sent)],
        "probes": _probes(model, {host.name for host in hosts}, measured),
        "halls": {
            hall: figures for hall, figures in hall_figures(model, measured).items() if model.halls[hall].site == code
        },
        "services": _services(model, {host.name for host in hosts}),
        "silent": sorted(set(silent)),
    }


def by_port(vector: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], float]:
    """A vector with the labels ``host`` and ``port``."""
    found = {}
    for sample in vector:
        labels, value = sample["metric"], float(sample["value"][1])
        if math.isfinite(value):
            found[labels.get("host", ""), labels.get("port", "")] = value
    return found


def _ports(
    model: NetworkModel, host: Host, received: Mapping[tuple[str, str], float], sent: Mapping[tuple[str, str], float]
) -> list[Document]:
    # What leads to an access switch is listed as the switch's own port, by the name on its front; between the switch
    # and its users nobody of ours sees a cable.
    return [
        {
            "host": host.name,
            "port": port.name,
            "label": port.label,
            "link": port.link,
            "kind": model.links[port.link].kind.value,
            "peer_host": port.peer_host,
            "peer_site": model.hosts[port.peer_host].site,
            "rate_bps": model.links[port.link].rate_bps,
            "rx_dbm": received.get((host.name, port.label or port.name)),
            "tx_dbm": sent.get((host.name, port.label or port.name)),
        }
        for port in host.ports
        if not _hidden(host, model.hosts[port.peer_host])
    ]


def _hidden(here: Host, there: Host) -> bool:
    return there.role is Role.SWITCH or (here.role, there.role) == (Role.SWITCH, Role.LEAF)


def _probes(model: NetworkModel, hosts: set[str], measured: Mapping[str, Any]) -> list[Document]:
    rows = []
    for path in probe_paths(model):
        if path.host not in hosts and path.target_host not in hosts:
            continue
        value = measured.get(path.name)
        figures = value if isinstance(value, Mapping) else {}
        rows.append(
            {
                "name": path.name,
                "host": path.host,
                "target": path.target_host,
                "rtt_ms": figures.get("rtt_ms"),
                "loss_ratio": figures.get("loss_ratio"),
                "fresh": figures.get("fresh") is True,
            }
        )
    return rows


def _services(model: NetworkModel, hosts: set[str]) -> list[Document]:
    return [
        {
            "name": service.name,
            "zh": service.zh,
            "en": service.en,
            "backends": [backend.host for backend in service.backends],
        }
        for service in model.services.values()
        if any(backend.host in hosts for backend in service.backends)
    ]
