"""Passive optical networks: ports of an OLT and the subscribers' units on them."""

from __future__ import annotations

from collectors.snmp.device import Device
from collectors.snmp.facts import Onu, PonPort
from collectors.snmp.walk import dotted


def read_pon(device: Device) -> None:
    """PON ports (index: ifIndex) and ONUs (index: ifIndex, number)."""
    for group, index, row in device.rows("pon_ports"):
        port = device.ports.get(index[0])
        made = PonPort(port.name if port else device.label(group, index, row), index[0])
        if device.fill(made, row, "pon_ports", made.port):
            device.facts.pon_ports.append(made)
    for group, index, row in device.rows("onus"):
        port = device.ports.get(index[0])
        name = port.name if port else device.label(group, index, row)
        onu = Onu(name, index[1] if len(index) > 1 else None)
        device.fill(onu, row, "onus", f"{name} {dotted(index[1:])}")
        onu.name = str(row["name"].value or "") if "name" in row else ""
        onu.reason = "; ".join(cell.why for cell in row.values() if cell.why) or None
        device.facts.onus.append(onu)
