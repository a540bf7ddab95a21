"""Which template reads which command of which platform.

Our own templates (``templates/index``) come first: they are only for what ntc-templates has not, or reads otherwise
than our devices print it.  Everything else is ntc-templates'.  Both are indexes of TextFSM's ``clitable``: one row
names a template, a platform and a command whose ``[[brackets]]`` may be left out by whoever types it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import ntc_templates
from textfsm import clitable

OWN = Path(__file__).parent / "templates"
NTC = Path(ntc_templates.__file__).parent / "templates"

ALIASES: dict[str, str] = {
    "huawei_vrp8": "huawei_vrp",
    "huawei_vrp5": "huawei_vrp",
    "huawei": "huawei_vrp",
    "huawei_vrpv8": "huawei_vrp",
    "h3c_comware": "hp_comware",
    "ruijie_os": "ruijie_rgos",
    "zte_zxr10": "zte_zxros",
}
"""Our platforms' names, and netmiko's, to the name under which the templates stand."""


class UnknownParser(Exception):
    """No template for this platform or command; ``known`` lists what there is instead."""

    def __init__(self, message: str, known: tuple[str, ...]) -> None:
        super().__init__(message)
        self.known = known


@dataclass(frozen=True, slots=True)
class Parser:
    """One row of an index."""

    platform: str
    command: str  # in full, as the template's file name has it
    templates: str  # file names with ':' between them: clitable joins their tables by key
    folder: Path
    pattern: re.Pattern[str]

    def reads(self, command: str) -> bool:
        """Whether the command, abbreviated or with arguments, is this one.

        An index's pattern matches a beginning, which may end inside a word (``d[[ir]]`` would take any ``display``):
        such a match counts only when every word is an abbreviation of the full command's.
        """
        found = self.pattern.match(command)
        if not found:
            return False
        if found.end() == len(command) or command[found.end()].isspace() or command[found.end() - 1].isspace():
            return True
        return self.shortened(command)

    def shortened(self, command: str) -> bool:
        """Whether every word is the beginning of the full command's word in its place."""
        typed, full = command.split(), self.command.split()
        return len(typed) == len(full) and all(word.startswith(short) for short, word in zip(typed, full, strict=True))


def _spelled_out(platform: str) -> tuple[str, ...]:
    """The names that an index's platform pattern stands for: ``(hp|aruba)_procurve`` is two, ``.*vyos.*`` is one."""
    found = re.fullmatch(r"(\w*)\(([\w|]+)\)(\w*)", platform)
    if not found:
        return (platform.replace(".*", ""),)
    before, choices, after = found.groups()
    return tuple(before + choice + after for choice in choices.split("|"))


@cache
def _index(folder: Path) -> tuple[Parser, ...]:
    table = clitable.CliTable("index", str(folder)).index
    rows = []
    for row, compiled in zip(table.index, table.compiled, strict=True):
        for platform in _spelled_out(row["Platform"]):
            first = row["Template"].split(":")[0].removesuffix(".textfsm")
            command = first.removeprefix(f"{platform}_").replace("_", " ")
            rows.append(Parser(platform, command, row["Template"], folder, compiled["Command"]))
    return tuple(rows)


def canonical(platform: str) -> str:
    """The templates' name of a platform; a name that is no alias is returned as it is."""
    return ALIASES.get(platform, platform)


def platforms() -> tuple[str, ...]:
    """Every platform that has a template, sorted, without the aliases."""
    return tuple(sorted({row.platform for folder in (OWN, NTC) for row in _index(folder)}))


def commands(platform: str) -> tuple[str, ...]:
    """Every command that can be read on a platform, in full, sorted.

    Raises:
        UnknownParser: no such platform.
    """
    name = canonical(platform)
    found = {row.command for folder in (OWN, NTC) for row in _index(folder) if row.platform == name}
    if not found:
        raise UnknownParser(f"unknown platform {platform!r}", tuple(sorted({*platforms(), *ALIASES})))
    return tuple(sorted(found))


def find(platform: str, command: str) -> Parser:
    """The parser of a command, which may be abbreviated as on the device or have ``_`` for spaces.

    Raises:
        UnknownParser: no such platform, or no template for the command.
    """
    known = commands(platform)
    name = canonical(platform)
    typed = " ".join(command.split())
    for spelling in dict.fromkeys((typed, typed.replace("_", " "))):
        for folder in (OWN, NTC):
            for row in _index(folder):
                if row.platform == name and row.reads(spelling):
                    return row
    rows = [row for folder in (OWN, NTC) for row in _index(folder) if row.platform == name and row.shortened(typed)]
    if len({row.command for row in rows}) == 1:
        return rows[0]
    raise UnknownParser(f"no parser for {command!r} on {platform}", known)
