"""Another statement for a numbered rule of an access list, without a moment in which neither is there.

On Huawei and H3C a rule given again under its number is edited: the parts that are named are replaced, the others stay;
and no two rules of a list may say the same.  So:

- the same parts with other values: the line again, at once;
- other parts: two temporary rules behind it, each the new statement for one half of its addresses, hold the place while
  the old rule is undone and the new one is made.  At every moment a packet meets the old rule or the new one.

Where commands take effect together at a commit, undoing it and making it anew has no gap in any case.
"""

from __future__ import annotations

from ipaddress import IPv4Address

_TAKES = {
    "source": 2, "destination": 2, "source-port": 2, "destination-port": 2, "dscp": 1, "precedence": 1, "tos": 1,
    "time-range": 1, "vpn-instance": 1, "logging": 0, "counting": 0, "fragment": 0, "fragment-type": 1, "icmp-type": 1,
    "tcp-flag": 1, "ttl": 2, "established": 0,
}  # fmt: skip


def replace_rule(before: str, after: str, numbers: set[int], *, undo: str, atomic: bool) -> list[str]:
    """The commands that make the rule ``before`` ("rule 5 permit ...") into ``after``, which has the same number.

    ``numbers`` are the numbers in use before or after.  Without two free numbers behind it, or where one address only
    is matched, the rule is undone and made anew.
    """
    number = int(before.split()[1])
    again = [f"{undo} rule {number}", after]
    if edits(before, after):
        return [after]
    if atomic:
        return again
    room = [number + 1, number + 2]
    halves = _halves(after)
    if not halves or numbers & set(room):
        return again
    bridge = [half.replace(f"rule {number} ", f"rule {free} ", 1) for half, free in zip(halves, room, strict=True)]
    return [*bridge, *again, *(f"{undo} rule {free}" for free in room)]


def _parts(line: str) -> tuple[list[str], dict[str, list[str]]]:
    """(action and protocol, the named parts with their values)."""
    words = line.split()[2:]
    head: list[str] = []
    parts: dict[str, list[str]] = {}
    name = ""
    for word in words:
        if word in _TAKES:
            name = word
            parts[name] = []
        elif name:
            parts[name].append(word)
        else:
            head.append(word)
    return head, parts


def edits(before: str, after: str) -> bool:
    """True when giving the rule again leaves nothing of the old one."""
    (old_head, old), (new_head, new) = _parts(before), _parts(after)
    return old_head == new_head and set(old) <= set(new)


def _halves(line: str) -> tuple[str, str] | tuple[()]:
    """The rule for the lower and for the upper half of its source, else destination, addresses; () for one address."""
    head, parts = _parts(line)
    basic = len(head) == 1  # no protocol: a basic list, which knows the source only
    for side in ("source",) if basic else ("source", "destination"):
        split = _split(parts.get(side, ["any"]))
        if split:
            return tuple(_rule(line, head, parts | {side: half}) for half in split)  # type: ignore[return-value]
    return ()


def _split(values: list[str]) -> list[list[str]]:
    if values == ["any"]:
        address, wildcard = 0, 0xFFFFFFFF
    elif len(values) == 2:
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


def _rule(line: str, head: list[str], parts: dict[str, list[str]]) -> str:
    named = (word for name, values in parts.items() for word in (name, *values))
    return " ".join((*line.split()[:2], *head, *named))
