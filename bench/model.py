"""From files to configuration: load and expand a county, render every appliance."""

from __future__ import annotations

from functools import partial

from bench.table import Row, seconds
from inventory.load import load_model
from inventory.model import NetworkModel
from inventory.places import COUNTIES
from provision.environment import load_environment
from provision.render import render


def rows() -> list[Row]:
    """Every county that is in the tree."""
    found = []
    environment = load_environment("twin")
    for folder in sorted(path for path in COUNTIES.iterdir() if path.is_dir()):
        model = load_model(folder)
        hosts = [host.name for host in model.appliances()]
        size = f"{folder.name}: {len(model.sites)} sites, {len(model.hosts)} hosts, {len(hosts)} appliances"
        found.append(Row("load, check and expand", size, 1000 * seconds(partial(load_model, folder)), "ms"))

        def whole(names: list[str] = hosts, county: NetworkModel = model) -> int:
            return sum(len(file.text) for name in names for file in render(county, name, environment))

        found.append(Row("render all appliances", size, 1000 * seconds(whole, times=3), "ms"))
        found.append(Row("configuration text", size, whole() / 1024, "KiB"))
    return found
