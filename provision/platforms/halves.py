"""An access list's statement as two, one for each half of its addresses: together they say the same.

Huawei and H3C name the parts of a statement (``source 10.8.0.0 0.0.255.255``), Ruijie and ZTE tell them by their place.
"""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address

_NAMES = frozenset(
    (
        *("source", "destination", "source-port", "destination-port", "dscp", "precedence", "tos", "time-range"),
        *("vpn-instance", "logging", "counting", "fragment", "fragment-type", "icmp-type", "tcp-flag", "ttl"),
        "established",
    )
)


def parts(words: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """(action and protocol, the named parts with their values) of ``permit tcp source 10.8.0.0 0.0.255.255 ...``."""
    head: list[str] = []
    named: dict[str, list[str]] = {}
    name = ""
    for word in words:
        if word in _NAMES:
            name = word
            named[name] = []
        elif name:
            named[name].append(word)
        else:
            head.append(word)
    return head, named


def halves_of_parts(words: list[str]) -> list[list[str]]:
    """The statement with named parts for the lower and the upper half of its source, else destination, addresses.

    [] where one address only is meant, or where the parts have no names.
    """
    head, named = parts(words)
    if len(head) > 2:
        return []
    basic = len(head) == 1  # no protocol: a basic list, which knows the source only
    for side in ("source",) if basic else ("source", "destination"):
        split = _split(named.get(side, ["any"]))
        if split:
            return [
                [*head, *(word for name, values in (named | {side: half}).items() for word in (name, *values))]
                for half in split
            ]
    return []


def halves_of_words(words: list[str]) -> list[list[str]]:
    """The statement told by place for the two halves of its first address that can be halved; [] for none."""
    for place, word in enumerate(words):
        if word == "any":
            return [[*words[:place], base, "127.255.255.255", *words[place + 1 :]] for base in ("0.0.0.0", "128.0.0.0")]
        if word == "host" or words[place - 1] == "host" or place + 1 == len(words):
            continue
        try:
            split = _split([str(IPv4Address(word)), str(IPv4Address(words[place + 1]))])
        except AddressValueError:
            continue
        if split:
            return [
                [*words[:place], base, rest if "." in rest else "0.0.0.0", *words[place + 2 :]] for base, rest in split
            ]
    return []


def _split(values: list[str]) -> list[list[str]]:
    """The two halves of ``[address, wildcard]`` or ``["any"]``; [] for one address and for anything else."""
    if values == ["any"]:
        address, wildcard = 0, 0xFFFFFFFF
    elif len(values) == 2 and all(value.replace(".", "").isdigit() for value in values):
        address = int(IPv4Address(values[0]))
        wildcard = int(IPv4Address(values[1] if "." in values[1] else int(values[1])))
    else:
        return []
    if wildcard == 0:
        return []
    bit = 1 << (wildcard.bit_length() - 1)
    rest = wildcard & ~bit
    low = address & ~wildcard
    return [[str(IPv4Address(base)), str(IPv4Address(rest)) if rest else "0"] for base in (low, low | bit)]
