"""What all tests share: how long property tests search, and what needs root."""

from __future__ import annotations

import os
import shutil

import pytest
from hypothesis import settings

pytest_plugins = ["tests.databases"]

settings.register_profile("default", deadline=None, max_examples=60)
settings.load_profile("default")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Say why a test that needs the real machine does not run on a lesser one (CI runs them all)."""
    lacks = {}
    if os.geteuid() != 0:
        lacks["twin"] = "needs root for network namespaces"
    if shutil.which("chromium") is None:
        lacks["browser"] = "needs Debian's chromium"
    for item in items:
        for marker, reason in lacks.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))
