"""What the cables have carried, counted at their middles in the plant."""

from __future__ import annotations

import json
import subprocess

from inventory.model import Link, NetworkModel
from inventory.places import Places
from twin import names
from twin.errors import TwinError


def bytes(places: Places, link: Link) -> tuple[int, int]:
    """Bytes that ends a and b have sent into the cable: ``(a_to_b, b_to_a)``; 0 for an end without power."""
    counted = _received(places, ["dev", names.middle(link, "a")]) | _received(places, ["dev", names.middle(link, "b")])
    return counted.get(names.middle(link, "a"), 0), counted.get(names.middle(link, "b"), 0)


def all_bytes(places: Places, model: NetworkModel) -> dict[str, tuple[int, int]]:
    """:func:`bytes` of every link by its name, read at one moment."""
    counted = _received(places, [])
    return {
        link.name: (counted.get(names.middle(link, "a"), 0), counted.get(names.middle(link, "b"), 0))
        for link in model.links.values()
    }


def _received(places: Places, which: list[str]) -> dict[str, int]:
    """Device name -> bytes received, in the plant."""
    argv = ["ip", "-n", names.plant(places.instance), "-s", "-j", "link", "show", *which]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode and not which:
        raise TwinError(f"instance {places.instance!r} has no plant: {done.stderr.strip()}", 3)
    rows = json.loads(done.stdout) if done.stdout.strip() else []
    return {row["ifname"]: int(row["stats64"]["rx"]["bytes"]) for row in rows if row}
