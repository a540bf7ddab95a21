"""Cables of a changed county in a running twin: elsewhere a technician plugs them, before the change is planned."""

from __future__ import annotations

from collections.abc import Callable

from inventory.model import NetworkModel
from inventory.places import Places
from twin import rewire
from twin.county import attach
from twin.errors import TwinError
from twin.state import State


def plug(places: Places, model: NetworkModel, tell: Callable[[str], None]) -> None:
    """Plug what the county's files have and the plant has not; nothing where no twin runs.

    A county with other hosts than the twin is told: those come with `sanwang up` alone.
    """
    if not State(places).up:
        return
    try:
        plugged = rewire.plug(attach(places), model)
    except TwinError as other_hosts:
        tell(f"no cable was plugged: {other_hosts}")
        return
    if plugged:
        tell(f"plugged in the twin: {', '.join(plugged)}")
