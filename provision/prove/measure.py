"""One walk of the whole county: everybody to everywhere, the answers, and what was seen where."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from inventory.model import ROUTERS
from provision.prove import sets
from provision.prove.engine import Arrival, Engine, Flow, Loss, State
from provision.prove.intent import INTERNET, VPN, Intent, Place
from provision.prove.sets import ADDRESSES, Box, Span
from provision.prove.world import Key


@dataclass(frozen=True, slots=True)
class Crossed:
    """Packets of one network or zone that were seen in another one."""

    source: str
    target: str
    box: Box  # as they were sent


class Index:
    """Boxes by the target addresses in them."""

    def __init__(self, boxes: Iterable[Box]) -> None:
        self._by_address: dict[int, list[Box]] = {}
        self._wide: list[Box] = []
        for box in boxes:
            for low, high in box.dst:
                if high - low < 8:
                    for address in range(low, high + 1):
                        self._by_address.setdefault(address, []).append(box)
                else:
                    self._wide.append(box)
                    break

    def of(self, span: Span) -> list[Box]:
        """What goes to these addresses: to one address, or to all of a prefix."""
        found = list(self._wide)
        if span[0][0] == span[-1][1]:
            found += self._by_address.get(span[0][0], [])
        else:
            found += [box for boxes in self._by_address.values() for box in boxes]
        return [box._replace(dst=both) for box in found if (both := sets.meet(box.dst, span))]


class Measurement:
    """The walk, and its indexes."""

    def __init__(self, engine: Engine, intent: Intent) -> None:
        self.engine, self.intent = engine, intent
        self.keys = {place.span[0][0]: place.key for place in intent.places if place.source}
        sources = [place for place in intent.places if place.source]
        self.there = engine.flow((self.start(place), Box(src=place.span, dst=place.reach)) for place in sources)
        self.arrived = self._index(self.there.arrivals)
        self.accepted = self._index(each for each in self.there.arrivals if each.accepted)

    @functools.cached_property
    def back(self) -> Flow:
        """The answers."""
        return self.engine.answer(self.there)

    @functools.cached_property
    def returned(self) -> Index:
        """Conversations whose answers came back, as they were asked."""
        return Index(sets.compact(self._returned()))

    def start(self, place: Place) -> State:
        """Where a place's packets begin."""
        return start_of(self.engine, place)

    def _index(self, arrivals: Iterable[Arrival]) -> dict[Key, Index]:
        by_key: dict[Key, list[Box]] = {}
        for each in arrivals:
            by_key.setdefault(each.state.space, []).append(each.sent())
        return {key: Index(boxes) for key, boxes in by_key.items()}

    def _returned(self) -> Iterator[Box]:
        """Answers that came back to whoever asked, turned round again."""
        for each in self.back.arrivals:
            box = each.box
            if each.accepted and self._own(each.state.space, box.dst):
                ports = (sets.PORTS, sets.PORTS) if box.proto == ((1, 1),) else (box.dport, box.sport)
                yield Box(box.dst, box.src, box.proto, *ports)

    def _own(self, key: Key, span: Span) -> bool:
        if self.engine.world.spaces[key].zone:
            return True
        return all(self.keys.get(low) == key for low, _ in span)

    # Crossings --------------------------------------------------------------------------------------------

    def crossed(self, flow: Flow) -> Iterator[Crossed]:
        """Everything that was seen in a network or zone that is not its source's."""
        seen: list[Arrival | Loss] = [*flow.arrivals, *flow.losses]
        for each in seen:
            target = self.zone(each.state, each.box)
            if target:
                box = each.sent()
                for source, part in self._by_source(box):
                    if source != target:
                        yield Crossed(source, target, part)

    def _by_source(self, box: Box) -> Iterator[tuple[str, Box]]:
        source = self._network(box.src[0][0])
        span = self.span(source)
        if sets.meet(box.src, span) == box.src:
            yield source, box
            return
        rest = box.src
        for name in (*self.intent.model.networks, *self.intent.model.outside):
            part = sets.meet(rest, self.span(name))
            if part:
                rest = sets.minus(rest, part)
                yield name, box._replace(src=part)

    @functools.cache  # noqa: B019 - one measurement lives as long as its answers
    def _network(self, address: int) -> str:
        return self.intent.network_of(address)

    @functools.cache  # noqa: B019
    def span(self, name: str) -> Span:
        """The addresses of a network or an outside zone; all for another zone."""
        prefix = self.intent.model.networks[name].prefix if name in self.intent.model.networks else None
        prefix = prefix or self.intent.model.outside.get(name)
        return sets.of_network(prefix) if prefix else ADDRESSES

    def zone(self, state: State, box: Box) -> str:
        """The network or zone in which packets are seen: by VRF, or by the interface that they came in by."""
        space = self.engine.world.spaces[state.space]
        host = self.intent.model.hosts[state.space[0]]
        if space.zone:
            return space.zone
        if space.key == (self.intent.model.firewall, "") or not state.iif:
            return ""
        if host.name == self.intent.model.vpn and all(low in space.local for low, _ in box.dst):
            return ""  # the gateway stands in all its networks
        if host.role in ROUTERS or space.key[1]:
            return space.key[1]
        interface = space.interfaces[state.iif]
        if not interface.addresses:
            return self._network(box.dst[0][0])  # out of a tunnel
        found = self._network(interface.addresses[0][0])
        return found or (VPN if host.name == self.intent.model.vpn else "")

    def spoofed(self) -> Iterator[Crossed]:
        """Packets of each network under foreign source addresses, seen in another network."""
        tried: dict[str, list[tuple[State, Box]]] = {}
        for group in self.intent.sources:
            place = group.places[0]
            own = self._home(place)
            if own:
                foreign = Box(src=sets.minus(ADDRESSES, own), dst=place.reach)
                tried.setdefault(group.network, []).append((self._entry(place), foreign))
        gateway = self._gateway()
        if gateway:
            tried[VPN] = [gateway]
        doors = self._first_doors()
        for network, starts in tried.items():
            flow = self.engine.flow(starts)
            seen: list[Arrival | Loss] = [*flow.arrivals, *flow.losses]
            for each in seen:
                target = self.zone(each.state, each.box)
                if target and target != network:
                    yield Crossed(network, target, each.sent())
                elif each.state.space == (self.intent.model.firewall, "") and not (
                    isinstance(each, Loss) and each.rule in doors
                ):
                    yield Crossed(network, "firewall", each.sent())

    def _entry(self, place: Place) -> State:
        """Where foreign packets of a place come in: a computer with several legs sends them by the leg it likes."""
        space = self.engine.world.spaces[place.key]
        leg = space.local.get(place.span[0][0], "")
        route = self.engine.routing.fib(place.key).route(place.span[0][0], ADDRESSES[0][1], "", 0)
        if space.ours or not space.rules or route is None or route.hop.via is None:
            return self.start(place)
        gateway = self.engine.segments.hears(place.key, leg, route.hop.via)
        return State(*gateway) if gateway else self.start(place)

    def _first_doors(self) -> frozenset[str]:
        """The firewall's rules that look at a packet before anything else does: there a foreign source ends."""
        ruleset = self.engine.world.spaces[(self.intent.model.firewall, "")].ruleset
        chains = ruleset.hooked("prerouting") if ruleset else []
        return frozenset(rule.where for chain in chains for rule in chain.rules)

    def _gateway(self) -> tuple[State, Box] | None:
        """The VPN gateway's own packets to the firewall, under any address but that of its outer port."""
        space = self.engine.world.spaces.get((self.intent.model.vpn, ""))
        if space is None:
            return None
        outer = [each for each in self.intent.places if each.network == VPN and each.span[0][0] in space.local]
        own = sets.normal((each.span[0][0] & ~3, each.span[0][0] | 3) for each in outer)
        return State(space.key), Box(src=sets.minus(ADDRESSES, own), dst=self.span(INTERNET))

    def _home(self, place: Place) -> Span:
        """Source addresses that are at home where a place is; () for a box that stands in several networks itself."""
        model, space = self.intent.model, self.engine.world.spaces[place.key]
        around: list[tuple[int, int]] = []
        for interface in space.interfaces.values() if space.zone else ():
            for address, length in interface.addresses:
                size = 1 << (32 - length)
                around.append((address // size * size, address // size * size + size - 1))
        if space.zone == INTERNET:  # beyond a carrier every public address is at home
            county = sets.normal(self.span(name)[0] for name in model.networks)
            return sets.minus(ADDRESSES, county)
        if space.ours and not place.lan and not space.key[1]:
            return ()
        inner = [prefix for each in model.tunnels.values() if each.host == place.key[0] for prefix in each.inner]
        return sets.normal((*self.span(place.network), *around, *(sets.of_network(each)[0] for each in inner)))


def start_of(engine: Engine, place: Place) -> State:
    """Where a place's packets begin: on the LAN of an own router, or on the host itself."""
    space = engine.world.spaces[place.key]
    return State(place.key, space.local.get(place.span[0][0], "") if place.lan else "")
