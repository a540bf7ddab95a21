"""An Excel file to begin with: the headings, lists to choose from, and what each column is."""

from __future__ import annotations

from pathlib import Path

from openpyxl import Workbook
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from inventory.intake.rows import NOTES
from inventory.intake.words import FIELDS, HEADINGS, KINDS, SWITCHES

_LINES = ("fibres", "ducts", "carriers", "halls")  # a sheet each; every other kind is a row of the sites' sheet
_ROWS = 2000


def write_template(path: Path, *, english: bool) -> list[str]:
    """Write the workbook; the names of its sheets.  Raises OSError, FileExistsError for a file that is there."""
    book = Workbook()
    sites = book.active
    assert isinstance(sites, Worksheet)
    sites.title = "Sites" if english else "站点"
    kinds = [kind for kind in KINDS if kind not in _LINES]
    _fill(sites, [name for name in HEADINGS if any(name in FIELDS[kind] for kind in kinds)], english)
    _choose(sites, "kind", [_word(KINDS[kind], english) for kind in kinds])
    _choose(sites, "switch", list(SWITCHES))
    for kind in _LINES:
        page = book.create_sheet(_word(KINDS[kind], english))
        _fill(page, [name for name in HEADINGS if name in FIELDS[kind] and name != "kind"], english)
    notes = book.create_sheet(NOTES[english])
    notes.append(["列 column", "可用的列名 accepted headings", "内容 contents"])
    for heading in HEADINGS.values():
        notes.append([_word(heading.zh, english=False), "; ".join((*heading.zh, *heading.en)), heading.what])
    notes.append([])
    for kind, words in KINDS.items():
        notes.append(
            [
                words[0],
                "; ".join((*words, kind)),
                "columns: " + ", ".join(HEADINGS[f].zh[0] for f in HEADINGS if f in FIELDS[kind]),
            ]
        )
    for column, width in (("A", 18), ("B", 70), ("C", 90)):
        notes.column_dimensions[column].width = width
    with path.open("xb") as stream:
        book.save(stream)
    return [str(name) for name in book.sheetnames]


def _word(words: tuple[str, ...], english: bool) -> str:
    return next(word for word in words if word.isascii()) if english else words[0]


def _heading(name: str, english: bool) -> str:
    return HEADINGS[name].en[0] if english else HEADINGS[name].zh[0]


def _fill(page: Worksheet, names: list[str], english: bool) -> None:
    page.append([_heading(name, english) for name in names])
    for column, name in enumerate(names, 1):
        cell = page.cell(row=1, column=column)
        cell.font, cell.fill = Font(bold=True), PatternFill("solid", fgColor="DDE6F0")
        cell.data_type = "s"
        page.column_dimensions[get_column_letter(column)].width = 24 if name in ("zh", "en") else 14
    page.freeze_panes = "A2"


def _choose(page: Worksheet, name: str, words: list[str]) -> None:
    """A list to choose from in a column."""
    row = next(page.iter_rows(min_row=1, max_row=1, values_only=True))
    column = next(at for at, text in enumerate(row, 1) if text in (*HEADINGS[name].zh, *HEADINGS[name].en))
    rule = DataValidation(type="list", formula1='"' + ",".join(words) + '"', allow_blank=True)
    rule.add(f"{get_column_letter(column)}2:{get_column_letter(column)}{_ROWS}")
    page.add_data_validation(rule)
