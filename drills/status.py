"""``sanwang status``: what the collector sees against what the model expects, and what it all costs the machine."""

from __future__ import annotations

from typing import Any

from drills.lab import Lab
from twin import portal, usage


def status(lab: Lab, sample_s: float = 3.0) -> dict[str, Any]:
    """The collector's view with ``cpu_cores`` (over ``sample_s`` seconds) and ``memory_mb`` (PSS) of the instance.

    ``switched``: what operations staff closed or revoked, a line each: it is meant to be so. ``doors``: addresses
    of the pages, and of signing in by certificate, on this machine.
    """
    seen: dict[str, Any] = lab.collected("/status")
    used = usage.measure(lab.places, sample_s)
    marks = {"Internet exit closed": lab.model.exit_closed} if lab.model.exit_closed else {}
    marks |= {f"VPN access of {site} revoked": mark for site, mark in lab.model.revoked.items()}
    switched = [f"{what} by {mark.who} at {mark.at}: {mark.why}" for what, mark in marks.items()]
    return {
        **seen,
        "switched": switched,
        "doors": portal.addresses(lab.places),
        "cpu_cores": round(used.cpu_cores, 2),
        "memory_mb": round(used.memory_mb),
    }
