"""What rendering gives: files with a path, a mode, a text and the group that reloads them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

GROUPS = (
    "network",
    "sysctl",
    "nft",
    "exit",
    "lines",
    "natlog",
    "frr",
    "ssh",
    "wireguard",
    "ipsec",
    "snmp",
    "agent",
    "keepalived",
    "nginx",
    "chrony",
    "relay",
    "nms",
    "services",
    "configuration",
)
"""Groups in the order in which a device takes them over."""

PLATFORM = Path(__file__).resolve().parent.parent / "platforms" / "linux"


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """One file of a device; ``text`` may hold ``@secret:NAME@``, which only the broker replaces."""

    path: str
    mode: str  # "0644"; "" where a device knows none
    text: str
    group: str  # one of GROUPS


@functools.cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(PLATFORM / "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def fill(template: str, **values: Any) -> str:
    """A template's text with its values; an undefined name is an error."""
    return _templates().get_template(template).render(**values)


def program(name: str) -> str:
    """A program that runs on the device, as it stands in ``platforms/linux``."""
    return (PLATFORM / name).read_text(encoding="utf-8")
