"""What is the vendor's own: who it says it is, processor, memory, temperature, optical modules, its log's words.

Objects are those of HUAWEI-ENTITY-EXTENT-MIB, HH3C-ENTITY-EXT-MIB, HH3C-TRANSCEIVER-INFO-MIB, RUIJIE-PROCESS-MIB,
RUIJIE-MEMORY-MIB, RUIJIE-FIBER-MIB and ZXR10-SYSTEM-HARDWARE-MIB.  The ZXR10's own MIBs tell neither memory nor light.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from twin.standins.fabric import running
from twin.standins.snmp import ber
from twin.standins.snmp.agent import Column
from twin.standins.snmp.figures import Figures
from twin.standins.snmp.objects import Port, table

DARK_DBM = -40.0
"""What a module says that gets no light."""

Light = Mapping[str, tuple[float, float]]
"""Powers sent and received (dBm) by port, for every port with a module and a cable in it."""

_ENTITY: ber.Name = (1, 3, 6, 1, 2, 1, 47, 1, 1, 1, 1)
_HUAWEI: ber.Name = (1, 3, 6, 1, 4, 1, 2011)
_HUAWEI_STATE: ber.Name = (*_HUAWEI, 5, 25, 31, 1, 1, 1, 1)
_HUAWEI_OPTICS: ber.Name = (*_HUAWEI, 5, 25, 31, 1, 1, 3, 1)
_H3C: ber.Name = (1, 3, 6, 1, 4, 1, 25506)
_H3C_STATE: ber.Name = (*_H3C, 2, 6, 1, 1, 1, 1)
_H3C_OPTICS: ber.Name = (*_H3C, 2, 70, 1, 1, 1)
_RUIJIE: ber.Name = (1, 3, 6, 1, 4, 1, 4881, 1, 1, 10)
_ZTE: ber.Name = (1, 3, 6, 1, 4, 1, 3902, 3)
_CHASSIS, _MODULE, _PORT = 3, 9, 10  # PhysicalClass
_MICROWATTS, _HUNDREDTHS = "uW", "dBm/100"

Words = Callable[[datetime, str, str, bool, int], str]
"""(when, host, port, up, number of the line) -> what stands behind the priority."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """One platform: its engine's identifier but for the MAC, its words, its objects."""

    enterprise: int
    mac_format: bytes  # of snmpEngineID (RFC 3411): 3, or a vendor's own form
    object_id: ber.Name
    described: str
    severity: int  # of a port's line in the log
    words: Words
    objects: Callable[[Sequence[Port], Light, Figures], Iterator[Column]]

    def engine_id(self, mac: str) -> bytes:
        """snmpEngineID of a box."""
        return (self.enterprise | 1 << 31).to_bytes(4) + self.mac_format + bytes.fromhex(mac.replace(":", ""))


@dataclass(frozen=True, slots=True)
class _Entity:
    kind: int
    name: str
    inside: int
    port: Port | None = None


def _received(port: Port, light: Light) -> float:
    return light[port.name][1] if running(port.link) else DARK_DBM


def _dbm(value: float) -> int:
    return round(value * 100)


def _microwatts(value: float) -> int:
    return 0 if value <= DARK_DBM else round(1000 * 10 ** (value / 10))


def _entities(rows: Mapping[Any, _Entity]) -> Iterator[Column]:
    return table(
        _ENTITY, rows,
        (2, ber.OCTETS, lambda one: one.name.encode()),
        (4, ber.INTEGER, lambda one: one.inside),
        (5, ber.INTEGER, lambda one: one.kind),
        (7, ber.OCTETS, lambda one: one.name.encode()),
    )  # fmt: skip


