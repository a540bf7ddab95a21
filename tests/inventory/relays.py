"""A county that ships, with media relays of their own at some townships."""

from __future__ import annotations

import copy

from inventory.errors import Report
from inventory.expand import expand
from inventory.load import find, read
from inventory.model import NetworkModel
from inventory.schema import Intent


def with_relays(county: str, *townships: str) -> NetworkModel:
    """The county as written, but exactly these townships have the box ``relay``."""
    data = copy.deepcopy(read(find(county)).data)
    for code, written in data["townships"].items():
        written.pop("boxes", None)
        if code in townships:
            written["boxes"] = ["relay"]
    return expand(Intent.model_validate(data), Report())
