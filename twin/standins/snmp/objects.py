"""What every switch can be asked: SNMPv2-MIB, IF-MIB, LLDP-MIB, with the device's own ports behind them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from twin.standins.fabric import running
from twin.standins.snmp import ber
from twin.standins.snmp.agent import Column, Plain
from twin.standins.snmp.figures import Figures

if TYPE_CHECKING:
    from twin.standins.device import Device
    from twin.standins.snmp.lldp import Neighbour

_SYSTEM: ber.Name = (1, 3, 6, 1, 2, 1, 1)
_IF_NUMBER: ber.Name = (1, 3, 6, 1, 2, 1, 2, 1)
_IF: ber.Name = (1, 3, 6, 1, 2, 1, 2, 2, 1)
_IFX: ber.Name = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1)
_IF_CHANGE: ber.Name = (1, 3, 6, 1, 2, 1, 31, 1, 5)
_LLDP_LOCAL: ber.Name = (1, 0, 8802, 1, 1, 2, 1, 3, 7, 1)
_LLDP_REMOTE: ber.Name = (1, 0, 8802, 1, 1, 2, 1, 4, 1, 1)
_ETHERNET, _VLAN = 6, 53  # ifType: ethernetCsmacd, propVirtual
_UP, _DOWN = 1, 2
_INTERFACE_NAME = 5  # LldpPortIdSubtype
_GIGA, _TEN_GIGA = 1000, 10_000
_VLAN_INDEX = 4096
_TEN = re.compile(r"(?i)^(10GE|XG|Ten|xgei)")


@dataclass(frozen=True, slots=True)
class Port:
    """One interface: a physical port, or that of a VLAN. ``link``: Linux interface behind it, "" for none."""

    index: int
    name: str
    link: str
    kind: int
    mbps: int
    mac: bytes


def ports(device: Device, mac: str) -> list[Port]:
    """All that the device has now, by ifIndex."""
    own = bytes.fromhex(mac.replace(":", ""))
    found = [
        Port(
            index, name, device.driver.links.get(name, ""), _ETHERNET, _TEN_GIGA if _TEN.match(name) else _GIGA,
            own[:3] + bytes((index,)) + own[4:],
        )
        for index, name in enumerate(device.ports, 1)
    ]  # fmt: skip
    for name, _address in device.dialect.addresses(device.running):
        vlan = device.dialect.vlan_of_interface(name)
        if vlan is not None:
            found.append(Port(_VLAN_INDEX + vlan, name, f"vlan{vlan}", _VLAN, _GIGA, own))
    return found


def table(
    prefix: ber.Name, rows: Mapping[Any, Any], *columns: tuple[int, int, Callable[[Any], Plain | None]]
) -> Iterator[Column]:
    """Columns (number, tag, reader) of one table."""
    order = sorted(rows)
    for number, tag, read in columns:
        yield Column((*prefix, number), tag, rows, order, read)


def scalar(prefix: ber.Name, tag: int, read: Callable[[], Plain]) -> Column:
    """One figure of the whole device."""
    return Column(prefix, tag, {(0,): None}, ((0,),), lambda _: read())


def system(device: Device, described: str, object_id: ber.Name, uptime_s: Callable[[], float]) -> Iterator[Column]:
    """SNMPv2-MIB system group (RFC 3418)."""
    root = device.running
    lines = [*root.starting("snmp-agent", "sys-info", "location"), *root.starting("snmp-server", "location")]
    location = lines[0].line.partition("location ")[2] if lines else ""
    yield scalar((*_SYSTEM, 1), ber.OCTETS, lambda: described.encode())
    yield scalar((*_SYSTEM, 2), ber.OID, lambda: object_id)
    yield scalar((*_SYSTEM, 3), ber.TICKS, lambda: int(uptime_s() * 100))
    yield scalar((*_SYSTEM, 4), ber.OCTETS, lambda: b"")
    yield scalar((*_SYSTEM, 5), ber.OCTETS, lambda: device.dialect.host(device.running).encode())
    yield scalar((*_SYSTEM, 6), ber.OCTETS, lambda: location.encode())


def interfaces(device: Device, every: Sequence[Port], figures: Figures, changed: int) -> Iterator[Column]:
    """ifTable and ifXTable (RFC 2863).  ``changed``: ifTableLastChange in hundredths of a second."""
    rows = {(port.index,): port for port in every}

    def counter(place: int) -> Callable[[Port], int]:
        return lambda port: figures.of(port.link)[place]

    def unicast_in(port: Port) -> int:
        seen = figures.of(port.link)
        return seen[1] - seen[7]

    def admin(port: Port) -> int:
        shut = port.kind == _ETHERNET and device.dialect.is_shut(device.running, port.name)
        return _DOWN if shut else _UP

    def oper(port: Port) -> int:
        return _UP if port.link and running(port.link) and admin(port) == _UP else _DOWN

    def alias(port: Port) -> bytes:
        node = device.running.get("interface", port.name)
        lines = node.starting("description") if node is not None else []
        return lines[0].line.partition(" ")[2].encode() if lines else b""

    def speed(port: Port) -> int:
        return port.mbps * 1_000_000

    yield scalar(_IF_NUMBER, ber.INTEGER, lambda: len(every))
    yield from table(
        _IF, rows,
        (1, ber.INTEGER, lambda port: port.index),
        (2, ber.OCTETS, lambda port: port.name.encode()),
        (3, ber.INTEGER, lambda port: port.kind),
        (4, ber.INTEGER, lambda port: 1500),
        (5, ber.GAUGE, speed),
        (6, ber.OCTETS, lambda port: port.mac),
        (7, ber.INTEGER, admin),
        (8, ber.INTEGER, oper),
        (10, ber.COUNTER, counter(0)),
        (11, ber.COUNTER, unicast_in),
        (13, ber.COUNTER, counter(3)),
        (14, ber.COUNTER, counter(2)),
        (16, ber.COUNTER, counter(8)),
        (17, ber.COUNTER, counter(9)),
        (19, ber.COUNTER, counter(11)),
        (20, ber.COUNTER, counter(10)),
    )  # fmt: skip
    yield from table(
        _IFX, rows,
        (1, ber.OCTETS, lambda port: port.name.encode()),
        (6, ber.COUNTER64, counter(0)),
        (7, ber.COUNTER64, unicast_in),
        (10, ber.COUNTER64, counter(8)),
        (11, ber.COUNTER64, counter(9)),
        (15, ber.GAUGE, lambda port: port.mbps),
        (18, ber.OCTETS, alias),
    )  # fmt: skip
    yield scalar(_IF_CHANGE, ber.TICKS, lambda: changed)


def neighbours(every: Sequence[Port], heard: Mapping[str, Neighbour]) -> Iterator[Column]:
    """lldpLocPortTable and lldpRemTable (IEEE 802.1AB): what was really heard on each cable, by Linux interface."""
    local = {(port.index,): port for port in every if port.link and port.kind == _ETHERNET}
    yield from table(
        _LLDP_LOCAL, local,
        (2, ber.INTEGER, lambda port: _INTERFACE_NAME),
        (3, ber.OCTETS, lambda port: port.name.encode()),
        (4, ber.OCTETS, lambda port: port.name.encode()),
    )  # fmt: skip
    remote = {(0, port.index, 1): heard[port.link] for port in local.values() if port.link in heard}
    yield from table(
        _LLDP_REMOTE, remote,
        (4, ber.INTEGER, lambda one: one.chassis[0]),
        (5, ber.OCTETS, lambda one: one.chassis[1:]),
        (6, ber.INTEGER, lambda one: one.port[0]),
        (7, ber.OCTETS, lambda one: one.port[1:]),
        (9, ber.OCTETS, lambda one: one.name),
    )  # fmt: skip
