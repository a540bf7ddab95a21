"""Routing tables from the files: connected, kernel, static, OSPF in the underlay, iBGP between the centres."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv4Network

from provision.prove import sets
from provision.prove.filter import Context, Item, run
from provision.prove.frr import Bgp, Frr
from provision.prove.sets import Box
from provision.prove.tables import CONNECTED, IBGP, MAIN, OSPF, STATIC, Fib, Hop, Route, Selector, Table
from provision.prove.world import Key, Space, World, prefix_of

_OSPF_PACKET = Box(proto=sets.span(sets.PROTOCOL_NUMBERS["ospf"]))
_BGP_PACKET = Box(proto=sets.span(sets.TCP), dport=sets.span(179))
_LOCAL_PREFERENCE = 100
Hears = Callable[[Key, str, int], tuple[Key, str] | None]
"""(space, interface, address) -> who answers there, and on which interface."""


class Routing:
    """Fibs of all spaces, computed when they are asked for."""

    def __init__(self, world: World, hears: Hears) -> None:
        self.world = world
        self.hears = hears
        self._fibs: dict[Key, Fib] = {}
        self._ospf: dict[str, list[Route]] | None = None
        self._bgp: dict[Key, list[Route]] = {}

    def fib(self, key: Key) -> Fib:
        """The tables of a space."""
        if key not in self._fibs:
            space = self.world.spaces[key]
            tables: dict[str, list[Route]] = {MAIN: list(connected(space))}
            for table, route in _kernel(space):
                tables.setdefault(table, []).append(route)
            tables[MAIN] += self._statics(space)
            if space.key[0] in self.world.routing:
                tables[MAIN] += self._learned(key) if key[1] else self.ospf().get(key[0], [])
            self._fibs[key] = Fib({name: Table(routes) for name, routes in tables.items()}, _selectors(space))
        return self._fibs[key]

    def _statics(self, space: Space) -> Iterator[Route]:
        return (route for route in self._written(space) if route.hop.dev)

    def _written(self, space: Space) -> Iterator[Route]:
        router = self.world.routing.get(space.key[0])
        for each in router.statics.get(space.key[1], []) if router else []:
            if router:
                first, length = prefix_of(str(each.prefix))
                where = f"{router.path}:{each.line} (static)"
                yield Route(first, length, Hop(_device(space, int(each.via)), int(each.via)), STATIC, 0, where)

    def written(self, space: Space) -> Iterator[Route]:
        """Every route that somebody wrote, whether its next hop is there or not (then without an interface)."""
        yield from self._written(space)
        yield from (route for _, route in _kernel(space, dead=True))

    # OSPF -------------------------------------------------------------------------------------------------

    def ospf(self) -> dict[str, list[Route]]:
        """Routes that every router of the underlay learns: shortest paths over interfaces of the same area."""
        if self._ospf is None:
            edges = self._adjacencies()
            stubs = {host: list(self._stubs(host)) for host in self.world.routing}
            self._ospf = {host: self._shortest(host, edges, stubs) for host in self.world.routing}
        return self._ospf

    def _adjacencies(self) -> dict[str, list[tuple[str, int, str, int]]]:
        """router -> (neighbour, cost, own interface, its address there); both ends must agree and hear each other."""
        found: dict[str, list[tuple[str, int, str, int]]] = {host: [] for host in self.world.routing}
        for (host, port), (far, far_port) in self.world.cables.items():
            near_side, far_side = self._speaker(host, port), self._speaker(far, far_port)
            if near_side is None or far_side is None:
                continue
            mine, theirs = self.world.routing[host].ospf[port], self.world.routing[far].ospf[far_port]
            agreed = (mine.area, mine.hello, mine.dead, mine.network) == (
                theirs.area, theirs.hello, theirs.dead, theirs.network,
            )  # fmt: skip
            interface, peer = near_side.interfaces[port], far_side.interfaces[far_port]
            if agreed and peer.addresses and interface.holds(peer.addresses[0][0]):
                found[host].append((far, mine.cost, port, peer.addresses[0][0]))
        return found

    def _speaker(self, host: str, port: str) -> Space | None:
        """The underlay of a host when OSPF runs on that port and its ruleset lets OSPF in."""
        router, space = self.world.routing.get(host), self.world.spaces.get((host, ""))
        if router is None or space is None or not router.ospf_on or port not in space.interfaces:
            return None
        setting = router.ospf.get(port)
        if setting is None or not setting.area or setting.passive:
            return None
        heard = run(space.ruleset, "input", [Item(_OSPF_PACKET)], Context(iif=port))
        return space if heard.passed else None

    def _stubs(self, host: str) -> Iterator[tuple[int, int, int]]:
        """(address, prefix length, cost) of every interface that OSPF announces."""
        space, router = self.world.spaces[(host, "")], self.world.routing[host]
        for name, setting in router.ospf.items():
            interface = space.interfaces.get(name)
            if interface is not None and setting.area and router.ospf_on:
                for address, length in interface.addresses:
                    yield address >> (32 - length) << (32 - length), length, 0 if name == "lo" else setting.cost

    def _shortest(
        self,
        start: str,
        edges: dict[str, list[tuple[str, int, str, int]]],
        stubs: dict[str, list[tuple[int, int, int]]],
    ) -> list[Route]:
        first: dict[str, Hop | None] = {start: None}
        distance = {start: 0}
        heap: list[tuple[int, str]] = [(0, start)]
        done: set[str] = set()
        while heap:
            cost, host = heapq.heappop(heap)
            if host in done:
                continue
            done.add(host)
            for far, step, port, address in edges[host]:
                if far not in distance or cost + step < distance[far]:
                    distance[far] = cost + step
                    first[far] = first[host] or Hop(port, address)
                    heapq.heappush(heap, (cost + step, far))
        where = f"{self.world.routing[start].path} (OSPF)"
        found = []
        for host in done:
            hop = first[host]
            if hop is not None:
                found += [
                    Route(address, length, hop, OSPF, distance[host] + cost, where)
                    for address, length, cost in stubs[host]
                ]
        return found

    # BGP --------------------------------------------------------------------------------------------------

    def _learned(self, key: Key) -> list[Route]:
        """What the other centres tell this one: highest preference, then the lowest router id."""
        if key in self._bgp:
            return self._bgp[key]
        mine = self.world.routing[key[0]].bgp.get(key[1])
        best: dict[tuple[int, int], tuple[tuple[int, int], Route]] = {}
        for address in mine.active if mine else ():
            far = self._session(key, address)
            if far is None:
                continue
            theirs = self.world.routing[far[0]].bgp[far[1]]
            device = _device(self.world.spaces[key], int(address))
            for prefix, preference in self._told(far, theirs):
                route = Route(*prefix, Hop(device, int(address)), IBGP, 0, f"{self.world.routing[far[0]].path} (iBGP)")
                rank = (-preference, int(theirs.router_id))
                if prefix not in best or rank < best[prefix][0]:
                    best[prefix] = (rank, route)
        self._bgp[key] = [route for _, route in best.values()]
        return self._bgp[key]

    def _session(self, key: Key, address: IPv4Address) -> Key | None:
        """The space at the other end, when both ends have each other as neighbours and one's door is open."""
        mine = self.world.routing[key[0]].bgp[key[1]]
        device = _device(self.world.spaces[key], int(address))
        found = self.hears(key, device, int(address)) if device else None
        if found is None or found[0][0] not in self.world.routing:
            return None
        far, iif = found
        theirs = self.world.routing[far[0]].bgp.get(far[1])
        own = {IPv4Address(each) for each, _ in self.world.spaces[key].interfaces[device].addresses}
        answered = {address for address in own if theirs and address in theirs.active}
        if theirs is None or not answered or theirs.number != mine.neighbours.get(address):
            return None
        if self.hears(far, iif, int(next(iter(answered)))) is None:
            return None
        ends = ((key, device), (far, iif))
        doors = (
            run(self.world.spaces[end].ruleset, "input", [Item(_BGP_PACKET)], Context(iif=name)).passed
            for end, name in ends
        )
        return far if any(doors) else None

    def _told(self, key: Key, bgp: Bgp) -> Iterator[tuple[tuple[int, int], int]]:
        """(prefix, local preference) that a centre announces: its own, never what it learned in iBGP."""
        space, router = self.world.spaces[key], self.world.routing[key[0]]
        own = {"connected": list(connected(space)), "static": list(self._statics(space))}
        known = {(route.first, route.length) for routes in own.values() for route in routes}
        for network in bgp.networks:
            if prefix_of(str(network)) in known:
                yield prefix_of(str(network)), _LOCAL_PREFERENCE
        tags = {prefix_of(str(each.prefix)): each.tag for each in router.statics.get(key[1], [])}
        for what, routes in own.items():
            if what not in bgp.redistribute:
                continue
            for route in routes:
                prefix = (route.first, route.length)
                tag = tags.get(prefix, 0) if what == "static" else 0
                preference = _preference(router, bgp.redistribute[what], prefix, tag)
                if preference is not None:
                    yield prefix, preference


