"""One small county of the tests' own, up for as long as a module needs it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from drills import sequence
from drills.lab import Lab
from inventory.places import CHECKOUT, Places
from tests.drills.notebook import INSTANCE


@pytest.fixture(scope="module")
def foreign() -> Iterator[tuple[str, int]]:
    """A namespace with a firewall table and a process that are not ours: they must survive everything."""
    name = "notsanwang"
    subprocess.run(["ip", "netns", "add", name], check=True)
    subprocess.run(["ip", "netns", "exec", name, "nft", "add", "table", "inet", "mine"], check=True)
    process = subprocess.Popen(["ip", "netns", "exec", name, "sleep", "3600"])
    yield name, process.pid
    process.kill()
    process.wait()
    subprocess.run(["ip", "netns", "del", name], check=True)


@pytest.fixture(scope="module")
def machine_network() -> str:
    """The machine's own addresses and routes, as they were before."""
    shown = [
        subprocess.run(["ip", *what], capture_output=True, text=True, check=True).stdout
        for what in (("-br", "address"), ("route",), ("rule",))
    ]
    return "".join(shown)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("county") / "xiao"
    result = subprocess.run(
        [sys.executable, "-m", "sanwang", "county", "new", str(made)], cwd=CHECKOUT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return made


@pytest.fixture(scope="module")
def lab(folder: Path, foreign: tuple[str, int], machine_network: str) -> Iterator[Lab]:
    places = Places(INSTANCE)
    sequence.down(places, wipe=True)
    arrived = sequence.up(places, str(folder), sequence.Progress(), port=0, prove=False)
    try:
        assert arrived.status["ready"], arrived.status
        yield arrived.lab
    finally:
        sequence.down(places, wipe=True)
