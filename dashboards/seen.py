"""What the sources answered, in the page's terms. Everything here is told by others, so nothing of it is trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from inventory.model import NetworkModel, Role

Document = dict[str, Any]
_FAULT = (
    "id",
    "key",
    "kind",
    "subject",
    "link",
    "host",
    "site",
    "severity",
    "links",
    "hosts",
    "zh",
    "en",
    "opened_at",
    "acknowledged_by",
    "acknowledged_why",
    "window",
)
_STATES = frozenset({"up", "degraded", "down"})


@dataclass(frozen=True, slots=True)
class Seen:
    """State of a link or a host: "up", "degraded", "down" or "unknown", since seconds UTC."""

    state: str
    since: float | None

    def document(self) -> Document:
        """As JSON types."""
        return asdict(self)


def links_seen(model: NetworkModel, answer: Mapping[str, Any]) -> dict[str, Seen]:
    """Every link of the model; unknown where the collector says nothing."""
    return {name: _seen(answer.get(name)) for name in model.links}


def watched_hosts(model: NetworkModel) -> list[str]:
    """Every host of the county itself: our appliances, and the user equipment behind them."""
    return [host.name for host in model.hosts.values() if host.role is not Role.OUTSIDE]


def hosts_seen(model: NetworkModel, answer: Mapping[str, Any]) -> dict[str, Seen]:
    """Every host of the county; unknown where the collector says nothing."""
    return {name: _seen(answer.get(name)) for name in watched_hosts(model)}


def _seen(entry: Any) -> Seen:
    if not isinstance(entry, Mapping):
        return Seen("unknown", None)
    state, since = entry.get("state"), entry.get("since")
    if state not in _STATES:
        state = "unknown"
    return Seen(state, float(since) if isinstance(since, (int, float)) and math.isfinite(since) else None)


def loads_seen(model: NetworkModel, vector: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Load of each link in bit/s, from a vector with the label ``link``; the busier end or direction counts."""
    loads: dict[str, float] = {}
    for sample in vector:
        name = sample["metric"].get("link", "")
        bps = float(sample["value"][1])
        if name in model.links and math.isfinite(bps):
            loads[name] = max(loads.get(name, 0.0), bps)
    return loads


def alert_document(alert: Mapping[str, Any]) -> Document:
    """An alert of Alertmanager as the page lists it."""
    labels, notes = alert.get("labels", {}), alert.get("annotations", {})
    name = str(labels.get("alertname", ""))
    return {
        "id": str(alert.get("fingerprint", "")) or f"{name}/{labels.get('link', '')}{labels.get('host', '')}",
        "name": name,
        "severity": str(labels.get("severity", "warning")),
        "link": str(labels.get("link", "")),
        "host": str(labels.get("host", "")),
        "fault": str(labels.get("fault", "")),  # number in the fault book; "" for what is no fault
        "zh": str(notes.get("summary_zh") or notes.get("summary") or name),
        "en": str(notes.get("summary") or name),
        "since": str(alert.get("startsAt", "")),
    }


def faults_seen(answer: Mapping[str, Any]) -> list[Document]:
    """The open faults as every page lists them, the worst first, then the newest; without their measured details."""
    found = answer.get("faults")
    rows = [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []
    rows.sort(key=lambda each: (each.get("severity") != "critical", -float(each.get("opened_at") or 0.0)))
    return [{name: each.get(name) for name in _FAULT} for each in rows]
