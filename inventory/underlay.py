"""Which fibres carry a packet between two routers: OSPF's answer, computed from the model alone.

Shortest path first over the fibres that are whole (RFC 2328 section 16.1), and for an anycast VTEP the
nearest centre that announces it (distance plus the cost it announces).  Pure; ties go to the lower name.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv4Address

from inventory.model import ROUTERS, NetworkModel


@dataclass(frozen=True, slots=True)
class Carried:
    """How an underlay packet travels: to which router, over which links."""

    host: str
    links: tuple[str, ...]


class Underlay:
    """The backbone with some links cut and some hosts dead."""

    def __init__(self, model: NetworkModel, cut: Collection[str] = (), dead: Collection[str] = ()) -> None:
        self._near: dict[str, list[tuple[int, str, str]]] = {}
        self._holders: dict[IPv4Address, list[tuple[str, int]]] = {}
        self._trees: dict[str, dict[str, tuple[int, tuple[str, ...]]]] = {}
        for host in model.by_role(*ROUTERS):
            if host.name in dead:
                continue
            underlay = host.vrf("")
            for loopback in underlay.loopbacks:
                self._holders.setdefault(loopback.ip, []).append((host.name, 0))
            for vtep, metric in underlay.anycast_vteps:
                self._holders.setdefault(vtep.ip, []).append((host.name, metric))
            self._near[host.name] = [
                (port.ospf_cost, port.peer_host, port.link)
                for port in host.ports
                if port.ospf and port.link not in cut and port.peer_host not in dead
            ]

    def carry(self, source: str, target: IPv4Address) -> Carried | None:
        """From a router to a VTEP; None when no fibre leads there or nobody alive holds it."""
        tree = self._tree(source)
        choices = [
            (tree[holder][0] + metric, holder) for holder, metric in self._holders.get(target, ()) if holder in tree
        ]
        if not choices:
            return None
        _, holder = min(choices)
        return Carried(holder, tree[holder][1])

    def _tree(self, source: str) -> dict[str, tuple[int, tuple[str, ...]]]:
        """Distance and links from a router to every router it reaches."""
        if source in self._trees:
            return self._trees[source]
        done: dict[str, tuple[int, tuple[str, ...]]] = {}
        queue: list[tuple[int, str, tuple[str, ...]]] = [(0, source, ())] if source in self._near else []
        while queue:
            distance, name, links = heapq.heappop(queue)
            if name in done:
                continue
            done[name] = (distance, links)
            for cost, peer, link in self._near[name]:
                if peer not in done:
                    heapq.heappush(queue, (distance + cost, peer, (*links, link)))
        self._trees[source] = done
        return done
