"""Rows as entries of the county's sections: codes found or proposed, names looked up, a site's fibres and hall."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from inventory.errors import Problem
from inventory.expand.written import ACCESS, REMOTE, SECTIONS
from inventory.intake.rows import Row, Written
from inventory.intake.tables import Cell
from inventory.intake.values import Unfit, choice, choices, decimal, kilometres, narrow, rate, several, whole
from inventory.intake.words import BOXES, EQUIPMENT, SWITCHES, folded

T = TypeVar("T")
SITES = tuple(section.name for section in SECTIONS)
_CODE = re.compile(r"[a-z][a-z0-9]{0,7}")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_PREFIX = {
    "centres": ("c", 1),
    "townships": ("t", 2),
    "bodies": ("b", 2),
    "buildings": ("cb", 2),
    "schools": ("s", 3),
    "clinics": ("k", 3),
    "villages": ("v", 2),
    "units": ("u", 2),
    "partners": ("ip", 2),
    "subscribers": ("g", 2),
    "carriers": ("n", 1),
    "ducts": ("d", 2),
}
"""How codes begin and how many digits follow, where the county has none yet to go by."""


@dataclass(slots=True)
class Record:
    """One entry, as far as the tables tell: values as the YAML has them, and the cell each came from."""

    section: str
    code: str
    cell: Cell
    values: dict[str, Any] = field(default_factory=dict)
    cells: dict[str, Cell] = field(default_factory=dict)
    proposed: set[str] = field(default_factory=set)  # "code", where nobody wrote it

    def set(self, name: str, value: Any, cell: Cell) -> None:
        """A value from a cell."""
        self.values[name], self.cells[name] = value, cell


class Records:
    """What the rows say, gathered; mistakes go to ``problems``."""

    def __init__(
        self, rows: list[Row], data: Mapping[str, Any], origin: tuple[float, float] | None, problems: list[Problem]
    ) -> None:
        self.problems = problems
        self._data = data
        self._origin = origin
        self._codes: dict[str, set[str]] = {}
        self.all: dict[tuple[str, str], Record] = {}
        coded = [(row, self._record(row)) for row in rows if row.section not in ("fibres", "halls")]
        self._sites = self._names(SITES)
        self._ducts = self._names(("ducts",))
        self._networks = self._names(("networks",))
        coded += [(row, self._record(row)) for row in rows if row.section in ("fibres", "halls")]
        for row, record in coded:
            if record is not None:
                self._fill(row, record)

    def _entries(self, section: str) -> Mapping[str, Any]:
        found = self._data.get(section)
        return found if isinstance(found, dict) else {}

    def _names(self, sections: tuple[str, ...]) -> dict[str, str]:
        """Folded code, Chinese and English name -> code; a name that two have is nobody's."""
        names: dict[str, str] = {}
        twice: set[str] = set()
        everything = [
            (code, entry.get(word))
            for section in sections
            for code, entry in self._entries(section).items()
            if isinstance(entry, dict)
            for word in ("zh", "en")
        ]
        everything += [
            (record.code, record.values.get(word))
            for record in self.all.values()
            if record.section in sections
            for word in ("zh", "en")
        ]
        for code, name in everything:
            if name and names.setdefault(folded(str(name)), code) != code:
                twice.add(folded(str(name)))
        for name in twice:
            del names[name]
        return names | {folded(code): code for code, _ in everything}

    # Which entry a row is about.

    def _record(self, row: Row) -> Record | None:
        code, proposed = self._code_of(row)
        if not code:
            return None
        record = self.all.get((row.section, code))
        if record is not None:
            first = f"a row of its own for each; the first is row {record.cell.row} of {record.cell.place.file}"
            self.problems.append(row.cell.problem(f"a second row for {code}", first, "remove one"))
            return None
        record = Record(row.section, code, row.cell, proposed={"code"} if proposed else set())
        if "code" in row.written:
            record.cells["code"] = row.written["code"].cell
        for word in ("zh", "en"):
            if word in row.written:
                record.set(word, row.written[word].text, row.written[word].cell)
        self.all[(row.section, code)] = record
        return record

    def _code_of(self, row: Row) -> tuple[str, bool]:
        given = row.written.get("code")
        if given is not None:
            code = narrow(given.text)
            if (_NAME if row.section == "fibres" else _CODE).fullmatch(code):
                return code, False
            self.problems.append(given.problem("small letters and digits, a letter first, such as t12", "shorten it"))
            return "", False
        if row.section == "fibres":
            return self._fibre_code(row), True
        if row.section == "halls":
            where = row.written.get("site")
            site = self._one(where, self._sites, "the code of a site") if where else ""
            if where is None:
                self.problems.append(row.cell.problem("neither code nor site", "where the hall is", "fill in the site"))
            return site, True
        zh = row.written.get("zh")
        if zh is None:
            self.problems.append(row.cell.problem("neither code nor name", "one of them", "fill in the name"))
            return "", False
        for code, entry in self._entries(row.section).items():
            if isinstance(entry, dict) and folded(str(entry.get("zh", ""))) == folded(zh.text):
                return str(code), True
        return self._next_code(row.section), True

    def _fibre_code(self, row: Row) -> str:
        ends = [self._one(row.written.get(name), self._sites, "a site") for name in ("homes", "home2")]
        if not all(ends):
            if not {"homes", "home2"} <= row.written.keys():
                self.problems.append(row.cell.problem("a fibre without two ends", "both", "fill in its ends"))
            return ""
        known = self._fibre(ends[0], ends[1])
        ring = all(end in self._entries("centres") or ("centres", end) in self.all for end in ends)
        return known or ("ring-" if ring else "") + "-".join(ends)

    def _fibre(self, one: str, other: str) -> str:
        """The name of the fibre between two sites, "" when there is none yet."""
        for name, entry in self._entries("fibres").items():
            if isinstance(entry, dict) and set(map(str, entry.get("ends") or ())) == {one, other}:
                return str(name)
        for (section, code), record in self.all.items():
            if section == "fibres" and set(record.values.get("ends", ())) == {one, other}:
                return code
        return ""

    def _next_code(self, section: str) -> str:
        taken = self._codes.setdefault(section, set())
        known = [*self._entries(section), *(code for kind, code in self.all if kind == section), *taken]
        shapes = Counter((found[1], len(found[2])) for each in known if (found := re.fullmatch(r"([a-z]+)(\d+)", each)))
        prefix, width = shapes.most_common(1)[0][0] if shapes else _PREFIX[section]
        numbers = [int(found[1]) for each in known if (found := re.fullmatch(rf"{prefix}(\d+)", each))]
        code = f"{prefix}{max(numbers, default=0) + 1:0{width}}"
        taken.add(code)
        return code

    # What a row says about it.

    def _fill(self, row: Row, record: Record) -> None:
        written, section = row.written, row.section
        self._take(record, "number", written.get("number"), whole)
        self._place(record, written)
        if section in (*ACCESS, "fibres"):
            self._lines(record, written)
        elif section == "halls":
            self._take(record, "site", written.get("site"), lambda text: _only(several(text, self._sites, "a site")))
            self._hall(record, written)
        else:
            self._take(record, "home", written.get("homes"), lambda text: _only(several(text, self._sites, "a site")))
            self._take(record, "km", written.get("km"), decimal)
            self._take(record, "ducts", written.get("ducts"), lambda text: several(text, self._ducts, "a duct"))
            self._take(record, "rate", written.get("rate"), rate)
        if section in (*ACCESS, *REMOTE):
            self._join(record, written.get("networks"))
        self._take(record, "switch", written.get("switch"), lambda text: choice(text, SWITCHES))
        self._take(record, "boxes", written.get("boxes"), lambda text: choices(text, BOXES))
        self._take(record, "metric", written.get("metric"), whole)
        self._take(record, "probe", written.get("probe"), narrow)
        if section in ACCESS and "seats" in written:
            hall = self._also("halls", record.code, record.cell)
            hall.set("site", record.code, record.cell)
            self._hall(hall, written)

    def _hall(self, hall: Record, written: Mapping[str, Written]) -> None:
        self._take(hall, "seats", written.get("seats"), whole)
        self._take(hall, "devices", written.get("equipment"), lambda text: choices(text, EQUIPMENT))

    def _lines(self, record: Record, written: Mapping[str, Written]) -> None:
        """Homes and the fibre to each; a fibre's own row says its two ends in the same columns."""
        cells = [written[name] for name in ("homes", "home2") if name in written]
        homes: list[str] = []
        for each in cells:
            found = self._value(each, lambda text: several(text, self._sites, "a site"))
            homes += found or []
        if record.section == "fibres":
            if homes:
                record.set("ends", homes, cells[0].cell)
            self._take(record, "km", written.get("km"), decimal)
            self._take(record, "ducts", written.get("ducts"), lambda text: several(text, self._ducts, "a duct"))
            self._take(record, "rate", written.get("rate"), rate)
            return
        if homes:
            record.set("homes", homes, cells[0].cell)
        else:
            entry = self._entries(record.section).get(record.code)
            homes = [str(home) for home in entry.get("homes") or ()] if isinstance(entry, dict) else []
        for at, (km, ducts) in enumerate((("km", "ducts"), ("km2", "ducts2"))):
            told = [written[name] for name in (km, ducts) if name in written]
            if not told:
                continue
            if at >= len(homes):
                self.problems.append(
                    told[0].problem(f"nothing: {record.code} has no home number {at + 1}", "add the home")
                )
                continue
            name = self._fibre(record.code, homes[at]) or f"{record.code}-{homes[at]}"
            fibre = self._also("fibres", name, record.cell)
            fibre.set("ends", [record.code, homes[at]], record.cell)
            self._take(fibre, "km", written.get(km), decimal)
            self._take(fibre, "ducts", written.get(ducts), lambda text: several(text, self._ducts, "a duct"))
            self._take(fibre, "rate", written.get("rate"), rate)

    def _join(self, record: Record, value: Written | None) -> None:
        """Public networks are the site's; a closed group has the site as a member."""
        chosen = self._value(value, lambda text: several(text, self._networks, "a network")) if value else None
        if not chosen or value is None:
            return
        kinds = {code: entry.get("kind", "public") for code, entry in self._entries("networks").items()}
        public = [code for code in chosen if kinds[code] == "public"]
        if public:
            record.set("networks", public, value.cell)
        for code in chosen:
            if kinds[code] == "closed":
                group = self._also("networks", code, value.cell)
                group.set("members", [*group.values.get("members", ()), record.code], value.cell)

    def _place(self, record: Record, written: Mapping[str, Written]) -> None:
        for names, work in ((("east", "north"), self._plain), (("lon", "lat"), self._degrees)):
            pair = [written.get(name) for name in names]
            here = next((each for each in pair if each is not None), None)
            if here is None:
                continue
            if None in pair:
                self.problems.append(here.problem("both coordinates", "fill in the other one"))
                continue
            values = [self._value(each, decimal) for each in pair if each is not None]
            if None in values:
                continue
            at = self._value(here, lambda text, work=work, values=values: work(*values))  # type: ignore[misc]
            if at is not None:
                record.set("at", list(at), here.cell)

    def _plain(self, east: float, north: float) -> tuple[float, float]:
        return east, north

    def _degrees(self, lon: float, lat: float) -> tuple[float, float]:
        if self._origin is None:
            raise Unfit("kilometres, or degrees with --origin", "give the information centre's: --origin LON,LAT")
        return kilometres(lon, lat, self._origin)

    # Small tools.

    def _also(self, section: str, code: str, cell: Cell) -> Record:
        """Another entry that the same row speaks of."""
        return self.all.setdefault((section, code), Record(section, code, cell))

    def _one(self, value: Written | None, names: Mapping[str, str], what: str) -> str:
        found = self._value(value, lambda text: _only(several(text, names, what))) if value else None
        return found or ""

    def _take(self, record: Record, name: str, value: Written | None, work: Callable[[str], Any]) -> None:
        if value is None:
            return
        found = self._value(value, work)
        if found is None:
            return
        if name in record.values and record.values[name] != found:
            there = record.cells[name]
            said = f"the same as in row {there.row} of {there.place.file} ({record.values[name]})"
            self.problems.append(value.problem(said, "keep one of the two"))
            return
        record.set(name, found, value.cell)

    def _value(self, value: Written, work: Callable[[str], T]) -> T | None:
        try:
            return work(value.text)
        except Unfit as unfit:
            self.problems.append(value.problem(unfit.expected, unfit.advice))
            return None


def _only(found: list[str]) -> str:
    if len(found) != 1:
        raise Unfit("one, not several", "keep one")
    return found[0]
