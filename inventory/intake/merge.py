"""Records beside what is written: what is new, what would change, what stays; numbers and names proposed.

A number is never given twice: those of the county's files and those that were ever given (``given.csv``) are taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from inventory.errors import Problem
from inventory.intake.given import Given
from inventory.intake.records import SITES, Record
from inventory.intake.tables import Cell

_FIRST = {
    "centres": 1,
    "carriers": 5,
    "townships": 11,
    "buildings": 30,
    "bodies": 31,
    "schools": 101,
    "clinics": 301,
    "villages": 401,
    "units": 421,
    "partners": 431,
    "subscribers": 441,
}
"""Where a section's numbers usually begin, so that a county's plan reads well; nothing depends on it."""
_FIRST_FIBRE = 101
_MOST = 2047
_ORDER = ("number", "site", "zh", "en", "ends", "at", "home", "homes", "networks", "switch", "boxes", "seats", "km")


@dataclass(frozen=True, slots=True)
class Change:
    """One value of an existing entry that the table has otherwise."""

    section: str
    code: str
    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Proposal:
    """What nobody wrote and was chosen."""

    section: str
    code: str
    field: str
    value: Any


@dataclass(slots=True)
class Merged:
    """The tables beside the county's files."""

    added: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    kept: int = 0  # entries of the tables that are written so already
    proposals: list[Proposal] = field(default_factory=list)
    cells: dict[str, Cell] = field(default_factory=dict)  # "townships.t12.homes" -> where it came from


def merge(records: list[Record], data: Mapping[str, Any], given: Given, problems: list[Problem]) -> Merged:
    """Compare; mistakes go to ``problems``."""
    merged = Merged()
    taken = {group: set(given.numbers[group]) | _written(data, group) for group in ("site", "fibre")}
    for record in records:
        if "number" in record.values and (group := _group(record.section)):
            taken[group].add(record.values["number"])
    for record in records:
        merged.cells[f"{record.section}.{record.code}"] = record.cell
        merged.cells |= {f"{record.section}.{record.code}.{name}": cell for name, cell in record.cells.items()}
        section = data.get(record.section)
        there = section.get(record.code) if isinstance(section, dict) else None
        _check_number(record, there, given, problems)
        if isinstance(there, dict):
            _compare(record, there, merged)
        elif there is None and record.section == "networks":
            problems.append(record.cell.problem(record.code, "a network of the county", "add it to the county first"))
        else:
            _add(record, data, taken, merged, problems)
    return merged


def _group(section: str) -> str:
    return "fibre" if section == "fibres" else "site" if section in SITES else ""


def _written(data: Mapping[str, Any], group: str) -> set[int]:
    sections = SITES if group == "site" else ("fibres",)
    entries = (entry for name in sections for entry in (data.get(name) or {}).values() if isinstance(entry, dict))
    return {entry["number"] for entry in entries if isinstance(entry.get("number"), int)}


def _check_number(record: Record, there: Any, given: Given, problems: list[Problem]) -> None:
    number, cell = record.values.get("number"), record.cells.get("number", record.cell)
    if number is None or not _group(record.section):
        return
    if isinstance(there, dict) and there.get("number") != number:
        said = f"{there.get('number')}, the number that {record.code} has: a number never changes"
        problems.append(cell.problem(str(number), said, "correct the cell or leave it empty"))
        return
    owner = given.numbers[_group(record.section)].get(number, record.code)
    if owner != record.code:
        said = f"a number that was never given: {number} was {owner}'s"
        problems.append(cell.problem(str(number), said, "choose another, or leave it empty"))


def _compare(record: Record, there: dict[str, Any], merged: Merged) -> None:
    changed = False
    for name, value in record.values.items():
        before = there.get(name)
        if name == "members":
            value = [*(before or ()), *(code for code in value if code not in (before or ()))]
        if name == "ends" and set(map(str, before or ())) == set(value):
            continue
        if before != value:
            merged.changes.append(Change(record.section, record.code, name, before, value))
            changed = True
    merged.kept += not changed


def _add(
    record: Record, data: Mapping[str, Any], taken: dict[str, set[int]], merged: Merged, problems: list[Problem]
) -> None:
    section, code = record.section, record.code
    values = dict(record.values)
    if "code" in record.proposed:
        merged.proposals.append(Proposal(section, code, "code", code))
    group = _group(section)
    if group and "number" not in values:
        number = _free(section, group, data, taken[group], merged)
        if number is None:
            problems.append(record.cell.problem(f"no free number up to {_MOST}", "a free number", "give one yourself"))
            return
        taken[group].add(number)
        values["number"] = number
        merged.proposals.append(Proposal(section, code, "number", number))
    if section == "halls":
        values |= _hall_names(values, data, merged)
    if section != "fibres" and "en" not in values:
        values["en"] = f"{section.removesuffix('s').replace('bodie', 'body').capitalize()} {code}"
        merged.proposals.append(Proposal(section, code, "en", values["en"]))
    if section != "fibres" and "zh" not in values:
        problems.append(record.cell.problem(f"a new {code} without a name", "its Chinese name", "fill in the name"))
        return
    rank = {name: at for at, name in enumerate(_ORDER)}
    merged.added[(section, code)] = dict(sorted(values.items(), key=lambda each: rank.get(each[0], len(rank))))


def _free(section: str, group: str, data: Mapping[str, Any], taken: set[int], merged: Merged) -> int | None:
    """The first number after the section's last that nobody has or ever had; after that any such number."""
    new = [values.get("number") for (kind, _), values in merged.added.items() if kind == section]
    old = [entry.get("number") for entry in (data.get(section) or {}).values() if isinstance(entry, dict)]
    mine = [number for number in (*new, *old) if isinstance(number, int)]
    first = max((_FIRST_FIBRE if group == "fibre" else _FIRST[section]) - 1, *mine, 0) + 1
    ways = (*range(first, _MOST + 1), *range(1, first))
    return next((number for number in ways if number not in taken), None)


def _hall_names(values: dict[str, Any], data: Mapping[str, Any], merged: Merged) -> dict[str, Any]:
    """A hall without a name is called after its site."""
    site = values.get("site")
    entries = [(data.get(name) or {}).get(site) for name in SITES]
    entries += [entry for (name, code), entry in merged.added.items() if code == site and name in SITES]
    named = next((entry for entry in entries if isinstance(entry, dict)), None)
    if named is None or not {"zh", "en"} <= named.keys():
        return {}
    words = {"zh": f"{named['zh']}会场", "en": f"{named['en']} Hall"}
    return {name: word for name, word in words.items() if name not in values}
