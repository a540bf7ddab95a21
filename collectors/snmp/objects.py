"""The objects we ask for, and what their values mean."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

# RFC 3418, SNMPv2-MIB
SYS_DESCR, SYS_OBJECT_ID = "1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0"
SYS_UPTIME = "1.3.6.1.2.1.1.3.0"
# RFC 2863, IF-MIB
IF_TABLE_LAST_CHANGE = "1.3.6.1.2.1.31.1.5.0"
IF_NAME = "1.3.6.1.2.1.31.1.1.1.1"
IF_OPER_STATUS = "1.3.6.1.2.1.2.2.1.8"
IF_IN_ERRORS = "1.3.6.1.2.1.2.2.1.14"
IF_OUT_ERRORS = "1.3.6.1.2.1.2.2.1.20"
IF_HC_IN_OCTETS = "1.3.6.1.2.1.31.1.1.1.6"
IF_HC_OUT_OCTETS = "1.3.6.1.2.1.31.1.1.1.10"
# RFC 6933, ENTITY-MIB and RFC 3433, ENTITY-SENSOR-MIB
ENT_PHYSICAL_NAME = "1.3.6.1.2.1.47.1.1.1.1.7"
SENSOR_TYPE = "1.3.6.1.2.1.99.1.1.1.1"
SENSOR_SCALE = "1.3.6.1.2.1.99.1.1.1.2"
SENSOR_PRECISION = "1.3.6.1.2.1.99.1.1.1.3"
SENSOR_VALUE = "1.3.6.1.2.1.99.1.1.1.4"
# UCD-SNMP-MIB: CPU in ticks of 10 ms since boot, memory in kB
CPU_USER, CPU_NICE, CPU_SYSTEM, CPU_IDLE = (f"1.3.6.1.4.1.2021.11.{column}.0" for column in (50, 51, 52, 53))
MEMORY_TOTAL, MEMORY_AVAILABLE = "1.3.6.1.4.1.2021.4.5.0", "1.3.6.1.4.1.2021.4.6.0"

OPER_UP = 1

_OTHER, _WATTS, _DBM = 1, 6, 14  # EntitySensorDataType; RFC 3433 has no dBm: vendors use other(1) or 14
_UNITS_SCALE = 9  # EntitySensorDataScale: units(9), milli(8), micro(7) ...
_PORT = re.compile(r"\b(p\d+)\b")


@dataclass(frozen=True, slots=True)
class Sensor:
    """One optical power sensor: how to read its value."""

    index: str
    port: str
    direction: str  # "rx" or "tx"
    kind: int  # EntitySensorDataType
    scale: int
    precision: int

    def __call__(self, value: int | bytes) -> float | None:
        """The raw value as an agent sends it, in dBm."""
        return self.dbm(value) if isinstance(value, int) else None

    def dbm(self, value: int) -> float | None:
        """The raw value in dBm; None for no light at all (log of zero) or an absurd figure."""
        real = value * 10.0 ** (3 * (self.scale - _UNITS_SCALE) - self.precision)
        if self.kind == _WATTS:
            if real <= 0:
                return None
            real = 10 * math.log10(real * 1000)
        return round(real, 2) if -60 < real < 30 else None


def optical_sensor(index: str, name: str, kind: int, scale: int, precision: int) -> Sensor | None:
    """A sensor of optical power, told by its type and by its name, such as "p12 Rx power"; None for any other."""
    port = _PORT.search(name)
    lower = name.lower()
    if kind == _OTHER and "power" not in lower:
        return None
    direction = "rx" if re.search(r"\brx\b|receive", lower) else "tx" if re.search(r"\btx\b|transmit", lower) else ""
    if kind not in (_OTHER, _WATTS, _DBM) or port is None or not direction:
        return None
    if not 1 <= scale <= 17 or not -8 <= precision <= 9:
        return None
    return Sensor(index, port[1], direction, kind, scale, precision)
