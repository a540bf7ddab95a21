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


@dataclass(frozen=True, slots=True)
class Period:
    """From ``start`` until ``end``, both aware; ``end`` is the moment of asking in a period that runs."""

    start: datetime
    end: datetime


async def measured(prometheus: Prometheus, name: str, words: Words, unit: str, expression: str, now: datetime) -> Input:
    """One number that a PromQL expression gives; unknown when Prometheus is silent or has no sample."""
    source = Words(f"Prometheus:{expression}", f"Prometheus: {expression}")
    try:
        found = await prometheus.query(expression)
    except SourceDown as silence:
        return Input(name, words, None, unit, source, why=Words(str(silence), str(silence)))
    value = float(found[0]["value"][1]) if found else math.nan
    if not math.isfinite(value):
        return Input(name, words, None, unit, source, why=_NOT_MEASURED)
    return Input(name, words, value, unit, source, float(found[0]["value"][0]))


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
