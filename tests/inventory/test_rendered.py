"""What a site's coming or going does to the devices' real configuration: one site of each kind, every device."""

from __future__ import annotations

from functools import cache

import pytest

from inventory.errors import Report
from inventory.expand import expand
from inventory.load import load_model
from inventory.model import NetworkModel
from inventory.schema import Intent
from provision.environment import load_environment
from provision.render import render
from tests.inventory.test_stability import attached_hosts, without


def configuration(model: NetworkModel) -> dict[str, dict[str, str]]:
    """Every appliance's files by path."""
    environment = load_environment("production")
    return {
        host.name: {file.path: file.text for file in render(model, host.name, environment)}
        for host in model.appliances()
    }


_RULES = "/etc/prometheus/county.rules.yml"


@cache
def whole() -> tuple[NetworkModel, dict[str, dict[str, str]]]:
    model = load_model("shili")
    return model, configuration(model)


@pytest.mark.parametrize("code", ["s005", "s070", "k003", "v02", "g01", "b07", "cb"])
def test_only_the_devices_a_site_attaches_to_are_written_anew(code: str) -> None:
    model, full = whole()
    data, gone = without(code)
    less = configuration(expand(Intent.model_validate(data), Report()))
    changed = {name for name, files in less.items() if full[name] != files}
    assert changed
    assert {path for path in full[model.nms] if full[model.nms][path] != less[model.nms].get(path)} <= {_RULES}
    assert changed - {model.nms} <= set().union(*(attached_hosts(model, other) for other in gone))
