"""The engines that this machine can run: tests of the data plane are run on each of them."""

from __future__ import annotations

from collections.abc import Callable

from vconf.media import compile, cplane
from vconf.media.cplane import CPlane
from vconf.media.plane import Address, Plane
from vconf.media.pyplane import PyPlane


def engines() -> list[Callable[[Address], Plane]]:
    """Python's always; C's where there is a compiler, or its library."""
    if compile.compiler() is not None and not cplane.available():
        compile.build()
        cplane.forget()
    return [PyPlane, CPlane] if cplane.available() else [PyPlane]


ENGINES = engines()
NAMES = ["python", "c"][: len(ENGINES)]
