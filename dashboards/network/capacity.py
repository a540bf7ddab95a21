"""Load of links with its trend, and who uses the shared exit how much."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.network.trend import Trend, fit
from dashboards.sources import Prometheus
from inventory.model import NetworkModel

Document = dict[str, Any]

FULL_RATIO = 0.8
"""Load at which a link is told to need more: above it queues grow faster than use."""

WINDOW_S = 7 * 86_400.0
_STEP_S = 1_800.0
_SHORT_S, _SHORT_STEP_S = 6 * 3_600.0, 60.0  # of a county that runs since today
_FRESH_S = 300.0
_DAY_POINTS = 48
_MOST = 60

# The busier direction and end counts. Its two hours' peak, so that nights do not hide the days' growth.
_LOADS = "max by (link) (sanwang_link_bps)"
_EXIT = 'sanwang_link_bps{{host="{host}", port=~"{ports}"}}'
_USERS = "sum by (share, direction) (rate(sanwang_exit_octets_total[1m])) * 8"
_HELD = "sum by (share) (increase(sanwang_exit_dropped_packets_total[5m]))"
_USED = "sum by (share, direction) (increase(sanwang_exit_octets_total[1d]))"


class Capacity:
    """Answers of the capacity page; the week's loads are kept for some minutes."""

    def __init__(self, model: NetworkModel, prometheus: Prometheus) -> None:
        self._model, self._prometheus = model, prometheus
        self._history: dict[str, list[tuple[float, float]]] = {}
        self._asked_at = -math.inf
        self._asking = asyncio.Lock()

    async def links(self) -> Document:
        """The busiest links first: load now, peak and line of the last day, trend of the week."""
        now, history = await asyncio.gather(self._prometheus.query(_LOADS), self._loads())
        bps = {row["metric"].get("link", ""): float(row["value"][1]) for row in now}
        rows = [row(self._model, name, bps[name], history.get(name, [])) for name in self._model.links if name in bps]
        rows.sort(key=lambda each: (each["days"] is None, each["days"] or 0.0, -each["peak"]))
        return {"full_ratio": FULL_RATIO, "window_s": WINDOW_S, "links": rows[:_MOST], "measured": len(rows)}

    async def exit(self) -> Document:
        """Each carrier's line and its users, the busiest first."""
        firewall = self._model.hosts[self._model.firewall]
        ports = "|".join(line.port for line in self._model.exits)
        if not ports:
            return {"lines": [], "users": [], "closed": False}
        lines, users, held, used = await asyncio.gather(
            *(
                self._prometheus.query(asked)
                for asked in (_EXIT.format(host=firewall.name, ports=ports), _USERS, _HELD, _USED)
            )
        )
        return {
            "closed": self._model.exit_closed is not None,
            "lines": exit_lines(self._model, lines),
            "users": exit_users(self._model, users, held, used),
        }

    async def _loads(self) -> dict[str, list[tuple[float, float]]]:
        async with self._asking:
            if time.monotonic() - self._asked_at > _FRESH_S:
                end = time.time() // 60 * 60
                matrix = await self._prometheus.query_range(_LOADS, end - WINDOW_S, end, _STEP_S)
                if all(len(each["values"]) < 16 for each in matrix):
                    matrix = await self._prometheus.query_range(_LOADS, end - _SHORT_S, end, _SHORT_STEP_S)
                self._history = {
                    each["metric"].get("link", ""): [(float(at), float(text)) for at, text in each["values"]]
                    for each in matrix
                }
                self._asked_at = time.monotonic()
            return self._history


def row(model: NetworkModel, name: str, bps: float, history: Sequence[tuple[float, float]]) -> Document:
    """One link: loads are shares of its rate; ``days`` until the trend of its peaks reaches FULL_RATIO."""
    link = model.links[name]
    shares = [(at, value / link.rate_bps) for at, value in history if math.isfinite(value)]
    trend = fit(peaks(shares))
    last_day = [share for at, share in shares if shares and at > shares[-1][0] - 86_400]
    days = trend.days_until(FULL_RATIO, falling=False) if trend else None
    return {
        "link": name,
        "kind": link.kind.value,
        "rate_bps": link.rate_bps,
        "bps": round(bps),
        "load": round(bps / link.rate_bps, 4),
        "peak": round(max([bps / link.rate_bps, *last_day]), 4),
        "day": [round(share, 4) for share in last_day[-_DAY_POINTS:]],
        "trend": _trend(trend),
        "days": None if days is None else round(days, 1),
    }


def peaks(points: Sequence[tuple[float, float]], group: int = 4) -> list[tuple[float, float]]:
    """The largest of every few points, at its own time: what grows is told by peaks, not by nights."""
    return [max(points[at : at + group], key=lambda each: each[1]) for at in range(0, len(points), group)]


def _trend(trend: Trend | None) -> Document | None:
    return {**trend.document(), "sure": trend.sure} if trend else None


def exit_lines(model: NetworkModel, vector: Sequence[Mapping[str, Any]]) -> list[Document]:
    """One row a carrier, rates in bit/s as the firewall counts them: ``in`` comes from the Internet."""
    rates = {
        (each["metric"].get("port", ""), each["metric"].get("direction", "")): float(each["value"][1])
        for each in vector
    }
    rows = []
    for line in model.exits:
        link = model.links[model.hosts[model.firewall].port(line.port).link]
        site = model.sites[line.carrier]
        rows.append(
            {
                "carrier": line.carrier,
                "zh": site.zh,
                "en": site.en,
                "link": link.name,
                "rate_bps": link.rate_bps,
                "in_bps": rates.get((line.port, "in")),
                "out_bps": rates.get((line.port, "out")),
            }
        )
    return rows


def exit_users(
    model: NetworkModel,
    rates: Sequence[Mapping[str, Any]],
    held: Sequence[Mapping[str, Any]],
    used: Sequence[Mapping[str, Any]],
) -> list[Document]:
    """One row a fair share that carries or carried something: its units, bit/s each way, octets of the last day.

    A share belongs to every unit whose site number has the same low bits; ``units`` names them all.
    """
    from provision.render.qos import SHARES  # renderers are not the server's to hold for all its life

    units: dict[str, list[str]] = {}
    for site in model.sites.values():
        if not site.kind.outside:
            units.setdefault(str(site.number % SHARES), []).append(site.code)
    found: dict[str, Document] = {}

    def at(share: str) -> Document:
        empty = {"share": share, "units": units.get(share, []), "up_bps": 0.0, "down_bps": 0.0}
        return found.setdefault(share, {**empty, "up_octets": 0.0, "down_octets": 0.0, "held": 0.0})

    for what, suffix in ((rates, "bps"), (used, "octets")):
        for each in what:
            labels, value = each["metric"], float(each["value"][1])
            if math.isfinite(value) and labels.get("direction") in ("up", "down"):
                at(labels.get("share", ""))[f"{labels['direction']}_{suffix}"] = round(value)
    for each in held:
        if math.isfinite(value := float(each["value"][1])):
            at(each["metric"].get("share", ""))["held"] = round(value)
    busy = [
        each for each in found.values() if each["up_octets"] + each["down_octets"] + each["up_bps"] + each["down_bps"]
    ]
    return sorted(busy, key=lambda each: -(each["up_bps"] + each["down_bps"]) or -each["down_octets"])