def _preference(router: Frr, route_map: str, prefix: tuple[int, int], tag: int) -> int | None:
    return router.preference(route_map, IPv4Network(prefix), tag)


def connected(space: Space) -> Iterator[Route]:
    """Prefixes on the space's own interfaces."""
    where = f"{space.key[0]}:{space.path} (connected)"
    for interface in space.interfaces.values():
        for address, length in interface.addresses:
            if length < 32:
                first = address >> (32 - length) << (32 - length)
                yield Route(first, length, Hop(interface.name, None), CONNECTED, 0, where)


def _kernel(space: Space, *, dead: bool = False) -> Iterator[tuple[str, Route]]:
    """Routes that the device tool sets itself."""
    where = f"{space.key[0]}:{space.path} (route)" if space.ours else f"{space.key[0]} (as the world is)"
    for row in space.routes:
        via = int(IPv4Address(row["via"])) if "via" in row else None
        device = row.get("dev") or (_device(space, via) if via is not None else "")
        if device in space.interfaces or dead:
            told = row.get("where", where)
            yield (
                row["table"],
                Route(*prefix_of(row["prefix"]), Hop(device, via), STATIC, int(row.get("metric", 0)), told),
            )


def _device(space: Space, via: int) -> str:
    """The interface whose prefix holds a next hop, "" for none: then a route is not active."""
    holding = [each for each in space.interfaces.values() if each.holds(via)]
    return holding[0].name if holding else ""


def _selectors(space: Space) -> Iterator[Selector]:
    for row in space.rules:
        source = sets.of_network(IPv4Network(row["from"])) if "from" in row else None
        mark = int(row["fwmark"], 0) if "fwmark" in row else None
        yield Selector(int(row["priority"]), row["table"], source, row.get("iif", ""), mark)
