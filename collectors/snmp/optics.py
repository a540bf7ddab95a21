"""Optical modules: power in dBm, whatever table and unit the vendor has; and all of ENTITY-SENSOR-MIB's sensors."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from collectors.snmp.device import Device
from collectors.snmp.facts import Fan, Optic, Point, Port, PowerSupply, Temperature
from collectors.snmp.profile import Group
from collectors.snmp.rows import Cell, Row
from collectors.snmp.units import Reading, Unit
from collectors.snmp.walk import Oid

FIGURES = ("rx_dbm", "tx_dbm", "bias_ma", "temperature_c", "voltage_v")


def read_optics(device: Device) -> None:
    """Modules of the profile's tables: one fact a module, or one a lane where the device tells lanes apart."""
    for group, index, row in device.rows("optics"):
        name, port = _place(device, group, index, row)
        lanes = max(cell.reading.numbers(cell.raw) if cell.column.lanes else 1 for cell in row.values())
        for lane in range(lanes):
            optic = Optic(name, port.index if port else None, lane + 1 if lanes > 1 else None)
            cells = {key: _lane(cell, lane) if lanes > 1 else cell for key, cell in row.items()}
            subject = name if lanes == 1 else f"{name} lane {lane + 1}"
            device.fill(optic, cells, "optics", subject)
            optic.reason = "; ".join(cell.why for key, cell in cells.items() if key in FIGURES and cell.why) or None
            if any(getattr(optic, figure) is not None for figure in FIGURES) or _speaks(cells):
                device.facts.optics.append(optic)


def _place(device: Device, group: Group, index: Oid, row: Row) -> tuple[str, Port | None]:
    """The module's port: by ifIndex, by the entity it is plugged into, or by a column that tells."""
    port = None
    if "ifindex" in row:
        raw = row["ifindex"].raw
        port = device.ports.get(raw) if isinstance(raw, int) else None
    elif group.data.index == "ifindex":
        port = device.ports.get(index[0])
    elif group.data.index == "entity":
        port = device.port_of(index[0])
    if "port" in row and row["port"].value:
        port = device.port_named(str(row["port"].value)) or port
        return (port.name if port else str(row["port"].value)), port
    return (port.name if port else device.label(group, index, row)), port


def _lane(cell: Cell, lane: int) -> Cell:
    return replace(cell, reading=replace(cell.reading, lane=lane)) if cell.column.lanes else cell


def _speaks(cells: Row) -> bool:
    """True when a power was told that cannot be read: a module is there."""
    return any(
        key in ("rx_dbm", "tx_dbm") and cell.why and cell.raw != b"" and cell.raw not in cell.reading.missing
        for key, cell in cells.items()
    )


_UNITS: dict[int, Unit] = {3: "V", 4: "V", 5: "A", 6: "W", 8: "celsius", 10: "rpm", 14: "dBm"}  # EntitySensorDataType
_OTHER, _UNITS_SCALE, _OK = 1, 9, 1  # EntitySensorDataScale: units(9), milli(8), micro(7) ...
_RECEIVE, _SEND = (
    re.compile(r"\b(rx|receive\w*|input)\b", re.IGNORECASE),
    re.compile(r"\b(tx|transmit\w*|output)\b", re.IGNORECASE),
)


def read_sensors(device: Device) -> None:
    """ENTITY-SENSOR-MIB: a sensor of a port's module joins its optic; the others are thermometers, fans and feeds."""
    optics: dict[tuple[str, int | None], Optic] = {(optic.port, optic.lane): optic for optic in device.facts.optics}
    for _group, index, row in device.rows("sensors"):
        if "value" not in row or "type" not in row:
            continue
        name = device.word(index[0], "name") or device.word(index[0], "description") or f"sensor {index[0]}"
        kind, cell = row["type"].raw, row["value"]
        if not isinstance(kind, int) or (kind == _OTHER and "power" not in name.lower()):
            continue
        unit: Unit | None = "dBm" if kind == _OTHER else _UNITS.get(kind)
        if unit is None or ("state" in row and row["state"].raw != _OK):
            continue
        scale = 10.0 ** (3 * (_number(row, "scale", 9) - _UNITS_SCALE) - _number(row, "precision", 0))

        def reading(field: str, unit: Unit = unit, scale: float = scale) -> Reading:
            return Reading(unit, field, scale)

        port = device.port_of(index[0])
        field = _figure(unit, name)
        if field and (port is not None or unit == "dBm" or kind == 6):
            _join(device, optics, port, name, cell, reading(field))
        elif port is None or field == "":
            _board(device, unit, name, cell, reading)


def _number(row: Row, name: str, default: int) -> int:
    raw = row[name].raw if name in row else default
    return raw if isinstance(raw, int) and -20 <= raw <= 20 else default


def _figure(unit: Unit, name: str) -> str:
    """The optic's field a sensor of a module fills; "" where it is none."""
    if unit in ("dBm", "W"):
        return "rx_dbm" if _RECEIVE.search(name) else "tx_dbm" if _SEND.search(name) else ""
    return {"A": "bias_ma", "celsius": "temperature_c", "V": "voltage_v"}.get(unit, "")


def _join(
    device: Device,
    optics: dict[tuple[str, int | None], Optic],
    port: Port | None,
    name: str,
    cell: Cell,
    reading: Reading,
) -> None:
    found = re.search(r"/(\d)\s*$", name) or re.search(r"\blane (\d)\b", name, re.IGNORECASE)
    subject = port.name if port else name
    optic = optics.get((subject, None))
    if optic is None:
        optic = optics[subject, None] = Optic(subject, port.index if port else None)
        device.facts.optics.append(optic)
    del found
    setattr(optic, reading.field, reading.number(cell.raw))
    why = reading.why(cell.raw)
    if why:
        optic.reason = "; ".join(filter(None, (optic.reason, f"{name}: {why}")))
    device.facts.points.append(Point(cell.oid, "optics", subject, reading.field, False, reading.number))


def _board(device: Device, unit: Unit, name: str, cell: Cell, reading: Callable[[str], Reading]) -> None:
    facts = device.facts
    if unit == "celsius":
        how = reading("celsius")
        value = how.number(cell.raw)
        facts.temperatures.append(Temperature(name, value))
        kind = "temperatures"
    elif unit == "rpm":
        how = reading("speed_rpm")
        facts.fans.append(Fan(name, speed_rpm=how.number(cell.raw)))
        kind = "fans"
    else:
        how = reading({"W": "power_w", "V": "voltage_v", "A": "current_ma"}[unit])
        supply = next((one for one in facts.power_supplies if one.name == name), None)
        if supply is None:
            supply = PowerSupply(name)
            facts.power_supplies.append(supply)
        setattr(supply, how.field, how.number(cell.raw))
        kind = "power_supplies"
    facts.points.append(Point(cell.oid, kind, name, how.field, False, how.number))
