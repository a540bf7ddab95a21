"""A hall's meetings as its path probes see them: loss, delay, jitter and voice, each way, from the hall's chair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inventory.model import NetworkModel
from inventory.probes import hall_path

_FROM_CENTRE = {"down": "forward", "up": "backward"}
"""The centre's router sends the probes: what it calls forward comes down to the hall."""


def hall_figures(model: NetworkModel, probes: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Hall -> ``{"path", "fresh", "rtt_ms", "mos", "up": {...}, "down": {...}}``, each way ``{"loss_ratio", "delay_ms",
    "jitter_ms"}``; up is from the hall to its relay's centre.  Halls in the relay's own house have no path; what
    nobody measured is None.  One-way delays are as good as both clocks.

    Args:
        model: The county.
        probes: As ``GET /probes`` has them.
    """
    found = {}
    for code, hall in model.halls.items():
        name = hall_path(model, hall)
        if not name:
            continue
        figures = probes.get(name, {})
        found[code] = {
            "path": name,
            "fresh": figures.get("fresh") is True,
            "rtt_ms": figures.get("rtt_ms"),
            "mos": figures.get("mos"),
            **{
                way: {
                    "loss_ratio": figures.get(f"loss_{theirs}_ratio"),
                    "delay_ms": figures.get(f"{theirs}_ms"),
                    "jitter_ms": figures.get(f"{theirs}_jitter_ms"),
                }
                for way, theirs in _FROM_CENTRE.items()
            },
        }
    return found
