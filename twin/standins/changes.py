"""What differs between two configurations, as VRP's `display configuration candidate changes` shows it."""

from __future__ import annotations

from twin.standins.dialect import Dialect
from twin.standins.tree import Node


def changes(dialect: Dialect, before: Node, after: Node) -> list[str]:
    """Lines of ``before`` that go (-) and of ``after`` that come (+), each section after a ``#``."""
    lines: list[str] = []
    old = {part[0]: part for part in dialect.sections(before)}
    new = {part[0]: part for part in dialect.sections(after)}
    for head in [*old, *[head for head in new if head not in old]]:
        gone, come = old.get(head), new.get(head)
        if gone == come:
            continue
        lines.append("  #")
        if gone is None or come is None:
            lines += [f"{'+' if gone is None else '-'} {line}" for line in come or gone or ()]
            continue
        if len(gone) > 1 or len(come) > 1:
            lines.append(f"  {head}")
        lines += [f"- {line}" for line in gone if line not in come]
        lines += [f"+ {line}" for line in come if line not in gone]
    return [*lines, "  #"] if lines else []
