"""Routing tables: longest prefix match as spans, and rules that choose the table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from provision.prove.sets import Box, Span, cut, meet, minus, normal, take

CONNECTED, STATIC, OSPF, IBGP = 0, 1, 110, 200
MAIN = "main"


class Hop(NamedTuple):
    """Where a route leads: an interface, and the next router's address (None: the target itself is there)."""

    dev: str
    via: int | None


@dataclass(frozen=True, slots=True)
class Route:
    """One route."""

    first: int
    length: int
    hop: Hop
    distance: int
    metric: int
    where: str  # file:line, and what kind of route

    @property
    def last(self) -> int:
        """Last address."""
        return self.first | ((1 << (32 - self.length)) - 1)

    @property
    def rank(self) -> tuple[int, int]:
        """Lower is preferred among routes of one prefix."""
        return (self.distance, self.metric)


@dataclass(frozen=True, slots=True)
class Selector:
    """One ``ip rule``."""

    priority: int
    table: str
    source: Span | None = None
    iif: str = ""
    mark: int | None = None


class Table:
    """One routing table."""

    def __init__(self, routes: Iterable[Route]) -> None:
        best: dict[tuple[int, int], Route] = {}
        for route in routes:
            key = (route.first, route.length)
            if key not in best or route.rank < best[key].rank:
                best[key] = route
        self.routes = sorted(best.values(), key=lambda each: (each.first, each.length))
        self.groups = self._groups()
        self.covered: Span = normal(interval for span in self.groups.values() for interval in span)

    def _groups(self) -> dict[Hop, Span]:
        """The destinations of every hop: a sweep with the enclosing prefixes on a stack."""
        pieces: dict[Hop, list[tuple[int, int]]] = {}
        stack: list[Route] = []
        at = 0

        def paint(until: int) -> None:
            nonlocal at
            while stack and at <= until:
                top = stack[-1]
                end = min(top.last, until)
                if at <= end:
                    pieces.setdefault(top.hop, []).append((at, end))
                    at = end + 1
                if top.last <= until:
                    stack.pop()
                else:
                    break

        for route in self.routes:
            paint(route.first - 1)
            at = max(at, route.first)
            stack.append(route)
        paint((1 << 32) - 1)
        return {hop: normal(found) for hop, found in pieces.items()}

    def best(self, address: int) -> Route | None:
        """The route of one address."""
        matches = [each for each in self.routes if each.first <= address <= each.last]
        return max(matches, key=lambda each: each.length, default=None)


class Fib:
    """All tables of a space with the rules that choose among them."""

    def __init__(self, tables: dict[str, Table], selectors: Iterable[Selector]) -> None:
        self.tables = tables
        ordered = sorted(selectors, key=lambda each: each.priority)
        self.selectors = [*ordered, Selector(32766, MAIN)]

    def _fitting(self, iif: str, mark: int) -> Iterator[Selector]:
        for each in self.selectors:
            if (not each.iif or each.iif == iif) and (each.mark is None or each.mark == mark):
                yield each

    def split(self, box: Box, iif: str, mark: int) -> tuple[list[tuple[Hop, Box]], list[Box]]:
        """(where which packets go, those without a route)."""
        found: list[tuple[Hop, Box]] = []
        rest = [box]
        for selector in self._fitting(iif, mark):
            table = self.tables.get(selector.table)
            if table is None:
                continue
            left: list[Box] = []
            for each in rest:
                inside: Box | None = each
                if selector.source is not None:
                    limit = Box(src=selector.source)
                    inside = cut(each, limit)
                    if inside is None:
                        left.append(each)
                        continue
                    left += take(each, limit)
                if inside is None:
                    continue
                for hop, span in table.groups.items():
                    target = meet(inside.dst, span)
                    if target:
                        found.append((hop, inside._replace(dst=target)))
                unrouted = minus(inside.dst, table.covered)
                if unrouted:
                    left.append(inside._replace(dst=unrouted))
            rest = left
            if not rest:
                break
        return found, rest

    def route(self, source: int, target: int, iif: str, mark: int) -> Route | None:
        """The route of one packet, for a witness."""
        for selector in self._fitting(iif, mark):
            if selector.source is not None and not any(low <= source <= high for low, high in selector.source):
                continue
            table = self.tables.get(selector.table)
            found = table.best(target) if table else None
            if found is not None:
                return found
        return None
