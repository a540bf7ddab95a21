"""How much the county's network is used: meetings and hall hours, the shared exit, the fullest line."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards.figures.formula import Figure, Input, Words
from dashboards.figures.measured import BOOK, Period, measured, stored
from dashboards.sources import Prometheus
from inventory.model import LinkKind, NetworkModel
from vconf.attendance import Stay
from vconf.meetings import Meeting

_DAY = "[1d:2m]"
"""The last 24 hours, one sample in two minutes (PromQL subquery): a county that began just now has figures soon."""
FULL = 0.7
"""Share of its rate above which a line should grow: beyond it queues and meetings suffer in busy seconds."""


def meeting_figures(
    model: NetworkModel, period: Period, booked: Sequence[Meeting], stays: Sequence[Stay]
) -> list[Figure]:
    """Meetings held (at least one hall came), hall hours, and the share of booked halls that came."""
    came = {stay.meeting for stay in stays}
    held = [meeting for meeting in booked if meeting.id in came]
    hours = sum(_seconds(stay, period) for stay in stays) / 3600
    wanted = [(meeting.id, hall) for meeting in booked for hall in meeting.halls if meeting.start_at < period.end]
    present = {(stay.meeting, stay.hall) for stay in stays} & set(wanted)
    now = period.end

    def counted(name: str, zh: str, en: str, meetings: Sequence[Meeting]) -> Input:
        items = [Words(f"{_day(meeting)} {meeting.title}", f"{_day(meeting)} {meeting.title}") for meeting in meetings]
        return stored(name, Words(zh, en), float(len(meetings)), "meetings", BOOK, now, items)

    halls = {hall: sum(_seconds(s, period) for s in stays if s.hall == hall) / 3600 for hall in {s.hall for s in stays}}
    names = [
        Words(f"{model.halls[hall].zh} {spent:.1f} 小时", f"{model.halls[hall].en} {spent:.1f} h")
        for hall, spent in sorted(halls.items(), key=lambda each: -each[1])
        if hall in model.halls
    ]
    return [
        Figure(
            "meetings_held",
            Words("本月召开会议", "Meetings held this month"),
            "meetings",
            "held",
            (
                counted("held", "有会场到会的会议", "Meetings that a hall came to", held),
                counted("booked", "已登记的会议", "Meetings booked", booked),
            ),
            Words(
                "至少一个会场到会才算召开;取消的不计。", "Held: at least one hall came. Cancelled ones are left out."
            ),
        ),
        Figure(
            "hall_hours",
            Words("本月会场使用", "Hall hours this month"),
            "h",
            "hours",
            (
                stored(
                    "hours", Words("各会场在会时间之和", "All halls' time in meetings"), hours, "h", BOOK, now, names
                ),
            ),
            Words("每个会场从进入到离开的时间相加。", "Each hall's time from coming in to leaving, added up."),
        ),
        Figure(
            "attendance",
            Words("会场到会率", "Attendance of halls"),
            "ratio",
            "came / invited",
            (
                stored("came", Words("到会会场次", "Halls that came"), float(len(present)), "halls", BOOK, now),
                stored("invited", Words("应到会场次", "Halls invited"), float(len(wanted)), "halls", BOOK, now),
            ),
            Words("只计已到开会时间的会议。", "Of meetings whose time had come."),
            lambda value: value >= 0.95,
        ),
    ]


async def capacity_figures(model: NetworkModel, prometheus: Prometheus, since: float | None) -> list[Figure]:
    """The exit's busy-hour load against what the carriers' lines carry, and the fullest fibre of the backbone."""
    exits = _exit_links(model)
    figures = []
    if exits:
        load = f'sum(max by (link) (sanwang_link_bps{{link=~"{"|".join(exits)}"}}))'
        busy = await measured(
            prometheus,
            "busy",
            Words("24 小时内 95% 时间不超过的流量", "Load not exceeded 95 % of the last 24 hours"),
            "bit/s",
            f"quantile_over_time(0.95, {load}{_DAY})",
            since,
        )
        line = model.links[exits[0]]
        rate = Input(
            "rate",
            Words("主用线路速率", "Rate of the preferred line"),
            float(line.rate_bps),
            "bit/s",
            Words(f"网络模型:{line.name}", f"the county's model: {line.name}"),
        )
        figures.append(
            Figure(
                "exit_use",
                Words("互联网出口占用", "Use of the Internet exit"),
                "ratio",
                "busy / rate",
                (busy, rate),
                Words(f"忙时占用;超过 {FULL:.0%} 应扩容。", f"In busy hours; above {FULL:.0%} it should grow."),
                lambda value: value <= FULL,
            )
        )
    backbone = [link for link in model.links.values() if link.kind in (LinkKind.RING, LinkKind.ACCESS)]
    wanted = "|".join(link.name for link in backbone)
    each = f'max by (link) (sanwang_link_bps{{link=~"{wanted}"}}) / on (link) sanwang_link_rate_bps'
    fullest = await measured(
        prometheus,
        "fullest",
        Words("最忙光缆的忙时占用", "Busy-hour use of the fullest fibre"),
        "ratio",
        f"max(quantile_over_time(0.95, ({each}){_DAY}))",
        since,
    )
    figures.append(
        Figure(
            "backbone_use",
            Words("最忙光缆占用", "Use of the fullest fibre"),
            "ratio",
            "fullest",
            (fullest,),
            Words(f"环网和接入光缆共 {len(backbone)} 条。", f"Of {len(backbone)} ring and access fibres."),
            lambda value: value <= FULL,
        )
    )
    return figures


def _exit_links(model: NetworkModel) -> list[str]:
    """Names of the carriers' lines at the exit, preferred first."""
    if not model.firewall:
        return []
    firewall = model.hosts[model.firewall]
    return [firewall.port(line.port).link for line in sorted(model.exits, key=lambda line: line.metric)]


def _seconds(stay: Stay, period: Period) -> float:
    """The part of a stay that lies in the period."""
    end = min(stay.left_at or period.end, period.end)
    return max(0.0, (end - max(stay.joined_at, period.start)).total_seconds())


def _day(meeting: Meeting) -> str:
    return f"{meeting.start_at:%m-%d}"
