"""Writing the switches: ``switches.yml`` in the county's folder, read with everything else by ``inventory.load``.

The one file of a county that a program writes.  It is there only while something is switched.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from inventory.schema import SwitchesIntent

FILE = "switches.yml"
_HEAD = "# Written by `sanwang exit` and `sanwang vpn`: what is closed or revoked now, by whom and why.\n"


def read(folder: Path) -> SwitchesIntent:
    """What is switched now.  Raises pydantic's ValidationError for a file that was spoilt by hand."""
    try:
        written = YAML(typ="safe").load((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return SwitchesIntent()
    return SwitchesIntent.model_validate((written or {}).get("switches", {}))


def write(folder: Path, switches: SwitchesIntent) -> None:
    """Replace the file as a whole, or remove it when nothing is switched."""
    path = folder / FILE
    document: Mapping[str, Any] = switches.model_dump(exclude_defaults=True)
    if not document:
        path.unlink(missing_ok=True)
        return
    beside = path.with_suffix(".new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(_HEAD)
        yaml = YAML()
        yaml.width = 110
        yaml.dump({"switches": document}, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
