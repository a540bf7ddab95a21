"""From a walk to facts: every maker in turn; whatever a device lacks is simply not there."""

from __future__ import annotations

import re
from dataclasses import replace

from collectors.snmp import facts as made
from collectors.snmp.device import Device
from collectors.snmp.facts import Facts
from collectors.snmp.neighbours import read_neighbours
from collectors.snmp.optics import read_optics, read_sensors
from collectors.snmp.pon import read_pon
from collectors.snmp.ports import read_ports
from collectors.snmp.profile import Profile, match
from collectors.snmp.rows import Row, text
from collectors.snmp.walk import Walk

SYS_DESCR, SYS_OBJECT_ID = "1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0"
_CHASSIS = 3  # PhysicalClass


def profile_of(walk: Walk) -> Profile:
    """The profile that fits a walk."""
    object_id = walk.get(SYS_OBJECT_ID)
    return match(object_id if isinstance(object_id, str) else "", text(walk.get(SYS_DESCR) or b""))


def read_facts(walk: Walk, profile: Profile | None = None) -> Facts:
    """All that the walk tells of the device."""
    device = Device(walk, profile or profile_of(walk))
    read_ports(device)
    device.learn_names()
    device.learn_entities()
    read_system(device)
    read_optics(device)
    read_boards(device)
    read_sensors(device)
    read_pon(device)
    read_neighbours(device)
    return device.facts


def read_system(device: Device) -> None:
    """The system group, and model, serial and version from the chassis or sysDescr."""
    system, profile = device.facts.system, device.profile
    for group, _index, row in device.rows("system"):
        for name, cell in row.items():
            value = cell.value
            if value is not None and not (getattr(system, name) and group.data.fallback):
                setattr(system, name, value if name == "uptime_s" else str(value))
    system.vendor, system.profile = profile.vendor, profile.name
    chassis = next((at for at, row in device.entities.items() if "class" in row and row["class"].raw == _CHASSIS), None)
    if chassis is not None:
        system.model = system.model or device.word(chassis, "model") or device.word(chassis, "description")
        system.serial = system.serial or device.word(chassis, "serial")
        system.version = system.version or device.word(chassis, "version")
    for name, expression in (("version", profile.version), ("model", profile.model)):
        found = re.search(expression, system.description) if expression else None
        if found:
            setattr(system, name, next(filter(None, found.groups()), ""))


_BOARDS: tuple[tuple[str, type], ...] = (
    ("processors", made.Processor),
    ("memory", made.Memory),
    ("temperatures", made.Temperature),
    ("fans", made.Fan),
    ("power_supplies", made.PowerSupply),
)


def read_boards(device: Device) -> None:
    """Processors, memory, thermometers, fans and power supplies: one row of a table is one fact."""
    for kind, make in _BOARDS:
        for group, index, row in device.rows(kind):
            subject = device.label(group, index, row)
            fact = make(subject)
            if not device.fill(fact, _in_bytes(row), kind, subject):
                continue
            if isinstance(fact, made.Memory):
                _complete(fact)
            getattr(device.facts, kind).append(fact)
    _without_cache(device.facts.memory)
    for _group, _index, row in device.rows("cpu"):
        for cell in row.values():
            device.point(cell, "cpu", "all")


_SPARE = ("Memory buffers", "Cached memory")


def _without_cache(memory: list[made.Memory]) -> None:
    """What Linux keeps as cache and buffers is in use by nobody; net-snmp counts it as used (hrStorageTable)."""
    named = {one.name: one for one in memory}
    physical = named.get("Physical memory")
    if physical is None or not physical.total_bytes or physical.used_bytes is None:
        return
    spare = sum(named[name].used_bytes or 0 for name in _SPARE if name in named)
    physical.used_bytes = max(physical.used_bytes - spare, 0)
    for name in ("Physical memory", *_SPARE, "Shared memory"):
        if name in named:
            one = named[name]
            one.total_bytes = physical.total_bytes
            one.used_percent = round(100 * (one.used_bytes or 0) / physical.total_bytes, 2)


def _in_bytes(row: Row) -> Row:
    """hrStorageTable counts in units of allocation, which another column tells: readings that know it."""
    unit = row["allocation_bytes"].number if "allocation_bytes" in row else None
    if not unit:
        return row
    return {
        name: replace(cell, reading=replace(cell.reading, scale=cell.reading.scale * unit))
        if name in ("total_bytes", "used_bytes", "free_bytes")
        else cell
        for name, cell in row.items()
    }


def _complete(memory: made.Memory) -> None:
    """The share in use out of bytes, or the other way."""
    total, used, free = memory.total_bytes, memory.used_bytes, memory.free_bytes
    if total is None and used is not None and free is not None:
        total = memory.total_bytes = used + free
    if not total:
        return
    if used is None and free is not None:
        used = memory.used_bytes = total - free
    if memory.used_percent is None and used is not None and 0 <= used <= total:
        memory.used_percent = round(100 * used / total, 2)
    elif memory.used_percent is not None and used is None:
        memory.used_bytes = round(total * memory.used_percent / 100)
