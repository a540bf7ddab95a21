"""Any vendor's device: what its profile finds by a walk is what the fast loop reads."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from collectors.snmp.facts import Point
from collectors.snmp.linux import is_up
from collectors.snmp.objects import SYS_DESCR, SYS_OBJECT_ID
from collectors.snmp.readings import CPU, OCTETS, Labels, Reading
from collectors.snmp.session import Session

_PORT = {
    f"{way}_{what}": (metric, way)
    for way in ("in", "out")
    for what, metric in (
        ("octets", OCTETS),
        ("packets", "sanwang_port_packets_total"),
        ("errors", "sanwang_port_errors_total"),
        ("discards", "sanwang_port_discards_total"),
    )
}
_STATE = {"oper": "sanwang_port_up", "admin": "sanwang_port_admin_up"}
_OPTIC = {
    "rx_dbm": ("sanwang_optical_power_dbm", "rx"),
    "tx_dbm": ("sanwang_optical_power_dbm", "tx"),
    "bias_ma": ("sanwang_optical_bias_ma", ""),
    "temperature_c": ("sanwang_optical_temperature_celsius", ""),
    "voltage_v": ("sanwang_optical_voltage_v", ""),
}
_BOARD = {
    ("processors", "usage_percent"): (CPU, "processor"),
    ("memory", "used_percent"): ("sanwang_memory_used_ratio", "memory"),
    ("memory", "total_bytes"): ("sanwang_memory_total_bytes", "memory"),
    ("memory", "free_bytes"): ("sanwang_memory_available_bytes", "memory"),
    ("temperatures", "celsius"): ("sanwang_temperature_celsius", "sensor"),
    ("fans", "speed_rpm"): ("sanwang_fan_rpm", "fan"),
}


@dataclass(frozen=True, slots=True)
class Ratio:
    """Percent as a share of one."""

    point: Point

    def __call__(self, value: int | bytes) -> float | None:
        """The raw value as a ratio."""
        percent = self.point.read(value)
        return None if percent is None else round(percent / 100, 6)


@dataclass(frozen=True, slots=True)
class Profiled:
    """Learns by the profile that fits sysObjectID and sysDescr.

    Args:
        ports: Those with a cable of the model: of the others only the state is read, since a switch has four times as
            many and nobody ever asks what an unused one counted.  Empty: all count.
    """

    ports: frozenset[str] = frozenset()

    async def learn(self, session: Session) -> list[Reading]:
        """Walk the profile's columns.

        Raises:
            SnmpError: no answer, or an error.
        """
        from collectors.snmp.profile import match
        from collectors.snmp.read import read_facts
        from collectors.snmp.walk import Walk

        first = await session.get((SYS_OBJECT_ID, SYS_DESCR))
        described = first.get(SYS_DESCR)
        words = described.decode(errors="replace") if isinstance(described, bytes) else ""
        profile = match(str(first.get(SYS_OBJECT_ID, "")), words)
        rows: dict[str, int | bytes | str] = {}
        for column in profile.columns:
            for index, value in (await session.walk(column.oid)).items():
                if isinstance(value, int | bytes | str):
                    rows[f"{column.oid}.{index}"] = value
        return readings([point for point in read_facts(Walk(rows), profile).points if self._wanted(point)])

    def _wanted(self, point: Point) -> bool:
        return not self.ports or point.kind != "ports" or point.field == "oper" or point.subject in self.ports


def readings(points: list[Point]) -> list[Reading]:
    """The samples of the points that have a metric; two that would be one sample are told apart by their index."""
    found = [reading for point in points if (reading := _reading(point)) is not None]
    seen = Counter((reading.metric, reading.labels) for reading in found)
    unique: dict[tuple[str, Labels], Reading] = {}
    for reading in found:
        labels = reading.labels
        if seen[reading.metric, labels] > 1:
            labels = (*labels, ("index", reading.oid.rpartition(".")[2]))
        unique.setdefault((reading.metric, labels), Reading(reading.oid, reading.metric, labels, reading.read))
    return list(unique.values())


def _reading(point: Point) -> Reading | None:
    port: Labels = (("port", point.subject),)
    if point.kind == "ports" and point.field in _PORT:
        metric, way = _PORT[point.field]
        return Reading(point.oid, metric, (*port, ("direction", way)))
    if point.kind == "ports" and point.field in _STATE:
        return Reading(point.oid, _STATE[point.field], port, is_up)
    if point.kind == "optics" and point.field in _OPTIC:
        metric, way = _OPTIC[point.field]
        return Reading(point.oid, metric, (*port, ("direction", way)) if way else port, point.read)
    if (point.kind, point.field) in _BOARD:
        metric, label = _BOARD[point.kind, point.field]
        read = Ratio(point) if point.field.endswith("_percent") else point.read
        return Reading(point.oid, metric, ((label, point.subject),), read)
    return None
