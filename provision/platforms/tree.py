"""A vendor's configuration text as a tree of lines.

Vendors indent what belongs to a view by one or more blanks; a line of its own (``#``, ``!``) only separates.  A text
that spans lines (a banner) is one line with line breaks in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Node:
    """One line and what stands in the view that it opens."""

    line: str
    children: tuple[Node, ...] = ()
    number: int = field(default=0, compare=False)  # of the text's line, from 1; 0 where it comes from no text

    def walk(self) -> Iterator[Node]:
        """This node and everything below it."""
        yield self
        for child in self.children:
            yield from child.walk()


class _Growing:
    """A line whose view is still being read."""

    def __init__(self, line: str, number: int = 0) -> None:
        self.line = line
        self.number = number
        self.children: list[_Growing] = []

    def freeze(self) -> Node:
        return Node(self.line, tuple(child.freeze() for child in self.children), self.number)


def parse(
    text: str, *, separators: tuple[str, ...] = ("#", "!"), multiline: tuple[re.Pattern[str], ...] = ()
) -> tuple[Node, ...]:
    """The lines at the top, each with its own.

    ``separators`` are lines (as a whole, or their first character followed by a blank; all that begin so, with ``*`` at
    the end) without a meaning.  A line that one of ``multiline`` matches opens a text whose delimiter is the group
    ``quote``; it goes on until that comes again.
    """
    root = _Growing("")
    stack = [(-1, root)]
    rows = enumerate(text.splitlines(), 1)
    starts = tuple(mark.removesuffix("*") if mark.endswith("*") else f"{mark} " for mark in separators)
    for number, row in rows:
        line = row.strip()
        if row.rstrip() in separators:
            del stack[1:]  # at the margin it ends every view: Comware indents some lines that belong to none
        if not line or line in separators or line.startswith(starts):
            continue
        grown = _Growing(_whole(line, rows, multiline), number)
        indent = len(row) - len(row.lstrip())
        while indent <= stack[-1][0]:
            stack.pop()
        stack[-1][1].children.append(grown)
        stack.append((indent, grown))
    return root.freeze().children


def _whole(line: str, rows: Iterator[tuple[int, str]], multiline: tuple[re.Pattern[str], ...]) -> str:
    """The line with everything up to the second delimiter of its text."""
    for pattern in multiline:
        found = pattern.match(line)
        if found is None:
            continue
        quote = found["quote"]
        if quote in line[found.end("quote") :]:
            return line
        parts = [line]
        for _, row in rows:
            parts.append(row.rstrip())
            if quote in row:
                break
        return "\n".join(parts)
    return line


def dump(nodes: tuple[Node, ...], indent: str = " ", depth: int = 0) -> str:
    """The text of a tree, one blank deeper in each view."""
    return "".join(f"{indent * depth}{node.line}\n{dump(node.children, indent, depth + 1)}" for node in nodes)
