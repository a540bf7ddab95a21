"""A configuration as the device holds it: lines under lines, each known by its key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from twin.standins.grammar import Rule

Key = tuple[str, ...]


@dataclass(slots=True)
class Node:
    """A line of configuration, and those inside the view it opens."""

    words: tuple[str, ...]
    rule: Rule | None = None
    children: dict[Key, Node] = field(default_factory=dict)

    @property
    def line(self) -> str:
        return " ".join(self.words)

    def copy(self) -> Node:
        return Node(self.words, self.rule, {key: node.copy() for key, node in self.children.items()})

    def same(self, other: Node) -> bool:
        """Do two trees say the same?  The order of typing does not count."""
        return (
            self.words == other.words
            and self.children.keys() == other.children.keys()
            and all(node.same(other.children[key]) for key, node in self.children.items())
        )

    def starting(self, *words: str) -> list[Node]:
        """Lines that begin with some words."""
        return [node for node in self.children.values() if node.words[: len(words)] == words]

    def get(self, *key: str) -> Node | None:
        return self.children.get(key)

    def drop(self, *words: str) -> int:
        """Take away every line that begins with some words; how many there were."""
        keys = [key for key, node in self.children.items() if node.words[: len(words)] == words]
        for key in keys:
            del self.children[key]
        return len(keys)

    def put(self, key: Key, node: Node) -> Node:
        """Set the line of a key; what the view of an equal old line held is kept, and its place."""
        old = self.children.get(key)
        if old is not None and old.words == node.words:
            return old
        self.children[key] = node
        return node

    def walk(self, above: tuple[Node, ...] = ()) -> Iterator[tuple[tuple[Node, ...], Node]]:
        """Every line with the lines above it."""
        for node in self.children.values():
            yield above, node
            yield from node.walk((*above, node))
