"""Least-cost paths over the county's graph towards one host, as ``inventory.impact`` searches them."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Edge:
    """A cable as seen from one of its ends."""

    link: str
    to: str
    cost: int
    host: str  # of ``to``


@dataclass(slots=True)
class Tree:
    """Least-cost paths towards one host."""

    cost: dict[str, int] = field(default_factory=dict)
    via: dict[str, Edge] = field(default_factory=dict)  # node -> edge towards the root

    def path(self, node: str) -> tuple[str, ...] | None:
        """Links from ``node`` to the root; None when there is no way."""
        if node not in self.cost:
            return None
        links: list[str] = []
        while node in self.via:
            edge = self.via[node]
            links.append(edge.link)
            node = edge.to
        return tuple(links)

    def path_into(self, node: str, homes: Set[str]) -> tuple[tuple[str, ...], str]:
        """Links from ``node`` to the first of these hosts on its way to the root, and that host."""
        links: list[str] = []
        while node not in homes and node in self.via:
            edge = self.via[node]
            links.append(edge.link)
            node = edge.to
        return tuple(links), node
