"""The report as one HTML page without anything from outside, Chinese first; and as PDF by the installed Chromium."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import jinja2

from provision.comply.assess import LEVEL, STANDARD, Report
from provision.comply.findings import GROUPS, ITEMS, Status
from provision.printing import STYLE, print_pdf

WORDS = {Status.PASS: ("符合", "pass"), Status.FAIL: ("不符合", "fail"), Status.UNKNOWN: ("无法判定", "not assessable")}

_PAGE = """\
<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ report.zh }} 等级保护自查报告</title>
<style>
{{ style | safe }}
:root { --pass: #1d7a46; --fail: #b3261e; --unknown: #7a5b00; }
h3 { font-size: 1rem; margin: 1.2rem 0 .2rem; break-after: avoid; }
td.evidence { font-family: "Noto Sans Mono", "DejaVu Sans Mono", monospace; font-size: .8rem;
  overflow-wrap: anywhere; width: 60%; }
.status { white-space: nowrap; font-weight: 600; }
.pass { color: var(--pass); } .fail { color: var(--fail); } .not-assessable { color: var(--unknown); }
details > summary { cursor: pointer; color: var(--soft); }
</style>
</head>
<body>
<h1>{{ report.zh }} 网络安全等级保护自查报告 <span class="en">Graded protection self-assessment</span></h1>
<p class="meta">依据 {{ standard }} 第三级安全通用要求 · 生成时间 {{ at }} (UTC) ·
{% if report.instance %}运行实例 {{ report.instance }}{% else %}没有运行实例，实时项无法判定{% endif %}<br>
机器可判定的项目逐条列出证据；不给出总分，其余要求由测评人员判定。
<span class="en">Level {{ level }}. Evidence for what a machine can see; no score; the rest is an assessor's.</span></p>
<table>
<tr><th>条款 <span class="en">clause</span></th>{% for zh, en in words.values() %}<th>{{ zh }} <span class="en">{{ en }}
</span></th>{% endfor %}</tr>
{% for group, counts in report.counts().items() %}
<tr><td>{{ group }} {{ groups[group][0] }} <span class="en">{{ groups[group][1] }}</span></td>
{% for status in words %}<td class="{{ status.value }}">{{ counts[status.value] }}</td>{% endfor %}</tr>
{% endfor %}
</table>
{% for group, checks in sections %}
<h2>{{ group }} {{ groups[group][0] }} <span class="en">{{ groups[group][1] }}</span></h2>
{% for check, found in checks %}
<h3>{{ check.clause }} {{ items[check.item][0] }}：{{ check.zh }} <span class="en">{{ check.en }}</span></h3>
{% for open, rows in found %}
{% if rows %}
<details{{ " open" if open }}><summary>{{ rows | length }} 项 <span class="en">results</span></summary>
<table>
<tr><th>结论</th><th>设备</th><th>证据</th></tr>
{% for each in rows %}
<tr><td class="status {{ each.status.value }}">{{ words[each.status][0] }}</td><td>{{ each.device or "全县" }}</td>
<td class="evidence">{{ each.evidence }}</td></tr>
{% endfor %}
</table></details>
{% endif %}
{% endfor %}
{% endfor %}
{% endfor %}
</body>
</html>
"""


def html(report: Report) -> str:
    """The whole report; failures and open questions unfolded, passes folded (a PDF shows all)."""
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True).from_string(
        _PAGE
    )
    sections = []
    for group, results in groupby(report.results, key=lambda pair: pair[0].group):
        checks = []
        for check, pairs in groupby(results, key=lambda pair: pair[0]):
            found = [each for _, each in pairs]
            bad = [each for each in found if each.status is not Status.PASS]
            good = [each for each in found if each.status is Status.PASS]
            checks.append((check, [(True, bad), (False, good)]))
        sections.append((group, checks))
    return template.render(
        report=report,
        style=STYLE,
        sections=sections,
        groups=GROUPS,
        items=ITEMS,
        words=WORDS,
        standard=STANDARD,
        level=LEVEL,
        at=f"{report.at:%Y-%m-%d %H:%M:%S}",
    )


def pdf(report: Report, path: Path) -> None:
    """The same page, everything unfolded, on paper.  Raises ChromiumMissing, or RuntimeError when it prints nothing."""
    print_pdf(html(report).replace("<details>", "<details open>"), path)
