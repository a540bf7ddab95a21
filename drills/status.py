"""``sanwang status``: what the collector sees against what the model expects, and what it all costs the machine."""

from __future__ import annotations

from typing import Any

from drills.lab import Lab
from twin import usage


def status(lab: Lab, sample_s: float = 3.0) -> dict[str, Any]:
    """The collector's view with ``cpu_cores`` (over ``sample_s`` seconds) and ``memory_mb`` (PSS) of the instance."""
    seen: dict[str, Any] = lab.collected("/status")
    used = usage.measure(lab.places, sample_s)
    return {**seen, "cpu_cores": round(used.cpu_cores, 2), "memory_mb": round(used.memory_mb)}
