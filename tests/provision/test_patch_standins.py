"""Patches typed at the twin's stand-ins, written by another hand from the same manuals: none refused, after reached.

Only here do a renderer's side and a stand-in meet.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings

from provision.platforms.base import load, patch
from provision.vendor.words import words_of
from tests.provision.configs_vendors import WRITERS, Switch, switches
from tests.twin.user import User, device
from twin.standins.device import Device

ASKED = re.compile(r"[\[(] ?[Yy](?:es)?/[Nn]o?[\])]\s*:?\s*\Z")


def _fits(name: str, one: Switch) -> Switch:
    """Without what a stand-in does not have: ZXR10's has no aggregation."""
    if name != "zte_zxr10":
        return one
    ports = tuple(replace(port, kind="bare") if port.kind == "member" else port for port in one.ports)
    return replace(one, ports=ports)


def _shown(machine: Device) -> Counter[str]:
    """The lines of its text, in any order; a port in ``switchvlan-configuration`` without a line says nothing."""
    text = machine.dialect.text(machine.running)
    return Counter(re.sub(r"^  interface \S+\n  \$\n", "", text, flags=re.MULTILINE).splitlines())


async def _typed(name: str, before: str, commands: tuple[str, ...]) -> tuple[Counter[str], list[str]]:
    """The stand-in's text after the commands, and what it refused."""
    words = words_of(name)
    machine = device(name, config=before)
    user = User(machine)
    await user.greeting()
    await user.type(*words.paging, words.enter)
    refused = []
    for command in commands:
        said = await user.type(command)
        if ASKED.search(said):
            said += "\n" + await user.type("yes" if name == "zte_zxr10" else "y")
        answer = "\n".join(said.split("\n")[1:-1])
        if any(re.search(error, answer, re.MULTILINE | re.IGNORECASE) for error in words.errors):
            refused.append(f"{command}: {answer.strip()}")
    shown = _shown(machine)
    await user.leave()
    return shown, refused


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=8)
@given(before=switches(), after=switches())
def test_a_stand_in_takes_any_change(name: str, before: Switch, after: Switch) -> None:
    old, new = (WRITERS[name](_fits(name, one)) for one in (before, after))
    shown, refused = asyncio.run(_typed(name, old, patch(load(name), old, new)))
    assert refused == []
    assert shown == _shown(device(name, config=new))
