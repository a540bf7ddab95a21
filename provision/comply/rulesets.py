"""Reading our nftables rulesets for the questions that the standard asks: what is let through, what never counts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from provision.comply.subject import Line, lines_of
from provision.render import ConfigFile

_ANY = (IPv4Network("0.0.0.0/0"),)
_SET = r"(?:\{\s*([^}]*?)\s*\}|(\S+))"
_CHAIN = re.compile(r"\s*chain (?P<name>[\w-]+)")
_POLICY = re.compile(r"type filter hook (?P<hook>\w+) .*policy (?P<policy>\w+);")


@dataclass(frozen=True, slots=True)
class Accept:
    """One rule that lets packets through: its box in the space of packets."""

    line: Line
    incoming: frozenset[str]  # interfaces; empty = any
    outgoing: frozenset[str]
    sources: tuple[IPv4Network, ...]
    targets: tuple[IPv4Network, ...]
    protocol: str  # "any", "tcp", "udp" ...
    ports: tuple[tuple[int, int], ...]
    plain: bool  # nothing else in it that we do not read

    def covers(self, other: Accept) -> bool:
        """Every packet of ``other`` is a packet of this rule."""
        return (
            self.plain
            and (not self.incoming or (bool(other.incoming) and other.incoming <= self.incoming))
            and (not self.outgoing or (bool(other.outgoing) and other.outgoing <= self.outgoing))
            and all(any(one.subnet_of(mine) for mine in self.sources) for one in other.sources)
            and all(any(one.subnet_of(mine) for mine in self.targets) for one in other.targets)
            and self.protocol in ("any", other.protocol)
            and all(any(low <= a and b <= high for low, high in self.ports) for a, b in other.ports)
        )

    @property
    def any_to_any(self) -> bool:
        """Neither source, nor target, nor service is named."""
        return self.sources == _ANY and self.targets == _ANY and self.protocol == "any" and self.plain


def chain(file: ConfigFile, name: str) -> list[Line]:
    """The lines of one chain."""
    found: list[Line] = []
    inside = False
    for line in lines_of(file):
        opened = _CHAIN.match(line.text)
        if opened:
            inside = opened["name"] == name
        elif line.text.strip() == "}":
            inside = False
        elif inside:
            found.append(line)
    return found


def policy(file: ConfigFile, hook: str) -> tuple[str, Line | None]:
    """The policy of the filter chain on a hook, and its line."""
    for line in lines_of(file):
        found = _POLICY.search(line.text)
        if found and found["hook"] == hook:
            return found["policy"], line
    return "", None


def accepts(file: ConfigFile, name: str) -> Iterator[Accept]:
    """The accepting rules of a chain, those for flows already let through left out."""
    for line in chain(file, name):
        text = re.sub(r'\bcomment "[^"]*"|\bcounter(?: name \S+)?', " ", line.text)
        if not re.search(r"\baccept\b", text) or _POLICY.search(text) or "ct state established" in text:
            continue
        yield _accept(line, text)


def _accept(line: Line, text: str) -> Accept:
    rest = text.replace("accept", " ")

    def take(pattern: str) -> list[str] | None:
        nonlocal rest
        found = re.search(rf"{pattern} {_SET}", rest)
        if not found:
            return None
        rest = rest[: found.start()] + rest[found.end() :]
        return [part.strip().strip('"') for part in (found[1] or found[2]).split(",")]

    incoming, outgoing = take("iifname") or [], take("oifname") or []
    sources, targets = take("ip saddr"), take("ip daddr")
    protocol = "any"
    ports: list[str] | None = None
    for name in ("tcp", "udp"):
        taken = take(f"{name} dport")
        if taken is not None:
            protocol, ports = name, taken
    layer = take("meta l4proto") or take("ip protocol")
    if layer:
        protocol = layer[0]
    return Accept(
        line=line,
        incoming=frozenset(incoming),
        outgoing=frozenset(outgoing),
        sources=_prefixes(sources),
        targets=_prefixes(targets),
        protocol=protocol,
        ports=_ranges(ports),
        plain=not rest.strip(),
    )


def _prefixes(texts: list[str] | None) -> tuple[IPv4Network, ...]:
    return _ANY if texts is None else tuple(IPv4Network(text) for text in texts)


def _ranges(texts: list[str] | None) -> tuple[tuple[int, int], ...]:
    if texts is None:
        return ((0, 65535),)
    spans = [text.partition("-") for text in texts]
    return tuple((int(low), int(high or low)) for low, _, high in spans)


def shuts_port(file: ConfigFile, port: int) -> tuple[bool, Line | None]:
    """Whether only named sources (or the staging port's own wire) reach a TCP port of the device, and the line."""
    verdict, where = policy(file, "input")
    last = where
    opened = {each.line.number: each for each in accepts(file, "input")}
    for line in chain(file, "input"):
        if _names(line.text, port) and re.search(r"\bdrop\b", line.text) and "saddr" not in line.text:
            return True, line
        each = opened.get(line.number)
        if each is None or (each.incoming and each.incoming <= {"lo", "stg0"}):
            continue
        reaches = each.protocol in ("any", "tcp") and any(low <= port <= high for low, high in each.ports)
        if not reaches or (each.protocol == "any" and not each.plain):
            continue
        if each.sources == _ANY:
            return False, line
        if each.protocol == "tcp":
            last = line
    return verdict == "drop", last


def _names(text: str, port: int) -> bool:
    found = re.search(rf"tcp dport {_SET}", text)
    if not found:
        return False
    return any(
        low <= port <= high for low, high in _ranges([part.strip() for part in (found[1] or found[2]).split(",")])
    )
