"""Ports out of IF-MIB."""

from __future__ import annotations

from collectors.snmp.device import Device
from collectors.snmp.facts import Port
from collectors.snmp.rows import Row

_GAUGE_FULL = 4_294_967_295  # ifSpeed cannot say more (RFC 2863 section 3.1.7)


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
    """ifHighSpeed where ifSpeed is full or silent, ifSpeed where ifHighSpeed rounds it to nothing."""
    plain, high = (row[name].number if name in row else None for name in ("speed_bps", "high_speed_bps"))
    if high and (plain is None or plain >= _GAUGE_FULL or plain < high):
        return int(high)
    value = plain if plain is not None else high
    return None if value is None else int(value)