def _huawei(unit: str, chassis: str, board: str) -> Callable[[Sequence[Port], Light, Figures], Iterator[Column]]:
    """S series write light in microwatts, CE series in hundredths of a dBm, and once more as the lanes' text."""
    case, mpu, first = 67108867, 67108873, 67240000

    def objects(every: Sequence[Port], light: Light, figures: Figures) -> Iterator[Column]:
        lit: dict[ber.Name, _Entity] = {
            (first + port.index,): _Entity(_PORT, port.name, mpu, port) for port in every if port.name in light
        }
        boards: dict[ber.Name, _Entity] = {(mpu,): _Entity(_MODULE, board, case)}
        yield from _entities({(case,): _Entity(_CHASSIS, chassis, 0), **boards, **lit})
        yield from table(
            _HUAWEI_STATE, boards,
            (5, ber.INTEGER, lambda _: figures.cpu_percent()),
            (7, ber.INTEGER, lambda _: figures.memory_percent()),
            (11, ber.INTEGER, lambda _: figures.celsius()),
        )  # fmt: skip
        ports = {index: one.port for index, one in lit.items()}
        written = _microwatts if unit == _MICROWATTS else _dbm
        yield from table(
            _HUAWEI_OPTICS, ports,
            (5, ber.INTEGER, lambda _: figures.celsius()),
            (8, ber.INTEGER, lambda port: written(_received(port, light))),
            (9, ber.INTEGER, lambda port: written(light[port.name][0])),
        )  # fmt: skip
        if unit == _HUNDREDTHS:
            yield from table(
                _HUAWEI_OPTICS, ports,
                (32, ber.OCTETS, lambda port: b"%.2f" % (100 * _received(port, light))),
                (33, ber.OCTETS, lambda port: b"%.2f" % (100 * light[port.name][0])),
            )  # fmt: skip

    return objects


def _h3c(every: Sequence[Port], light: Light, figures: Figures) -> Iterator[Column]:
    boards: dict[ber.Name, _Entity] = {(2,): _Entity(_MODULE, "Board 1", 1)}
    yield from _entities({(1,): _Entity(_CHASSIS, "H3C S5560X-30C-EI", 0), **boards})
    yield from table(
        _H3C_STATE, boards,
        (6, ber.INTEGER, lambda _: figures.cpu_percent()),
        (8, ber.INTEGER, lambda _: figures.memory_percent()),
        (12, ber.INTEGER, lambda _: figures.celsius()),
    )  # fmt: skip
    yield from table(
        _H3C_OPTICS, {(port.index,): port for port in every if port.name in light},
        (9, ber.INTEGER, lambda port: _dbm(light[port.name][0])),
        (12, ber.INTEGER, lambda port: _dbm(_received(port, light))),
        (15, ber.INTEGER, lambda _: figures.celsius()),
    )  # fmt: skip


def _ruijie(every: Sequence[Port], light: Light, figures: Figures) -> Iterator[Column]:
    once = {(1,): None}
    yield from table(
        (*_RUIJIE, 2, 36, 1, 2, 1), once,
        (2, ber.OCTETS, lambda _: b"Slot 0 CPU"),
        (5, ber.INTEGER, lambda _: figures.cpu_percent()),
    )  # fmt: skip
    yield from table(
        (*_RUIJIE, 2, 35, 1, 1, 1), once,
        (2, ber.OCTETS, lambda _: b"Slot 0 memory"),
        (3, ber.INTEGER, lambda _: figures.memory_percent()),
        (6, ber.GAUGE, lambda _: figures.memory_kb),
        (7, ber.GAUGE, lambda _: figures.memory_used_kb()),
        (8, ber.GAUGE, lambda _: figures.memory_kb - figures.memory_used_kb()),
    )  # fmt: skip
    yield from table(
        (*_RUIJIE, 2, 1, 1, 44, 1), {(1, 0, 1): None},
        (4, ber.OCTETS, lambda _: b"board"),
        (5, ber.INTEGER, lambda _: figures.celsius()),
    )  # fmt: skip
    yield from table(
        (*_RUIJIE, 2, 105, 1, 1, 1), {(port.index,): port for port in every if port.name in light},
        (17, ber.INTEGER, lambda _: figures.celsius()),
        (76, ber.INTEGER, lambda port: _dbm(_received(port, light))),
        (81, ber.INTEGER, lambda port: _dbm(light[port.name][0])),
    )  # fmt: skip


