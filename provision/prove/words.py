"""Words and values of nftables rulesets: tokens with their lines, and names as numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Network

from provision.prove import sets

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\\\n|\n|[{};,:]|!=|==|<=|>=|[^\s{};,:"]+|#')
_PORTS = {"ssh": 22, "domain": 53, "http": 80, "ntp": 123, "snmp": 161, "bgp": 179, "https": 443, "syslog": 514}
_ICMP = {"echo-reply": 0, "destination-unreachable": 3, "redirect": 5, "echo-request": 8, "time-exceeded": 11,
         "parameter-problem": 12}  # fmt: skip


def _range(text: str, one: Callable[[str], int]) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    return (one(low), one(high)) if dash else (one(text), one(text))


def address(text: str) -> tuple[int, int]:
    """Addresses: one, a prefix, or a range."""
    if "-" in text:
        low, high = text.split("-")
        return int(IPv4Network(low).network_address), int(IPv4Network(high).network_address)
    network = IPv4Network(text, strict=False)
    return int(network.network_address), int(network.broadcast_address)


def protocol(text: str) -> tuple[int, int]:
    """Protocols by name or number."""
    return _range(text, lambda each: int(each) if each.isdigit() else sets.PROTOCOL_NUMBERS[each])


def port(text: str) -> tuple[int, int]:
    """Ports by name or number, or a range."""
    return _range(text, lambda each: int(each) if each.isdigit() else _PORTS[each])


def icmp(text: str) -> tuple[int, int]:
    """An ICMP type by name or number."""
    return (_ICMP[text], _ICMP[text]) if text in _ICMP else (int(text), int(text))


def tokens(text: str, path: str) -> list[tuple[str, int, str]]:
    """(word, line, path) of a file; a line's end is a word."""
    found = []
    for number, whole in enumerate(text.split("\n"), 1):
        line = _uncommented(whole)
        found += [(match[0], number, path) for match in _TOKEN.finditer(line)]
        if found and found[-1][0] != "\n":
            found.append(("\n", number, path))
    return found


def _uncommented(line: str) -> str:
    quoted = False
    for place, sign in enumerate(line):
        if sign == '"':
            quoted = not quoted
        elif sign == "#" and not quoted:
            return line[:place]
    return line
