"""A report as tables: every section names where its figures come from, and says so when a source was silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]
Words = tuple[str, str]
"""(zh, en)"""

Cell = float | int | str | Words | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column; ``unit`` says how its numbers are shown: share, s, at, CNY, bit/s, dBm, dB, days, points or ""."""

    zh: str
    en: str
    unit: str = ""

    def document(self) -> Document:
        """As JSON types."""
        return {"zh": self.zh, "en": self.en, "unit": self.unit}


@dataclass(frozen=True, slots=True)
class Section:
    """One table.  ``source``: where each of its figures comes from; ``missing``: why there are none."""

    key: str
    words: Words
    source: Words
    columns: tuple[Column, ...]
    rows: Sequence[Sequence[Cell]] = field(default_factory=tuple)
    note: Words | None = None
    missing: Words | None = None

    def document(self) -> Document:
        """As JSON types."""
        return {
            "key": self.key,
            **_words(self.words),
            "source": _words(self.source),
            "columns": [column.document() for column in self.columns],
            "rows": [[_words(cell) if isinstance(cell, tuple) else cell for cell in row] for row in self.rows],
            "note": _words(self.note) if self.note else None,
            "missing": _words(self.missing) if self.missing else None,
        }


def _words(pair: Words) -> Document:
    return {"zh": pair[0], "en": pair[1]}
