"""What the tests of one running county share: its name, its commands, its proof."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from drills.lab import Lab
from drills.policy import allowed_checks
from drills.talk import Listeners, reaches
from drills.verify import Verdict, verify
from inventory.places import CHECKOUT

INSTANCE = "zttest"


def eventually(what: Callable[[], Any], why: str, within_s: float = 60.0) -> Any:
    """What the callable returns once it is true; fails with ``why`` after the time."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.5)
    pytest.fail(why)


def active_alerts(lab: Lab) -> list[dict[str, str]]:
    """The labels of what fires at the county's own Alertmanager."""
    answer = lab.twin.run(lab.model.nms, ["curl", "-sf", "http://127.0.0.1:9093/api/v2/alerts?active=true"])
    return [alert["labels"] for alert in json.loads(answer.stdout or "[]")]


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


def chain_of(listing: str, wanted: str) -> list[str]:
    """Family, table and chain that hold a line of ``nft list ruleset``."""
    table: list[str] = []
    chain = ""
    for line in listing.splitlines():
        words = line.split()
        if words[:1] == ["table"]:
            table = words[1:3]
        elif words[:1] == ["chain"]:
            chain = words[1]
        if line == wanted:
            return [*table, chain]
    raise AssertionError(wanted)


def works(lab: Lab, site: str) -> dict[str, bool]:
    """Whether a site's users reach a neighbour in each of their networks."""
    checks = [check for check in allowed_checks(lab.model) if check.source.site == site and not check.rule]

    async def tried() -> dict[str, bool]:
        async with Listeners(lab) as listeners:
            for check in checks:
                listeners.open(check.target, check.protocol, check.port)
            return {check.source.network: await reaches(lab, check, 1.0) for check in checks}

    return asyncio.run(tried())
