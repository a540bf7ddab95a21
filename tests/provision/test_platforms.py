"""Every triple of every platform: before, after, and the commands that a device needs.

A triple is written from the vendor's manual, not from what the engine gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from provision.platforms.base import PatchError, diff, load, names, patch

TRIPLES = Path(__file__).parent / "triples"


def _triples() -> Iterator[Any]:
    for path in sorted(TRIPLES.glob("*.yml")):
        for triple in YAML(typ="safe").load(path.read_text(encoding="utf-8")):
            yield pytest.param(path.stem, triple, id=f"{path.stem}: {triple['name']}")


def _rows(text: str) -> list[str]:
    return [row.strip() for row in text.splitlines() if row.strip()]


@pytest.mark.parametrize(("name", "triple"), list(_triples()))
def test_triple(name: str, triple: dict[str, str]) -> None:
    platform = load(name)
    got = patch(platform, triple["before"], triple["after"])
    assert _rows("\n".join(got)) == _rows(triple["patch"])
    assert patch(platform, triple["after"], triple["after"]) == ()
    assert bool(diff(platform, triple["before"], triple["after"])) == bool(got), "people see what the device gets"


@pytest.mark.parametrize("name", names())
def test_every_platform_has_its_triples(name: str) -> None:
    triples = YAML(typ="safe").load((TRIPLES / f"{name}.yml").read_text(encoding="utf-8"))
    assert len(triples) >= 25
    assert len({triple["name"] for triple in triples}) == len(triples)


def test_unknown_platform_is_named() -> None:
    with pytest.raises(KeyError, match=r"no platform 'vyos': there are .*huawei_vrp5"):
        load("vyos")


def test_one_setting_twice_is_refused() -> None:
    twice = "interface Vlanif10\n ip address 10.0.0.1 24\n ip address 10.0.0.2 24\n"
    with pytest.raises(PatchError, match=r"10\.0\.0\.1 24' and 'ip address 10\.0\.0\.2 24' are one setting"):
        patch(load("huawei_vrp5"), "", twice)
