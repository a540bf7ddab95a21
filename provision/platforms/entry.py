"""Another statement under the number of an access list's entry, where the device will not write over one.

Ruijie and ZTE refuse a number that is taken, and the same statement twice.  Two temporary entries behind the old one,
each the new statement for one half of its addresses, hold the place while the old is taken away and the new one made:
at every moment a packet meets the old statement or the new one.
"""

from __future__ import annotations

from ipaddress import AddressValueError, IPv4Address


def replace_entry(after: str, number: str, used: set[int], remove: str) -> list[str]:
    """The commands that put ``after`` ("10 permit ip ...", "rule 10 permit ...") where its number's entry is now.

    ``used`` are the list's numbers before and after, ``remove`` how one goes ("no {number}").  Without two free numbers
    before the next entry, or where no address can be halved, the old entry goes before the new one comes.
    """
    again = [remove.format(number=number), after]
    following = min((other for other in used if other > int(number)), default=int(number) + 3)
    free = list(range(int(number) + 1, following))[:2]
    halves = _halves(after.split())
    if len(free) < 2 or not halves:
        return again
    bridge = [_numbered(half, number, str(one)) for half, one in zip(halves, free, strict=True)]
    return [*bridge, *again, *(remove.format(number=one) for one in free)]


def _numbered(words: list[str], old: str, new: str) -> str:
    place = words.index(old)
    return " ".join([*words[:place], new, *words[place + 1 :]])


def _halves(words: list[str]) -> list[list[str]]:
    """The statement for the lower and for the upper half of its first address that can be halved; [] for none."""
    for place, word in enumerate(words):
        if word == "any":
            return [[*words[:place], base, "127.255.255.255", *words[place + 1 :]] for base in ("0.0.0.0", "128.0.0.0")]
        if word == "host" or place + 1 == len(words):
            continue
        try:
            address, wildcard = int(IPv4Address(word)), int(IPv4Address(words[place + 1]))
        except AddressValueError:
            continue
        if words[place - 1] == "host" or wildcard == 0:
            continue
        bit = 1 << (wildcard.bit_length() - 1)
        return [
            [*words[:place], str(IPv4Address(base)), str(IPv4Address(wildcard & ~bit)), *words[place + 2 :]]
            for base in (address & ~wildcard, (address & ~wildcard) | bit)
        ]
    return []
