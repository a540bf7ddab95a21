"""What a fault means: from dead links and hosts to paths, sites, halls and meetings. Pure, no input but its arguments.

    impacts = ImpactMap(model)
    impact = impacts.of(Faults(links=frozenset({"ring-c1-c2"})), meetings)
    impact.sites_cut, impact.halls, impact.meetings

Build one ``ImpactMap`` per model and ask it on each event: an answer is a handful of searches over the county's
graph (a few milliseconds for 300 hosts). A site counts as cut when its gateway reaches no live centre router (a site
behind the VPN: also when it does not reach the firewall and the VPN gateway; one with an access switch: also when none
of the ports its users hang on does). Paths follow the routing of
``docs/architecture.md``: an access router sends to its first home while the underlay reaches it, by least OSPF cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from heapq import heappop, heappush
from typing import Any

from inventory.model import Hall, Host, LinkKind, NetworkModel, Port, Role, Site, SiteKind
from inventory.tree import Edge, Tree

_GATEWAY_ORDER = (Role.CORE, Role.ACCESS, Role.CPE, Role.PARTNER, Role.HEADEND, Role.LEAF)
_ARMS = frozenset({LinkKind.RING, LinkKind.ACCESS, LinkKind.SPUR, LinkKind.BROADBAND, LinkKind.CABLE})


@dataclass(frozen=True, slots=True)
class Faults:
    """Names of links and hosts that are down; names the model does not know are ignored.

    ``stuck``: hosts that live and forward nothing (their routing stands still); ``apart``: centre routers that tell the
    others no routes; ``mute``: hosts whose services do not
    answer; ``degraded``: links that carry badly.
    """

    links: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    stuck: frozenset[str] = frozenset()
    apart: frozenset[str] = frozenset()
    mute: frozenset[str] = frozenset()
    degraded: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Meeting:
    """A meeting that runs, or that will: its halls are codes of ``NetworkModel.halls``."""

    id: str
    title: str
    halls: tuple[str, ...]
    starts_at: float | None = None  # UNIX seconds
    ends_at: float | None = None


class HallState(StrEnum):
    """What a fault did to a hall's way into its meetings, worst first."""

    CUT = "cut"  # no way at all
    ALONE = "alone"  # cut off from the county: meetings of its own site's relay go on
    REROUTED = "rerouted"  # goes on over a backup path
    DEGRADED = "degraded"  # its path has a link that carries badly
    UNPROTECTED = "unprotected"  # same path, but the next fault of its site cuts it


@dataclass(frozen=True, slots=True)
class HallImpact:
    """One hall concerned, with the links it used and those it uses now (hall first), as far as the county's relay;
    by its site's own relay where it has one, so that this one's cable is passed twice."""

    hall: str
    state: HallState
    before: tuple[str, ...]
    after: tuple[str, ...]  # () when cut
    capacity_bps: int  # of the narrowest link of ``after``; 0 when cut
    spare_bps: int | None  # what that path still carries under the measured load; None without measurements
    shared: tuple[str, ...] = ()  # ducts that the new path shares with the part of the old one that failed


@dataclass(frozen=True, slots=True)
class MeetingImpact:
    """One meeting concerned and the state of each of its halls concerned."""

    meeting: str
    title: str
    halls: tuple[HallImpact, ...]
    starts_at: float | None = None  # UNIX seconds
    ends_at: float | None = None

    @property
    def cut(self) -> tuple[str, ...]:
        """Halls that lost the meeting."""
        return tuple(hall.hall for hall in self.halls if hall.state is HallState.CUT)

    @property
    def alone(self) -> tuple[str, ...]:
        """Halls that the meeting goes on without, among themselves, until their site is reached again."""
        return tuple(hall.hall for hall in self.halls if hall.state is HallState.ALONE)


@dataclass(frozen=True, slots=True)
class ServiceImpact:
    """A hosted system whose first reachable backend is not its usual one; ``backend`` is "" when none is left."""

    service: str
    usual: str
    backend: str


@dataclass(frozen=True, slots=True)
class NetworkCut:
    """A site whose users lost one network at their access switch, and not the others."""

    site: str
    network: str


