"""What a vendor's profile may say (``collectors/snmp/profiles/*.yml``); docs/snmp.md explains it with an example."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from collectors.snmp import facts
from collectors.snmp.mibs import UnknownName, resolve
from collectors.snmp.units import Unit, fits

ROWS: dict[str, type] = {
    "system": facts.System, "ports": facts.Port, "optics": facts.Optic, "processors": facts.Processor,
    "memory": facts.Memory, "temperatures": facts.Temperature, "fans": facts.Fan,
    "power_supplies": facts.PowerSupply, "neighbours": facts.Neighbour, "bgp": facts.BgpPeer,
    "ospf": facts.OspfNeighbour, "pon_ports": facts.PonPort, "onus": facts.Onu,
}  # fmt: skip
"""Which row a group of columns fills."""

HELPERS: dict[str, frozenset[str]] = {
    "ports": frozenset({"high_speed_bps"}),
    "optics": frozenset({"ifindex", "present"}),
    "memory": frozenset({"allocation_bytes", "type"}),
    "processors": frozenset({"present"}),
    "temperatures": frozenset({"present"}),
    "neighbours": frozenset({"chassis_subtype", "remote_port_subtype"}),
    "pon_ports": frozenset({"ifindex"}),
    "onus": frozenset({"ifindex"}),
    "lldp_ports": frozenset({"id", "subtype", "description"}),
    "lldp_management": frozenset({"interface"}),
    "entities": frozenset({"name", "description", "class", "contained_in", "alias", "model", "serial", "version"}),
    "sensors": frozenset({"type", "scale", "precision", "value", "state"}),
    "cpu": frozenset({"user_ticks", "nice_ticks", "system_ticks", "idle_ticks"}),
}
"""Fields that a fact does not show but that its making needs."""

OidText = Annotated[str, StringConstraints(pattern=r"^[0-2](\.\d{1,10}){2,126}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnData(_Strict):
    """One column: ``object: MODULE::name`` where pysnmp has the module, else ``oid:`` with its ``name:``."""

    object: str = ""
    oid: OidText | None = None
    name: str = ""
    unit: Unit | None = None
    scale: float = 1.0
    missing: tuple[int | str, ...] = ()
    values: dict[int, str] = Field(default_factory=dict)
    suffix: Annotated[int, Field(ge=0)] | OidText | None = None
    lanes: bool = False
    offset: float = 0.0

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.object) == bool(self.oid):
            raise ValueError("either object: MODULE::name, or oid: with name:")
        if self.oid and not self.name:
            raise ValueError("an oid: with its name: in the vendor's MIB, so that people can look it up")
        if self.object:
            try:
                resolve(self.object)
            except UnknownName as problem:
                raise ValueError(str(problem)) from None
        return self

    @property
    def resolved(self) -> str:
        """The object identifier, dotted."""
        return self.oid or resolve(self.object)


class GroupData(_Strict):
    """Columns of one table that together fill rows of one fact.

    ``index``: what the first number of the table's index is: an ``ifindex``, an ``entity`` (entPhysicalIndex), a
    ``scalar`` (one row), or the table's ``own``.  ``label``: the row's name where no column gives it; it may use
    {index}, {1}, {2} ... (numbers of the index), {entity}, {port}.  ``keep``, ``drop``, ``pattern``: only rows whose
    field has one of these values, none of those, or text like this expression.  ``classes``: only entities of these
    PhysicalClass (3 chassis, 8 sensor, 9 module).  ``fallback``: only where no earlier group had a row.  ``lane``:
    which number of the index is the module's lane.
    """

    fact: str
    table: str
    index: Literal["ifindex", "entity", "scalar", "own"]
    label: str = ""
    columns: dict[str, ColumnData | list[ColumnData]]
    keep: dict[str, tuple[int | str, ...]] = Field(default_factory=dict)
    drop: dict[str, tuple[int | str, ...]] = Field(default_factory=dict)
    pattern: dict[str, str] = Field(default_factory=dict)
    classes: tuple[int, ...] = ()
    fallback: bool = False
    lane: Annotated[int, Field(ge=1, le=16)] | None = None

    @field_validator("fact")
    @classmethod
    def _known_fact(cls, value: str) -> str:
        if value not in ROWS and value not in HELPERS:
            raise ValueError(f"one of {', '.join(sorted(ROWS.keys() | HELPERS.keys()))}")
        return value

    @model_validator(mode="after")
    def _known_fields(self) -> Self:
        known = HELPERS.get(self.fact, frozenset())
        if self.fact in ROWS:
            known = known | {field.name for field in fields(ROWS[self.fact])}
        for name, columns in self.columns.items():
            if name not in known:
                raise ValueError(f"{self.fact} has no field {name!r}; it has {', '.join(sorted(known))}")
            for column in columns if isinstance(columns, list) else [columns]:
                if column.unit is not None and not fits(column.unit, name):
                    raise ValueError(f"a column in {column.unit} cannot fill {name}")
        for name in (*self.keep, *self.drop, *self.pattern):
            if name not in self.columns:
                raise ValueError(f"keep/drop/pattern: {name!r} is no column of this group")
        for expression in self.pattern.values():
            MatchData._expression(expression)
        return self


class MatchData(_Strict):
    """Which devices: sysObjectID below ``object`` and sysDescr matching ``describes`` (a regular expression)."""

    object: OidText = "1.3.6"
    describes: str = ""

    @field_validator("describes")
    @classmethod
    def _expression(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as problem:
            raise ValueError(f"a regular expression ({problem})") from None
        return value


class TrapData(_Strict):
    """A notification by its identifier: ``name`` in the vendor's MIB, how bad it is."""

    name: str
    severity: Literal["critical", "warning", "info"]
    objects: dict[OidText, str] = Field(default_factory=dict)  # varbinds' names


class ProfileData(_Strict):
    """One file."""

    profile: Name
    vendor: str
    system: str
    match: tuple[MatchData, ...] = ()
    version: str = ""  # expression over sysDescr; its first group is the version
    model: str = ""
    also: tuple[Name, ...] = ()
    groups: tuple[GroupData, ...] = ()
    traps: dict[OidText, TrapData] = Field(default_factory=dict)

    @field_validator("version", "model")
    @classmethod
    def _expression(cls, value: str) -> str:
        return MatchData._expression(value)
