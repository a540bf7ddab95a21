"""Every PromQL query of ours: on the pages, in the rules, in Grafana."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from dashboards.grafana.boards import BOARDS
from dashboards.series import SERIES
from inventory.load import load_model
from inventory.places import CHECKOUT
from provision.environment import load_environment
from provision.render.rules import county_rules

RULES = CHECKOUT / "dashboards" / "prometheus" / "rules.yml"
NAME = re.compile(r"\bsanwang_\w+")


def plain(expression: str) -> str:
    """With values in the places of variables."""
    return re.sub(r"\$\w+", ".*", expression.replace("{hosts}", "c1-core").replace("{link}", "ring-c1-c2"))


def queries() -> Iterator[tuple[str, str]]:
    """(where, PromQL) of every query."""
    for board in BOARDS:
        for number, query in enumerate(board.queries):
            yield f"{board.uid}/{number}", plain(query.expression)
    for name, series in SERIES.items():
        yield f"series/{name}", plain(series.expression)
    for text in (RULES.read_text(encoding="utf-8"), county_rules(load_model("xiao"), load_environment("twin"))):
        for group in yaml.safe_load(text)["groups"]:
            for number, rule in enumerate(group["rules"]):
                yield f"rules/{rule['alert']}/{number}", rule["expr"]
    for path in (CHECKOUT / "dashboards").rglob("*.py"):
        for number, text in enumerate(re.findall(r'"([^"\n]*sanwang_[^"\n]*)"', path.read_text(encoding="utf-8"))):
            if path.parent.name != "grafana":
                yield f"{path.name}/{number}", text
