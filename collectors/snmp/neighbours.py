"""Who is beside a device: LLDP, BGP, OSPF."""

from __future__ import annotations

from ipaddress import ip_address

from collectors.snmp.device import Device
from collectors.snmp.facts import BgpPeer, Neighbour, OspfNeighbour
from collectors.snmp.rows import Cell, Row, address, mac, text
from collectors.snmp.walk import Oid

_MAC, _ADDRESS = 4, 5  # LldpChassisIdSubtype; LldpPortIdSubtype has them as 3 and 4
_PORT_MAC, _PORT_ADDRESS = 3, 4


def read_neighbours(device: Device) -> None:
    """All three."""
    _lldp(device)
    for _group, index, row in device.rows("bgp"):
        peer = BgpPeer(_address(index) or _word(row, "address"))
        device.fill(peer, row, "bgp", peer.address)
        if peer.address:
            device.facts.bgp.append(peer)
    for _group, index, row in device.rows("ospf"):
        neighbour = OspfNeighbour(_address(index[:4]))
        device.fill(neighbour, row, "ospf", neighbour.address)
        device.facts.ospf.append(neighbour)


def _lldp(device: Device) -> None:
    local = {index[0]: row for _group, index, row in device.rows("lldp_ports")}
    managed: dict[Oid, str] = {}
    for _group, index, _row in device.rows("lldp_management"):
        managed.setdefault(index[:3], _address(index[5:]) if len(index) > 5 and index[3] in (1, 2) else "")
    for _group, index, row in device.rows("neighbours"):
        if len(index) != 3:
            continue
        device.facts.neighbours.append(
            Neighbour(
                port=_local_port(device, index[1], local.get(index[1], {})),
                system=_word(row, "system"),
                remote_port=_identifier(row, "remote_port", _PORT_MAC, _PORT_ADDRESS),
                remote_port_description=_word(row, "remote_port_description"),
                chassis=_identifier(row, "chassis", _MAC, _ADDRESS),
                description=_word(row, "description"),
                management=managed.get(index, ""),
            )
        )


def _local_port(device: Device, number: int, row: Row) -> str:
    """lldpLocPortNum is a number of LLDP's own: the port is the one its identifier or description names."""
    for name in ("id", "description"):
        found = device.port_named(_word(row, name))
        if found is not None:
            return found.name
    if number in device.ports and not row:
        return device.ports[number].name
    return _word(row, "id") or _word(row, "description") or str(number)


def _word(row: Row, name: str) -> str:
    value = row[name].value if name in row else None
    return "" if value is None else str(value)


def _identifier(row: Row, name: str, as_mac: int, as_address: int) -> str:
    """A chassis or port by the kind of its identifier: a MAC, an address, or text."""
    cell: Cell | None = row.get(name)
    if cell is None:
        return ""
    kind = row[f"{name}_subtype"].raw if f"{name}_subtype" in row else 0
    if kind == as_mac or (kind == 0 and isinstance(cell.raw, bytes) and len(cell.raw) == 6):
        return mac(cell.raw) or text(cell.raw)
    if kind == as_address and isinstance(cell.raw, bytes):
        return address(cell.raw[1:]) or text(cell.raw)  # the first byte is the family
    return text(cell.raw)


def _address(index: Oid) -> str:
    """An address out of the numbers of an index; "" where they are none."""
    try:
        return str(ip_address(bytes(index)))
    except ValueError:
        return ""
