"""Each unit's state, use, quality and cost, one row a site: what a leader asks when a unit is named."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.figures.formula import Document
from dashboards.figures.state import site_states
from dashboards.sources import Prometheus, SourceDown
from inventory.model import LinkKind, NetworkModel, Site, SiteKind
from inventory.savings import savings
from inventory.schema import CostsIntent

BUSY = "quantile_over_time(0.95, (max by (link) (sanwang_link_bps))[1d:2m])"
"""Load of each link that 95 % of the last 24 hours did not exceed, bit/s."""

_LINES = frozenset({LinkKind.ACCESS, LinkKind.SPUR, LinkKind.BROADBAND, LinkKind.CABLE})


async def busy_loads(prometheus: Prometheus) -> dict[str, float] | None:
    """``BUSY`` by link name; None while Prometheus is silent."""
    try:
        vector = await prometheus.query(BUSY)
    except SourceDown:
        return None
    found = {row["metric"].get("link", ""): float(row["value"][1]) for row in vector}
    return {name: bps for name, bps in found.items() if name and math.isfinite(bps)}


def unit_rows(
    model: NetworkModel,
    costs: CostsIntent | None,
    live: Document,
    busy: Mapping[str, float] | None,
    sla: Mapping[str, Any] | None,
    scores: Mapping[str, Any] | None,
) -> list[Document]:
    """A row for every site of the county but its centres; what nobody knows is None.

    ``state``: "up", "degraded" (on its last line), "down" or "unknown". ``busy_bps`` and ``rate_bps`` are of its
    busiest line. ``saved_cny``: a year, None where no saving is counted at the site.
    """
    states = site_states(model, live)
    available = {row["site"]: row for row in (sla or {}).get("sites", ())}
    handled = {row["name"]: row for row in (scores or {}).get("units", ())}
    saved: dict[str, float] = {}
    for saving in savings(model, costs):
        for site in saving.sites if saving.per == "year" else ():
            saved[site.code] = saved.get(site.code, 0.0) + saving.each_cny
    return [
        _row(site, states[site.code], _line(model, site, busy), available.get(site.code), handled.get(site.code))
        | {"saved_cny": saved.get(site.code)}
        for site in model.sites.values()
        if not site.kind.outside and site.kind is not SiteKind.CENTRE
    ]


def _row(
    site: Site,
    state: str,
    line: tuple[float | None, int | None],
    level: Mapping[str, Any] | None,
    score: Mapping[str, Any] | None,
) -> Document:
    return {
        "site": site.code,
        "kind": site.kind.value,
        "zh": site.zh,
        "en": site.en,
        "state": state,
        "busy_bps": line[0],
        "rate_bps": line[1],
        "availability": level["availability"] if level else None,
        "target": level["target"] if level else None,
        "met": level["met"] if level else None,
        "tickets": score["tickets"] if score else 0,
        "score": score["score"] if score else None,
    }


def _line(model: NetworkModel, site: Site, busy: Mapping[str, float] | None) -> tuple[float | None, int | None]:
    """(load, rate) of the site's busiest line; (None, None) when none of its lines is measured."""
    names = {port.link for host in model.site_hosts(site.code) for port in host.ports}
    lines = [model.links[name] for name in names if model.links[name].kind in _LINES]
    own = [link for link in lines if not _feeds_others(model, link.name, site)]
    known = [(busy[link.name], link.rate_bps) for link in own if busy is not None and link.name in busy]
    return max(known, key=lambda each: each[0] / each[1], default=(None, None))


def _feeds_others(model: NetworkModel, name: str, site: Site) -> bool:
    """True for a line from this site to a smaller one that hangs on it."""
    link = model.links[name]
    ends: Sequence[str] = [model.hosts[end.host].site for end in link.ends]
    return any(site.code in model.sites[code].homes for code in ends if code != site.code)
