"""Follow a packet through the model: longest prefix match, overlay, firewall, tunnel, hop by hop.

No packet is sent and no device asked: this is what the written county *means*.  The same walk with links
cut or hosts dead says what a fault would do.

>>> from inventory.load import load_model
>>> county = County(load_model("shili"))
>>> hall, portal = county.model.endpoint("t01", "gov"), county.model.services["portal"]
>>> county.walk(Flow(hall.host, hall.vrf, hall.address, portal.address, "tcp", 443)).verdict
'delivered'
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network

from inventory.model import NetworkModel, Role, SiteKind, StaticRoute, Tunnel
from inventory.plan import DEFAULT, FIRST_HOME_METRIC
from inventory.wiring import Interface, Space, Wiring

MAX_HOPS = 24
TUNNEL_PORTS = {"wireguard": (51820,), "ipsec": (500, 4500)}
CONNECTED, STATIC, LEARNED = 0, 1, 200  # administrative distances; between the centres iBGP


@dataclass(frozen=True, slots=True)
class Flow:
    """A packet about to leave a space."""

    host: str
    vrf: str
    source: IPv4Address
    target: IPv4Address
    protocol: str = "icmp"
    port: int = 0
    established: bool = False  # an answer: the firewall lets it through
    line: str = ""  # of an answer: the carrier by whose line the question came in


@dataclass(frozen=True, slots=True)
class Walk:
    """What became of it."""

    verdict: str  # "delivered", "denied", "unrouted" or "looped"
    hops: tuple[Space, ...]  # spaces it was in, the last is where it ended
    links: tuple[str, ...]  # links it crossed, in order
    crossings: tuple[tuple[str, str], ...] = ()  # zones at the firewall, outer packets of tunnels included
    rule: str = ""  # policy rule that let it cross


@dataclass(frozen=True, slots=True)
class Route:
    """One line of a routing table."""

    prefix: IPv4Network
    distance: int
    metric: int
    out: Interface
    via: IPv4Address | None  # None: the target itself is on the interface
    ruled: bool = False  # found by a source rule, ahead of the main table and of tunnels


@dataclass(slots=True)
class _Trip:
    """A walk under way."""

    flow: Flow
    space: Space
    came: Interface | None = None
    hops: list[Space] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    crossings: list[tuple[str, str]] = field(default_factory=list)
    rule: str = ""
    ended: str = ""

    def result(self, verdict: str) -> Walk:
        return Walk(verdict, tuple(self.hops), tuple(self.links), tuple(self.crossings), self.rule)


class County:
    """A model with some links cut and some hosts dead, ready to be walked."""

    def __init__(self, model: NetworkModel, cut: Collection[str] = (), dead: Collection[str] = ()) -> None:
        self.model = model
        self.wiring = Wiring(model, cut, dead)
        self._tables: dict[Space, list[Route]] = {}
        self._by_host: dict[str, list[Tunnel]] = {}
        for tunnel in model.live_tunnels():
            self._by_host.setdefault(tunnel.host, []).append(tunnel)
            self._by_host.setdefault(tunnel.gateway, []).append(tunnel)
        self._nat = {line.address.ip for line in model.exits}

    def walk(self, flow: Flow) -> Walk:
        """Follow a packet to where it ends."""
        trip = _Trip(flow, (flow.host, flow.vrf))
        while not trip.ended:
            self._hop(trip)
        return trip.result(trip.ended)

    def round_trip(self, flow: Flow) -> tuple[Walk, Walk | None]:
        """The packet and its answer (None when it never arrives), through the exit's address translation."""
        there = self.walk(flow)
        if there.verdict != "delivered":
            return there, None
        host, vrf = there.hops[-1]
        answer = Flow(host, vrf, flow.target, flow.source, flow.protocol, flow.port, established=True)
        line = next((line for line in self.model.exits if line.carrier == self.model.hosts[host].site), None)
        if line is not None:
            back = self.walk(replace(answer, target=line.address.ip))
            if back.verdict != "delivered":
                return there, back
            inside = self.walk(replace(answer, host=self.model.firewall, vrf=""))
            source, target = there.crossings[-1]
            return there, Walk(
                inside.verdict,
                back.hops + inside.hops[1:],
                back.links + inside.links,
                ((target, source), *inside.crossings),
            )
        return there, self.walk(answer)

    def _hop(self, trip: _Trip) -> None:
        trip.hops.append(trip.space)
        if trip.space not in self.wiring.interfaces:
            trip.ended = "unrouted"
            return
        self._translate(trip)
        if trip.flow.target in self.wiring.local[trip.space]:
            trip.ended = "delivered"
            return
        if len(trip.hops) > MAX_HOPS:
            trip.ended = "looped"
            return
        route = self._lookup(trip)
        tunnel = self._tunnel(trip, route)
        if tunnel is not None:
            self._enter(trip, tunnel)
            return
        if route is None:
            trip.ended = "unrouted"
            return
        if trip.space == (self.model.firewall, "") and not self._allowed(trip, route.out):
            trip.ended = "denied"
            return
        found = self.wiring.neighbour(route.out, route.via or trip.flow.target)
        if found is None:
            trip.ended = "unrouted"
            return
        trip.came, links = found
        trip.links += links
        trip.space = trip.came.space

    def _lookup(self, trip: _Trip) -> Route | None:
        """Source rules first (on the VPN gateway only for what comes out of a tunnel), then the main table."""
        target = trip.flow.target
        host = self.model.hosts[trip.space[0]]
        for static in host.vrf(trip.space[1]).routes:
            if static.source is None or trip.flow.source not in static.source:
                continue
            if host.role is Role.VPN and trip.came is not None:
                continue
            route = self._static(trip.space, static)
            if route is not None and target in route.out.address.network and host.role is not Role.VPN:
                return replace(route, via=None, ruled=True)
            if route is not None and target in route.prefix:
                return replace(route, ruled=True)
        if trip.space == (self.model.firewall, "") and trip.flow.line:
            line = next(line for line in self.model.exits if line.carrier == trip.flow.line)
            return self._static(trip.space, StaticRoute(DEFAULT, line.gateway))
        matches = [route for route in self.table(trip.space) if target in route.prefix]
        return min(matches, key=lambda route: (-route.prefix.prefixlen, route.distance, route.metric), default=None)

    def table(self, space: Space) -> list[Route]:
        """The main routing table of a space: connected, static, and what the centres tell each other."""
        if space not in self._tables:
            self._tables[space] = self._own(space) + self._learned(space)
        return self._tables[space]

    def _own(self, space: Space) -> list[Route]:
        routes = [
            Route(interface.address.network, CONNECTED, 0, interface, None)
            for interface in self.wiring.interfaces.get(space, ())
        ]
        for static in self.model.hosts[space[0]].vrf(space[1]).routes:
            route = self._static(space, static) if static.source is None else None
            if route is not None:
                routes.append(route)
        return routes

    def _static(self, space: Space, static: StaticRoute) -> Route | None:
        """Active only while an interface up holds the next hop's prefix."""
        for interface in self.wiring.interfaces.get(space, ()):
            if static.via in interface.address.network:
                return Route(static.prefix, STATIC, static.metric, interface, static.via)
        return None

    def _learned(self, space: Space) -> list[Route]:
        """What the other centres tell: marked static routes, connected prefixes, the firewall's default."""
        host = self.model.hosts[space[0]]
        if host.role is not Role.CORE or not space[1]:
            return []
        routes = []
        inner = next(item for item in self.wiring.interfaces.get(space, ()) if item.name == f"vc-{space[1]}")
        for other in self.model.by_role(Role.CORE):
            far: Space = (other.name, space[1])
            vrf = other.vrf(space[1])
            theirs = next((item for item in self.wiring.interfaces.get(far, ()) if item.name == inner.name), None)
            if other is host or theirs is None or self.wiring.neighbour(inner, theirs.address.ip) is None:
                continue
            for route in self._own(far):
                default = route.prefix == DEFAULT and vrf.ospf_originate_default
                if route.distance == CONNECTED or route.metric or default:
                    metric = route.metric or FIRST_HOME_METRIC
                    routes.append(Route(route.prefix, LEARNED, metric, inner, theirs.address.ip))
        return routes

    def _translate(self, trip: _Trip) -> None:
        """The exit forwards VPN ports to the gateway."""
        flow = trip.flow
        if trip.space == (self.model.firewall, "") and flow.target in self._nat and flow.protocol == "udp":
            for tunnel in self.model.tunnels.values():
                if tunnel.gateway_outer == flow.target and flow.port in TUNNEL_PORTS[tunnel.kind]:
                    trip.flow = replace(flow, target=self._gateway_outer())
                    return

    def _gateway_outer(self) -> IPv4Address:
        """The VPN gateway's address on its cable to the firewall."""
        port = next(port for port in self.model.hosts[self.model.vpn].ports if port.peer_host == self.model.firewall)
        assert port.address is not None
        return port.address.ip

    def _tunnel(self, trip: _Trip, route: Route | None) -> Tunnel | None:
        """The tunnel whose prefix is longer than the best route's."""
        if trip.space[1] or (route is not None and route.ruled):
            return None
        length = route.prefix.prefixlen if route else -1
        for tunnel in self._by_host.get(trip.space[0], ()):
            prefixes = tunnel.remote if tunnel.host == trip.space[0] else tunnel.inner
            if any(trip.flow.target in prefix and prefix.prefixlen > length for prefix in prefixes):
                return tunnel
        return None

    def _enter(self, trip: _Trip, tunnel: Tunnel) -> None:
        """Through a tunnel: its outer packet must arrive at the other end."""
        port = TUNNEL_PORTS[tunnel.kind][-1]
        if trip.space[0] == tunnel.host:
            outer = Flow(tunnel.host, "", tunnel.outer, tunnel.gateway_outer, "udp", port)
            end = (tunnel.gateway, "")
        else:
            home = self.model.sites[tunnel.site].homes[0]
            line = home if self.model.sites[home].kind is SiteKind.CARRIER else ""
            source = self._gateway_outer()
            outer = Flow(tunnel.gateway, "", source, tunnel.outer, "udp", port, established=True, line=line)
            end = (tunnel.host, "")
        walk = self.walk(outer)
        trip.links += walk.links
        trip.crossings += walk.crossings
        if walk.verdict != "delivered" or walk.hops[-1] != end:
            trip.ended = walk.verdict if walk.verdict != "delivered" else "unrouted"
            return
        trip.space, trip.came = end, None

    def zone(self, interface: Interface) -> str:
        """The firewall's zone behind one of its ports: a network, "vpn", "internet", "city" or "province"."""
        port = self.model.hosts[interface.host].port(interface.name)
        peer = self.model.hosts[port.peer_host]
        kind = self.model.sites[peer.site].kind
        if kind is SiteKind.CARRIER:
            return "internet"
        if kind.outside:
            return kind.value
        return "vpn" if peer.role is Role.VPN else peer.port(port.peer_port).vrf

    def _allowed(self, trip: _Trip, out: Interface) -> bool:
        """Whether the policy lets the packet cross; what the firewall itself sends is not judged."""
        if trip.came is None:
            return True
        source, target = self.zone(trip.came), self.zone(out)
        trip.crossings.append((source, target))
        if self.model.exit_closed and "internet" in (source, target) and "vpn" not in (source, target):
            return False
        if trip.flow.established:
            return True
        for rule in self.model.policy:
            if (
                (rule.source_network, rule.target_network) == (source, target)
                and any(trip.flow.source in prefix for prefix in rule.sources)
                and any(trip.flow.target in prefix for prefix in rule.targets)
                and rule.protocol in ("any", trip.flow.protocol)
                and (not rule.ports or any(low <= trip.flow.port <= high for low, high in rule.ports))
            ):
                trip.rule = rule.name
                return True
        return False
