"""H3C, Ruijie and ZTE: patches are taken by a device that knows no rulebook, and leave it as it should be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from ruamel.yaml import YAML

from provision.platforms.base import load, patch
from tests.provision.box_cli import Box, Refused
from tests.provision.configs_vendors import WRITERS, Switch, switches
from tests.provision.tongues import TONGUES

TRIPLES = Path(__file__).parent / "triples"

CAREFUL = re.compile(r"undo (ospf \d|ip route-static)|no (ip ospf cost|switchport (access|trunk))")
"""Taken away first where manuals differ on whether the next command does it anyway."""


def box(name: str, text: str) -> Box:
    """A device that holds a configuration."""
    device = Box(name, TONGUES[name])
    device.load(text)
    return device


def triples() -> list[Any]:
    """Every triple of the three, but those with a secret, which a device shows in its own words."""
    return [
        pytest.param(name, triple, id=f"{name}: {triple['name']}")
        for name in TONGUES
        for triple in YAML(typ="safe").load((TRIPLES / f"{name}.yml").read_text(encoding="utf-8"))
        if "@secret:" not in triple["after"]
    ]


@pytest.mark.parametrize(("name", "triple"), triples())
def test_every_triple_is_taken_and_gives_after(name: str, triple: dict[str, str]) -> None:
    device = box(name, triple["before"])
    device.loose = True
    device.run(patch(load(name), triple["before"], triple["after"]))
    assert device.picture() == box(name, triple["after"]).picture()


@pytest.mark.parametrize("name", TONGUES)
@settings(max_examples=60)
@given(switches(), switches())
def test_any_change_is_taken_and_gives_after(name: str, before: Switch, after: Switch) -> None:
    old, new = WRITERS[name](before), WRITERS[name](after)
    device = box(name, old)
    device.run(patch(load(name), old, new))
    assert device.picture() == box(name, new).picture()
    assert patch(load(name), new, new) == ()


@pytest.mark.parametrize(("name", "triple"), triples())
def test_no_line_of_a_patch_is_superfluous(name: str, triple: dict[str, str]) -> None:
    """Without any one of its lines the device refuses, or is left as it should not be: the device can tell."""
    commands = patch(load(name), triple["before"], triple["after"])
    wanted = box(name, triple["after"]).picture()
    for place, dropped in enumerate(commands):
        device = box(name, triple["before"])
        device.loose = True
        try:
            device.run(commands[:place] + commands[place + 1 :])
        except Refused:
            continue
        bridge = "11 " in dropped or "12 " in dropped or dropped.endswith((" 10", " 11", " 12"))
        assert device.picture() != wanted or bridge or CAREFUL.match(dropped), dropped
