"""What a Prometheus of the county would answer to the expressions that the pages ask: figures computed from the model.

One fibre's received light (``FADING``) falls by a twentieth of a decibel a day, one link (``GROWING``) fills by a
hundredth of its rate a day; all else stays as it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from inventory.model import Host, Link, NetworkModel
from inventory.probes import link_paths, probe_paths

FADING, FADING_DB_PER_DAY = "t03-c3", 0.05
GROWING, GROWING_PER_DAY = "t05-c2", 0.01

Rows = list[tuple[dict[str, str], float]]

_SELECTOR = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')
_METRIC = re.compile(r"(sanwang_\w+)")


def rows(model: NetworkModel, asked: str, at: float, now: float) -> Rows:
    """Labels and value of every sample that the expression selects at a time; rates and sums as the pages name them."""
    found = _METRIC.search(asked)
    if found is None:
        return []
    wanted = _SELECTOR.findall(asked)
    samples = [(labels, value) for labels, value in _samples(model, found[1], at, now) if _fits(labels, wanted)]
    if asked.startswith("max by (link)"):
        best: dict[str, float] = {}
        for labels, value in samples:
            best[labels["link"]] = max(best.get(labels["link"], 0.0), value)
        return [({"link": link}, value) for link, value in best.items()]
    return samples


def _fits(labels: dict[str, str], wanted: list[tuple[str, str, str]]) -> bool:
    for name, operator, value in wanted:
        have = labels.get(name, "")
        if operator == "=~" and not re.fullmatch(value, have):
            return False
        if operator != "=~" and (have == value) is (operator == "!="):
            return False
    return True


def _samples(model: NetworkModel, metric: str, at: float, now: float) -> Iterator[tuple[dict[str, str], float]]:
    if metric == "sanwang_link_bps":
        for link in model.links.values():
            for host, port in _ends(model, link):
                for direction in ("in", "out"):
                    yield _port(host, port, link, direction), _load(link, at, now) * link.rate_bps
    elif metric == "sanwang_optical_power_dbm":
        for link in model.links.values():
            for host, port in _ends(model, link) if link.fibre else ():
                yield _port(host, port, link, "rx"), _received(link, at, now)
                yield _port(host, port, link, "tx"), -5.0
    elif metric in ("sanwang_probe_rtt_seconds", "sanwang_probe_loss_ratio"):
        for path in (*probe_paths(model), *link_paths(model)):
            labels = {"path": path.name, "host": path.host, "target": path.target_host, "link": path.link}
            wave = 1 + 0.2 * math.sin(at / 400)
            yield labels, 0.42e-3 * wave if metric.endswith("seconds") else 0.0
    elif metric == "sanwang_cpu_busy_ratio":
        yield from (({"host": host.name}, 0.04) for host in model.hosts.values())
    elif metric.startswith("sanwang_exit_"):
        for share in ("3", "17", "40"):
            for direction in ("up", "down"):
                yield {"share": share, "direction": direction}, int(share) * (0.2e6 if direction == "up" else 1.1e6)


def _ends(model: NetworkModel, link: Link) -> list[tuple[Host, str]]:
    return [(model.hosts[end.host], end.port) for end in link.ends]


def _port(host: Host, port: str, link: Link, direction: str) -> dict[str, str]:
    return {"host": host.name, "port": port, "link": link.name, "direction": direction}


def _load(link: Link, at: float, now: float) -> float:
    usual = {"ring": 0.36, "access": 0.02}.get(link.kind.value, 0.01) * (0.5 + (link.number * 37 % 100) / 50)
    if link.name == GROWING:
        usual = 0.70 - GROWING_PER_DAY * (now - at) / 86_400
    return usual * (1 + 0.01 * math.sin(at / 7_000))


def _received(link: Link, at: float, now: float) -> float:
    power = -6.5 - link.length_km * 0.35
    if link.name == FADING:
        power = -17.9 - FADING_DB_PER_DAY * (at - now) / 86_400
    return power + 0.01 * math.sin(at / 900)


def document(kind: str, samples: list[dict[str, Any]]) -> dict[str, Any]:
    """As Prometheus' HTTP API wraps a result."""
    return {"status": "success", "data": {"resultType": kind, "result": samples}}
