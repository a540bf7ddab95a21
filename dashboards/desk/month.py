"""The monthly report: tickets against their limits, cards, scores, service levels, faults, meetings, capacity, light,
savings.  Figures come from the store's rows, the county's files, and Prometheus over exactly that month.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from collectors.desk import impacts, scores, sla
from collectors.desk.months import bounds
from collectors.desk.steps import Desk, marks, standing
from collectors.desk.tables import LATE_RESPONSE, RED, UNFINISHED, YELLOW, TicketRow
from collectors.faults.tables import FaultRow, faults_between
from dashboards.desk.measured import capacity, light
from dashboards.desk.tables import Cell, Column, Document, Section, Words
from dashboards.sources import Prometheus
from inventory.model import NetworkModel
from inventory.savings import savings
from inventory.schema import CostsIntent
from inventory.supervision import Supervision
from store.engine import Store
from vconf import attendance, meetings

_TOP = 10
_TICKETS = ("数据库表 ticket、ticket_mark", "tables ticket and ticket_mark of the store")
_FAULTS = ("数据库表 fault（故障簿）", "table fault of the store, the fault book")
_MEETINGS = ("数据库表 meeting、attendance", "tables meeting and attendance of the store")


@dataclass(frozen=True, slots=True)
class MonthReport:
    """Makes the report of one county."""

    model: NetworkModel
    rules: Supervision
    store: Store
    prometheus: Prometheus
    costs: CostsIntent | None
    now: Callable[[], datetime]

    async def document(self, month: str) -> Document:
        """The report of ``2026-11``; of a month that still runs, until now.  Raises DeskError."""
        desk = Desk(self.model, self.rules, self.now)
        start, over = bounds(month, self.now())
        end = min(over, self.now())
        stored, used, optics = await asyncio.gather(
            asyncio.to_thread(self._stored, desk, month, start, end),
            capacity(self.model, self.prometheus, start, end),
            light(self.model, self.prometheus, start, end),
        )
        sections = [*stored, *used, optics, self._savings()]
        return {
            "month": month,
            "county": {"zh": self.model.zh, "en": self.model.en},
            "from_at": start.timestamp(),
            "to_at": end.timestamp(),
            "running": end < over,
            "made_at": self.now().timestamp(),
            "sections": [section.document() for section in sections],
        }

    def _stored(self, desk: Desk, month: str, start: datetime, end: datetime) -> list[Section]:
        with self.store.reading() as session:
            faults = faults_between(session, start, end)
            return [
                _by_class(session, desk, start, end),
                *_scores(scores.scores(session, desk, month)),
                *_levels(sla.availability(session, desk, month)),
                _faults(desk, faults, start, end),
                *_meetings(session, desk, faults, start, end),
            ]

    def _savings(self) -> Section:
        words = ("自建网节约", "What the county's own network spares")
        source = ("costs.yml 的单价；数量按网络模型统计", "prices of costs.yml; counted in the county's model")
        columns = (
            Column("项目", "item"),
            Column("数量", "count"),
            Column("单价", "each", "CNY"),
            Column("节约", "spared", "CNY"),
            Column("周期", "per"),
            Column("依据", "source"),
        )
        if self.costs is None:
            missing = ("本县没有 costs.yml", "the county has no costs.yml")
            return Section("savings", words, source, columns, missing=missing)
        rows: list[list[Cell]] = [
            [
                (each.zh, each.en),
                each.count,
                each.each_cny,
                each.cny,
                ("每年", "a year") if each.per == "year" else ("一次", "once"),
                (each.source_zh, each.source_en),
            ]
            for each in savings(self.model, self.costs)
        ]
        return Section("savings", words, source, columns, rows)


def _by_class(session: Session, desk: Desk, start: datetime, end: datetime) -> Section:
    """Tickets by class: opened, finished, in time, cards, and how long they took."""
    query = select(TicketRow).where(
        TicketRow.opened_at < end,
        or_(TicketRow.state.in_(UNFINISHED), TicketRow.restored_at >= start, TicketRow.opened_at >= start),
    )
    tickets = session.scalars(query).all()
    fired = marks(session, [ticket.id for ticket in tickets])
    rows: list[list[Cell]] = []
    for name in dict.fromkeys([*desk.rules.classes, *(ticket.class_name for ticket in tickets)]):
        own = [each for each in tickets if each.class_name == name]
        done = [each for each in own if each.restored_at and start <= each.restored_at < end and each.parent is None]
        cards = {each.id: standing(fired.get(each.id, {})) for each in own}
        took = [each.spent_s for each in done]
        rules = desk.rules.classes.get(name)
        rows.append(
            [
                (rules.zh, rules.en) if rules else name,
                rules.respond.text if rules else "",
                rules.restore.text if rules else "",
                sum(start <= each.opened_at < end for each in own),
                len(done),
                sum(RED not in cards[each.id] for each in done),
                *(sum(kind in cards[each.id] for each in own) for kind in (LATE_RESPONSE, YELLOW, RED)),
                sum(each.outcome == "deemed-granted" for each in done),
                statistics.median(took) if took else None,
                max(took) if took else None,
                rules.source if rules else "",
            ]
        )
    columns = (
        Column("类别", "class"),
        Column("受理时限", "respond"),
        Column("办结时限", "restore"),
        Column("新开", "opened"),
        Column("办结", "finished"),
        Column("按时", "in time"),
        Column("受理超时", "late response"),
        Column("黄牌", "yellow"),
        Column("红牌", "red"),
        Column("超时默认", "deemed granted"),
        Column("用时中位数", "median time", "s"),
        Column("最长用时", "longest", "s"),
        Column("依据", "rule"),
    )
    note = (
        "用时不含等待单位的时间；以工作时间计的类别只计工作时间。",
        "Time without waiting for the unit; classes in working time count working time alone.",
    )
    return Section("tickets", ("工单与时限", "Tickets and their limits"), _TICKETS, columns, rows, note)


def _scores(document: Document) -> list[Section]:
    columns = (
        Column("名称", "name"),
        Column("工单", "tickets"),
        Column("按时率", "in time", "share"),
        Column("黄牌", "yellow"),
        Column("红牌", "red"),
        Column("责令改正", "corrections"),
        Column("重新打开", "reopened"),
        Column("满意度", "satisfaction"),
        Column("得分", "score", "points"),
        Column("得分构成", "how it came about"),
    )
    published = document["published"]
    source = (
        ("已公布的得分（表 published_score）", "scores as published (table published_score)")
        if published
        else ("表 ticket、ticket_step；规则 supervision.yml", "tables ticket and ticket_step; rules of supervision.yml")
    )
    names = {"teams": ("班组绩效", "Scores of teams"), "units": ("单位绩效", "Scores of units")}
    return [
        Section(
            key,
            words,
            source,
            columns,
            [
                [
                    (each["zh"], each["en"]),
                    *(
                        each[name]
                        for name in (
                            "tickets", "on_time_share", "yellow", "red", "corrections", "reopened", "satisfaction",
                            "score",
                        )
                    ),
                    (_lines(each, "zh"), _lines(each, "en")),
                ]
                for each in document[key]
            ],
            missing=None if document[key] else ("本月没有工单", "no ticket this month"),
        )
        for key, words in names.items()
    ]  # fmt: skip


def _lines(score: Document, language: str) -> str:
    return "; ".join(f"{line[language]} = {line['points']:+g}" for line in score["lines"])


def _levels(document: Document) -> list[Section]:
    """Sites: those that were cut off, or a line that none was; services: all."""
    columns = (
        Column("名称", "name"),
        Column("承诺", "promised", "share"),
        Column("可用率", "availability", "share"),
        Column("中断", "cut off", "s"),
        Column("计划维护", "planned work", "s"),
        Column("达标", "met"),
        Column("故障编号", "faults"),
    )

    def rows(found: Sequence[Document]) -> list[list[Cell]]:
        return [
            [
                (each["zh"], each["en"]),
                each["target"],
                each["availability"],
                each["cut_s"],
                each["maintenance_s"],
                ("是", "yes") if each["met"] else ("否", "no"),
                ", ".join(map(str, each["faults"])),
            ]
            for each in found
        ]

    hurt = sorted((each for each in document["sites"] if each["faults"]), key=lambda each: -each["cut_s"])
    whole = [each for each in document["sites"] if each["availability"] is not None]
    mean = sum(each["availability"] for each in whole) / len(whole) if whole else 0.0
    missed = sum(not each["met"] for each in document["sites"])
    note = (
        f"全部 {len(document['sites'])} 个单位平均可用率 {mean:.4%}，未达标 {missed} 个；未列出的单位没有中断。",
        f"Mean of all {len(document['sites'])} sites {mean:.4%}, {missed} below target; the others were never cut.",
    )
    source = (f"{_FAULTS[0]}；承诺值 supervision.yml", f"{_FAULTS[1]}; targets of supervision.yml")
    return [
        Section("sites", ("单位服务水平", "Service levels of sites"), source, columns, rows(hurt), note),
        Section(
            "services", ("业务服务水平", "Service levels of services"), source, columns, rows(document["services"])
        ),
    ]


def _faults(desk: Desk, faults: Sequence[FaultRow], start: datetime, end: datetime) -> Section:
    """Those that cost most: sites cut off times how long, then how long alone."""

    def length_s(fault: FaultRow) -> float:
        return (min(fault.cleared_at or end, end) - max(fault.opened_at, start)).total_seconds()

    def cost(fault: FaultRow) -> tuple[float, float]:
        return len(impacts.sites_cut(fault.impact)) * length_s(fault), length_s(fault)

    rows: list[list[Cell]] = [
        [
            fault.id,
            fault.kind,
            fault.subject,
            desk.names(fault.site) if fault.site else "",
            fault.opened_at.timestamp(),
            length_s(fault),
            len(impacts.sites_cut(fault.impact)),
            impacts.words(fault.impact),
            ("是", "yes") if fault.window is not None else "",
        ]
        for fault in sorted(faults, key=cost, reverse=True)[:_TOP]
    ]
    columns = (
        Column("编号", "number"),
        Column("种类", "kind"),
        Column("对象", "what"),
        Column("地点", "where"),
        Column("开始", "began", "at"),
        Column("本月时长", "time this month", "s"),
        Column("中断单位", "sites cut off"),
        Column("影响", "impact"),
        Column("计划内", "planned"),
    )
    note = (
        f"本月共 {len(faults)} 起，列出影响最大的 {len(rows)} 起。",
        f"{len(faults)} this month; the {len(rows)} that cost most.",
    )
    return Section("faults", ("主要故障", "Top faults"), _FAULTS, columns, rows, note)


def _meetings(
    session: Session, desk: Desk, faults: Sequence[FaultRow], start: datetime, end: datetime
) -> list[Section]:
    """Meetings held, and those that a fault cut a hall out of."""
    booked = meetings.between(session, start, end)
    stays = attendance.stays(session, start, end)
    came: dict[int, set[str]] = {}
    spent: dict[int, float] = {}
    for stay in stays:
        came.setdefault(stay.meeting, set()).add(stay.hall)
        seconds = (min(stay.left_at or end, end) - max(stay.joined_at, start)).total_seconds()
        spent[stay.meeting] = spent.get(stay.meeting, 0.0) + max(0.0, seconds)
    held: list[list[Cell]] = [
        [
            each.title,
            each.start_at.timestamp(),
            len(each.halls),
            len(came.get(each.id, ())),
            round(spent.get(each.id, 0.0)),
        ]
        for each in booked
        if each.id in came
    ]
    hurt: list[list[Cell]] = []
    for fault in faults:
        for each in fault.impact.get("meetings", ()):
            hurt.append([fault.id, fault.subject, each["title"], fault.opened_at.timestamp(), _halls(desk, each)])
    note = (f"登记 {len(booked)} 场，召开 {len(held)} 场。", f"{len(booked)} booked, {len(held)} held.")
    return [
        Section(
            "meetings",
            ("召开的会议", "Meetings held"),
            _MEETINGS,
            (
                Column("会议", "meeting"),
                Column("开始", "began", "at"),
                Column("会场", "halls booked"),
                Column("到会", "halls that came"),
                Column("会场时间", "hall time", "s"),
            ),
            held,
            note,
        ),
        Section(
            "hurt",
            ("受影响的会议", "Meetings hurt"),
            _FAULTS,
            (
                Column("故障", "fault"),
                Column("对象", "what"),
                Column("会议", "meeting"),
                Column("故障开始", "fault began", "at"),
                Column("会场", "halls"),
            ),
            hurt,
            missing=None if hurt else ("没有会议受故障影响", "no fault touched a meeting"),
        ),
    ]


def _halls(desk: Desk, meeting: dict[str, Any]) -> Words:
    zh, en = [], []
    for each in meeting.get("halls", ()):
        hall = desk.model.halls.get(each["hall"])
        zh.append(f"{hall.zh if hall else each['hall']}（{each['state']}）")
        en.append(f"{hall.en if hall else each['hall']} ({each['state']})")
    return "、".join(zh), ", ".join(en)
