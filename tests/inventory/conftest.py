"""The two counties that ship, read once."""

from __future__ import annotations

import pytest

from inventory.load import Loaded, load


@pytest.fixture(scope="session")
def shili() -> Loaded:
    """The reference county."""
    return load("shili")


@pytest.fixture(scope="session")
def xiao() -> Loaded:
    """The small county."""
    return load("xiao")
