"""A configuration that may be shown and kept: secrets left out, by the vendor's own rulebook."""

from __future__ import annotations

from provision.platforms.base import Platform, read
from provision.platforms.rules import Rule, same_secret
from provision.platforms.tree import Node, dump

HIDDEN = "<secret>"


def hidden(platform: Platform, text: str, wanted: str = "") -> str:
    """The text as a tree, without what only a listing has (its first and last lines), and without secrets.

    A line with a secret that ``wanted`` names (``@secret:...@``) is shown as there; any other loses its value.
    Raises PatchError for a text that cannot be read.
    """
    book = platform.rulebook

    def rows(nodes: tuple[Node, ...], named: tuple[Node, ...], rules: tuple[Rule, ...]) -> tuple[Node, ...]:
        kept = []
        for node in nodes:
            if any(pattern.fullmatch(node.line) for pattern in book.ignored):
                continue
            _, rule, _, captured = book.of(node.line, rules)
            line = node.line
            if rule.hidden:
                same = (each.line for each in named if each.line == line or same_secret(line, each.line))
                line = next(same, _cut(line, captured))
            inner = tuple(child for each in named if each.line == node.line for child in each.children)
            kept.append(Node(line, rows(node.children, inner, rule.inside or ())))
        return tuple(kept)

    return dump(rows(read(platform, text), read(platform, wanted), book.rules))


def _cut(line: str, captured: tuple[str, ...]) -> str:
    """The line without its last value, where the secret stands, with whatever follows it."""
    value = captured[-1] if captured else ""
    return f"{line.removesuffix(value)}{HIDDEN}" if value and line.endswith(value) else line
