"""Bytes of a CSV or Excel file as sheets of cells, every one of which knows where it stands.

CSV as offices have it: UTF-8 with and without BOM, UTF-16 (Excel's "Unicode text"), GB 18030 (what a Chinese Excel
saves as CSV), with commas, semicolons or tabs.  Excel: ``.xlsx`` and ``.xlsm``, values as last calculated.
"""

from __future__ import annotations

import csv
import datetime
import io
import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from inventory.errors import CountyErrors, Place, Problem
from inventory.intake.words import heading_of

LARGEST = 16 << 20
"""Bytes; a county of 2047 sites needs some hundred thousand."""
LARGEST_UNPACKED = 256 << 20
MOST_ROWS, MOST_COLUMNS = 20_000, 200
_SPOILT = ("#REF!", "#N/A", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!")


@dataclass(frozen=True, slots=True)
class Cell:
    """Where something stands in a table; column 0 is the row as a whole."""

    file: str
    sheet: str
    row: int
    column: int = 0
    heading: str = ""

    @property
    def place(self) -> Place:
        """File, with its sheet, and row."""
        return Place(f"{self.file}[{self.sheet}]" if self.sheet else self.file, self.row)

    @property
    def key(self) -> str:
        """The column as a spreadsheet shows it, with its heading."""
        return f"column {letter(self.column)} ({self.heading})" if self.column else "row"

    def problem(self, found: str, expected: str, advice: str) -> Problem:
        """A mistake here."""
        return Problem(self.place, self.key, found, expected, advice)


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table: rows of trimmed text with their numbers; empty rows are left out."""

    file: str
    name: str  # "" for CSV
    rows: tuple[tuple[int, tuple[str, ...]], ...]


def letter(column: int) -> str:
    """1 is A, 27 is AA."""
    text = ""
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(ord("A") + rest) + text
    return text


def read_tables(path: Path) -> tuple[Sheet, ...]:
    """The sheets of a file that hold anything.  Raises CountyErrors."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(LARGEST + 1)
    except OSError as error:
        _refuse(path.name, 0, error.strerror or str(error), "a table that can be read", "give another file")
    if len(raw) > LARGEST:
        _refuse(path.name, 0, f"more than {LARGEST >> 20} MiB", "a county's table", "give it without pictures")
    return sheets_of(path.name, raw)


def sheets_of(name: str, raw: bytes) -> tuple[Sheet, ...]:
    """The sheets in the bytes of a file of that name.  Raises CountyErrors."""
    if raw.startswith(b"\xd0\xcf\x11\xe0"):
        _refuse(name, 0, "an old Excel file (.xls)", "CSV or .xlsx", "save it in Excel as .xlsx")
    sheets = _excel(name, raw) if raw.startswith(b"PK") else (_comma(name, raw),)
    filled = tuple(sheet for sheet in sheets if sheet.rows)
    if not filled:
        _refuse(name, 0, "no row with anything in it", "a row of headings and rows below it", "see `import template`")
    return filled


def _comma(name: str, raw: bytes) -> Sheet:
    text = _decoded(name, raw)
    if "\x00" in text:
        _refuse(name, text[: text.index("\x00")].count("\n") + 1, "a NUL byte", "text", "save the table as CSV again")
    best = max(",;\t", key=lambda mark: _recognised(text, mark))
    rows: list[tuple[int, tuple[str, ...]]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=best)
    try:
        start = 1  # the line on which the record begins: a quoted cell may hold several
        for cells in reader:
            _within(name, start, len(rows), len(cells))
            rows.append((start, tuple(_tidy(cell) for cell in cells)))
            start = reader.line_num + 1
    except csv.Error as error:
        _refuse(name, reader.line_num, str(error), "cells between the same marks", "mend the quotes of this row")
    return Sheet(name, "", _filled(rows))


def _recognised(text: str, mark: str) -> int:
    """How many headings the first ten lines show with this mark between their cells."""
    return sum(bool(heading_of(cell)) for line in text.splitlines()[:10] for cell in line.replace('"', "").split(mark))


def _decoded(name: str, raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ("utf-16",)
    else:
        encodings = ("utf-8-sig", "gb18030")  # type: ignore[assignment]
    for encoding in encodings:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
    _refuse(name, line, "bytes that are no text", "UTF-8, UTF-16 or GB 18030", "save it as `CSV UTF-8`")


def _excel(name: str, raw: bytes) -> tuple[Sheet, ...]:
    import openpyxl  # takes its time, and only tables need it

    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as packed:
            size = sum(part.file_size for part in packed.infolist())
        if size > LARGEST_UNPACKED:
            _refuse(name, 0, f"{size >> 20} MiB when unpacked", "a county's table", "give it without pictures")
        book = openpyxl.load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
        sheets = []
        for page in book.worksheets:
            rows: list[tuple[int, tuple[str, ...]]] = []
            for number, values in enumerate(page.iter_rows(values_only=True), 1):
                cells = [_shown(value) for value in values]
                while cells and not cells[-1]:
                    cells.pop()
                _within(f"{name}[{page.title}]", number, number - 1, len(cells))
                rows.append((number, tuple(cells)))
            sheets.append(Sheet(name, page.title, _filled(rows)))
        return tuple(sheets)
    except CountyErrors:
        raise
    except Exception as error:  # openpyxl says of a spoilt file whatever its parts happen to raise
        said = f"{type(error).__name__}: {error}".splitlines()[0][:120]
        _refuse(name, 0, f"no readable workbook ({said})", "an .xlsx file", "save it in Excel again, or as CSV")


def _within(name: str, row: int, rows: int, columns: int) -> None:
    if rows >= MOST_ROWS or columns > MOST_COLUMNS:
        _refuse(
            name, row, "a longer or wider table", f"{MOST_ROWS} rows, {MOST_COLUMNS} columns", "clear what is spare"
        )


def _shown(value: object) -> str:
    """A cell's value as the text somebody would have typed."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return _tidy(str(value))


def _tidy(text: str) -> str:
    """Without outer blanks (full-width ones too) and control characters."""
    return "".join(" " if unicodedata.category(each) in ("Cc", "Zs") else each for each in text).strip("\ufeff ")


def _filled(rows: list[tuple[int, tuple[str, ...]]]) -> tuple[tuple[int, tuple[str, ...]], ...]:
    return tuple((number, cells) for number, cells in rows if any(cells))


def spoilt(text: str) -> bool:
    """Whether Excel calculated an error there."""
    return text in _SPOILT


def _refuse(name: str, row: int, found: str, expected: str, advice: str) -> NoReturn:
    raise CountyErrors("import", [Problem(Place(name, row), "table", found, expected, advice)])
