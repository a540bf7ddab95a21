"""Optical modules: power in dBm, whatever table and unit the vendor has; and all of ENTITY-SENSOR-MIB's sensors."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

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
        channel = index[group.data.lane - 1] if group.data.lane and len(index) >= group.data.lane else None
        lanes = max(cell.reading.numbers(cell.raw) if cell.column.lanes else 1 for cell in row.values())
        for lane in range(lanes):
            optic = Optic(name, port.index if port else None, lane + 1 if lanes > 1 else channel)
            cells = {key: _lane(cell, lane) if lanes > 1 else cell for key, cell in row.items()}
            subject = name if optic.lane is None else f"{name} lane {optic.lane}"
            noted = len(device.facts.points)
            device.fill(optic, cells, "optics", subject)
            optic.reason = "; ".join(cell.why for key, cell in cells.items() if key in FIGURES and cell.why) or None
            told = any(getattr(optic, figure) is not None for figure in FIGURES) or _speaks(cells)
            if (told and not _empty(cells)) or optic.model or optic.serial:
                device.facts.optics.append(optic)
                for figure in FIGURES:  # dark now: the fast loop sees it when light comes back
                    if figure in cells and getattr(optic, figure) is None:
                        device.point(cells[figure], "optics", subject)
            else:
                del device.facts.points[noted:]


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


def _empty(cells: Row) -> bool:
    """True for a cage without a module: every figure is 0, or missing."""
    raws = [cells[figure].raw for figure in FIGURES if figure in cells]
    return all(raw in (0, b"0", b"0.00", b"") for raw in raws)


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
    modules: dict[str, list[_Sensor]] = {}
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
        port = device.port_of(index[0])
        field = _figure(unit, name)
        if field and (port is not None or field.endswith("_dbm")):
            found = _Sensor(name, port, _lane_of(name, port), cell, Reading(unit, field, scale))
            modules.setdefault(port.name if port else name, []).append(found)
        else:
            _board(device, unit, name, cell, scale)
    for subject, sensors in modules.items():
        _join(device, subject, sensors)


@dataclass(frozen=True, slots=True)
class _Sensor:
    """One sensor of a module."""

    name: str
    port: Port | None
    lane: int | None
    cell: Cell
    reading: Reading


def _lane_of(name: str, port: Port | None) -> int | None:
    """The lane a sensor's name ends with, once the port's own name is taken away: ".../4", "lane 2"."""
    rest = name.replace(port.name, "").replace(port.description or port.name, "") if port else name
    found = re.search(r"(?:/|\b(?:lane|channel) ?)(\d)\s*$", rest, re.IGNORECASE)
    return int(found[1]) if found else None


def _number(row: Row, name: str, default: int) -> int:
    raw = row[name].raw if name in row else default
    return raw if isinstance(raw, int) and -20 <= raw <= 20 else default


def _figure(unit: Unit, name: str) -> str:
    """The optic's field a sensor of a module fills; "" where it is none."""
    if unit in ("dBm", "W"):
        return "rx_dbm" if _RECEIVE.search(name) else "tx_dbm" if _SEND.search(name) else ""
    return {"A": "bias_ma", "celsius": "temperature_c", "V": "voltage_v"}.get(unit, "")


def _join(device: Device, subject: str, sensors: list[_Sensor]) -> None:
    """One optic of a module, or one a lane where it has several; what is the whole module's stands on its first."""
    lanes = sorted({sensor.lane for sensor in sensors if sensor.lane is not None})
    optics = {optic.lane: optic for optic in device.facts.optics if optic.port == subject}
    for sensor in sensors:
        lane = (sensor.lane or lanes[0]) if len(lanes) > 1 else None
        optic = optics.get(lane)
        if optic is None:
            optic = optics[lane] = Optic(subject, sensor.port.index if sensor.port else None, lane)
            device.facts.optics.append(optic)
        reading = sensor.reading
        setattr(optic, reading.field, reading.number(sensor.cell.raw))
        why = reading.why(sensor.cell.raw)
        if why:
            optic.reason = "; ".join(filter(None, (optic.reason, f"{sensor.name}: {why}")))
        named = subject if lane is None else f"{subject} lane {lane}"
        device.facts.points.append(Point(sensor.cell.oid, "optics", named, reading.field, False, reading))


def _board(device: Device, unit: Unit, name: str, cell: Cell, scale: float) -> None:
    """A sensor of the box itself."""
    kind, field = _BOARD[unit]
    reading = Reading(unit, field, scale)
    value = reading.number(cell.raw)
    if kind == "temperatures":
        device.facts.temperatures.append(Temperature(name, value))
    elif kind == "fans":
        device.facts.fans.append(Fan(name, speed_rpm=value))
    else:
        supply = next((one for one in device.facts.power_supplies if one.name == name), None)
        if supply is None:
            supply = PowerSupply(name)
            device.facts.power_supplies.append(supply)
        setattr(supply, field, value)
    device.facts.points.append(Point(cell.oid, kind, name, field, False, reading))


_BOARD = {
    "celsius": ("temperatures", "celsius"),
    "rpm": ("fans", "speed_rpm"),
    "W": ("power_supplies", "power_w"),
    "V": ("power_supplies", "voltage_v"),
    "A": ("power_supplies", "current_ma"),
    "dBm": ("optics", "rx_dbm"),
}
