"""What is broken, as opposed to what merely suffers: so that one fault raises one alert.

- A host with several cables that is silent while all of them are dead is itself the fault; its cables are not.
- A silent host with one cable that is dead: the cable is the fault (nobody can tell, and a cut fibre must name the
  link); the host behind it is not.
- What can only be reached through a fault, or through a tunnel that is down, is not a fault of its own.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from collectors.expected import Expected
from collectors.status import tunnel_up
from collectors.view import AgentView
from inventory.model import NetworkModel


class HasState(Protocol):
    """Anything judged."""

    @property
    def state(self) -> str:
        """up, down or unknown."""
        ...


@dataclass(frozen=True, slots=True)
class Broken:
    """Names of the links and hosts that are faults themselves."""

    links: frozenset[str]
    hosts: frozenset[str]


class Causes:
    """Knows who hangs on whom."""

    def __init__(self, model: NetworkModel, expected: Expected) -> None:
        self._model = model
        self._expected = expected
        self._links_of: dict[str, list[str]] = defaultdict(list)
        for link in model.links.values():
            for end in link.ends:
                self._links_of[end.host].append(link.name)
        self._tunnel_of = {tunnel.host: tunnel.name for tunnel in model.tunnels.values()}

    def find(
        self, links: Mapping[str, HasState], hosts: Mapping[str, HasState], views: Mapping[str, AgentView]
    ) -> Broken:
        """``links`` and ``hosts`` as judged; what is missing in them counts as unknown."""
        dead = {name for name, seen in hosts.items() if seen.state == "down"}
        cut = {name for name, seen in links.items() if seen.state == "down"}
        if not dead and not cut:
            return Broken(frozenset(), frozenset())
        reached = self._reached(dead, cut)
        broken_hosts = {name for name in dead if self._host_is_cause(name, cut, reached, views)}
        broken_links = {name for name in cut if self._link_is_cause(name, broken_hosts, reached)}
        return Broken(frozenset(broken_links), frozenset(broken_hosts))

    def _ends(self, link: str) -> tuple[str, str]:
        found = self._model.links[link]
        return found.a.host, found.b.host

    def _reached(self, dead: set[str], cut: set[str]) -> set[str]:
        """Hosts that the management host reaches over cables that are not cut, through hosts that live."""
        start = self._model.nms
        reached, queue = {start}, deque([start])
        while queue:
            host = queue.popleft()
            for link in self._links_of[host]:
                if link in cut:
                    continue
                for other in self._ends(link):
                    if other not in reached and other not in dead:
                        reached.add(other)
                        queue.append(other)
        return reached

    def _host_is_cause(self, name: str, cut: set[str], reached: set[str], views: Mapping[str, AgentView]) -> bool:
        near = [link for link in self._links_of[name] if reached.intersection(self._ends(link))]
        if not near:
            return False  # all its neighbours are out of reach: something nearer is broken
        if len(self._links_of[name]) == 1:
            if near[0] in cut:
                return False  # its only cable is dead: the cable is named
            return not self._behind_a_tunnel(name, views)
        return True

    def _behind_a_tunnel(self, name: str, views: Mapping[str, AgentView]) -> bool:
        """True when the host is managed through a tunnel whose gateway has lost it."""
        tunnel = self._expected.tunnels.get(self._tunnel_of.get(name, ""))
        if tunnel is None:
            return False
        gateway = views.get(tunnel.gateway)
        return gateway is None or not gateway.connected or not tunnel_up(tunnel, gateway)

    def _link_is_cause(self, name: str, broken_hosts: set[str], reached: set[str]) -> bool:
        ends = self._ends(name)
        return not broken_hosts.intersection(ends) and bool(reached.intersection(ends))
