"""Polls every appliance, each in its own slot of the interval, few at once.

Names, indexes and sensors are learned by a walk (slow loop) and asked for by GET afterwards: the device answers a
plain question instead of walking its tables (devices, not the poller, are what polling overloads).  They are learned
again when the device was restarted, when its interface table changed, and every ten minutes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from collectors.snmp import objects as mib
from collectors.snmp.session import Session, Snmp, SnmpError

log = logging.getLogger("sanwang.collect")

INTERVAL_S = 30.0
FRESH_S = 2.5 * INTERVAL_S
_LEARN_S = 600.0
_AT_ONCE = 4
_RETRY_S = 2.5


@dataclass(frozen=True, slots=True)
class PortCounters:
    """One port at one moment; ``*_bps`` over the last interval, None until two polls are there."""

    up: bool
    in_octets: int
    out_octets: int
    in_errors: int
    out_errors: int
    in_bps: float | None = None
    out_bps: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The last good poll of one device."""

    at: float  # monotonic seconds
    took_s: float
    uptime_s: float
    ports: Mapping[str, PortCounters]
    optical_dbm: Mapping[tuple[str, str], float | None]  # (port, "rx" or "tx")
    cpu_ratio: float | None  # busy share of the interval, 0 to 1
    memory_total_bytes: int | None
    memory_available_bytes: int | None


@dataclass(slots=True)
class Target:
    """One device and what is known of it."""

    host: str
    address: str
    ports: frozenset[str]  # names worth asking for
    session: Session | None = None
    learned_at: float = 0.0
    last_change: int = -1
    indexes: dict[str, str] = field(default_factory=dict)  # port -> ifIndex
    sensors: list[mib.Sensor] = field(default_factory=list)
    result: Result | None = None
    cpu: tuple[int, int] | None = None  # (busy, all) ticks of the last poll
    engine: Snmp | None = None  # its own, once the shared one could not talk to it
    polls: int = 0
    failures: int = 0
    silent: int = 0  # failures in a row
    error: str = ""

    def fresh(self, now: float) -> bool:
        """True when the device answered lately."""
        return not self.error and self.result is not None and now - self.result.at < FRESH_S


