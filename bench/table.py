"""One measured line, and how a table of them is printed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured, on what, and how much."""

    what: str
    on: str
    value: float
    unit: str


def seconds(action: Callable[[], object], *, times: int = 5) -> float:
    """Median wall time of some runs, after one that is not counted."""
    action()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return median(taken)


def printed(title: str, rows: Sequence[Row]) -> str:
    """A Markdown table, so that it can stand in a document as it is."""
    lines = [f"### {title}", "", "| what | on | |", "| --- | --- | ---: |"]
    lines += [f"| {row.what} | {row.on} | {row.value:,.4g} {row.unit} |" for row in rows]
    return "\n".join(lines)
