"""What Prometheus measured in a month, for the report: the exit, the fullest lines, received light and its trend."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any

from dashboards.desk.tables import Cell, Column, Section, Words
from dashboards.network.optics import trends_of
from dashboards.sources import Prometheus, SourceDown
from inventory.model import LinkKind, NetworkModel
from inventory.optics import RECEIVER_LIMIT_DBM

_TOP = 10
_STEP_S = 900
_POINTS = 200

_LINES = (LinkKind.RING, LinkKind.ACCESS, LinkKind.SPUR, LinkKind.UPLINK)


async def capacity(model: NetworkModel, prometheus: Prometheus, start: datetime, end: datetime) -> list[Section]:
    """Busy-hour load (not exceeded in 95 % of the month's quarters of an hour) of the exit and the fullest lines."""
    span = f"[{max(int((end - start).total_seconds()), _STEP_S)}s:{_STEP_S}s]"
    lines = [link.name for link in model.links.values() if link.kind in _LINES]
    load = f'max by (link) (sanwang_link_bps{{link=~"{"|".join(lines)}"}})'
    expression = f"quantile_over_time(0.95, ({load}){span})"
    highest = f"max_over_time(({load}){span})"
    counted = f"max(count_over_time(({load}){span}))"
    source = (f"Prometheus：{_short(expression)}", f"Prometheus: {_short(expression)}")
    columns = (
        Column("线路", "line"),
        Column("速率", "rate", "bit/s"),
        Column("忙时流量", "busy-hour load", "bit/s"),
        Column("最高", "highest", "bit/s"),
        Column("忙时占用", "busy-hour use", "share"),
    )
    exits = _exit_lines(model)
    names = (("exit", ("互联网出口", "The Internet exit")), ("capacity", ("最忙线路", "The fullest lines")))
    try:
        busy = await _at_end(prometheus, expression, end)
        most = await _at_end(prometheus, highest, end)
        quarters = next(iter((await _at_end(prometheus, counted, end)).values()), 0.0)
    except SourceDown as silence:
        missing = (f"没有测量数据：{silence}", f"nothing measured: {silence}")
        return [Section(key, words, source, columns, missing=missing) for key, words in names]
    total_s = (end - start).total_seconds()
    covered = min(1.0, quarters * _STEP_S / total_s) if total_s else 0.0
    note = (f"测量覆盖本期的 {covered:.0%}。", f"Measured for {covered:.0%} of the time.")

    def row(name: str) -> list[Cell]:
        rate = model.links[name].rate_bps
        return [name, rate, busy.get(name), most.get(name), round(busy[name] / rate, 4) if name in busy else None]

    fullest = sorted(busy, key=lambda name: -busy[name] / model.links[name].rate_bps if name in model.links else 0.0)
    none: Words | None = None if busy else ("没有测量数据", "nothing measured")
    tables = {"exit": [row(name) for name in exits], "capacity": [row(name) for name in fullest[:_TOP]]}
    return [Section(key, words, source, columns, tables[key], note, none) for key, words in names]


async def light(model: NetworkModel, prometheus: Prometheus, start: datetime, end: datetime) -> Section:
    """Received light of fibres over the month: the smallest margins and those that lose most first."""
    expression = 'sanwang_optical_power_dbm{direction="rx"}'
    words = ("光功率趋势", "Trend of received light")
    source = (f"Prometheus：{expression}", f"Prometheus: {expression}")
    columns = (
        Column("光缆", "fibre"),
        Column("设备", "device"),
        Column("收光", "received", "dBm"),
        Column("余量", "margin", "dB"),
        Column("每天变化", "change a day", "dB"),
        Column("余量用完", "margin gone in", "days"),
    )
    step_s = max(300.0, (end - start).total_seconds() / _POINTS)
    try:
        matrix = await prometheus.query_range(expression, start.timestamp(), end.timestamp(), step_s)
    except SourceDown as silence:
        missing = (f"没有测量数据：{silence}", f"nothing measured: {silence}")
        return Section("optics", words, source, columns, missing=missing)
    links = {(side.host, side.port): link for link in model.links.values() if link.fibre for side in link.ends}
    found = []
    for place, trend in trends_of(matrix).items():
        link = links.get(place)
        if link is not None:
            days = trend.days_until(RECEIVER_LIMIT_DBM, falling=True)
            margin = trend.last - RECEIVER_LIMIT_DBM
            order = (math.inf if days is None else days, margin)
            change = round(trend.per_day, 3) if trend.sure else 0.0
            gone = None if days is None else round(days, 1)
            found.append((order, [link.name, place[0], round(trend.last, 2), round(margin, 2), change, gone]))
    rows: list[Any] = [cells for _, cells in sorted(found, key=lambda each: each[0])[:_TOP]]
    note = (
        f"接收下限 {RECEIVER_LIMIT_DBM} dBm（IEEE 802.3 表 59-4）；变化不显著的记 0。",
        f"Receivers need {RECEIVER_LIMIT_DBM} dBm (IEEE 802.3 table 59-4); a change that is not significant is 0.",
    )
    none: Words | None = None if rows else ("没有足够的测量数据", "too few measurements for a trend")
    return Section("optics", words, source, columns, rows, note, none)


async def _at_end(prometheus: Prometheus, expression: str, end: datetime) -> dict[str, float]:
    """An expression's value by link at the end of the month; read where measurements are kept longest."""
    moment = end.timestamp()
    matrix = await prometheus.query_range(expression, moment, moment, 60.0)
    found = {}
    for row in matrix:
        value = float(row["values"][-1][1]) if row["values"] else math.nan
        if math.isfinite(value):
            found[row["metric"].get("link", "")] = value
    return found


def _exit_lines(model: NetworkModel) -> list[str]:
    if not model.firewall:
        return []
    firewall = model.hosts[model.firewall]
    return [firewall.port(line.port).link for line in sorted(model.exits, key=lambda line: line.metric)]


def _short(expression: str) -> str:
    """Without the list of lines."""
    head, _, rest = expression.partition('link=~"')
    return f'{head}link=~"..."{rest.partition(chr(34))[2]}' if rest else expression
