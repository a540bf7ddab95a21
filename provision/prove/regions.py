"""The packet space as regions: every class of sources to every class of destinations, cut where the verdict changes.

A *region* is a box with one verdict; a *boundary* is a place where a packet is let through and its neighbour (the next
port, the next address, the other protocol) is not.  Both are what real packets are sent for in a running county.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from provision.prove import sets
from provision.prove.engine import Arrival, Loss, State
from provision.prove.intent import Group, Place
from provision.prove.measure import Measurement
from provision.prove.sets import Box, Packet
from provision.prove.world import Key

_OTHER = {sets.TCP: sets.UDP, sets.UDP: sets.TCP, sets.ICMP: sets.TCP}


@dataclass(frozen=True, slots=True)
class Region:
    """One box with one verdict."""

    source: Group
    target: Group
    box: Box
    allowed: bool
    agreed: bool  # with the intent


@dataclass(frozen=True, slots=True)
class Boundary:
    """Two neighbouring packets with different verdicts."""

    source: Group
    target: Group
    dimension: str  # "dport", "protocol", "src" or "dst"
    inside: Packet
    outside: Packet


class Regions:
    """All regions and boundaries of one measurement."""

    def __init__(self, measurement: Measurement) -> None:
        self.measured = measurement
        self.intent = measurement.intent
        self._crossed: dict[tuple[str, str], list[Box]] = {}
        for each in measurement.crossed(measurement.there):
            self._crossed.setdefault((each.source, each.target), []).append(each.box)
        self._selves = list(self._within())
        self.regions = list(self._all())
        self.boundaries = list(self._edges())

    def _all(self) -> Iterator[Region]:
        for target in self.intent.targets:
            got = sets.compact(self._got(target)) if target.places else []
            for source in self.intent.sources:
                inside = target.places and source.network in self.intent.model.networks
                if not target.span or (source.network == target.network and not inside):
                    continue
                yield from self._pair(source, target, got)

    def _within(self) -> Iterator[Box]:
        """From one address of a box to another of the same box: nothing is forwarded."""
        by_key: dict[Key, list[Place]] = {}
        for place in self.intent.places:
            by_key.setdefault(place.key, []).append(place)
        for places in by_key.values():
            for one in places:
                for other in places:
                    if one.source and other.target and one.network != other.network:
                        yield Box(src=one.span, dst=other.span)

    def _got(self, target: Group) -> Iterator[Box]:
        for place in target.places:
            index = self.measured.arrived.get(place.key)
            if index is not None:
                yield from index.of(place.span)

    def _pair(self, source: Group, target: Group, got: list[Box]) -> Iterator[Region]:
        whole = Box(src=source.span, dst=target.span)
        pair = sets.subtract([whole], [each for each in self._selves if sets.cut(each, whole)])
        seen = got if target.places else self._crossed.get((source.network, target.network), [])
        allowed = sets.compact(sets.disjoint(sets.compact(sets.overlap(seen, pair))))
        denied = sets.compact(sets.subtract(pair, allowed))
        wanted = sets.overlap(self.intent.wanted(source, target), pair)
        agreed = not sets.subtract(allowed, wanted) and not sets.subtract(wanted, allowed)
        apart = sets.disjoint(wanted)
        for boxes, verdict in ((allowed, True), (denied, False)):
            # Cut where the intent changes as well: then what is not as intended has packets of its own.
            for part in (sets.overlap(boxes, apart), sets.subtract(boxes, apart)):
                for box in sets.compact(part):
                    for cell in _cells(box):
                        yield Region(source, target, cell, verdict, agreed)

    # Boundaries -------------------------------------------------------------------------------------------

    def _edges(self) -> Iterator[Boundary]:
        for region in self.regions:
            if region.allowed and (region.box.proto != sets.PROTOCOLS or region.box.dport != sets.PORTS):
                inside = sets.sample(region.box)
                for dimension, outside in _neighbours(region.box, inside):
                    if not self.arrives(region, outside):
                        yield Boundary(region.source, region.target, dimension, inside, outside)

    def place(self, region: Region | Boundary, packet: Packet) -> Place:
        """Where a packet of a region starts: at the place whose address it has, or at the first of the class."""
        places = region.source.places
        return next((each for each in places if sets.within(packet.src, each.span)), places[0])

    def arrives(self, region: Region | Boundary, packet: Packet) -> bool:
        """True when one packet reaches its class of destinations (or, where nobody is, its network)."""
        return any(self.lands(region, end) for end in self.ends(self.place(region, packet), packet))

    def ends(self, place: Place, packet: Packet) -> list[Arrival | Loss]:
        """What becomes of one packet."""
        flow = self.measured.engine.flow([(self.measured.start(place), packet.box())])
        return [*flow.arrivals, *flow.losses]

    def lands(self, region: Region | Boundary, end: Arrival | Loss) -> bool:
        """Whether that end counts as let through."""
        state: State = end.state
        if isinstance(end, Arrival) and region.target.places:
            return any(place.key == state.space for place in region.target.places)
        return not region.target.places and self.measured.zone(state, end.box) == region.target.network


def _cells(box: Box) -> Iterator[Box]:
    """One box for each interval of protocols and ports."""
    for proto in box.proto:
        for sport in box.sport:
            for dport in box.dport:
                yield Box(box.src, box.dst, (proto,), (sport,), (dport,))


def _neighbours(box: Box, inside: Packet) -> Iterable[tuple[str, Packet]]:
    """Packets just outside of a box."""
    if inside.proto in (sets.TCP, sets.UDP):
        for port in (box.dport[0][0] - 1, box.dport[0][1] + 1):
            if 0 < port <= 65535:
                yield "dport", inside._replace(dport=port)
    if inside.proto in _OTHER and not sets.within(_OTHER[inside.proto], box.proto):
        yield "protocol", inside._replace(proto=_OTHER[inside.proto])
    for step in (-1, 1):
        for dimension in ("src", "dst"):
            span = box.src if dimension == "src" else box.dst
            address = (span[0][0] if step < 0 else span[-1][1]) + step
            edge = inside._replace(**{dimension: address})
            if 0 < address < 1 << 32 and address & 255 not in (0, 255):
                yield dimension, edge
