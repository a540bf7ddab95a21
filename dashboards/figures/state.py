"""How the county is now: sites in service, faults open, meetings today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from collectors.faults.tables import FaultRow
from dashboards.figures.formula import Document, Figure, Input, Words
from dashboards.figures.measured import BOOK, FAULT_BOOK, stored
from inventory.model import NetworkModel, Role, Site
from vconf.meetings import Meeting

_GATEWAYS = (Role.CORE, Role.ACCESS, Role.CPE, Role.PARTNER, Role.HEADEND, Role.LEAF)
"""The host that a site's state is known by, first found."""


def state_figures(
    model: NetworkModel,
    live: Document,
    faults: Sequence[FaultRow],
    today: Sequence[Meeting],
    now: datetime,
) -> list[Figure]:
    """Share of sites in service, open faults, meetings of today.

    Args:
        model: The county.
        live: ``dashboards.live.Live.document``.
        faults: Open ones.
        today: Meetings booked to begin on this day.
        now: Aware.
    """
    return [_sites(model, live), *_faults(faults, now), _meetings(today, now)]


def _sites(model: NetworkModel, live: Document) -> Figure:
    ours = [site for site in model.sites.values() if not site.kind.outside]
    states = site_states(model, live)
    cut, dark = ({code for code, state in states.items() if state == wanted} for wanted in ("down", "unknown"))
    told = str(live["sources"]["collector"])
    source, at = Words("采集器的实时状态", "the collector's live state"), float(live["at"])
    silent = Words(f"采集器没有应答:{told}", f"the collector does not answer: {told}")

    def count(name: str, words: Words, codes: set[str]) -> Input:
        if told != "ok":
            return Input(name, words, None, "sites", source, why=silent)
        items = tuple(Words(site.zh, site.en) for site in ours if site.code in codes)
        return Input(name, words, float(len(items)), "sites", source, at, items)

    model_words = Words("网络模型", "the county's model")
    return Figure(
        "in_service",
        Words("在网站点", "Sites in service"),
        "sites",
        "all_sites - cut - unknown",
        (
            Input("all_sites", Words("全县站点", "All sites"), float(len(ours)), "sites", model_words),
            count("cut", Words("中断站点", "Sites out of service"), cut),
            count("unknown", Words("状态未知的站点", "Sites of unknown state"), dark),
        ),
        Words(
            "状态未知的不算在网;中断包括一个网络中断的站点。",
            "A site of unknown state does not count as in service; one that lost a network counts as out.",
        ),
        lambda value: value == len(ours),
    )


def site_states(model: NetworkModel, live: Document) -> dict[str, str]:
    """Of every site of the county: "down" when it or one of its networks is cut off, "degraded" on its last line."""
    silent = live["sources"]["collector"] != "ok"
    cut = set(live["impact"]["sites_cut"]) | {one["site"] for one in live["impact"]["networks_cut"]}
    weak = set(live["impact"]["sites_unprotected"])
    found = {}
    for site in model.sites.values():
        if site.kind.outside:
            continue
        own = _state(model, live["hosts"], site)
        known = "down" if site.code in cut else "degraded" if site.code in weak and own == "up" else own
        found[site.code] = "unknown" if silent else known
    return found


def _state(model: NetworkModel, hosts: Mapping[str, Document], site: Site) -> str:
    """What the collector says of the site's own gateway."""
    own = {host.role: host.name for host in reversed(list(model.site_hosts(site.code)))}
    gateway = next((own[role] for role in _GATEWAYS if role in own), "")
    return str(hosts.get(gateway, {}).get("state", "unknown"))


def _faults(faults: Sequence[FaultRow], now: datetime) -> list[Figure]:
    def counted(severity: str) -> Input:
        rows = [row for row in faults if row.severity == severity]
        zh, en = {"critical": ("严重", "Critical"), "warning": ("一般", "Warnings")}[severity]
        items = [Words(f"{row.subject}({row.kind})", f"{row.subject} ({row.kind})") for row in rows]
        return stored(severity, Words(zh, en), float(len(rows)), "faults", FAULT_BOOK, now, items)

    return [
        Figure(
            "faults_open",
            Words("未恢复故障", "Faults open"),
            "faults",
            "critical + warning",
            (counted("critical"), counted("warning")),
            Words(
                "一个根因算一起,由它引起的不重复计。",
                "One for one root cause; what follows from it is not counted again.",
            ),
            lambda value: value == 0,
        )
    ]


def _meetings(today: Sequence[Meeting], now: datetime) -> Figure:
    running = [meeting for meeting in today if meeting.present or meeting.start_at <= now < meeting.end_at]

    def counted(name: str, words: Words, meetings: Sequence[Meeting]) -> Input:
        items = [Words(meeting.title, meeting.title) for meeting in meetings]
        return stored(name, words, float(len(meetings)), "meetings", BOOK, now, items)

    return Figure(
        "meetings_today",
        Words("今日会议", "Meetings today"),
        "meetings",
        "today",
        (
            counted("today", Words("今日登记的会议", "Booked for today"), today),
            counted("running", Words("正在进行", "Running now"), running),
        ),
        Words("取消的不计。", "Cancelled ones are left out."),
    )
