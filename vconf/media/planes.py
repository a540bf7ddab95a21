"""Which data plane a worker runs: C where its library was built, Python everywhere."""

from __future__ import annotations

from collections.abc import Callable

from vconf.media.plane import Address, Plane
from vconf.media.pyplane import PyPlane

NAMES = ("auto", "c", "python")


class NoEngine(RuntimeError):
    """The engine that was asked for is not there."""


def choose(name: str = "auto") -> Callable[[Address], Plane]:
    """What makes the plane of that name; ``auto`` is the fastest there is.

    Raises:
        NoEngine: "c", and its library was not built from these sources.
    """
    from vconf.media import cplane

    if name not in NAMES:
        raise NoEngine(f"engine {name!r}: expected one of {', '.join(NAMES)}")
    if name == "python" or (name == "auto" and not cplane.available()):
        return PyPlane
    if not cplane.available():
        raise NoEngine("engine 'c': its library is not built. Next: python -m vconf.media.compile, or --engine python")
    return cplane.CPlane
