"""What the fast loop reads: one variable binding each, and the Prometheus sample that it becomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Labels = tuple[tuple[str, str], ...]
Read = Callable[[int | bytes], float | None]

OCTETS, RATE = "sanwang_port_octets_total", "sanwang_link_bps"
BUSY, IDLE, CPU = "cpu_busy_ticks", "cpu_idle_ticks", "sanwang_cpu_busy_ratio"
UPTIME, TABLE = "sanwang_uptime_seconds", "interface_table_changed"

FAMILIES = {
    "sanwang_snmp_up": ("gauge", "1 while the SNMP agent answers"),
    "sanwang_snmp_poll_seconds": ("gauge", "Duration of the last poll"),
    "sanwang_snmp_varbind_seconds": ("gauge", "Time the device took per variable binding, last poll"),
    "sanwang_snmp_repeated_total": ("counter", "Requests sent again"),
    UPTIME: ("gauge", "sysUpTime"),
    CPU: ("gauge", "Busy share of the last interval"),
    "sanwang_memory_total_bytes": ("gauge", "Memory of the device"),
    "sanwang_memory_available_bytes": ("gauge", "Memory not in use"),
    "sanwang_memory_used_ratio": ("gauge", "Memory in use, where a device tells no more"),
    "sanwang_temperature_celsius": ("gauge", "A temperature sensor"),
    "sanwang_fan_rpm": ("gauge", "A fan's speed"),
    "sanwang_port_up": ("gauge", "ifOperStatus is up"),
    "sanwang_port_admin_up": ("gauge", "ifAdminStatus is up"),
    OCTETS: ("counter", "ifHCInOctets, ifHCOutOctets"),
    "sanwang_port_packets_total": ("counter", "ifHCInUcastPkts and its like"),
    "sanwang_port_errors_total": ("counter", "ifInErrors, ifOutErrors"),
    "sanwang_port_discards_total": ("counter", "ifInDiscards, ifOutDiscards"),
    RATE: ("gauge", "Load of the last interval, bit/s"),
    "sanwang_optical_power_dbm": ("gauge", "Optical power"),
    "sanwang_optical_bias_ma": ("gauge", "Bias current of a laser"),
    "sanwang_optical_temperature_celsius": ("gauge", "Temperature of an optical module"),
    "sanwang_optical_voltage_v": ("gauge", "Supply of an optical module"),
}
"""Type and help by sample name, in the order of a page."""

UNSHOWN = frozenset({TABLE, BUSY, IDLE})
"""What is read, and seen on a page only by what follows from it."""

_ORDER = {name: number for number, name in enumerate((UPTIME, TABLE, BUSY, IDLE, *FAMILIES))}


@dataclass(frozen=True, slots=True)
class Reading:
    """One variable binding.

    Args:
        oid: The instance.
        metric: Sample name, mostly one of FAMILIES; or one of UNSHOWN (BUSY and IDLE are ticks since the start).
        labels: Besides host, and link where there is a port.
        read: Raw value to the metric's unit, None for nothing worth telling; without one the integer is exposed.
    """

    oid: str
    metric: str
    labels: Labels = ()
    read: Read | None = None


def seconds(ticks: int | bytes) -> float | None:
    """TimeTicks."""
    return ticks / 100 if isinstance(ticks, int) else None


CANARIES = [Reading("1.3.6.1.2.1.1.3.0", UPTIME, (), seconds), Reading("1.3.6.1.2.1.31.1.5.0", TABLE)]
"""sysUpTime and ifTableLastChange: what a device is always asked, to see that what was learned still holds."""


def ordered(readings: list[Reading]) -> list[Reading]:
    """As on the page: the canaries, then what belongs to one metric together; others than FAMILIES come last."""
    last = len(_ORDER)
    return sorted([*CANARIES, *readings], key=lambda reading: (_ORDER.get(reading.metric, last), reading.metric))
