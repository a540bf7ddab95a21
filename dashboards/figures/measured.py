"""Inputs that come from Prometheus and from the store; a silent source makes them unknown, with its words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dashboards.figures.formula import Input, Words
from dashboards.sources import Prometheus, SourceDown

BOOK = Words("会议登记与进出记录", "the booking of meetings, and halls' comings and goings")
FAULT_BOOK = Words("故障簿", "the fault book")
DESK = Words("服务台工单", "the service desk's tickets")
_NOT_MEASURED = Words("没有测量数据", "nothing measured")
_NOT_YET = Words("测量刚刚开始，几分钟后有数", "measuring has just begun: a figure comes in some minutes")
_DAY_S, _SLACK_S = 86_400.0, 600.0


@dataclass(frozen=True, slots=True)
class Period:
    """From ``start`` until ``end``, both aware; ``end`` is the moment of asking in a period that runs."""

    start: datetime
    end: datetime


async def measuring_since(prometheus: Prometheus, now: datetime) -> float | None:
    """When the measuring of the last 24 hours began, seconds UTC; None: before them, or nobody knows."""
    try:
        found = await prometheus.query('min(min_over_time(timestamp(up{job="measurements"})[1d:1m]))')
    except SourceDown:
        return None
    began = float(found[0]["value"][1]) if found else math.nan
    end = now.timestamp()
    return began if end - _DAY_S + _SLACK_S < began <= end else None


async def measured(
    prometheus: Prometheus, name: str, words: Words, unit: str, expression: str, since: float | None
) -> Input:
    """One number that a PromQL expression gives; unknown when Prometheus is silent or has no sample yet."""
    source = Words(f"Prometheus:{expression}", f"Prometheus: {expression}")
    try:
        found = await prometheus.query(expression)
    except SourceDown as silence:
        return Input(name, words, None, unit, source, why=Words(str(silence), str(silence)))
    value = float(found[0]["value"][1]) if found else math.nan
    if not math.isfinite(value):
        return Input(name, words, None, unit, source, why=_NOT_YET if since else _NOT_MEASURED, since=since)
    return Input(name, words, value, unit, source, float(found[0]["value"][0]), since=since)


def stored(
    name: str,
    words: Words,
    value: float | None,
    unit: str,
    table: Words,
    now: datetime,
    items: Sequence[Words] = (),
    why: Words | None = None,
) -> Input:
    """A number out of the store's tables, read now."""
    return Input(name, words, value, unit, table, now.timestamp(), tuple(items), why)
