"""Inputs that come from the live picture and from Prometheus; a silent source makes them unknown, with its words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from dashboards.figures.formula import Document, Input, Words
from dashboards.sources import Prometheus, SourceDown

_NOT_MEASURED = Words("没有测量数据", "nothing measured")


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


def seen(live: Document, name: str, words: Words, items: Sequence[Words] | None, unit: str = "sites") -> Input:
    """A count out of the live picture; unknown while the collector is silent, or when ``items`` is None."""
    source = Words("采集器的实时状态", "the collector's live state")
    told = str(live["sources"]["collector"])
    if told != "ok" or items is None:
        why = Words(f"采集器没有应答:{told}", f"the collector does not answer: {told}")
        return Input(name, words, None, unit, source, why=why)
    return Input(name, words, float(len(items)), unit, source, float(live["at"]), tuple(items))


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
