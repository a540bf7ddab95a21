"""What the tests of one running county share: its name, its commands, its proof."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from drills.lab import Lab
from drills.verify import Verdict, verify
from inventory.places import CHECKOUT

INSTANCE = "zttest"


def eventually(what: Callable[[], Any], why: str, within_s: float = 30.0) -> Any:
    """What the callable returns once it is true; fails with ``why`` after the time."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.5)
    pytest.fail(why)


def proof(lab: Lab) -> Verdict:
    return asyncio.run(verify(lab, lambda *_: None))


def sanwang(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SANWANG_INSTANCE": INSTANCE, **environ}
    return subprocess.run(
        [sys.executable, "-m", "sanwang", *arguments],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
