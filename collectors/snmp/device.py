"""One device while its facts are made: its ports, its physical entities, and which belongs to which."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from collectors.snmp.facts import Facts, Point, Port
from collectors.snmp.profile import Column, Group, Profile
from collectors.snmp.rows import Cell, Row, rows
from collectors.snmp.units import unit_of
from collectors.snmp.walk import Oid, Walk, dotted, parts

_IF_INDEX = "1.3.6.1.2.1.2.2.1.1"
_DEEPEST = 12  # of entPhysicalContainedIn: more is a ring
_TOKEN = re.compile(r"[A-Za-z][A-Za-z-]* ?\d+(?:[/.:]\d+)*")


@dataclass(slots=True)
class Device:
    """What the makers of facts share."""

    walk: Walk
    profile: Profile
    facts: Facts = field(default_factory=Facts)
    ports: dict[int, Port] = field(default_factory=dict)
    entities: dict[int, Row] = field(default_factory=dict)
    _by_name: dict[str, Port] = field(default_factory=dict)

    def groups(self, fact: str) -> list[Group]:
        """The profile's groups of that fact; a fallback only while the fact has no rows."""
        return [group for group in self.profile.groups if group.data.fact == fact]

    def rows(self, fact: str) -> list[tuple[Group, Oid, Row]]:
        """Rows of all groups of that fact."""
        found: list[tuple[Group, Oid, Row]] = []
        for group in self.groups(fact):
            if not (group.data.fallback and found):
                found += [(group, index, row) for index, row in rows(group, self.walk) if self._classed(group, index)]
        return found

    def _classed(self, group: Group, index: Oid) -> bool:
        kind = self.entities.get(index[0], {}).get("class") if group.data.classes else None
        return kind is None or kind.raw in group.data.classes

    def learn_entities(self) -> None:
        """Read entPhysicalTable; entAliasMappingIdentifier has one more number in its index."""
        for _group, index, row in self.rows("entities"):
            if len(index) == 1:
                self.entities.setdefault(index[0], {}).update(row)
            elif "alias" in row:
                self.entities.setdefault(index[0], {}).setdefault("alias", row["alias"])

    def learn_names(self) -> None:
        """Remember the ports by each of their names."""
        self.ports = {port.index: port for port in self.facts.ports}
        for port in self.facts.ports:
            for name in (port.name, port.description):
                if name:
                    self._by_name.setdefault(name.lower(), port)

    def word(self, entity: int, name: str) -> str:
        """A text of an entity; "" where it has none."""
        cell = self.entities.get(entity, {}).get(name)
        return "" if cell is None or cell.value is None else str(cell.value)

    def port_named(self, name: str) -> Port | None:
        """The port of that very name."""
        return self._by_name.get(name.lower().strip())

    def port_of(self, entity: int) -> Port | None:
        """The port an entity is, or is plugged into: by the alias mapping, by its name, by what holds it."""
        for _ in range(_DEEPEST):
            if entity not in self.entities:
                return None
            alias = self.entities[entity].get("alias")
            if alias is not None and isinstance(alias.raw, str) and alias.raw.startswith(f"{_IF_INDEX}."):
                found = self.ports.get(parts(alias.raw)[-1])
                if found is not None:
                    return found
            for text in (self.word(entity, "name"), self.word(entity, "description")):
                found = self.port_named(text) or self._port_within(text)
                if found is not None:
                    return found
            above = self.entities[entity].get("contained_in")
            if above is None or not isinstance(above.raw, int) or above.raw == entity:
                return None
            entity = above.raw
        return None

    def _port_within(self, text: str) -> Port | None:
        """The one port whose name stands in a text such as "Ethernet12 Rx" or, with its lane, "Ethernet12/1"."""
        hits: dict[int, Port] = {}
        for token in _TOKEN.findall(text.lower()):
            while token:
                if token in self._by_name:
                    hits[self._by_name[token].index] = self._by_name[token]
                    break
                token = token[: max(0, *(token.rfind(sign) for sign in "/.:"))]
        return next(iter(hits.values())) if len(hits) == 1 else None

    def label(self, group: Group, index: Oid, row: Row) -> str:
        """The row's name: its column's, else by the group's label."""
        cell = row.get("name")
        if cell is not None and cell.value not in (None, ""):
            return str(cell.value)
        port = self.ports.get(index[0]) if group.data.index == "ifindex" else None
        entity = ""
        if group.data.index == "entity":
            entity = self.word(index[0], "name") or self.word(index[0], "description") or f"entity {index[0]}"
        words = {"index": dotted(index), "entity": entity, "port": port.name if port else ""}
        words |= {str(number): str(part) for number, part in enumerate(index, 1)}
        text = group.data.label or ("{entity}" if entity else "{index}")
        return re.sub(r"\{(\w+)\}", lambda found: words.get(found[1], ""), text).strip()

    def fill(self, fact: Any, row: Row, kind: str, subject: str) -> bool:
        """Put the row's cells into the fact's fields and note the figures; False when it has no figure or state."""
        told = False
        for name, cell in row.items():
            if name == "name" or name not in type(fact).__slots__:
                continue
            value = cell.value
            if value is None:
                continue
            setattr(fact, name, str(value) if isinstance(getattr(fact, name), str) else _whole(name, value))
            if cell.column.fast:
                told = True
                self.point(cell, kind, subject)
        return told

    def point(self, cell: Cell, kind: str, subject: str) -> None:
        """Note a figure for the fast loop."""
        column: Column = cell.column
        self.facts.points.append(Point(cell.oid, kind, subject, column.field, column.counter, cell.reading))


def _whole(name: str, value: float | int | str) -> float | int | str:
    return int(value) if isinstance(value, float) and unit_of(name) in ("bytes", "bps") else value
