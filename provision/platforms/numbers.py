"""Lists of numbers as vendors write them: ``2 5 to 9`` (Huawei, H3C) or ``2,5-9`` (Ruijie, ZTE)."""

from __future__ import annotations

import re
from typing import Literal

Style = Literal["to", "comma"]

HIGHEST = 4094


class RangeError(ValueError):
    """A list of numbers that cannot be read."""


def read_numbers(text: str, style: Style) -> frozenset[int]:
    """The numbers of a list; ``all`` is 1 to 4094.  Raises RangeError."""
    if text.strip() in ("all", "ALL"):
        return frozenset(range(1, HIGHEST + 1))
    parts = re.sub(r"\s+to\s+", "-", text).split() if style == "to" else text.replace(" ", "").split(",")
    numbers: set[int] = set()
    for part in parts:
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if found is None:
            raise RangeError(f"{part!r} is no number and no range of numbers")
        first, last = int(found[1]), int(found[2] or found[1])
        if not 0 <= first <= last <= HIGHEST:
            raise RangeError(f"{part!r} does not run upwards within 0 to {HIGHEST}")
        numbers.update(range(first, last + 1))
    return frozenset(numbers)


def write_numbers(numbers: frozenset[int], style: Style, per_line: int) -> list[str]:
    """The numbers as lists of at most ``per_line`` ranges each; [] for none."""
    ranges: list[list[int]] = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    joint, between = (" to ", " ") if style == "to" else ("-", ",")
    words = [str(first) if first == last else f"{first}{joint}{last}" for first, last in ranges]
    return [between.join(words[start : start + per_line]) for start in range(0, len(words), per_line)]
