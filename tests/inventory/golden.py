"""Mistakes made in the small county, and the messages they must give, frozen in ``errors/*.yml`` and ``*.txt``.

A case is a list of edits: ``file``, and either ``find`` and ``write`` (a text found exactly once), or ``add``
(at the end).  ``python -m tests.inventory.golden`` writes the messages anew; read the difference before you
commit it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from ruamel.yaml import YAML

from inventory.errors import CountyErrors
from inventory.load import load
from inventory.places import COUNTIES

CASES = Path(__file__).parent / "errors"


def apply(case: Path, folder: Path) -> None:
    """The small county with the case's mistakes, in ``folder``."""
    for source in sorted((COUNTIES / "xiao").glob("*.yml")):
        (folder / source.name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    for edit in YAML(typ="safe").load(case.read_text(encoding="utf-8")):
        path = folder / edit["file"]
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        if "find" in edit:
            assert text.count(edit["find"]) == 1, f"{case.name}: {edit['find']!r} is not there exactly once"
            text = text.replace(edit["find"], edit["write"])
        path.write_text(text + edit.get("add", ""), encoding="utf-8")


def messages(case: Path) -> str:
    """What loading the case says: phase and errors, or warnings."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "county"
        folder.mkdir()
        apply(case, folder)
        try:
            loaded = load(folder)
        except CountyErrors as wrong:
            return f"phase: {wrong.phase}\n{wrong}\n"
        return "".join(f"warning: {problem}\n" for problem in loaded.warnings) or "good\n"


if __name__ == "__main__":
    for path in sorted(CASES.glob("*.yml")):
        path.with_suffix(".txt").write_text(messages(path), encoding="utf-8")
        print(path.stem)