@dataclass(frozen=True, slots=True)
class Impact:
    """Everything a set of faults means; all tuples are in the model's order."""

    links: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    centres_dead: tuple[str, ...] = ()  # centres whose router is down
    centres_apart: tuple[str, ...] = ()  # live centres that no longer reach the first live one
    sites_cut: tuple[str, ...] = ()
    networks_cut: tuple[NetworkCut, ...] = ()  # of sites that are not cut
    sites_unprotected: tuple[str, ...] = ()  # in service, but on their last arm (a centre: at most one ring fibre)
    halls: tuple[HallImpact, ...] = ()
    meetings: tuple[MeetingImpact, ...] = ()
    services: tuple[ServiceImpact, ...] = ()

    @property
    def none(self) -> bool:
        """True when nothing and nobody is concerned."""
        return self == Impact()


def document(impact: Impact) -> dict[str, Any]:
    """The impact as JSON types, under its own field names."""
    return asdict(impact)


@dataclass(frozen=True, slots=True)
class _Users:
    """Where a site's users of one network are plugged into their access switch."""

    network: str
    cable: str
    port: str  # the switch's node


def _node(host: Host, port: Port) -> str:
    """A node of the graph: a host; a switch's VLANs and the legs of users' computers each for themselves.

    Neither lets anything pass from one to the other.
    """
    if host.role is Role.SWITCH:
        return f"{host.name}/{port.bridge}"
    return f"{host.name}/{port.name}" if host.role is Role.LEAF and len(host.ports) > 1 else host.name


