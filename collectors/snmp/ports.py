"""Ports out of IF-MIB."""

from __future__ import annotations

from collectors.snmp.device import Device
from collectors.snmp.facts import Port
from collectors.snmp.rows import Row

_FAST_BPS = 20_000_000


def read_ports(device: Device) -> None:
    """Every row of ifTable or ifXTable that has a name."""
    for _group, index, row in device.rows("ports"):
        if len(index) != 1 or not ({"name", "description"} & row.keys()):
            continue
        port = Port(index[0])
        port.description = _text(row, "description")
        port.name = _text(row, "name") or port.description or str(port.index)
        device.fill(port, {name: cell for name, cell in row.items() if name != "speed_bps"}, "ports", port.name)
        port.speed_bps = _speed(row)
        device.facts.ports.append(port)


def _text(row: Row, name: str) -> str:
    value = row[name].value if name in row else None
    return "" if value is None else str(value)


def _speed(row: Row) -> int | None:
    """ifHighSpeed from 20 Mbit/s upwards, ifSpeed below, where the other would round too much (RFC 2863, 3.1.7)."""
    plain, high = (row[name].number if name in row else None for name in ("speed_bps", "high_speed_bps"))
    value = high if high and (plain is None or high >= _FAST_BPS) else plain
    return None if value is None and high is None else int(value if value is not None else high or 0)
