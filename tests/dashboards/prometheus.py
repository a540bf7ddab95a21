"""What a Prometheus of the county would answer to the expressions that the pages ask: figures computed from the model.

One fibre's received light (``FADING``) falls by a twentieth of a decibel a day, one link (``GROWING``) fills by a
hundredth of its rate a day; all else stays as it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any

from inventory.model import Link, LinkEnd, NetworkModel
from inventory.probes import link_paths, probe_paths

FADING, FADING_DB_PER_DAY = "t03-c3", 0.05
GROWING, GROWING_PER_DAY = "t05-c2", 0.01

Rows = list[tuple[dict[str, str], float]]
Value = Callable[[float], float]  # seconds UTC -> value
Lines = list[tuple[dict[str, str], Value]]

_SELECTOR = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')
_METRIC = re.compile(r"(sanwang_\w+)")


def lines(model: NetworkModel, asked: str, now: float) -> Lines:
    """Labels and course of every line that the expression selects; rates and sums as the pages name them."""
    found = _METRIC.search(asked)
    if found is None:
        return []
    wanted = _SELECTOR.findall(asked)
    selected = [(labels, value) for labels, value in _lines(model, found[1], now) if _fits(labels, wanted)]
    if asked.startswith("max by (link)"):  # both ends and directions are alike here
        return [
            ({"link": link}, value) for link, value in {labels["link"]: value for labels, value in selected}.items()
        ]
    return selected


def rows(model: NetworkModel, asked: str, at: float) -> Rows:
    """What the expression gives at a time."""
    return [(labels, value(at)) for labels, value in lines(model, asked, at)]


def _fits(labels: dict[str, str], wanted: list[tuple[str, str, str]]) -> bool:
    for name, operator, value in wanted:
        have = labels.get(name, "")
        if operator == "=~" and not re.fullmatch(value, have):
            return False
        if operator != "=~" and (have == value) is (operator == "!="):
            return False
    return True


def _lines(model: NetworkModel, metric: str, now: float) -> Iterator[tuple[dict[str, str], Value]]:
    if metric == "sanwang_link_bps":
        for link in model.links.values():
            for end in link.ends:
                for direction in ("in", "out"):
                    yield _port(end, link, direction), _load(link, now)
    elif metric == "sanwang_optical_power_dbm":
        for link in model.links.values():
            for end in link.ends if link.fibre else ():
                yield _port(end, link, "rx"), _received(link, now)
                yield _port(end, link, "tx"), lambda at: -5.0
    elif metric in ("sanwang_probe_rtt_seconds", "sanwang_probe_loss_ratio"):
        course: Value = (lambda at: 0.42e-3 * (1 + 0.2 * math.sin(at / 400))) if "rtt" in metric else (lambda at: 0.0)
        for path in (*probe_paths(model), *link_paths(model)):
            yield {"path": path.name, "host": path.host, "target": path.target_host, "link": path.link}, course
    elif metric == "sanwang_cpu_busy_ratio":
        yield from (({"host": host}, lambda at: 0.04) for host in model.hosts)
    elif metric.startswith("sanwang_exit_"):
        for share, mbps in ((3, 4.0), (17, 20.0), (40, 48.0)):
            for direction, part in (("up", 0.2), ("down", 1.0)):
                yield {"share": str(share), "direction": direction}, _steady(mbps * part * 1e6)


def _steady(value: float) -> Value:
    return lambda at: value


def _port(end: LinkEnd, link: Link, direction: str) -> dict[str, str]:
    return {"host": end.host, "port": end.port, "link": link.name, "direction": direction}


def _load(link: Link, now: float) -> Value:
    usual = {"ring": 0.36, "access": 0.02}.get(link.kind.value, 0.01) * (0.5 + (link.number * 37 % 100) / 50)
    if link.name == GROWING:
        return lambda at: (0.70 - GROWING_PER_DAY * (now - at) / 86_400) * link.rate_bps
    return lambda at: usual * (1 + 0.01 * math.sin(at / 7_000)) * link.rate_bps


def _received(link: Link, now: float) -> Value:
    if link.name == FADING:
        return lambda at: -17.9 - FADING_DB_PER_DAY * (at - now) / 86_400 + 0.01 * math.sin(at / 900)
    power = -6.5 - link.length_km * 0.35
    return lambda at: power + 0.01 * math.sin(at / 900)


def document(kind: str, samples: list[dict[str, Any]]) -> dict[str, Any]:
    """As Prometheus' HTTP API wraps a result."""
    return {"status": "success", "data": {"resultType": kind, "result": samples}}
