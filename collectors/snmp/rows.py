"""Rows of a profile's group out of a walk: columns joined by index, each value with where it came from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from collectors.snmp.profile import Column, Group
from collectors.snmp.units import Reading, unit_of
from collectors.snmp.walk import Oid, Value, Walk, dotted


@dataclass(frozen=True, slots=True)
class Cell:
    """One value: a number in the field's unit, a word, or None with the reason."""

    oid: str
    raw: Value
    column: Column
    reading: Reading

    @property
    def number(self) -> float | None:
        """The figure."""
        return self.reading.number(self.raw)

    @property
    def value(self) -> float | int | str | None:
        """As the fact shows it."""
        if unit_of(self.column.field):
            return self.number
        if isinstance(self.raw, int):
            return self.reading.values.get(self.raw, self.raw) if self.raw not in self.reading.missing else None
        if self.reading.unit == "mac":
            return mac(self.raw)
        if self.reading.unit == "address":
            return address(self.raw)
        if self.reading.unit == "onu-serial":
            return onu_serial(self.raw)
        return text(self.raw)

    @property
    def why(self) -> str:
        """Why there is no value though the device gave something that is no plain "none"."""
        if not unit_of(self.column.field) or self.number is not None:
            return ""
        return f"{self.column.name} {self.reading.why(self.raw)}"


Row = dict[str, Cell]


def rows(group: Group, walk: Walk) -> Iterator[tuple[Oid, Row]]:
    """(index, cells by field) of every row the group keeps, in the order of the index."""
    found: dict[Oid, dict[str, list[Cell]]] = {}
    for field, columns in group.columns.items():
        for column in columns:
            values = walk.column(column.oid)
            reading = column.reading.settled(_same_unit(group, column, walk))
            for index, raw in values.items():
                if column.suffix and index[-len(column.suffix) :] != column.suffix:
                    continue
                key = index[: len(index) - len(column.suffix)]
                cell = Cell(f"{column.oid}.{dotted(index)}", raw, column, reading)
                found.setdefault(key, {}).setdefault(field, []).append(cell)
    for key in sorted(found):
        row = {field: _best(cells) for field, cells in found[key].items()}
        if _kept(group, row):
            yield key, row


def _same_unit(group: Group, column: Column, walk: Walk) -> Iterator[Value]:
    """Values of every column of the group that is written as this one is."""
    if column.reading.unit != "dBm|uW":
        return
    for others in group.columns.values():
        for other in others:
            if other.reading.unit == column.reading.unit:
                yield from walk.column(other.oid).values()


def _best(cells: list[Cell]) -> Cell:
    """The first that says something, else the first that says why it does not."""
    for cell in cells:
        if cell.column.lanes and cell.reading.numbers(cell.raw) > 1:
            return cell
        if cell.value not in (None, ""):
            return cell
    return next((cell for cell in cells if cell.why and cell.raw != b""), cells[0])


def _kept(group: Group, row: Row) -> bool:
    for field, allowed in group.data.keep.items():
        if field not in row or (row[field].value not in allowed and row[field].raw not in allowed):
            return False
    for field, expression in group.data.pattern.items():
        if field not in row or not re.search(expression, str(row[field].value or "")):
            return False
    return not any(
        field in row and (row[field].value in refused or row[field].raw in refused)
        for field, refused in group.data.drop.items()
    )


def text(raw: Value) -> str:
    """A string as people read it: UTF-8, else GB 18030 (what older Chinese boxes are typed into)."""
    if not isinstance(raw, bytes):
        return str(raw)
    data = raw.split(b"\0", 1)[0] if raw.rstrip(b"\0").isascii() else raw.rstrip(b"\0")
    for encoding in ("utf-8", "gb18030"):
        try:
            decoded = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        return "".join(letter for letter in decoded if letter.isprintable() or letter in "\r\n\t").strip()
    return data.decode("latin-1").strip()


def mac(raw: Value) -> str | None:
    """Six bytes, or the text of them, as aa:bb:cc:dd:ee:ff; None for anything else and for all zeros."""
    if not isinstance(raw, bytes):
        return None
    if len(raw) != 6:
        digits = raw.decode("latin-1").replace(":", "").replace("-", "").replace(".", "").replace(" ", "")
        try:
            raw = bytes.fromhex(digits)
        except ValueError:
            return None
    return raw.hex(":") if len(raw) == 6 and any(raw) else None


def onu_serial(raw: Value) -> str:
    """An ONU's serial number (ITU-T G.984.3): four letters of the vendor and four bytes as hexadecimal."""
    if isinstance(raw, bytes) and len(raw) == 8 and raw[:4].isalnum():
        return raw[:4].decode("ascii") + raw[4:].hex().upper()
    return text(raw)


def address(raw: Value) -> str | None:
    """An IPv4 or IPv6 address of 4 or 16 bytes, or its text; None for none (0.0.0.0)."""
    from ipaddress import ip_address

    try:
        found = ip_address(raw if isinstance(raw, bytes) and len(raw) in (4, 16) else text(raw))
    except ValueError:
        return None
    return None if found.is_unspecified else str(found)
