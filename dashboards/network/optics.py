"""Received light of every fibre: budget, margin to what the receiver needs, trend, days until it is gone."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.network.trend import Trend, fit
from dashboards.sources import Prometheus
from inventory.model import Link, LinkEnd, NetworkModel
from inventory.optics import RECEIVER_LIMIT_DBM, receive_dbm

Document = dict[str, Any]
End = tuple[str, str]  # host, port

WEAK_DB = 3.0
"""A margin below this is shown as degraded: one more splice or a dirty connector may use it up."""

DARK_DBM = -35.0  # below it there is no light at all: a cut, which is no trend
WINDOW_S = 7 * 86_400.0
_STEP_S = 3_600.0
_FRESH_S = 300.0  # trends of days change slowly

_POWER = 'sanwang_optical_power_dbm{{direction="{}"}}'


class Optics:
    """Powers now and their trends; the trends are kept for some minutes, because Prometheus reads a week for them."""

    def __init__(self, model: NetworkModel, prometheus: Prometheus) -> None:
        self._model, self._prometheus = model, prometheus
        self._trends: dict[End, Trend] = {}
        self._asked_at = -math.inf
        self._asking = asyncio.Lock()

    async def document(self) -> Document:
        """Every fibre's both ends, the smallest margin first. SourceDown when Prometheus is silent."""
        received, sent, trends = await self._all()
        rows = [
            row
            for link in self._model.links.values()
            if link.fibre
            for row in ends(self._model, link, received, sent, trends)
            if row["rx_dbm"] is not None
        ]
        return {
            "limit_dbm": RECEIVER_LIMIT_DBM,
            "weak_db": WEAK_DB,
            "window_s": WINDOW_S,
            "ends": sorted(rows, key=lambda row: (row["days"] is None, row["days"] or 0.0, row["margin_db"])),
        }

    async def of_link(self, link: Link) -> list[Document]:
        """Both ends of one fibre; [] of what is none."""
        if not link.fibre:
            return []
        received, sent, matrix = await asyncio.gather(
            *(self._prometheus.query(_of(link, direction)) for direction in ("rx", "tx")), self._week(_of(link, "rx"))
        )
        return ends(self._model, link, powers(received), powers(sent), trends_of(matrix))

    async def _all(self) -> tuple[dict[End, float], dict[End, float], dict[End, Trend]]:
        received, sent = await asyncio.gather(
            *(self._prometheus.query(_POWER.format(direction)) for direction in ("rx", "tx"))
        )
        return powers(received), powers(sent), await self._fitted()

    async def _fitted(self) -> dict[End, Trend]:
        async with self._asking:
            if time.monotonic() - self._asked_at > _FRESH_S:
                self._trends = trends_of(await self._week(_POWER.format("rx")))
                self._asked_at = time.monotonic()
            return self._trends

    async def _week(self, asked: str) -> list[Document]:
        """A week of it by the hour; of a county that runs since today the day, finer."""
        end = time.time() // 60 * 60
        matrix = await self._prometheus.query_range(asked, end - WINDOW_S, end, _STEP_S)
        if all(len(row["values"]) < 24 for row in matrix):
            matrix = await self._prometheus.query_range(asked, end - 86_400, end, 300.0)
        return matrix


def _of(link: Link, direction: str) -> str:
    return f'sanwang_optical_power_dbm{{direction="{direction}", link="{link.name}"}}'


def powers(vector: Sequence[Mapping[str, Any]]) -> dict[End, float]:
    """A vector with the labels ``host`` and ``port``, in dBm."""
    found = {}
    for sample in vector:
        value = float(sample["value"][1])
        if math.isfinite(value):
            found[sample["metric"].get("host", ""), sample["metric"].get("port", "")] = value
    return found


def trends_of(matrix: Sequence[Mapping[str, Any]]) -> dict[End, Trend]:
    """The line through each port's received powers; moments without light are left out."""
    found = {}
    for row in matrix:
        points = [(float(at), float(text)) for at, text in row["values"]]
        trend = fit([(at, value) for at, value in points if value > DARK_DBM])
        if trend is not None:
            found[row["metric"].get("host", ""), row["metric"].get("port", "")] = trend
    return found


def ends(
    model: NetworkModel,
    link: Link,
    received: Mapping[End, float],
    sent: Mapping[End, float],
    trends: Mapping[End, Trend],
) -> list[Document]:
    """Both ends of a fibre as JSON types: powers in dBm, losses and margins in dB, days until none is left."""
    rows = []
    for here, there in ((link.a, link.b), (link.b, link.a)):
        rx, tx, trend = received.get(_key(here)), sent.get(_key(there)), trends.get(_key(here))
        lit = rx is not None and rx > DARK_DBM
        margin = None if rx is None else round(rx - RECEIVER_LIMIT_DBM, 2)
        rows.append(
            {
                "link": link.name,
                "host": here.host,
                "port": here.port,
                "site": model.hosts[here.host].site,
                "peer_site": model.hosts[there.host].site,
                "length_km": link.length_km,
                "rx_dbm": rx,
                "tx_dbm": tx,
                "loss_db": None if rx is None or tx is None or not lit else round(tx - rx, 2),
                "planned_dbm": receive_dbm(link.length_km),
                "margin_db": margin,
                "trend": trend.document() if trend else None,
                "sure": bool(trend and trend.sure),
                "days": _days(trend) if trend and lit else None,
            }
        )
    return rows


def _days(trend: Trend) -> float | None:
    days = trend.days_until(RECEIVER_LIMIT_DBM, falling=True)
    return None if days is None else round(days, 1)


def _key(end: LinkEnd) -> End:
    return end.host, end.port
