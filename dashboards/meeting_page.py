"""The report of a meeting as one HTML page, Chinese first; it is printed as it stands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dashboards.desk.page import duration
from inventory.workdays import CHINA
from provision.printing import STYLE

_STATES = {
    "cut": ("中断", "cut"),
    "alone": ("孤立运行", "alone"),
    "rerouted": ("绕行", "rerouted"),
    "degraded": ("劣化", "degraded"),
    "unprotected": ("失去保护", "unprotected"),
}
_LAYERS = {-1: "无画面 none", 0: "320×180", 1: "640×360", 2: "1280×720"}

_PAGE = """\
<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>会议报告 {{ r.meeting.title }}</title>
<style>
{{ style | safe }}
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bad { color: #a02020; }
dl { display: grid; grid-template-columns: max-content 1fr max-content 1fr; gap: .2rem 1rem; margin: .6rem 0; }
dt { color: var(--soft); } dd { margin: 0; }
@media print { body { font-size: 10.5px; } @page { size: A4 landscape; margin: 12mm; } }
</style>
</head>
<body>
<h1>会议报告 <span class="en">Meeting report</span></h1>
<h2>{{ r.meeting.title }}</h2>
<dl>
<dt>县 County</dt><dd>{{ r.county.zh }} <span class="en">{{ r.county.en }}</span></dd>
<dt>会议编号 Meeting</dt><dd>{{ r.meeting.id }}</dd>
<dt>预定时间 Booked</dt><dd>{{ r.meeting.start | day }} {{ r.meeting.start | clock }}–{{ r.meeting.end | clock }}</dd>
<dt>实际时间 Held</dt><dd>{{ r.began | clock }}–{{ r.over | clock }}</dd>
<dt>主会场 Main venue</dt><dd>{{ r.meeting.main }}</dd>
<dt>主席 Chair</dt><dd>{{ r.meeting.chair }}（预订 booked by {{ r.meeting.booked_by }}）</dd>
<dt>到会会场 Venues</dt><dd>{{ r.came }} / {{ r.booked }}</dd>
<dt>到会人数 Heads</dt><dd>{{ r.heads }}</dd>
</dl>
<h2>一、会场到会情况 <span class="en">Attendance</span></h2>
<table>
<tr><th>会场 Venue</th><th class="n">人数 Heads</th><th>签到人 Signed by</th><th class="n">入会 Joined</th>
<th class="n">离会 Left</th><th class="n">在会时长 Stayed</th><th class="n">入会次数 Times</th>
<th>点名 Roll call</th></tr>
{% for v in r.venues %}
<tr><td>{{ v.zh }}{% if v.main %}（主会场）{% endif %}{% if not v.booked %}（未预订 not booked）{% endif %}
<span class="en">{{ v.hall }}</span></td>
<td class="n">{{ "—" if v.heads is none else v.heads }}</td><td>{{ v.signed_by or "—" }}</td>
<td class="n">{% if v.joined is none %}<b class="bad">未到 absent</b>{% else %}{{ v.joined | clock }}{% endif %}</td>
<td class="n">{% if v.joined is not none and v.left is none %}在会 in{% else %}{{ v.left | clock }}{% endif %}</td>
<td class="n">{{ v.stayed_s | duration if v.stays else "—" }}</td><td class="n">{{ v.stays }}</td>
<td>{% if v.called %}应答 answered {% for at in v.called %}{{ at | clock }} {% endfor %}
{% elif rolled %}<span class="bad">未点到 not called</span>{% else %}—{% endif %}</td></tr>
{% endfor %}
</table>
<h2>二、会场质量 <span class="en">Quality of each venue</span></h2>
<table>
<tr><th>会场 Venue</th><th class="n">上行丢包 Loss up</th><th class="n">最大 max</th><th class="n">抖动 Jitter</th>
<th class="n">最大 max</th><th class="n">下行丢包 Loss down</th><th class="n">最大 max</th>
<th class="n">卡顿 Freezes</th>
<th class="n">声音修补 Concealed</th><th>画面 Picture</th><th class="n">测量 Measured</th></tr>
{% for v in r.venues if v.quality %}{% set q = v.quality %}
<tr><td>{{ v.zh }}</td>
<td class="n">{{ q.up_lost_percent | figure("%") }}</td><td class="n">{{ q.up_lost_max | figure("%") }}</td>
<td class="n">{{ q.up_jitter_ms | figure(" ms") }}</td><td class="n">{{ q.up_jitter_max | figure(" ms") }}</td>
<td class="n">{{ q.down_lost_percent | figure("%") }}</td><td class="n">{{ q.down_lost_max | figure("%") }}</td>
<td class="n">{{ q | freezes }}</td>
<td class="n">{{ q.concealed_percent | figure("%") }}</td>
<td>{{ layers.get(q.layer, "—") }}</td><td class="n">{{ q.minutes }} min</td></tr>
{% else %}
<tr><td colspan="11">没有测量 <span class="en">nothing was measured</span></td></tr>
{% endfor %}
</table>
<h2>三、会议期间的网络故障 <span class="en">Faults of the network meanwhile</span></h2>
{% if r.faults %}
<table>
<tr><th>编号</th><th>故障 Fault</th><th>开始 From</th><th>恢复 Until</th><th>受影响会场 Venues</th></tr>
{% for f in r.faults %}
<tr><td class="n">{{ f.id }}</td><td>{{ f.zh }}<br><span class="en">{{ f.en }}</span></td>
<td class="n">{{ f.opened | clock }}</td>
<td class="n">{% if f.cleared is none %}未恢复 open{% else %}{{ f.cleared | clock }}{% endif %}</td>
<td>{% for h in f.halls %}{{ h.zh }} {{ states.get(h.state, (h.state, h.state)) | join(" ") }}<br>
{% else %}无 none{% endfor %}</td></tr>
{% endfor %}
</table>
{% else %}<p>没有故障 <span class="en">none</span></p>{% endif %}
<h2>四、主席操作与会议事件 <span class="en">What was done</span></h2>
<table>
<tr><th>时间 Time</th><th>操作人 Who</th><th>操作 Action</th><th>对象与内容 Detail</th></tr>
{% for a in r.actions %}
<tr><td class="n">{{ a.at | clock }}</td><td>{{ a.who }}</td><td>{{ a.zh }} <span class="en">{{ a.en }}</span></td>
<td>{{ a.detail }}</td></tr>
{% else %}<tr><td colspan="4">没有记录 <span class="en">nothing</span></td></tr>{% endfor %}
</table>
<p class="meta">由 {{ r.county.zh }} 会议系统据审计日志、签到表与媒体测量生成；随附签名文件（.p7s）可证明未被改动：
sanwang meet verify-report。<span class="en">Made from the audit log, the sheet and what was measured; the signature
beside it (.p7s) proves that nothing was changed.</span></p>
</body>
</html>
"""


def html(report: dict[str, Any]) -> str:
    """The page of a report's document (``vconf.report.document``)."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters |= {"clock": _clock, "day": _day, "duration": duration, "figure": _figure, "freezes": _freezes}
    rolled = any(venue["called"] for venue in report["venues"])
    page = environment.from_string(_PAGE)
    return page.render(r=report, style=STYLE, states=_STATES, layers=_LAYERS, rolled=rolled)


def _clock(seconds: float | None) -> str:
    return "—" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC).astimezone(CHINA):%H:%M:%S}"


def _day(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC).astimezone(CHINA):%Y-%m-%d}"


def _freezes(quality: dict[str, Any]) -> str:
    if quality["freezes"] is None:
        return "—"
    return f"{quality['freezes']}" + (f" ({quality['freeze_s']} s)" if quality["freeze_s"] else "")


def _figure(value: float | None, unit: str) -> str:
    return "—" if value is None else f"{value:g}{unit}"
