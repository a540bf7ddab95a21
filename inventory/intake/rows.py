"""Rows of a sheet under headings that are understood, each with the section of the county it belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from inventory.errors import Problem
from inventory.intake.tables import Cell, Sheet, spoilt
from inventory.intake.words import FIELDS, HEADINGS, folded, heading_of, kind_of, kind_words, known_to_be_idle

NOTES = ("说明", "Notes")
"""Names of sheets for people only."""
_TITLES = 10
"""Rows within which the headings must come: a table may have a title and a date above them."""


@dataclass(frozen=True, slots=True)
class Written:
    """What somebody wrote into a cell."""

    text: str
    cell: Cell

    def problem(self, expected: str, advice: str) -> Problem:
        """This is wrong."""
        return self.cell.problem(repr(self.text) if self.text else "nothing", expected, advice)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its section and its cells by column; empty cells are left out."""

    section: str
    cell: Cell  # the row as a whole
    written: dict[str, Written]


def rows_of(sheets: Iterable[Sheet], kind: str, problems: list[Problem], idle: list[str]) -> list[Row]:
    """Every row; mistakes go to ``problems``, headings that nobody reads to ``idle``.

    ``kind`` is the section of rows whose table does not say ("" when it must).
    """
    return [row for sheet in sheets if sheet.name not in NOTES for row in _sheet(sheet, kind, problems, idle)]


def _sheet(sheet: Sheet, kind: str, problems: list[Problem], idle: list[str]) -> list[Row]:
    found = max(
        enumerate(sheet.rows[:_TITLES]), key=lambda each: (sum(map(bool, map(heading_of, each[1][1]))), -each[0])
    )
    at, (number, headings) = found
    columns: dict[int, str] = {}
    for column, text in enumerate(headings, 1):
        field = heading_of(text)
        if field and field in columns.values():
            cell = Cell(sheet.file, sheet.name, number, column, text)
            problems.append(cell.problem("a second column for the same", "each column once", "remove one of them"))
        elif field:
            columns[column] = field
        elif text and not known_to_be_idle(text):
            near = get_close_matches(
                folded(text), [word for each in HEADINGS.values() for word in each.zh + each.en], n=1
            )
            idle.append(f"{sheet.file}: column {text!r} is not read" + (f"; did you mean {near[0]!r}?" if near else ""))
    of_sheet = kind_of(sheet.name) or kind
    if len(columns) < 2:
        where = Cell(sheet.file, sheet.name, sheet.rows[0][0])
        if of_sheet or sheet.name == "":
            known = ", ".join(each.zh[0] for each in HEADINGS.values())
            problems.append(where.problem("no row of known headings", f"headings such as {known}", "add such a row"))
        else:
            idle.append(f"{sheet.file}: sheet {sheet.name!r} has no known headings and is not read")
        return []
    rows = []
    for row_number, cells in sheet.rows[at + 1 :]:
        row = _row(sheet, row_number, cells, headings, columns, of_sheet, problems)
        if row is not None:
            rows.append(row)
    return rows


def _row(
    sheet: Sheet,
    number: int,
    cells: tuple[str, ...],
    headings: tuple[str, ...],
    columns: dict[int, str],
    of_sheet: str,
    problems: list[Problem],
) -> Row | None:
    whole = Cell(sheet.file, sheet.name, number)
    written: dict[str, Written] = {}
    for column, field in columns.items():
        text = cells[column - 1] if column <= len(cells) else ""
        if not text:
            continue
        cell = Cell(sheet.file, sheet.name, number, column, headings[column - 1])
        if spoilt(text):
            problems.append(cell.problem(text, "a value", "Excel could not calculate it: write the value itself"))
            continue
        written[field] = Written(text, cell)
    if not written:
        return None
    section = of_sheet
    if "kind" in written:
        section = kind_of(written["kind"].text)
        if not section:
            problems.append(written["kind"].problem(f"one of {kind_words()}", "correct the kind"))
            return None
    if not section:
        problems.append(whole.problem("no kind", f"one of {kind_words()}", "add a column `种类` (kind), or use --kind"))
        return None
    good = True
    for field, value in written.items():
        if field not in FIELDS[section]:
            problems.append(value.problem(f"nothing in a row of {section}", "clear the cell, or correct the kind"))
            good = False
    return Row(section, whole, written) if good else None
