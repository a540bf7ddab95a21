"""How well the county is served: availability, times to restore, paths and meetings' sound, supervision's cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from collectors.faults.tables import FaultRow
from dashboards.figures.formula import Figure, Input, Words
from dashboards.figures.measured import DESK, FAULT_BOOK, Period, measured, stored
from dashboards.sources import Prometheus

_GOOD_MOS = 4.0
"""ITU-T P.800: 4 is "good"."""
_ON_TIME = 0.95
_RESTORE_S = 4 * 3600.0
_NONE = Words("本月没有", "none this month")


def restore_figures(faults: Sequence[FaultRow], period: Period) -> list[Figure]:
    """Mean time to restore of the faults that ended in the period.

    Args:
        faults: Every fault that was open at some moment of it.
        period: The month.
    """
    ended = [(row, row.cleared_at) for row in faults if row.cleared_at and period.start <= row.cleared_at < period.end]
    spent = [(end - row.opened_at).total_seconds() for row, end in ended]
    items = [
        Words(f"{row.subject} {_minutes(seconds)} 分钟", f"{row.subject} {_minutes(seconds)} min")
        for (row, _), seconds in zip(ended, spent, strict=True)
    ]
    now = period.end
    total, count = (
        Words("中断与劣化时间之和", "Their time added up"),
        Words("本月恢复的故障", "Faults that ended this month"),
    )
    return [
        Figure(
            "restore_time",
            Words("平均恢复时间", "Mean time to restore"),
            "s",
            "time / ended",
            (
                stored("time", total, sum(spent), "s", FAULT_BOOK, now),
                stored("ended", count, float(len(ended)), "faults", FAULT_BOOK, now, items, None if ended else _NONE),
            ),
            Words(
                "从发现到恢复;本月没有恢复过故障时没有数。",
                "From detection to recovery; no figure in a month without any.",
            ),
            lambda value: value <= _RESTORE_S,
        )
    ]


async def path_figures(prometheus: Prometheus, since: float | None) -> list[Figure]:
    """Loss on the probed paths and the estimated opinion of sound on them, over 24 hours."""
    loss = await measured(
        prometheus,
        "loss",
        Words("各路径 24 小时平均丢包", "Mean loss of all paths in 24 hours"),
        "ratio",
        "avg(avg_over_time(sanwang_probe_loss_ratio[1d]))",
        since,
    )
    worst = await measured(
        prometheus,
        "worst",
        Words("最差路径", "The worst path"),
        "MOS",
        "min(avg_over_time(sanwang_probe_mos[1d]))",
        since,
    )
    mos = await measured(
        prometheus,
        "mos",
        Words("各路径 24 小时平均", "Mean of all paths in 24 hours"),
        "MOS",
        "avg(avg_over_time(sanwang_probe_mos[1d]))",
        since,
    )
    return [
        Figure(
            "path_loss",
            Words("路径丢包", "Loss on paths"),
            "ratio",
            "loss",
            (loss,),
            Words("双向主动探测(STAMP,RFC 8762)。", "Active probes both ways (STAMP, RFC 8762)."),
            lambda value: value <= 0.001,
        ),
        Figure(
            "sound",
            Words("会议话音质量", "Sound of meetings"),
            "MOS",
            "mos",
            (mos, worst),
            Words(
                "按探测估计的 MOS(1 差,4 良,4.5 上限)。", "MOS estimated from the probes (1 bad, 4 good, 4.5 the most)."
            ),
            lambda value: value >= _GOOD_MOS,
        ),
    ]


def availability_figures(sla: Mapping[str, Any] | None, now: datetime) -> list[Figure]:
    """Availability of all sites this month, from the desk's service levels (``/api/desk/sla``); None: none written."""
    rows = [row for row in (sla or {}).get("sites", ()) if row["availability"] is not None]
    why = None if rows else Words("没有服务水平数据", "no service levels known")
    missed = [row for row in rows if not row["met"]]

    def known(name: str, words: Words, value: float, unit: str, listed: Sequence[Mapping[str, Any]] = ()) -> Input:
        items = [
            Words(f"{row['zh']} {row['availability']:.4%}", f"{row['en']} {row['availability']:.4%}") for row in listed
        ]
        return stored(name, words, value if rows else None, unit, DESK, now, items, why)

    return [
        Figure(
            "availability",
            Words("本月可用率", "Availability this month"),
            "ratio",
            "added / sites",
            (
                known(
                    "added",
                    Words("各站点可用率之和", "All sites' availability added up"),
                    sum(r["availability"] for r in rows),
                    "ratio",
                ),
                known("sites", Words("站点", "Sites"), float(len(rows)), "sites"),
                known(
                    "missed", Words("未达到承诺的站点", "Sites below their target"), float(len(missed)), "sites", missed
                ),
            ),
            Words("各站点的平均;批准的维护时间不计。", "Mean of all sites; approved maintenance is left out."),
            lambda value: not missed,
        )
    ]


def handling_figures(scores: Mapping[str, Any] | None, cards: Sequence[tuple[str, int]], now: datetime) -> list[Figure]:
    """What supervision says of the month: matters finished on time, cards given.

    Args:
        scores: ``collectors.desk.scores.scores``; None: the county has no supervision.
        cards: (kind of card, ticket) of the month, withdrawn ones left out.
        now: Aware.
    """
    rows = [row for row in (scores or {}).get("units", ()) if row["tickets"]]
    why = Words("本县没有写督办规则(supervision.yml)", "the county has no rules of supervision (supervision.yml)")

    def summed(name: str, words: Words, key: str) -> Input:
        total = sum(row[key] for row in rows)
        reason = why if scores is None else _NONE if key == "finished" and not total else None
        return stored(name, words, None if scores is None else float(total), "tickets", DESK, now, why=reason)

    def given(kind: str, words: Words) -> Input:
        tickets = [ticket for found, ticket in cards if found == kind]
        items = [Words(f"工单 {ticket}", f"ticket {ticket}") for ticket in tickets]
        value = None if scores is None else float(len(tickets))
        return stored(kind, words, value, "cards", DESK, now, items, why if scores is None else None)

    return [
        Figure(
            "on_time",
            Words("按时办结率", "Finished on time"),
            "ratio",
            "on_time / finished",
            (
                summed("on_time", Words("本月按时办结", "Finished on time this month"), "on_time"),
                summed("finished", Words("本月办结", "Finished this month"), "finished"),
                summed("tickets", Words("本月工单", "Tickets of this month"), "tickets"),
            ),
            Words("在时限内办结的占办结的。", "Of what was finished, what was within its limit."),
            lambda value: value >= _ON_TIME,
        ),
        Figure(
            "cards",
            Words("本月督办牌", "Cards this month"),
            "cards",
            "yellow + red",
            (given("yellow", Words("黄牌", "Yellow")), given("red", Words("红牌", "Red"))),
            Words(
                "临近时限亮黄牌,超时亮红牌;撤销的不计。",
                "Yellow before the limit, red after; withdrawn ones are not counted.",
            ),
            lambda value: value == 0,
        ),
    ]


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.1f}"
