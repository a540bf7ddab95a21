"""The county's own alert rules: what is too little light, too much traffic, too few measurements is in its files.

Rules that are the same in every county stand in ``dashboards/prometheus/rules.yml``.  Here each threshold comes from
the model: a fibre's length, a carrier's rate, which halls there are, which boxes.  Prometheus fills in the words.
"""

from __future__ import annotations

import io
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from ruamel.yaml import YAML

from inventory.model import NetworkModel, Role
from inventory.optics import RECEIVER_LIMIT_DBM, receive_dbm
from provision.environment import Environment

Rule = dict[str, Any]

LOST_DB = 3.0
"""So much less light than a fibre's length explains: half of it, as a dirty connector or a tight bend takes."""

EXIT_FULL = 0.85
"""Share of a carrier's rate from which on users of the exit wait for each other."""

MEETING_MOS = 3.6
"""Voice below it annoys many users (ITU-T G.107, annex B: R 70)."""

MEMORY_FULL = {Role.NMS: 0.90, Role.STANDBY: 0.90, Role.SERVER: 0.90, Role.SWITCH: 0.85}
"""Memory in use from which on a box is short of it, by role; 0.80 for the rest: a router needs some to converge."""

_DARK_DBM = -35.0
_QUIET = "unless on () max_over_time(sanwang_faults_open[5m]) > 0"


def county_rules(model: NetworkModel, environment: Environment) -> str:
    """The rule file of a county, YAML."""
    made = {
        "fibres": ("1m", list(_light(model))),
        "exit": ("15s", list(_exit(model))),
        "halls": ("15s", list(_halls(model))),
        "boxes": ("1m", list(_memory(model, environment))),
    }
    groups = [
        {"name": f"{model.name}-{name}", "interval": interval, "rules": rules}
        for name, (interval, rules) in made.items()
        if rules
    ]
    text = io.StringIO()
    yaml = YAML()
    yaml.width = 4096
    yaml.dump({"groups": groups}, text)
    return f"# Thresholds of the county {model.name}, from its files.\n{text.getvalue()}"


def _rule(name: str, expr: str, lasting: str, en: str, zh: str, next_step: str, **labels: str) -> Rule:
    return {
        "alert": name,
        "expr": expr,
        "for": lasting,
        "labels": {"severity": "warning", **labels},
        "annotations": {"summary": en, "summary_zh": zh, "next_step": next_step},
    }


def _light(model: NetworkModel) -> Iterator[Rule]:
    """One rule for all fibres of the same budget, to a decibel; where no budget is left, OpticalLow is the limit."""
    by_limit: dict[int, list[str]] = defaultdict(list)
    for link in model.links.values():
        limit = math.floor(receive_dbm(link.length_km) - LOST_DB)
        if link.fibre and limit > RECEIVER_LIMIT_DBM:
            by_limit[limit].append(link.name)
    for limit, links in sorted(by_limit.items(), reverse=True):
        power = f'sanwang_optical_power_dbm{{direction="rx",link=~"{_any(links)}"}}'
        yield _rule(
            "OpticalBudget",
            f"{power} < {limit} and {power} > {RECEIVER_LIMIT_DBM:g}",
            "10m",
            f'{{{{ $labels.host }}}} receives {{{{ $value | printf "%.1f" }}}} dBm on {{{{ $labels.link }}}}: '
            f"its length leaves {limit} dBm or more",
            f'{{{{ $labels.host }}}} 在 {{{{ $labels.link }}}} 上收光 {{{{ $value | printf "%.1f" }}}} dBm，'
            f"按光缆长度应不低于 {limit} dBm",
            "Clean and reseat the connectors at both ends, then look for a bend; compare with the link's page.",
            limit_dbm=str(limit),
        )


def _exit(model: NetworkModel) -> Iterator[Rule]:
    """Each carrier's line against the rate that is bought there."""
    for line in model.exits:
        link = next(each for each in model.links.values() if any(end.port == line.port for end in each.ends))
        site = model.sites[line.carrier]
        megabits = link.rate_bps / 1e6
        yield _rule(
            "ExitFull",
            f'max by (link) (sanwang_link_bps{{link="{link.name}"}}) > {EXIT_FULL * link.rate_bps:.0f}',
            "5m",
            f"The line of {site.en} carries {{{{ $value | humanize }}}}bit/s of its {megabits:g} Mbit/s",
            f"{site.zh}出口线路已用 {{{{ $value | humanize }}}}bit/s，签约带宽 {megabits:g} Mbit/s",
            "See who uses it on the page of the exit; ask the carrier for more, or give shares.",
            carrier=line.carrier,
        )


def _halls(model: NetworkModel) -> Iterator[Rule]:
    """Every hall is measured, and good enough for a meeting."""
    if not model.halls:
        return
    yield _rule(
        "HallPoor",
        f'sanwang_hall_mos{{hall=~"{_any(model.halls)}"}} < {MEETING_MOS} {_QUIET}',
        "1m",
        'Voice at hall {{ $labels.hall }} would sound poor (MOS {{ $value | printf "%.1f" }})',
        '会场 {{ $labels.hall }} 语音质量差（MOS {{ $value | printf "%.1f" }}）',
        "Follow the hall's path on its page; look for loss and for a full line on the way.",
    )
    yield _rule(
        "HallsUnmeasured",
        f"{len(model.halls)} - (count(sanwang_hall_mos) or vector(0)) > 0 {_QUIET}",
        "5m",
        f"{{{{ $value }}}} of {len(model.halls)} halls are not measured: nobody would see that a meeting suffers",
        f"{len(model.halls)} 个会场中有 {{{{ $value }}}} 个没有测量数据：会议受影响时无人知道",
        "The halls' page shows which; look at the agent of their site's router.",
    )


def _memory(model: NetworkModel, environment: Environment) -> Iterator[Rule]:
    """Boxes short of memory, by role; on one machine that is a whole county, Linux boxes have none of their own."""
    by_share: dict[float, list[str]] = defaultdict(list)
    for host in model.appliances():
        if environment.clock == "own" or not host.linux:
            by_share[MEMORY_FULL.get(host.role, 0.80)].append(host.name)
    for share, hosts in sorted(by_share.items()):
        of = f'{{host=~"{_any(hosts)}"}}'
        used = f"1 - sanwang_memory_available_bytes{of} / sanwang_memory_total_bytes{of}"
        yield _rule(
            "MemoryShort",
            f"({used} or sanwang_memory_used_ratio{of}) > {share:g}",
            "10m",
            "{{ $labels.host }} has {{ $value | humanizePercentage }} of its memory in use",
            "{{ $labels.host }} 内存已用 {{ $value | humanizePercentage }}",
            "See what grows on the box; restart what leaks outside of working hours.",
            limit=f"{share:g}",
        )


def _any(names: Iterable[str]) -> str:
    """A regular expression of PromQL (RE2, anchored) for exactly these."""
    return "|".join(re.escape(name).replace("\\-", "-") for name in sorted(names))
