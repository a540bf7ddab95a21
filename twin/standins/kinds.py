"""Kinds of parameters: what the device accepts at a place, and how it shows it afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address

MAX_NAME = 63
PORTS = {
    "tcp": {20: "ftp-data", 21: "ftp", 23: "telnet", 25: "smtp", 53: "domain", 80: "www", 110: "pop3", 179: "bgp"},
    "udp": {
        53: "dns", 67: "bootps", 68: "bootpc", 69: "tftp", 123: "ntp", 161: "snmp", 162: "snmptrap", 514: "syslog",
        520: "rip",
    },
}  # fmt: skip
"""Names that VRP and Comware show instead of port numbers (rule command of their manuals)."""
DSCP = {
    **{8 * n: f"cs{n}" for n in range(1, 8)},
    **{8 * c + 2 * d: f"af{c}{d}" for c in range(1, 5) for d in range(1, 4)},
    46: "ef", 0: "default",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Word:
    """A typed word and the column it starts at."""

    text: str
    column: int
    rest: str
    """The line from this word on."""


def split(line: str) -> list[Word]:
    """The words of a typed line; a quoted part stays one word."""
    return [
        Word(found.group(), found.start(), line[found.start() :].rstrip())
        for found in re.finditer(r'"[^"]*"|\S+', line)
    ]


def mask_of(length: int) -> str:
    """Dotted mask of a prefix length."""
    return str(IPv4Address((0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF))


def _address(text: str) -> str | None:
    try:
        return str(IPv4Address(text))
    except (AddressValueError, ValueError):
        return None


def _mask(text: str) -> str | None:
    if text.isascii() and text.isdecimal() and len(text) <= 2 and int(text) <= 32:
        return mask_of(int(text))
    address = _address(text)
    if address is None:
        return None
    value = int(IPv4Address(address)) ^ 0xFFFFFFFF
    return address if value & (value + 1) == 0 else None


def _named(text: str, names: dict[int, str], top: int) -> str | None:
    """A number, or the name that stands for it where it has one."""
    if text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= top:
        return names.get(int(text), str(int(text)))
    return text.lower() if text.lower() in names.values() else None


def ranges(values: frozenset[int], *, to: str, between: str) -> str:
    """A set of numbers as a device writes it: ``1 5 to 7`` or ``1,5-7``."""
    parts: list[str] = []
    run: list[int] = []
    for value in [*sorted(values), -1]:
        if run and value != run[-1] + 1:
            if len(run) > 1:
                parts.append(f"{run[0]}{to}{run[-1]}")
            else:
                parts.append(str(run[0]))
            run = []
        run.append(value)
    return between.join(parts)


def numbers(text: str) -> frozenset[int]:
    """The set behind ``1 5 to 7`` or ``1,5-7``.  ValueError for anything else."""
    found: set[int] = set()
    words = text.replace("-", " to ").replace(",", " ").split()
    index = 0
    while index < len(words):
        low = int(words[index])
        high = low
        if index + 2 < len(words) and words[index + 1] == "to":
            high = int(words[index + 2])
            index += 2
        if not 0 < low <= high <= 4094:
            raise ValueError(text)
        found.update(range(low, high + 1))
        index += 1
    return frozenset(found)


@dataclass(slots=True)
class Kinds:
    """Reads parameters; knows the interface types of the platform."""

    types: list[str] = field(default_factory=list)
    """Interface types as shown before a number: ``GigabitEthernet``, ``VLAN `` or ``gei-``."""

    def interface(self, text: str) -> str | None:
        """The full name of an interface from what may be a beginning of its type and its number."""
        for name in self.types:
            if name.endswith("!") and text.lower() == name[:-1].lower():
                return name[:-1]
        found = re.fullmatch(r"(\d*[A-Za-z][A-Za-z_-]*?)[ -]?(\d+(?:/\d+)*(?:\.\d+)?)", text)
        if not found:
            return None
        word, number = found.groups()
        exact = [name for name in self.types if name.rstrip(" -").lower() == word.lower()]
        names = exact or [name for name in self.types if name.lower().startswith(word.lower())]
        return f"{names[0]}{number}" if len(names) == 1 else None

    def order(self, text: str) -> tuple[int, tuple[int, ...], str]:
        """Sort key of words with numbers in them, interfaces by the order of their types."""
        for rank, name in enumerate(self.types):
            if text == name.rstrip("!"):
                return rank, (), ""
            if text.startswith(name) and text[len(name) : len(name) + 1].isdigit():
                return rank, tuple(int(part) for part in re.findall(r"\d+", text[len(name) :])), ""
        return len(self.types), tuple(int(part) for part in re.findall(r"\d+", text)), text

    def read(self, kind: str, arg: str, typed: list[Word], at: int) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Every way a parameter fits at a word: how many words it takes, and the words shown."""
        if at >= len(typed):
            return
        word = typed[at]
        if kind == "TEXT":
            if word.rest:
                yield len(typed) - at, (word.rest,)
        elif kind == "IFNAME":
            one = self.interface(word.text)
            if one:
                yield 1, (one,)
            elif at + 1 < len(typed) and typed[at + 1].text[:1].isdigit():
                two = self.interface(f"{word.text} {typed[at + 1].text}")
                if two:
                    yield 2, (two,)
        elif kind == "VLANS":
            yield from self._vlans(typed, at)
        else:
            shown = self._one(kind, arg, word.text)
            if shown is not None:
                yield 1, (shown,)

    def _vlans(self, typed: list[Word], at: int) -> Iterator[tuple[int, tuple[str, ...]]]:
        end = at
        while end < len(typed) and re.fullmatch(r"to|[\d,-]+", typed[end].text):
            end += 1
        text = " ".join(word.text for word in typed[at:end])
        try:
            values = numbers(text)
        except ValueError:
            return
        if values:
            yield end - at, (ranges(values, to="-", between=","),)

    def _one(self, kind: str, arg: str, text: str) -> str | None:
        match kind:
            case "WORD":
                limit = int(arg or 255)
                return text if 0 < len(text) <= limit else None
            case "NAME":
                return text if re.fullmatch(rf"[\w.:@#$%&+/-]{{1,{arg or MAX_NAME}}}", text) else None
            case "INT":
                low, _, high = arg.partition("-")
                if not text.isascii() or not text.isdecimal() or len(text) > 10:
                    return None
                return str(int(text)) if not arg or int(low) <= int(text) <= int(high or low) else None
            case "IP":
                return _address(text)
            case "MASK":
                return _mask(text)
            case "LEN":
                mask = _mask(text)
                return None if mask is None else str(int(IPv4Address(mask)).bit_count())
            case "WILD":
                address = "0.0.0.0" if text == "0" else _address(text)
                return ("0" if arg == "short" else address) if address == "0.0.0.0" else address
            case "PREFIX":
                found = re.fullmatch(r"([\d.]+)/(\d{1,2})", text)
                if found and _address(found[1]) and int(found[2]) <= 32:
                    return text
                return None
            case "PORT":
                return _named(text, PORTS[arg], 65535) if arg else _named(text, {}, 65535)
            case "RPORT":
                known = {name: name for names in PORTS.values() for name in names.values()}
                return known.get(text.lower()) or _named(text, {}, 65535)
            case "DSCP":
                return _named(text, {} if arg == "number" else DSCP, 63)
            case "RD":
                return text if re.fullmatch(r"(\d{1,10}|\d+\.\d+\.\d+\.\d+):\d{1,10}", text) else None
            case "AREA":
                return (
                    str(IPv4Address(int(text)))
                    if text.isascii() and text.isdecimal() and len(text) < 10
                    else _address(text)
                )
            case "MAC":
                return text if re.fullmatch(r"([0-9a-fA-F]{4}[-.]){2}[0-9a-fA-F]{4}", text) else None
        raise ValueError(f"unknown kind of parameter {kind!r}")
