"""The county's own alert rules: the file itself, Prometheus' judgement of it, and what fires on it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from inventory.load import load_model
from inventory.model import Role
from inventory.optics import receive_dbm
from provision.environment import load_environment
from provision.render import render
from provision.render.rules import county_rules

HERE = Path(__file__).parent
GOLDEN = HERE / "county.rules.xiao.yml"
PATH = "/etc/prometheus/county.rules.yml"

promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="needs Debian's prometheus")


def judged(*arguments: str) -> None:
    result = subprocess.run(["promtool", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_small_county_s_rules_are_these() -> None:
    """After a change on purpose: read the difference, then write the file anew with ``county_rules``."""
    assert county_rules(load_model("xiao"), load_environment("production")) == GOLDEN.read_text(encoding="utf-8")


def test_the_management_host_gets_them_and_prometheus_reads_them() -> None:
    model, environment = load_model("xiao"), load_environment("twin")
    files = {file.path: file.text for file in render(model, model.nms, environment)}
    assert files[PATH] == county_rules(model, environment)
    assert PATH in yaml.safe_load(files["/etc/prometheus/prometheus.yml"])["rule_files"]


@promtool
@pytest.mark.parametrize("county", ["xiao", "shili"])
@pytest.mark.parametrize("environment", ["twin", "production"])
def test_prometheus_takes_them(tmp_path: Path, county: str, environment: str) -> None:
    path = tmp_path / "county.rules.yml"
    path.write_text(county_rules(load_model(county), load_environment(environment)), encoding="utf-8")
    judged("check", "rules", str(path))


@pytest.mark.parametrize("county", ["xiao", "shili"])
def test_what_the_model_has_is_covered(county: str) -> None:
    model = load_model(county)
    rules = [
        rule
        for group in yaml.safe_load(county_rules(model, load_environment("production")))["groups"]
        for rule in group["rules"]
    ]
    text = {
        name: " ".join(rule["expr"] for rule in rules if rule["alert"] == name) for name in {r["alert"] for r in rules}
    }
    for link in model.links.values():
        words = text["OpticalBudget"].replace('"', "|").split("|")
        assert (link.name in words) == (link.fibre and receive_dbm(link.length_km) - 3 >= -19), link.name
    for host in model.appliances():
        assert host.name in text["MemoryShort"].replace('"', "|").split("|")
    assert len([rule for rule in rules if rule["alert"] == "ExitFull"]) == len(model.exits)
    assert text["HallsUnmeasured"].startswith(f"{len(model.halls)} - ")
    assert any(host.role is Role.SWITCH for host in model.appliances())


@promtool
def test_they_fire_when_they_must_and_only_then(tmp_path: Path) -> None:
    rules = tmp_path / "county.rules.yml"
    rules.write_text(county_rules(load_model("xiao"), load_environment("production")), encoding="utf-8")
    light = 'sanwang_optical_power_dbm{host="%s-rt", link="%s", direction="rx"}'
    series = {
        light % ("t01", "t01-c1"): "-14.3x40",  # its 11 km leave -10.8: three decibels are lost
        light % ("b01", "b01-c1"): "-9.9x40",
        light % ("t02", "t02-c3"): "-25x40",  # that is OpticalLow, told by the rules of every county
        'sanwang_link_bps{link="c1-n1", direction="in"}': "860000000x40",
        'sanwang_link_bps{link="c1-n1", direction="out"}': "1000x40",
        'sanwang_hall_mos{hall="t01"}': "3.2x40",
        'sanwang_memory_total_bytes{host="c1-core"}': "1000x40",
        'sanwang_memory_available_bytes{host="c1-core"}': "150x40",
        'sanwang_memory_total_bytes{host="c2-nms"}': "1000x40",
        'sanwang_memory_available_bytes{host="c2-nms"}': "150x40",
        'sanwang_memory_used_ratio{host="t01-sw"}': "0.9x40",
    }
    told = [
        ("ExitFull", "c1-n1", "", ""),
        ("HallPoor", "", "", "t01"),
        ("HallsUnmeasured", "", "", ""),
        ("MemoryShort", "", "c1-core", ""),
        ("MemoryShort", "", "t01-sw", ""),
        ("OpticalBudget", "t01-c1", "t01-rt", ""),
    ]
    names = ("alertname", "link", "host", "hall")
    samples = []
    for each in told:
        labels = ", ".join(f'{name}="{value}"' for name, value in zip(names, each, strict=True) if value)
        samples.append({"labels": f"{{{labels}}}", "value": 1})
    case = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'sum by ({", ".join(names)}) (ALERTS{{alertstate="firing"}})',
                "eval_time": "30m",
                "exp_samples": samples,
            }
        ],
    }
    cases = tmp_path / "cases.yml"
    cases.write_text(yaml.safe_dump({"rule_files": [str(rules)], "evaluation_interval": "30s", "tests": [case]}))
    judged("test", "rules", str(cases))
