"""What was read of a device: the answers to its commands, from a session or from saved files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from provision.parsers.transcript import clean, decode
from provision.platforms.base import names

LARGEST = 16 << 20
"""Bytes of a file that are read; a configuration has some hundred thousand."""

_PROMPT = re.compile(
    r"^(?:<(?P<huawei>[^<>\s]{1,246})>|\[[~*]?[^\[\]\s]{1,246}\]|(?P<ios>[A-Za-z][\w.-]{0,254})(?:\([\w.\-/]+\))?[#>])"
    r"[ \t]*(?P<command>(?:dis|sh)\S*[ \t]\S.*?)[ \t]*$",
    re.IGNORECASE,
)
_BARE = re.compile(r"^(?:<[^<>\s]+>|\[[~*]?[^\[\]\s]+\]|[A-Za-z][\w.-]*(?:\([\w.\-/]+\))?[#>])\s*(?:quit|exit)?\s*$")
_RUNNING = re.compile(r"dis\w*\s+(?:cur|sav)\S*|sh\w*\s+(?:run|sta)\S*", re.IGNORECASE)
_SIGNS: tuple[tuple[str, str], ...] = (
    ("zte_zxr10", r"^!<[\w-]+>\s*$|^ZXR10|^switchvlan-configuration"),
    ("ruijie_rgos", r"^version RGOS|^Ruijie|^interface (?:Ten)?GigabitEthernet \d"),
    ("h3c_comware", r"^\s*version 7\.|^(?:H3C|HPE?) |^\s*(?:line vty|port link-mode)"),
    ("huawei_vrp8", r"^interface (?:GE|\d+GE)\d|^VRP \(R\) software, Version 8|^interface MEth0/0/0"),
    ("huawei_vrp5", r"^VRP \(R\) software, Version 5|^interface (?:X?GigabitEthernet0/0/\d|MEth0/0/1)"),
)


class Unreadable(ValueError):
    """A file or an answer in which nothing of a device is found; says what was expected."""


@dataclass(frozen=True, slots=True)
class Taken:
    """One device as it was read."""

    source: str  # file, or address
    platform: str
    running: str  # its configuration
    answers: dict[str, str] = field(default_factory=dict)  # command -> what it printed
    not_read: tuple[str, ...] = ()  # commands the device refused, with its words


def from_file(name: str, raw: bytes, platform: str = "") -> Taken:
    """A saved configuration, or a session's log with ``display`` or ``show`` commands in it.  Raises Unreadable."""
    if len(raw) > LARGEST:
        raise Unreadable(f"{name}: found more than {LARGEST >> 20} MiB; expected one device's outputs; give it alone")
    text = decode(raw).replace("\r\n", "\n").replace("\r", "\n")
    if "\x00" in text:
        raise Unreadable(f"{name}: found NUL bytes; expected text; give the configuration as the device prints it")
    answers = split(text)
    running = next((answer for command, answer in answers.items() if _RUNNING.match(command)), "")
    if not answers:
        running = text
    if not re.search(r"(?m)^\s*(?:sysname|hostname) \S", running):
        said = "found no configuration; expected the output of `display current-configuration` or `show running-config`"
        raise Unreadable(f"{name}: {said}; save it and try again")
    return Taken(name, platform or guess(text, name), clean(running), answers)


def split(text: str) -> dict[str, str]:
    """Command -> output for every ``display`` or ``show`` that follows a prompt; {} for a text without any."""
    answers: dict[str, list[str]] = {}
    rows: list[str] | None = None
    for line in text.split("\n"):
        found = _PROMPT.match(line)
        if found:
            rows = answers.setdefault(" ".join(found["command"].split()), [])
            rows.clear()  # asked twice: the later answer
        elif _BARE.match(line):
            rows = None
        elif rows is not None:
            rows.append(line)
    return {command: "\n".join(rows) for command, rows in answers.items()}


def guess(text: str, name: str) -> str:
    """The platform whose words these are.  Raises Unreadable when it cannot be told."""
    for platform, sign in _SIGNS:
        if re.search(sign, text, re.MULTILINE):
            return platform
    raise Unreadable(f"{name}: found no sign of its platform; expected one of {', '.join(names())}; give --platform")
