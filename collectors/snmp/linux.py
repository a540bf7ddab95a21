"""The county's own Linux appliances (net-snmp): their ports by name, received and sent light, CPU and memory."""

from __future__ import annotations

from dataclasses import dataclass

from collectors.snmp import objects as mib
from collectors.snmp.readings import BUSY, IDLE, OCTETS, Reading
from collectors.snmp.session import Session

_PORT_COLUMNS = (
    (mib.IF_HC_IN_OCTETS, OCTETS, "in"),
    (mib.IF_HC_OUT_OCTETS, OCTETS, "out"),
    (mib.IF_IN_ERRORS, "sanwang_port_errors_total", "in"),
    (mib.IF_OUT_ERRORS, "sanwang_port_errors_total", "out"),
)


@dataclass(frozen=True, slots=True)
class Linux:
    """Learns what to read of one appliance: these ports, and no more tables than needed."""

    ports: frozenset[str]

    async def learn(self, session: Session) -> list[Reading]:
        """Walk names and sensors.

        Raises:
            SnmpError: no answer, or an error.
        """
        found = [Reading(oid, BUSY) for oid in (mib.CPU_USER, mib.CPU_NICE, mib.CPU_SYSTEM)]
        found.append(Reading(mib.CPU_IDLE, IDLE))
        found.append(Reading(mib.MEMORY_TOTAL, "sanwang_memory_total_bytes", (), _bytes))
        found.append(Reading(mib.MEMORY_AVAILABLE, "sanwang_memory_available_bytes", (), _bytes))
        for index, name in (await session.walk(mib.IF_NAME)).items():
            port = text(name)
            if port in self.ports:
                found.append(Reading(f"{mib.IF_OPER_STATUS}.{index}", "sanwang_port_up", (("port", port),), is_up))
                for column, metric, direction in _PORT_COLUMNS:
                    found.append(Reading(f"{column}.{index}", metric, (("port", port), ("direction", direction))))
        for sensor in await self._sensors(session):
            labels = ("port", sensor.port), ("direction", sensor.direction)
            found.append(Reading(f"{mib.SENSOR_VALUE}.{sensor.index}", "sanwang_optical_power_dbm", labels, sensor))
        return found

    @staticmethod
    async def _sensors(session: Session) -> list[mib.Sensor]:
        kinds = await session.walk(mib.SENSOR_TYPE)
        if not kinds:
            return []
        names = await session.walk(mib.ENT_PHYSICAL_NAME)
        scales = await session.walk(mib.SENSOR_SCALE)
        precisions = await session.walk(mib.SENSOR_PRECISION)
        found = []
        for index, kind in kinds.items():
            scale, precision = scales.get(index, 9), precisions.get(index, 0)
            if isinstance(kind, int) and isinstance(scale, int) and isinstance(precision, int):
                found.append(mib.optical_sensor(index, text(names.get(index, b"")), kind, scale, precision))
        return [sensor for sensor in found if sensor is not None]


def text(value: object) -> str:
    """An OCTET STRING as text; octets that are no UTF-8 are shown as such."""
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else ""


def is_up(value: int | bytes) -> float:
    """ifOperStatus or ifAdminStatus: up(1)."""
    return int(value == mib.OPER_UP)


def _bytes(value: int | bytes) -> float | None:
    return value * 1024 if isinstance(value, int) else None