def _zte(every: Sequence[Port], light: Light, figures: Figures) -> Iterator[Column]:
    board = {(1, 1): None}
    yield from table((*_ZTE, 6002, 2, 1, 1), board, (7, ber.INTEGER, lambda _: figures.cpu_percent()))
    yield from table((*_ZTE, 6002, 2, 5, 1), board, (9, ber.INTEGER, lambda _: figures.celsius()))


def _vrp_words(when: datetime, host: str, port: str, up: bool, number: int) -> str:
    state = "UP" if up else "DOWN"
    said = f"The line protocol IP on the interface {port} has entered the {state} state."
    return f"{when:%b %e %Y %H:%M:%S} {host} %%01IFNET/4/LINK_STATE(l)[{number}]:{said}"


def _comware_words(when: datetime, host: str, port: str, up: bool, number: int) -> str:
    said = f"Physical state on the interface {port} changed to {'up' if up else 'down'}."
    return f"{when:%b %e %H:%M:%S %Y} {host} %%10IFNET/3/PHY_UPDOWN: {said}"


def _rgos_words(when: datetime, host: str, port: str, up: bool, number: int) -> str:
    said = f"Interface {port}, changed state to {'up' if up else 'down'}."
    return f"*{when:%b %e %H:%M:%S}: {host} %LINK-3-UPDOWN: {said}"


def _zxr_words(when: datetime, host: str, port: str, up: bool, number: int) -> str:
    said = f"Interface {port} link status changed to {'up' if up else 'down'}"
    return f"{host} {when:%H:%M:%S %m/%d/%Y} UTC alarm 20504 occurred %OAM% {said} sent by MPU-0/0"


VENDORS: dict[str, Vendor] = {
    "huawei_vrp5": Vendor(
        2011, b"\x03", (*_HUAWEI, 2, 23, 606),
        "S5720-28X-SI-AC\r\nHuawei Versatile Routing Platform Software\r\n"
        "VRP (R) software, Version 5.170 (S5720 V200R019C10SPC500)\r\nCopyright (C) 2007 Huawei Technologies Co., Ltd.",
        4, _vrp_words, _huawei(_MICROWATTS, "S5720-28X-SI-AC", "MPU Board 0"),
    ),
    "huawei_vrp8": Vendor(
        2011, b"\x03", (*_HUAWEI, 2, 239, 54),
        "Huawei Versatile Routing Platform Software\r\n"
        "VRP (R) software, Version 8.210 (CE6820 V200R021C00SPC600)\r\n"
        "Copyright (C) 2012-2021 Huawei Technologies Co., Ltd.\r\nHUAWEI CE6820-48S6CQ\r\n",
        4, _vrp_words, _huawei(_HUNDREDTHS, "CE6820-48S6CQ", "CE6820-48S6CQ 1"),
    ),
    "h3c_comware": Vendor(
        25506, b"\x80\x00", (*_H3C, 1, 2233),
        "H3C Comware Platform Software, Software Version 7.1.070, Release 6318P01\r\nH3C S5560X-30C-EI\r\n"
        "Copyright (c) 2004-2021 New H3C Technologies Co., Ltd. All rights reserved.",
        3, _comware_words, _h3c,
    ),
    "ruijie_rgos": Vendor(
        4881, b"\x03", (1, 3, 6, 1, 4, 1, 4881, 1, 1, 10, 1, 259),
        "Ruijie 10G Routing Switch(S5750C-28GT4XS-H) By Ruijie Networks", 3, _rgos_words, _ruijie,
    ),
    "zte_zxr10": Vendor(
        3902, b"\x03", (*_ZTE, 100, 6005),
        "ZXR10 5960, ZTE ZXR10 Software Version: ZXR10 ROS Version V3.00.11.P10", 3, _zxr_words, _zte,
    ),
}  # fmt: skip
"""By platform."""
