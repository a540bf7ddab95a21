"""Tables into a county's folder, from the first byte to the last."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from inventory.errors import CountyErrors, Problem
from inventory.intake.edit import texts_of
from inventory.intake.given import FILE, given_text, read_given
from inventory.intake.merge import Merged, merge
from inventory.intake.put import checked
from inventory.intake.records import Records
from inventory.intake.rows import rows_of
from inventory.intake.tables import Cell, Sheet
from inventory.load import Loaded, find, read


@dataclass(frozen=True, slots=True)
class Intake:
    """What an import would do; nothing is written yet."""

    folder: Path
    merged: Merged
    texts: dict[str, str]  # file name -> its new text
    loaded: Loaded  # the county as it would be
    idle: list[str] = field(default_factory=list)  # columns and sheets that were not read

    def diff(self) -> str:
        """The files' unified difference."""
        rows: list[str] = []
        for name, text in self.texts.items():
            path = self.folder / name
            before = path.read_text(encoding="utf-8") if path.exists() else ""
            rows += difflib.unified_diff(
                before.splitlines(keepends=True), text.splitlines(keepends=True), name if before else "/dev/null", name
            )
        return "".join(row if row.endswith("\n") else f"{row}\n" for row in rows)

    def as_json(self) -> dict[str, Any]:
        """For people's programs."""
        merged = self.merged
        return {
            "folder": str(self.folder),
            "added": [{"section": section, "code": code, **values} for (section, code), values in merged.added.items()],
            "changed": [
                {
                    "section": each.section,
                    "code": each.code,
                    "field": each.field,
                    "before": each.before,
                    "after": each.after,
                }
                for each in merged.changes
            ],
            "kept": merged.kept,
            "proposed": [
                {"section": each.section, "code": each.code, "field": each.field, "value": each.value}
                for each in merged.proposals
            ],
            "files": sorted(self.texts),
            "not_read": self.idle,
            "warnings": [problem.as_json() for problem in self.loaded.warnings],
            "diff": self.diff(),
        }


def take_in(
    sheets: Iterable[Sheet], county: str | Path, *, kind: str = "", origin: tuple[float, float] | None = None
) -> Intake:
    """Compare tables with a county's folder and check what would come of it.

    ``kind`` is the section of rows that do not say theirs; ``origin`` the information centre's longitude and latitude.
    Raises CountyErrors with every bad row, each naming file, row and column.
    """
    folder = find(county)
    data = read(folder).data
    problems: list[Problem] = []
    idle: list[str] = []
    rows = rows_of(sheets, kind, problems, idle)
    records = Records(rows, data, origin, problems)
    merged = merge(list(records.all.values()), data, read_given(folder), problems)
    if problems:
        raise CountyErrors("import", sorted(problems, key=lambda each: (each.place.file, each.place.line, each.key)))
    texts = texts_of(folder, merged)
    try:
        loaded = checked(folder, texts)
    except CountyErrors as wrong:
        raise CountyErrors("import", [_at_cell(problem, merged.cells) for problem in wrong.problems]) from None
    if texts:
        grown = {section: dict(entries) for section, entries in data.items() if isinstance(entries, dict)}
        for (section, code), values in merged.added.items():
            grown.setdefault(section, {})[code] = values
        texts[FILE] = given_text(read_given(folder), grown)
    return Intake(folder, merged, texts, loaded, idle)


def _at_cell(problem: Problem, cells: dict[str, Cell]) -> Problem:
    """The problem where its value came from; as it is when it came from no table."""
    key = problem.key
    while key:
        cell = cells.get(key.partition("[")[0] if "." not in key.partition("[")[2] else key)
        if cell is not None:
            return replace(problem, place=cell.place, key=f"{cell.key}: {problem.key}")
        key = key.rpartition(".")[0]
    return problem
