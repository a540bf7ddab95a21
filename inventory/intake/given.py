"""Numbers that were ever given: ``given.csv`` beside the county's files, kept by every import.

A site that is gone leaves its number behind: addresses, MACs and certificates were computed from it, and something may
still know them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inventory.errors import CountyErrors, Place, Problem
from inventory.intake.records import SITES

FILE = "given.csv"
_HEAD = ("of", "number", "code")


@dataclass(frozen=True, slots=True)
class Given:
    """``numbers["site" or "fibre"][number]`` is the code that has or had it."""

    numbers: dict[str, dict[int, str]]


def read_given(folder: Path) -> Given:
    """The file's numbers, none without a file.  Raises CountyErrors for one that was spoilt by hand."""
    numbers: dict[str, dict[int, str]] = {"site": {}, "fibre": {}}
    path = folder / FILE
    if not path.exists():
        return Given(numbers)
    for line, row in enumerate(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))), 1):
        if tuple(row) == _HEAD:
            continue
        if len(row) != 3 or row[0] not in numbers or not (row[1].isascii() and row[1].isdigit()):
            found = repr(",".join(row))
            problem = Problem(Place(FILE, line), "row", found, "site or fibre, a number, a code", "mend the line")
            raise CountyErrors("import", [problem])
        numbers[row[0]][int(row[1])] = row[2]
    return Given(numbers)


def given_text(given: Given, data: Mapping[str, Any]) -> str:
    """The file anew: what it held and every number that the sections' entries have."""
    numbers = {group: dict(codes) for group, codes in given.numbers.items()}
    for section in (*SITES, "fibres"):
        group = numbers["fibre" if section == "fibres" else "site"]
        for code, entry in (data.get(section) or {}).items():
            if isinstance(entry, dict) and isinstance(entry.get("number"), int):
                group.setdefault(entry["number"], code)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_HEAD)
    writer.writerows(
        (group, number, code) for group, codes in numbers.items() for number, code in sorted(codes.items())
    )
    return out.getvalue()
