"""How many processes collect, and where measurements are kept for long, as the county's files have it (the model)."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32


@dataclass(frozen=True, slots=True)
class Metrics:
    """Collecting beyond one core, keeping beyond one disk."""

    collectors: int = 1  # processes that share the devices asked by SNMP
    remote_write: str = ""  # URL: Prometheus sends everything there (VictoriaMetrics, or any that speaks remote write)
    history: str = ""  # URL of a Prometheus API: long histories are read there

    def collector_of(self, host: str) -> int:
        """Which process asks a device, 0 first: by hash, so that it stays the same over restarts and on every host."""
        return crc32(host.encode()) % self.collectors
