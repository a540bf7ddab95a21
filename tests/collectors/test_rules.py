"""The alert rules, judged by Prometheus' own promtool."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
RULES = HERE.parent.parent / "dashboards" / "prometheus" / "rules.yml"

pytestmark = pytest.mark.skipif(shutil.which("promtool") is None, reason="needs Debian's prometheus")


def promtool(*arguments: str) -> None:
    result = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_rules_are_valid() -> None:
    promtool("check", "rules", str(RULES))


@pytest.mark.parametrize("name", ["rules_test.yml", "rules_slow_test.yml"])
def test_rules_fire_when_they_must_and_only_then(tmp_path: Path, name: str) -> None:
    cases = tmp_path / "cases.yml"
    cases.write_text((HERE / name).read_text(encoding="utf-8").replace("RULES", str(RULES)))
    promtool("test", "rules", str(cases))
