"""Start a county: copy the small one under a name of its own."""

from __future__ import annotations

import re
from pathlib import Path

from inventory.errors import CountyErrors, Place, Problem
from inventory.places import COUNTIES

TEMPLATE = "xiao"
_NAME = re.compile(r"[a-z][a-z0-9]{0,7}")


def start_county(folder: Path, name: str = "") -> tuple[Path, ...]:
    """Write the small county's files into ``folder``; returns them.

    ``name`` defaults to the folder's.  Raises CountyErrors when the folder holds ``*.yml`` already or the
    name is not 1-8 small letters and digits, a letter first.
    """
    name = name or folder.resolve().name
    if not _NAME.fullmatch(name):
        problem = ("name", repr(name), "1-8 small letters and digits, a letter first", "choose one with --name")
        raise CountyErrors("new", [Problem(Place(str(folder)), *problem)])
    if any(folder.glob("*.yml")):
        problem = ("folder", "*.yml files", "an empty or new folder", "choose another folder")
        raise CountyErrors("new", [Problem(Place(str(folder)), *problem)])
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for template in sorted((COUNTIES / TEMPLATE).glob("*.yml")):
        text = template.read_text(encoding="utf-8")
        path = folder / template.name
        path.write_text(text.replace(f"\n  name: {TEMPLATE}\n", f"\n  name: {name}\n"), encoding="utf-8")
        written.append(path)
    return tuple(written)
