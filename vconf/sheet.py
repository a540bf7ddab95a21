"""The sign-in sheet (签到表) as a page to print: one file, no script, no style sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from html import escape

from inventory.model import NetworkModel
from vconf.attendance import Line
from vconf.chair.state import Conference
from vconf.meetings import Meeting

Names = Callable[[str], str]


def names(model: NetworkModel, state: Conference | None) -> Names:
    """What venues are called: halls by the county's files, guests as they called themselves."""
    known = {code: venue.zh for code, venue in state.venues.items()} if state is not None else {}
    known |= {code: hall.zh for code, hall in model.halls.items()}
    return lambda code: known.get(code, code)


def html(meeting: Meeting, lines: Iterable[Line], name: Names, now: datetime) -> str:
    """The page.

    Args:
        meeting: Whose sheet it is.
        lines: From ``attendance.sheet``.
        name: From ``names``.
        now: When it was printed, in the reader's zone (times are shown in that zone).
    """

    def at(moment: datetime | None) -> str:
        return moment.astimezone(now.tzinfo).strftime("%H:%M:%S") if moment else "—"

    rows = [
        (
            name(line.hall) + ("（主会场）" if line.hall == meeting.main else ""),
            line.hall,
            "—" if line.heads is None else str(line.heads),
            line.name or "—",
            at(line.joined_at),
            ("在会 still in" if line.joined_at else "未到 absent") if line.left_at is None else at(line.left_at),
            f"{round(line.stayed.total_seconds() / 60)} 分钟 min" if line.stays else "—",
        )
        for line in lines
    ]
    came = sum(row[4] != "—" for row in rows)
    heads = sum(int(row[2]) for row in rows if row[2].isdigit())
    start, end = (moment.astimezone(now.tzinfo) for moment in (meeting.start_at, meeting.end_at))
    head = ("会场 Venue", "代码 Code", "到会人数 Heads", "签到人 Signed by", "入会 Joined", "离会 Left", "时长 Stayed")
    return "".join(
        (
            '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">',
            f"<title>签到表 {escape(meeting.title)}</title></head>",
            f"<body><h1>签到表 Sign-in sheet</h1><h2>{escape(meeting.title)}</h2>",
            f"<p>{start:%Y-%m-%d %H:%M}–{end:%H:%M} · 会议 Meeting {meeting.id} · ",
            f"到会会场 venues {came}/{len(rows)} · 到会人数 heads {heads}</p>",
            '<table border="1" cellpadding="6" cellspacing="0" width="100%"><thead>',
            _row("th", head),
            "</thead><tbody>",
            *(_row("td", row) for row in rows),
            f"</tbody></table><p>{now:%Y-%m-%d %H:%M:%S}</p></body></html>\n",
        )
    )


def _row(tag: str, cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
