"""Passive optical networks: ports of an OLT and the subscribers' units on them."""

from __future__ import annotations

from collections import Counter

from collectors.snmp.device import Device
from collectors.snmp.facts import Onu, PonPort
from collectors.snmp.walk import dotted


def read_pon(device: Device) -> None:
    """PON ports (index: ifIndex, or the vendor's own number of the port) and ONUs (index: port, number)."""
    ports: dict[int, PonPort] = {}
    for group, index, row in device.rows("pon_ports"):
        named = row["port"].value if "port" in row else None
        port = device.ports.get(index[0])
        name = str(named or (port.name if port else device.label(group, index, row)))
        made = ports[index[0]] = PonPort(name, index[0])
        device.fill(made, {name: cell for name, cell in row.items() if name != "port"}, "pon_ports", name)
    counted: Counter[int] = Counter()
    for _group, index, row in device.rows("onus"):
        port = device.ports.get(index[0])
        where = ports[index[0]].port if index[0] in ports else port.name if port else str(index[0])
        onu = Onu(where, index[1] if len(index) > 1 else None)
        device.fill(onu, row, "onus", f"{where} {dotted(index[1:])}")
        onu.name = str(row["name"].value or "") if "name" in row else ""
        onu.reason = "; ".join(cell.why for cell in row.values() if cell.why) or None
        device.facts.onus.append(onu)
        counted[index[0]] += 1
    for number, pon in ports.items():
        pon.onus = pon.onus if pon.onus is not None else counted[number]
    device.facts.pon_ports = list(ports.values())
