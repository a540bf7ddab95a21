"""What the kernel knows: counters of the namespace's devices, and the machine's load, as snmpd of the Linux boxes tells
it too."""

from __future__ import annotations

import time
from pathlib import Path

_KEPT_S = 0.25  # one question of many rows is answered out of one look
_LOAD_S = 5.0
_AMBIENT_C, _BUSY_C = 30.0, 25.0
"""A board's temperature at rest, and how much warmer it is when the processor is busy: there is no thermometer here."""

Counted = tuple[int, ...]
NOTHING: Counted = (0,) * 16


class Figures:
    """Looks at most every so often."""

    def __init__(self) -> None:
        self._devices: dict[str, Counted] = {}
        self._looked = self._loaded = float("-inf")
        self._ticks = (0, 0)
        self._busy = self._used = 0.0
        self.memory_kb = 0

    def of(self, link: str) -> Counted:
        """/proc/net/dev of a device: octets, packets, errors, drops, .. in; from the 9th on out; zeros for none."""
        now = time.monotonic()
        if now - self._looked > _KEPT_S:
            self._looked = now
            self._devices = {}
            for line in Path("/proc/thread-self/net/dev").read_text().splitlines()[2:]:
                name, _, figures = line.partition(":")
                self._devices[name.strip()] = tuple(map(int, figures.split()))
        return self._devices.get(link, NOTHING)

    def cpu_percent(self) -> int:
        """Of the last seconds; a processor that answers is not at 0 %."""
        self._look()
        return max(1, round(100 * self._busy))

    def memory_percent(self) -> int:
        """In use."""
        self._look()
        return max(1, round(100 * self._used))

    def memory_used_kb(self) -> int:
        """In use."""
        self._look()
        return round(self.memory_kb * self._used)

    def celsius(self) -> int:
        """Of the board."""
        self._look()
        return round(_AMBIENT_C + _BUSY_C * self._busy)

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._loaded < _LOAD_S:
            return
        self._loaded = now
        fields = [int(field) for field in Path("/proc/stat").read_text().partition("\n")[0].split()[1:9]]
        idle, every = fields[3] + fields[4], sum(fields)
        gone, passed = idle - self._ticks[0], every - self._ticks[1]
        self._ticks = idle, every
        self._busy = 1 - gone / passed if passed > 0 else self._busy
        lines = Path("/proc/meminfo").read_text().splitlines()
        kb = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
        self.memory_kb = kb["MemTotal"]
        self._used = 1 - kb["MemAvailable"] / kb["MemTotal"]
