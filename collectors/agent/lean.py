"""Keep the agent small: load of its libraries only what it calls.

``import pyroute2`` pulls in every socket class of the library (about 330 modules, 12 MB of private memory); the
agent wants four message classes.  asyncio pulls in ``ssl`` (4 MB) though the agent speaks no TLS.  ``prepare()``
must run before either is imported; it does nothing in a process that has already loaded them.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from types import ModuleType


def prepare() -> None:
    """Stand an empty ``pyroute2`` package in front of its sub-modules, and hide ``ssl`` from asyncio."""
    if "asyncio" not in sys.modules and "ssl" not in sys.modules:
        # asyncio catches the ImportError that a None entry raises, and does without TLS.
        sys.modules["ssl"] = None  # type: ignore[assignment]
    if "pyroute2" in sys.modules:
        return
    spec = PathFinder.find_spec("pyroute2")
    if spec is None or spec.submodule_search_locations is None:
        return  # the import that follows will say what is missing
    package = ModuleType("pyroute2")
    package.__path__ = list(spec.submodule_search_locations)
    package.__spec__ = spec
    sys.modules["pyroute2"] = package
