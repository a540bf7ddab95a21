"""The monthly report as one HTML page without anything from outside, Chinese first; it is printed as it stands."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from inventory.workdays import CHINA
from provision.printing import STYLE

_PAGE = """\
<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ report.county.zh }} {{ report.month }} 运行月报</title>
<style>
{{ style | safe }}
.source { color: var(--soft); font-size: .84em; overflow-wrap: anywhere; margin: .2rem 0 0; }
.wide { overflow-x: auto; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
td.number { white-space: nowrap; }
@media print { body { font-size: 11px; } @page { size: A4 landscape; margin: 12mm; } }
</style>
</head>
<body>
<h1>{{ report.county.zh }} {{ report.month }} 运行月报
<span class="en">{{ report.county.en }}, monthly report</span></h1>
<p class="meta">{{ report.from_at | moment }} 至 {{ report.to_at | moment }}{% if report.running %}（本月尚未结束
<span class="en">the month still runs</span>）{% endif %} · 生成于 {{ report.made_at | moment }}</p>
{% for section in report.sections %}
<h2>{{ loop.index }}. {{ section.zh }} <span class="en">{{ section.en }}</span></h2>
{% if section.note %}<p class="meta">{{ section.note.zh }}<br>{{ section.note.en }}</p>{% endif %}
{% if section.missing %}<p>{{ section.missing.zh }} <span class="en">{{ section.missing.en }}</span></p>{% endif %}
{% if section.rows %}
<div class="wide"><table>
<tr>{% for column in section.columns %}{% set first = section.rows[0][loop.index0] %}
<th{% if first is number %} class="number"{% endif %}>{{ column.zh }} <span class="en">{{ column.en }}</span></th>
{% endfor %}</tr>
{% for row in section.rows %}
<tr>{% for cell in row %}{% set unit = section.columns[loop.index0].unit %}
{% if cell is number %}<td class="number">{{ cell | figure(unit) }}</td>
{% elif cell is mapping %}<td>{{ cell.zh }}
{% if cell.en != cell.zh %}<span class="en">{{ cell.en }}</span>{% endif %}</td>
{% else %}<td>{{ "—" if cell is none else cell }}</td>{% endif %}{% endfor %}</tr>
{% endfor %}
</table></div>
{% endif %}
<p class="source">来源 source: {{ section.source.zh }} <span class="en">{{ section.source.en }}</span></p>
{% endfor %}
</body>
</html>
"""


def html(report: dict[str, Any]) -> str:
    """The page of a report's document (``dashboards.desk.month``)."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["figure"] = figure
    environment.filters["moment"] = moment
    return environment.from_string(_PAGE).render(report=report, style=STYLE)


def moment(seconds: float) -> str:
    """UNIX seconds as the county's time of day."""
    return f"{datetime.fromtimestamp(seconds, UTC).astimezone(CHINA):%Y-%m-%d %H:%M}"


def figure(value: float, unit: str) -> str:
    """A number as people read it.

    >>> figure(0.99995, "share"), figure(5400, "s"), figure(120_000_000, "bit/s")
    ('99.995%', '1 h 30 min', '120 Mbit/s')
    """
    match unit:
        case "share":
            return f"{value * 100:.4f}".rstrip("0").rstrip(".") + "%"
        case "s":
            return duration(value)
        case "at":
            return moment(value)
        case "bit/s":
            for size, word in ((1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s")):
                if abs(value) >= size:
                    return f"{value / size:.3g} {word}"
            return f"{value:.0f} bit/s"
        case "CNY":
            return f"{value:,.0f}"
        case "dBm" | "dB" | "days" | "points":
            return f"{value:g}"
    return f"{value:g}" if value != int(value) else f"{int(value)}"


def duration(seconds: float) -> str:
    """Seconds as days, hours, minutes and seconds, the two largest of them."""
    parts = []
    left = round(seconds)
    for size, word in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if left >= size:
            parts.append(f"{left // size} {word}")
            left %= size
    return " ".join(parts[:2]) or "0 s"
