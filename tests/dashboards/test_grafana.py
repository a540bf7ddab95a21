"""Every query of ours (pages, rules, Grafana): its syntax, and whether anybody exposes what it asks for."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from dashboards.grafana.boards import BOARDS, Board
from dashboards.grafana.build import board_json
from inventory.places import CHECKOUT
from tests.dashboards.queries import NAME, queries


def exposed() -> set[str]:
    """Names of all metrics that our processes expose, as their code writes them; a counter's ends in ``_total``."""
    names, counters = set(), set()
    for folder in ("collectors", "provision", "vconf", "sanwang"):
        for path in (CHECKOUT / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            names |= set(re.findall(r"[\"'](sanwang_\w+)[\"']", text)) | set(re.findall(r"(sanwang_\w+)\{\{", text))
            counters |= set(re.findall(r"CounterMetricFamily\(\s*\"(\w+)\"", text))
    return (names - counters) | {f"{name}_total" for name in counters}


def test_every_query_asks_for_metrics_that_somebody_exposes() -> None:
    known = exposed()
    assert {"sanwang_link_bps", "sanwang_probe_rtt_seconds"} <= known
    asked = {where: set(NAME.findall(query)) for where, query in queries()}
    missing = {where: names - known for where, names in asked.items() if names - known}
    assert missing == {}
    assert len(asked) > 60


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs Debian's prometheus")
def test_every_query_of_a_board_and_of_a_page_is_promql(tmp_path: Path) -> None:
    boards = [(where, text) for where, text in queries() if where.startswith(("sanwang-", "series/"))]
    rules = [{"record": f"checked:{number}", "expr": text} for number, (_, text) in enumerate(boards)]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "boards", "rules": rules}]}), encoding="utf-8")
    done = subprocess.run(["promtool", "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_a_board_is_whole(board: Board) -> None:
    made = json.loads(board_json(board))
    assert made["uid"] == board.uid
    shown = [panel for panel in made["panels"] if panel["type"] != "row"]
    assert [target["expr"] for panel in shown for target in panel["targets"]] == [q.expression for q in board.queries]
    assert all(panel["datasource"] == {"type": "prometheus", "uid": "${source}"} for panel in shown)
    names = {each["name"] for each in made["templating"]["list"]}
    used = set(re.findall(r"\$(\w+)", " ".join(query.expression for query in board.queries)))
    assert used <= names, "a query uses a variable that the board does not have"
    places = [tuple(panel["gridPos"][key] for key in "xywh") for panel in shown]
    for index, (x, y, w, h) in enumerate(places):
        assert x + w <= 24
        for ox, oy, ow, oh in places[index + 1 :]:
            assert x + w <= ox or ox + ow <= x or y + h <= oy or oy + oh <= y, f"{board.uid}: panels lie over another"