class Poller:
    """Owns the targets; ``on_change`` is called when the set of answering devices changed."""

    def __init__(self, snmp: Snmp, targets: list[Target], on_change: Callable[[frozenset[str]], None]) -> None:
        self.targets = {target.host: target for target in targets}
        self.busy_s = 0.0
        self._snmp = snmp
        self._on_change = on_change
        self._answering: frozenset[str] = frozenset()
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            count = max(1, len(self.targets))
            for number, target in enumerate(self.targets.values()):
                group.create_task(self._keep_polling(target, number / count))

    async def _keep_polling(self, target: Target, phase: float) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._poll(target)
            slots = loop.time() / INTERVAL_S - phase
            pause = (1 - slots % 1.0) * INTERVAL_S
            # A silent device is asked again sooner: it may be coming up, or somebody is repairing it.
            await asyncio.sleep(min(pause, _RETRY_S * min(target.silent, 6)) if target.silent else pause)

    async def _poll(self, target: Target) -> None:
        async with self._gate:
            began = time.monotonic()
            try:
                await self.poll(target)
                target.error, target.silent = "", 0
            except (SnmpError, OSError, ValueError) as problem:
                target.failures += 1
                target.silent += 1
                target.learned_at = 0.0
                self._forget(target)
                if not target.error:
                    log.warning("snmp %s: %s", target.host, problem)
                target.error = str(problem) or type(problem).__name__
            target.polls += 1
            self.busy_s += time.monotonic() - began
        now = time.monotonic()
        answering = frozenset(host for host, other in self.targets.items() if other.fresh(now))
        if answering != self._answering:
            self._answering = answering
            self._on_change(answering)

    @staticmethod
    def _forget(target: Target) -> None:
        """Drop what is known of a device that stays silent.

        A device that lost its snmpEngineBoots (replaced, or its disk was) starts again at an earlier time, and by
        RFC 3414 section 3.2 nothing it says would ever be accepted by an engine that remembers it.
        """
        if target.silent == 2 or target.silent % 10 == 0:
            if target.engine is not None:
                target.engine.close()
            target.engine = target.session = None

    def close(self) -> None:
        """Close every engine."""
        for target in self.targets.values():
            if target.engine is not None:
                target.engine.close()
        self._snmp.close()

    async def poll(self, target: Target) -> None:
        """Ask one device now.

        Raises:
            SnmpError: no answer, or an error.
        """
        began = time.monotonic()
        if target.session is None:
            if target.silent:
                target.engine = self._snmp.fresh()
            target.session = await (target.engine or self._snmp).session(target.address)
        if began - target.learned_at > _LEARN_S or target.learned_at == 0.0:
            await self._learn(target, target.session, began)
        values = await target.session.get((*mib.SCALARS, *self._oids(target)))
        uptime_s = int(values.get(mib.SYS_UPTIME, 0)) / 100
        last_change = int(values.get(mib.IF_TABLE_LAST_CHANGE, -1))
        old = target.result
        if (old is not None and uptime_s < old.uptime_s) or last_change != target.last_change:
            target.last_change = last_change
            await self._learn(target, target.session, began)
            values |= await target.session.get(self._oids(target))
        target.result = self._result(target, values, began, uptime_s)

    async def _learn(self, target: Target, session: Session, now: float) -> None:
        names = await session.walk(mib.IF_NAME)
        target.indexes = {str(name): index for index, name in names.items() if str(name) in target.ports}
        kinds = await session.walk(mib.SENSOR_TYPE)
        target.sensors = []
        if kinds:
            texts = await session.walk(mib.ENT_PHYSICAL_NAME)
            scales = await session.walk(mib.SENSOR_SCALE)
            precisions = await session.walk(mib.SENSOR_PRECISION)
            for index, kind in kinds.items():
                sensor = mib.optical_sensor(
                    index,
                    str(texts.get(index, "")),
                    int(kind),
                    int(scales.get(index, 9)),
                    int(precisions.get(index, 0)),
                )
                if sensor is not None:
                    target.sensors.append(sensor)
        target.learned_at = now

    @staticmethod
    def _oids(target: Target) -> list[str]:
        return [
            *(f"{column}.{index}" for index in target.indexes.values() for column in mib.PORT_COLUMNS),
            *(f"{mib.SENSOR_VALUE}.{sensor.index}" for sensor in target.sensors),
        ]

    @staticmethod
    def _result(target: Target, values: dict[str, Any], at: float, uptime_s: float) -> Result:
        def number(oid: str) -> int | None:
            value = values.get(oid)
            return None if value is None else int(value)

        old = target.result if target.result is not None and uptime_s >= target.result.uptime_s else None
        ports = {}
        for port, index in target.indexes.items():
            status, received, sent, in_errors, out_errors = (number(f"{column}.{index}") for column in mib.PORT_COLUMNS)
            if received is None or sent is None:
                continue
            before = old.ports.get(port) if old is not None else None
            ports[port] = PortCounters(
                up=status == mib.OPER_UP,
                in_octets=received,
                out_octets=sent,
                in_errors=in_errors or 0,
                out_errors=out_errors or 0,
                in_bps=_bps(before.in_octets, received, at - old.at) if before and old else None,
                out_bps=_bps(before.out_octets, sent, at - old.at) if before and old else None,
            )
        optical: dict[tuple[str, str], float | None] = {}
        for sensor in target.sensors:
            raw = number(f"{mib.SENSOR_VALUE}.{sensor.index}")
            optical[sensor.port, sensor.direction] = None if raw is None else sensor.dbm(raw)
        ticks = [number(oid) for oid in (mib.CPU_USER, mib.CPU_NICE, mib.CPU_SYSTEM, mib.CPU_IDLE)]
        total_kb, available_kb = number(mib.MEMORY_TOTAL), number(mib.MEMORY_AVAILABLE)
        return Result(
            at=at,
            took_s=time.monotonic() - at,
            uptime_s=uptime_s,
            ports=ports,
            optical_dbm=optical,
            cpu_ratio=_cpu(target, ticks),
            memory_total_bytes=None if total_kb is None else total_kb * 1024,
            memory_available_bytes=None if available_kb is None else available_kb * 1024,
        )


def _bps(before: int, after: int, seconds: float) -> float | None:
    """Rate between two readings; None when the counter went back (a device that was replaced)."""
    return (after - before) * 8 / seconds if after >= before and seconds > 0 else None


def _cpu(target: Target, ticks: list[int | None]) -> float | None:
    known = [tick for tick in ticks if tick is not None]
    if len(known) != len(ticks):
        return None
    busy, whole = sum(known[:3]), sum(known)
    before, target.cpu = target.cpu, (busy, whole)
    if before is None or whole <= before[1] or busy < before[0]:
        return None
    return round((busy - before[0]) / (whole - before[1]), 4)
