"""The county's files as they were last applied whole: what a rehearsal starts from."""

from __future__ import annotations

import shutil
from pathlib import Path

from inventory.errors import CountyErrors
from inventory.load import load_model
from inventory.model import NetworkModel
from inventory.places import Places


def folder(places: Places) -> Path:
    """Where the copy lies; it may not be there yet."""
    return places.lib / "applied"


def keep(places: Places, county: Path) -> None:
    """Remember the county's files as the ones that the devices have now; whole or not at all."""
    fresh, old = folder(places).with_suffix(".new"), folder(places).with_suffix(".old")
    for left in (fresh, old):
        shutil.rmtree(left, ignore_errors=True)
    put(county, fresh)
    if folder(places).exists():
        folder(places).rename(old)
    fresh.rename(folder(places))
    shutil.rmtree(old, ignore_errors=True)


def model(places: Places) -> NetworkModel | None:
    """The county as it was last applied whole; None when that is not known."""
    try:
        return load_model(folder(places))
    except (CountyErrors, OSError):
        return None


def put(source: Path, target: Path) -> None:
    """Make the YAML files of ``target`` those of ``source``."""
    target.mkdir(parents=True, exist_ok=True)
    for gone in {file.name for file in target.glob("*.yml")} - {file.name for file in source.glob("*.yml")}:
        (target / gone).unlink()
    for file in sorted(source.glob("*.yml")):
        shutil.copyfile(file, target / file.name)
