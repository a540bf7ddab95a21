"""SNMP over several processes: every device has one that asks it, and a process that dies is started again."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace

from collectors.shards import Shards, commands, targets_of
from collectors.snmp.usm import User
from inventory.metrics import Metrics

from .county import model

_CHILD = """
import json, sys, time
number = sys.argv[-1]
print(json.dumps([f"h{number}"]), flush=True)
print(json.dumps([f"h{number}", f"i{number}"]), flush=True)
if number == "2":
    sys.exit(1)
sys.stdin.read()
"""


def test_every_device_is_asked_by_one_process_and_stays_there() -> None:
    user = User("sanwang", "authentication", "privacy-key")
    whole = {target.host for target in targets_of(model(), user, 0)}
    split = replace(model(), metrics=Metrics(collectors=4))
    shares = [{target.host for target in targets_of(split, user, number)} for number in range(4)]
    assert set().union(*shares) == whole
    assert sum(map(len, shares)) == len(whole)
    assert min(map(len, shares)) > len(whole) / 8
    assert [{target.host for target in targets_of(split, user, number)} for number in range(4)] == shares


async def test_what_the_others_hear_counts_and_one_that_dies_is_started_again() -> None:
    heard: list[frozenset[str]] = []
    base = [sys.executable, "-c", _CHILD]
    shards = Shards(list(commands(3, base)), heard.append)
    task = asyncio.create_task(shards.run())
    for _ in range(800):
        if shards.restarts >= 2:
            break
        await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert shards.restarts >= 2
    assert frozenset({"h1", "i1", "h2", "i2"}) in heard
    gone = heard.index(frozenset({"h1", "i1", "h2", "i2"})) + 1
    assert frozenset({"h1", "i1"}) in heard[gone:]