class ImpactMap:
    """The county's graph, made once per model."""

    def __init__(self, model: NetworkModel) -> None:
        self.model = model
        self._edges: dict[str, list[Edge]] = {}
        self._host: dict[str, str] = {}  # node -> its host
        nodes: dict[tuple[str, str], str] = {}
        for host in model.hosts.values():
            for port in host.ports:
                nodes[host.name, port.name] = _node(host, port)
            for node in [nodes[host.name, port.name] for port in host.ports] or [host.name]:
                self._edges[node], self._host[node] = [], host.name
        for host in model.hosts.values():
            for port in host.ports:
                cost = port.ospf_cost if port.ospf else 1
                to = nodes[port.peer_host, port.peer_port]
                self._edges[nodes[host.name, port.name]].append(Edge(port.link, to, cost, port.peer_host))
        self._gateway = {code: gateway for code in model.sites if (gateway := self._find_gateway(code))}
        self._cores = {code: host for code, host in self._gateway.items() if model.hosts[host].role is Role.CORE}
        self._arms = {code: self._find_arms(code) for code in self._gateway}
        self._tunnels: dict[str, list[str]] = {}
        for tunnel in model.tunnels.values():
            self._tunnels.setdefault(tunnel.site, []).append(tunnel.gateway)
        self._users = self._find_users(nodes)
        self._usual = self.paths(Faults())

    def of(
        self, faults: Faults, meetings: Sequence[Meeting] = (), load_bps: Mapping[str, float] | None = None
    ) -> Impact:
        """What these faults mean; ``load_bps`` is the measured load per link name, for the spare capacity."""
        model = self.model
        told = faults
        degraded = faults.degraded & model.links.keys() - faults.links
        down = (faults.hosts | faults.stuck) & model.hosts.keys()
        faults = Faults(
            faults.links & model.links.keys(), down, told.stuck - told.hosts, apart=faults.apart, mute=told.mute
        )
        if not (faults.links or faults.hosts or faults.apart or told.mute or degraded):
            return Impact()
        part = self._parts(faults)
        live_cores = {code: part[host] for code, host in self._cores.items() if host in part}
        served = set(live_cores.values())
        without = {
            code: [each.network for each in users if each.cable in faults.links or part.get(each.port) not in served]
            for code, users in self._users.items()
        }
        dark = {code for code, users in self._users.items() if len(without[code]) == len(users)}
        cut = [
            code
            for code in self._gateway
            if not model.sites[code].kind.outside and (code in dark or self._cut(code, part, served))
        ]
        lost = set(cut)
        unprotected = [
            code
            for code, arms in self._arms.items()
            if code not in lost and len({home for _, home in arms}) > 1 and len(self._live_homes(code, faults)) < 2
        ]
        halls = self._halls(faults, set(unprotected), degraded, load_bps)
        by_hall = {hall.hall: hall for hall in halls}
        return Impact(
            links=tuple(name for name in model.links if name in faults.links),
            hosts=tuple(name for name in model.hosts if name in told.hosts),
            centres_dead=tuple(code for code in self._cores if code not in live_cores),
            centres_apart=tuple(code for code, at in live_cores.items() if at != next(iter(live_cores.values()))),
            sites_cut=tuple(cut),
            networks_cut=tuple(
                NetworkCut(code, name) for code, names in without.items() if code not in lost for name in names
            ),
            sites_unprotected=tuple(unprotected),
            halls=halls,
            meetings=tuple(
                MeetingImpact(meeting.id, meeting.title, concerned, meeting.starts_at, meeting.ends_at)
                for meeting in meetings
                if (concerned := tuple(by_hall[hall] for hall in meeting.halls if hall in by_hall))
            ),
            services=tuple(self._services(part, served, told.mute)),
        )

    # The graph of the whole county.

    def _find_gateway(self, code: str) -> str:
        """The host that carries the site's traffic in and out; "" when it has none."""
        hosts = list(self.model.site_hosts(code))
        for role in _GATEWAY_ORDER:
            for host in hosts:
                if host.role is role:
                    return host.name
        return ""

    def _find_arms(self, code: str) -> tuple[tuple[str, str], ...]:
        """(link, far host) of every line that leaves the site towards its homes; a centre's are the ring's."""
        gateway, site = self._gateway[code], self.model.sites[code]
        return tuple(
            (edge.link, edge.to)
            for edge in self._edges[gateway]
            if self.model.links[edge.link].kind in _ARMS
            and (self.model.hosts[edge.to].site in site.homes or self._ring(edge.link))
        )

    def _find_users(self, nodes: Mapping[tuple[str, str], str]) -> dict[str, list[_Users]]:
        """Of every site with an access switch."""
        found: dict[str, list[_Users]] = {}
        for endpoint in self.model.endpoints:
            for port in self.model.hosts[endpoint.host].ports:
                own = port.address is not None and port.address.ip == endpoint.address
                if own and self.model.hosts[port.peer_host].role is Role.SWITCH:
                    node = nodes[port.peer_host, port.peer_port]
                    found.setdefault(endpoint.site, []).append(_Users(endpoint.network, port.link, node))
        return found

    def _ring(self, link: str) -> bool:
        return self.model.links[link].kind is LinkKind.RING

    # One answer.

    def _alive(self, node: str, faults: Faults) -> Iterable[Edge]:
        return (e for e in self._edges[node] if e.link not in faults.links and e.host not in faults.hosts)

    def _parts(self, faults: Faults) -> dict[str, int]:
        """Live node -> number of the connected part it is in."""
        part: dict[str, int] = {}
        for start, host in self._host.items():
            if start in part or host in faults.hosts:
                continue
            number, queue = len(part), [start]
            part[start] = number
            while queue:
                for edge in self._alive(queue.pop(), faults):
                    if edge.to not in part:
                        part[edge.to] = number
                        queue.append(edge.to)
        return part

    def _cut(self, code: str, part: Mapping[str, int], served: set[int]) -> bool:
        gateway = self._gateway[code]
        if part.get(gateway) not in served:
            return True
        ends = self._tunnels.get(code)
        if not ends:
            return False
        # Whatever comes to the VPN gateway from outside or from the cable network passes the firewall.
        return part.get(self.model.firewall) != part[gateway] or all(part.get(end) != part[gateway] for end in ends)

    def _live_homes(self, code: str, faults: Faults) -> set[str]:
        return {home for link, home in self._arms[code] if link not in faults.links and home not in faults.hosts}

    def _tree(self, root: str, faults: Faults) -> Tree:
        """Dijkstra from ``root``; ties go to the link written first."""
        tree = Tree()
        if root in faults.hosts:
            return tree
        tree.cost[root] = 0
        queue = [(0, root)]
        while queue:
            cost, here = heappop(queue)
            if cost > tree.cost[here]:
                continue
            for edge in self._alive(here, faults):
                reached = cost + edge.cost
                if reached < tree.cost.get(edge.to, reached + 1):
                    tree.cost[edge.to] = reached
                    tree.via[edge.to] = Edge(edge.link, here, edge.cost, self._host[here])
                    heappush(queue, (reached, edge.to))
        return tree

    def paths(self, faults: Faults) -> dict[str, tuple[str, ...] | None]:
        """Hall -> links to the county's relay, the hall's own first, under these faults; only those to its site's own
        relay where that is all it reaches; None: there is no way."""
        trees: dict[str, Tree] = {}

        def towards(host: str) -> Tree:
            if host not in trees:
                trees[host] = self._tree(host, faults)
            return trees[host]

        near = replace(faults, hosts=faults.hosts - faults.stuck)  # a room's cables are joined whatever is routed
        paths: dict[str, tuple[str, ...] | None] = {}
        for hall in self.model.halls.values():
            own = self._own_relay(hall, near)
            start = hall.host if own is None else hall.relay
            above = (hall.fallback,) if self._with_own_relay(hall) else (hall.relay, hall.fallback)
            relays = (relay for relay in above if relay and relay not in faults.mute)
            ways = (self._way(hall, start, relay, faults, towards) for relay in relays)
            further = None if hall.host in faults.hosts else next((way for way in ways if way is not None), None)
            paths[hall.code] = own if further is None else (own or ()) + further
        return paths

    def _own_relay(self, hall: Hall, faults: Faults) -> tuple[str, ...] | None:
        """Links from a hall to the relay of its own site; None where it has none, or cannot use it."""
        if not self._with_own_relay(hall) or hall.host in faults.hosts or hall.relay in faults.mute:
            return None
        gov = self.model.networks["gov"].prefix
        legs = (port for port in self.model.hosts[hall.relay].ports if not (port.address and port.address.ip in gov))
        faults = replace(faults, links=faults.links.union(port.link for port in legs))
        return self._tree(hall.relay, faults).path(hall.host)

    def _with_own_relay(self, hall: Hall) -> bool:
        return self.model.hosts[hall.relay].site == hall.site and hall.site not in self._cores

    def _way(
        self, hall: Hall, start: str, relay: str, faults: Faults, towards: Callable[[str], Tree]
    ) -> tuple[str, ...] | None:
        """Links from a host of the hall's site to a relay of the county; None: there is no way."""
        if towards(relay).path(start) is None:
            return None
        site = self._backbone_site(hall.site)
        home = next((core for core in self._homes(site) if towards(core).path(start) is not None), relay)
        # Every home of a site holds the overlay's anycast address: the first one on the way takes the packet.
        first, home = towards(home).path_into(start, set(self._homes(site)))
        second = towards(relay).path(home)
        far = self._cores.get(self.model.hosts[relay].site, home)
        if second is None or (home != far and faults.apart.intersection((home, far))):
            return None
        return first + second

    def _backbone_site(self, code: str) -> Site:
        """The site itself, or the first one above it that hangs on centres."""
        site = self.model.sites[code]
        for _ in range(4):  # village, township, centre: a county is never deeper
            if site.kind is SiteKind.CENTRE or not site.homes or site.homes[0] in self._cores:
                break
            site = self.model.sites[site.homes[0]]
        return site

    def _homes(self, site: Site) -> Iterable[str]:
        homes = (site.code,) if site.kind is SiteKind.CENTRE else site.homes
        return (self._cores[home] for home in homes if home in self._cores)

    def _halls(
        self, faults: Faults, unprotected: set[str], degraded: Set[str], load_bps: Mapping[str, float] | None
    ) -> tuple[HallImpact, ...]:
        found = []
        for code, after in self.paths(faults).items():
            before = self._usual[code]
            if before is None:
                continue  # the model gives it no way even without faults
            if after is None:
                found.append(HallImpact(code, HallState.CUT, before, (), 0, 0 if load_bps is not None else None))
                continue
            weak = self._backbone_site(self.model.halls[code].site).code in unprotected
            bad = not degraded.isdisjoint(after)
            if after == before and not weak and not bad:
                continue
            state = HallState.REROUTED if after != before else HallState.DEGRADED if bad else HallState.UNPROTECTED
            if after == before[: len(after)] and len(after) < len(before):
                state = HallState.ALONE  # as far as its own relay, and no further
            rates = {name: self.model.links[name].rate_bps for name in after}
            spare = None
            if load_bps is not None:
                spare = int(max(0, min((rate - load_bps.get(name, 0.0) for name, rate in rates.items()), default=0)))
            shared = self._ducts(set(before) - set(after)) & self._ducts(after)
            narrowest = min(rates.values(), default=0)
            found.append(HallImpact(code, state, before, after, narrowest, spare, tuple(sorted(shared))))
        return tuple(found)

    def _ducts(self, links: Iterable[str]) -> set[str]:
        return {duct for name in links for duct in self.model.links[name].ducts}

    def _services(self, part: Mapping[str, int], served: set[int], mute: Set[str]) -> Iterable[ServiceImpact]:
        for service in self.model.services.values():
            if not service.backends:
                continue
            usual = service.backends[0].host
            answering = next(
                (b.host for b in service.backends if part.get(b.host) in served and b.host not in mute), ""
            )
            if answering != usual:
                yield ServiceImpact(service.name, usual, answering)
