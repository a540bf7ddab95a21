"""Vendor profiles: read from ``profiles/*.yml``, checked, compiled to object identifiers, and matched to a device.

A vendor is added as a file, without code.  A wrong name or unit is an error with file, line and key, never a silent
nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from collectors.snmp.schema import ColumnData, GroupData, MatchData, ProfileData, TrapData
from collectors.snmp.units import Reading, Unit
from inventory.errors import CountyErrors, Place, Problem, dotted
from inventory.explain import explain

FOLDER = Path(__file__).parent / "profiles"
STANDARD = "standard"
"""The profile whose groups every device gets: the IETF's and IEEE's own tables."""
_COUNTERS = frozenset({"octets", "packets", "errors", "discards", "ticks"})
_DEFAULT: dict[str, Unit] = {"mac": "mac", "address": "address"}
_FAST = frozenset({"ports", "optics", "processors", "cpu", "memory", "temperatures", "fans", "power_supplies",
                   "sensors", "pon_ports"})  # fmt: skip
_FIGURE = re.compile(
    r"(_octets|_packets|_errors|_discards|_ticks|_dbm|_ma|_c|_v|_w|_percent|rpm|celsius|(used|free|total)_bytes|^value"
    r"|^oper|^state)$"
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column to walk; ``oid`` dotted without an index (a scalar's without its .0)."""

    oid: str
    name: str
    kind: str
    field: str
    reading: Reading
    suffix: tuple[int, ...] = ()
    lanes: bool = False

    @property
    def fast(self) -> bool:
        """True for a figure or a state, which changes; False for names and such, which the slow loop reads."""
        return self.kind in _FAST and _FIGURE.search(self.field) is not None

    @property
    def counter(self) -> bool:
        """True for a running count."""
        return self.field.rpartition("_")[2] in _COUNTERS


@dataclass(frozen=True, slots=True)
class Group:
    """Columns that together fill rows of one fact; several columns of a field are tried in their order."""

    data: GroupData
    columns: Mapping[str, tuple[Column, ...]]


@dataclass(frozen=True, slots=True)
class Profile:
    """One vendor's system, compiled."""

    name: str
    vendor: str
    system: str
    match: tuple[MatchData, ...]
    version: str
    model: str
    groups: tuple[Group, ...]
    traps: Mapping[str, TrapData]

    @property
    def columns(self) -> tuple[Column, ...]:
        """Every column of every group, each once."""
        found: dict[str, Column] = {}
        for group in self.groups:
            for columns in group.columns.values():
                for column in columns:
                    found.setdefault(column.oid, column)
        return tuple(found.values())


def match(sys_object_id: str, sys_descr: str) -> Profile:
    """The profile of a device; "generic" when no vendor's fits: system, ports and what the standards give."""
    best, score = "generic", (-1, False)
    for name, profile in profiles().items():
        for one in profile.match:
            if not f"{sys_object_id}.".startswith(f"{one.object}.") or not re.search(one.describes, sys_descr):
                continue
            found = (one.object.count("."), bool(one.describes))
            if found > score:
                best, score = name, found
    return profiles()[best]


def names() -> frozenset[str]:
    """Every MODULE::object that the shipped profiles name."""
    columns = (column for profile in profiles().values() for column in profile.columns)
    return frozenset(column.name for column in columns if "::" in column.name)


@cache
def profiles() -> Mapping[str, Profile]:
    """The shipped profiles by name.

    Raises:
        CountyErrors: a file is wrong; all problems at once.
    """
    return load(FOLDER)


def load(folder: Path) -> Mapping[str, Profile]:
    """Profiles of a folder, by name.

    Raises:
        CountyErrors: a file is wrong; all problems at once, each with file, line and key.
    """
    problems: list[Problem] = []
    read: dict[str, ProfileData] = {}
    for path in sorted(folder.glob("*.yml")):
        try:
            data = ProfileData.model_validate(YAML(typ="safe").load(path))
        except ValidationError as wrong:
            problems += _explained(path, wrong)
        except (YAMLError, UnicodeDecodeError) as wrong:
            mark = wrong.problem_mark if isinstance(wrong, MarkedYAMLError) else None
            place = Place(path.name, mark.line + 1 if mark else 0)
            problems.append(Problem(place, "file", str(wrong).split("\n")[0], "YAML in UTF-8", "mend the line"))
        else:
            read[data.profile] = data
            if data.profile != path.stem:
                problems.append(
                    Problem(Place(path.name), "profile", data.profile, path.stem, "name the file as the profile")
                )
    for data in read.values():
        problems += [
            Problem(Place(f"{data.profile}.yml"), "also", name, f"one of {', '.join(read)}", "correct the name")
            for name in data.also
            if name not in read
        ]
    if problems:
        raise CountyErrors("profiles", problems)
    return {name: _compile(data, read) for name, data in read.items()}


def _compile(data: ProfileData, every: Mapping[str, ProfileData]) -> Profile:
    sources = [data, *(every[name] for name in data.also)]
    if STANDARD in every and data.profile != STANDARD:
        sources.append(every[STANDARD])
    return Profile(
        name=data.profile,
        vendor=data.vendor,
        system=data.system,
        match=data.match,
        version=data.version,
        model=data.model,
        groups=tuple(_group(group) for source in sources for group in source.groups),
        traps={oid: trap for source in reversed(sources) for oid, trap in source.traps.items()},
    )


def _group(data: GroupData) -> Group:
    columns = {
        field: tuple(_column(data.fact, field, column) for column in (many if isinstance(many, list) else [many]))
        for field, many in data.columns.items()
    }
    return Group(data, columns)


def _column(kind: str, field: str, data: ColumnData) -> Column:
    reading = Reading(
        unit=data.unit or _DEFAULT.get(field) or ("count" if _FIGURE.search(field) else "text"),
        field=field,
        scale=data.scale,
        offset=data.offset,
        missing=frozenset(data.missing),
        values=data.values,
    )
    suffix = tuple(map(int, str(data.suffix).split("."))) if data.suffix is not None else ()
    name = data.object or data.name
    return Column(data.resolved, name, kind, field, reading, suffix, data.lanes)


def _explained(path: Path, wrong: ValidationError) -> Iterator[Problem]:
    """Pydantic's errors with the line of the nearest key that was written."""
    tree: Any = YAML().load(path)
    for error in wrong.errors():
        node, line, key = tree, 0, []
        for part in error["loc"]:
            try:
                mark = node.lc.item(part) if isinstance(part, int) else node.lc.key(part)
                node, line = node[part], mark[0] + 1
                key.append(part)
            except (AttributeError, KeyError, IndexError, TypeError):
                continue  # a part that pydantic invents, such as the branch of a union
        found, expected, advice = explain(error)
        yield Problem(Place(path.name, line), dotted(tuple(key)) if key else "file", found, expected, advice)
