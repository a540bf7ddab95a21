"""The difference of two configurations, for people."""

from __future__ import annotations

from provision.platforms.acl import same_rule
from provision.platforms.halves import parts
from provision.platforms.rules import Rule, Rulebook, same_secret
from provision.platforms.tree import Node, dump


def difference(book: Rulebook, before: tuple[Node, ...], after: tuple[Node, ...]) -> str:
    """Removed lines with ``-``, new ones with ``+``, the views they stand in with a blank; "" when nothing differs."""
    return "".join(f"{row}\n" for row in _rows(book, before, after, book.rules, 0))


def _rows(
    book: Rulebook, before: tuple[Node, ...], after: tuple[Node, ...], rules: tuple[Rule, ...], depth: int
) -> list[str]:
    old, new = (
        {
            _face(book, node, rules): node
            for node in nodes
            if not any(pattern.fullmatch(node.line) for pattern in book.ignored)
        }
        for nodes in (before, after)
    )
    rows: list[str] = []
    for face, node in old.items():
        rule = book.of(node.line, rules)[1]
        if face not in new and not rule.stays and not (rule.keeps and not node.children):
            rows += _whole("-", node, depth)
    for face, node in new.items():
        there = old.get(face)
        rule = book.of(node.line, rules)[1]
        if there is None and rule.keeps and not node.children:
            continue
        if there is None:
            rows += _whole("+", node, depth)
        elif there.line != node.line and not (same_secret(there.line, node.line) or same_rule(there.line, node.line)):
            rows += [*_whole("-", there, depth), *_whole("+", node, depth)]
        elif there.children or node.children:
            inner = _rows(book, there.children, node.children, book.of(node.line, rules)[1].inside or (), depth + 1)
            if inner:
                rows += [f" {' ' * depth}{node.line}", *inner]
    return rows


def _face(book: Rulebook, node: Node, rules: tuple[Rule, ...]) -> str:
    """What a person compares: the line, a secret's own text left out, the parts of an access list's rule sorted."""
    place, rule, identity, _ = book.of(node.line, rules)
    if rule.change == "acl":
        head, named = parts(node.line.split()[2:])
        return " ".join(
            [*node.line.split()[:2], *head, *(word for name in sorted(named) for word in (name, *named[name]))]
        )
    if rule.hidden:
        return f"{place} {identity}"
    return node.line


def _whole(sign: str, node: Node, depth: int) -> list[str]:
    return [f"{sign}{' ' * depth}{row}" for row in dump((node,)).splitlines()]
