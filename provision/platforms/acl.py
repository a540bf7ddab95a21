"""From one access list's rules to another's, without a moment in which a rule that changes is missing.

Devices differ, and agree in one thing: no two rules of a list may say the same.

- Huawei and H3C edit a rule that is given again under its number: named parts are replaced, others stay.  So the same
  parts with other values are the line again, at once.
- Otherwise, and on Ruijie and ZTE always, two temporary rules behind it, each the new statement for one half of its
  addresses, hold the place while the old rule is taken away and the new one made.  At every moment a packet meets the
  old rule or the new one.

Where commands take effect together at a commit, taking away and making anew has no gap in any case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from provision.platforms.halves import halves_of_parts, halves_of_words, parts


@dataclass(slots=True)
class Steps:
    """What to send, in two pieces, and which rules were taken away on the way, with what hangs on them."""

    lines: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)  # rules that go and have no successor
    undone: set[int] = field(default_factory=set)


def replace_rules(
    old: Mapping[int, str], new: Mapping[int, str], *, remove: str, editable: bool, atomic: bool
) -> Steps:
    """The commands between two lists of rules by number ("rule 5 permit ip ..." or "10 permit ip ...").

    ``remove`` takes a rule away ("undo rule {1}"); ``editable``: a rule may be given again under its number;
    ``atomic``: nothing takes effect before a commit.  Without two free numbers behind a rule, or where no address can
    be halved, the old rule goes before the new one comes.
    """
    steps = Steps()
    present = dict(old)
    for number in sorted(new):
        line = new[number]
        if number in present and same_rule(present[number], line):
            continue
        twins = [one for one, other in present.items() if one != number and _meant(other) == _meant(line)]
        if not twins and (number not in present or (editable and _edits(present[number], line))):
            steps.lines.append(line)
        else:
            goes = twins + [number] * (number in present)
            bridge = {} if atomic else _bridge(number, line, present, new)
            steps.lines += bridge.values()
            steps.lines += [_fill(remove, one) for one in goes]
            steps.lines.append(line)
            steps.lines += [_fill(remove, one) for one in bridge]
            steps.undone.update(goes)
            for one in goes:
                del present[one]
        present[number] = line
    steps.late = [_fill(remove, number) for number in sorted(present, reverse=True) if number not in new]
    return steps


def _fill(remove: str, number: int) -> str:
    return remove.replace("{1}", str(number))


def _says(line: str) -> list[str]:
    """The statement, without what stands before it and its number."""
    words = line.split()
    return words[2:] if words[0] == "rule" else words[1:]


def same_rule(one: str, other: str) -> bool:
    """True when two lines are the same rule; a device shows its named parts in an order of its own."""
    return one == other or (one.split()[:2] == other.split()[:2] and _meant(one) == _meant(other))


def _meant(line: str) -> tuple[list[str], dict[str, list[str]]]:
    return parts(_says(line))


def _edits(before: str, after: str) -> bool:
    """True when giving the rule again leaves nothing of the old one."""
    (old_head, old), (new_head, new) = parts(_says(before)), parts(_says(after))
    return old_head == new_head and set(old) <= set(new)


def _bridge(number: int, line: str, present: Mapping[int, str], new: Mapping[int, str]) -> dict[int, str]:
    """Two temporary rules that say together what the line says; {} where there is no place or no way."""
    used = set(present) | set(new)
    following = min((other for other in used if other > number), default=number + 3)
    free = list(range(number + 1, following))[:2]
    words = _says(line)
    halves = halves_of_parts(words) or halves_of_words(words)
    if len(free) < 2 or len(halves) < 2 or any(_says(other) in halves for other in present.values()):
        return {}
    start = "rule " if line.startswith("rule ") else ""
    return {one: f"{start}{one} {' '.join(half)}" for one, half in zip(free, halves, strict=True)}
