"""What is intended against what the rendered files do: every difference with a packet that shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Any

from inventory.hardware import HARDWARE, network_ports, vlan
from inventory.plan import SLOT_USER, site_address
from provision.prove import sets
from provision.prove.engine import Step
from provision.prove.intent import INTERNET, Place
from provision.prove.measure import Measurement
from provision.prove.sets import Box, Packet

MANAGEMENT = (
    Box(proto=sets.span(sets.TCP), dport=sets.span(22, 9100)),
    Box(proto=sets.span(sets.UDP), dport=sets.span(161)),
)
_SWITCH = (MANAGEMENT[0]._replace(dport=sets.span(22)), MANAGEMENT[1])
"""A vendor's box has no agent of ours."""
_COUNTY = Box(src=((10 << 24, (11 << 24) - 1),))
_ASKED = Box(proto=sets.span(sets.TCP, sets.UDP), sport=((32768, 60999),))
"""Conversations as hosts begin them: from Linux's ephemeral ports (RFC 6056)."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One difference between intent and rendered files."""

    kind: str
    source: str
    target: str
    packet: Packet
    text: str
    steps: tuple[Step, ...] = ()

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "kind": self.kind,
            "from": self.source,
            "to": self.target,
            "packet": str(self.packet),
            "text": self.text,
            "hops": [{"space": step.space, "what": step.what, "where": step.where} for step in self.steps],
        }


class Checks:
    """All comparisons over one measurement."""

    def __init__(self, measurement: Measurement) -> None:
        self.measured = measurement
        self.intent = measurement.intent
        self.model = self.intent.model
        self.by_key = {place.span[0][0]: place for place in self.intent.places if place.source}
        self.nms = next(place for place in self.intent.places if place.group == "nms")

    def all(self) -> list[Disagreement]:
        """Every disagreement once for each kind, source and target."""
        found: dict[tuple[str, str, str], Disagreement] = {}
        for each in self.each():
            found.setdefault((each.kind, each.source, each.target), each)
        return list(found.values())

    def each(self) -> Iterator[Disagreement]:
        """Disagreements as they are found, what is quickly seen first."""
        checks: tuple[Callable[[], Iterator[Disagreement]], ...] = (
            self.leaks, self.lost, self.dead_routes, self.exit, self.doors, self.services, self.spoofs, self.unanswered,
            self.devices, self.ports,
        )  # fmt: skip
        for check in checks:
            yield from check()

    def leaks(self) -> Iterator[Disagreement]:
        """Packets seen in another network that no policy lets there."""
        opened: dict[tuple[str, str], list[Box]] = {}
        for each in self.measured.crossed(self.measured.there):
            pair = (each.source, each.target)
            if pair not in opened:
                opened[pair] = [box for _, box in self.intent.opened(*pair)]
            for box in sets.subtract([each.box], opened[pair]):
                yield self._difference("leak", box, each.target, f"{each.source} crosses to {each.target} unasked")

    def spoofs(self) -> Iterator[Disagreement]:
        """Foreign source addresses that come through to another network."""
        for each in self.measured.spoofed():
            packet = sets.sample(each.box)
            text = f"{each.source} reaches {each.target} under a foreign source address"
            yield Disagreement("spoof", each.source, each.target, packet, text)

    def exit(self) -> Iterator[Disagreement]:
        """Exactly one Internet exit, and nothing leaves it under an address of the county."""
        engine = self.measured.engine
        for each in self.measured.there.arrivals:
            if engine.world.spaces[each.state.space].zone != INTERNET or not each.state.iif:
                continue
            sent = each.sent()
            inside = sets.cut(sent, _COUNTY)
            if inside is None:
                continue
            end = engine.world.cables.get((each.state.space[0], each.state.iif), ("", ""))[0]
            if end != self.model.firewall:
                yield self._difference("second exit", inside, end, f"{end} is a second way out to the Internet")
            if sets.cut(each.box, _COUNTY):
                yield self._difference("untranslated", inside, INTERNET, "leaves under an address of the county")

    def exits(self) -> set[str]:
        """Hosts by which packets of the county reach a carrier."""
        world = self.measured.engine.world
        return {
            world.cables[(each.state.space[0], each.state.iif)][0]
            for each in self.measured.there.arrivals
            if world.spaces[each.state.space].zone == INTERNET and each.state.iif and sets.cut(each.sent(), _COUNTY)
        }

    def doors(self) -> Iterator[Disagreement]:
        """Management ports are open to the management hosts alone."""
        may = sets.normal((int(each), int(each)) for each in self.model.controllers())
        others = sets.minus(sets.ADDRESSES, may)
        for each in self.measured.there.arrivals:
            ours = self.measured.engine.world.spaces[each.state.space].ours
            if not each.accepted or not ours or not each.state.iif:
                continue  # a host always reaches itself
            for door in MANAGEMENT:
                open_ = sets.cut(each.sent(), door._replace(src=others))
                if open_ is not None:
                    host = each.state.space[0]
                    yield self._difference("door", open_, host, f"management port of {host} is open to others")

    def wanted_at(self, place: Place) -> list[Box]:
        """Everything that must arrive at a place."""
        found = []
        for source in self.intent.sources:
            if source.network == place.network and source.network in self.model.networks:
                found.append(Box(src=source.span, dst=place.span))
        for network in {source.network for source in self.intent.sources} - {place.network}:
            spans = [interval for each in self.intent.sources if each.network == network for interval in each.span]
            pair = Box(src=sets.normal(spans), dst=place.span)
            found += [both for _, box in self.intent.opened(network, place.network) if (both := sets.cut(box, pair))]
        return found

    def lost(self) -> Iterator[Disagreement]:
        """What must arrive and does not, or arrives elsewhere."""
        for place in self.targets():
            index = self.measured.arrived.get(place.key)
            got = index.of(place.span) if index else []
            for box in sets.subtract(self.wanted_at(place), got):
                where = self.measured.engine.world.spaces[place.key].name
                yield self._difference("lost", box, place.name, f"does not arrive at {where}")
        for zone in self.model.outside:  # an outside zone may stand behind several lines: any will do
            places = [place for place in self.intent.places if place.network == zone]
            got = [box for place in places if (index := self.measured.arrived.get(place.key))
                   for box in index.of(place.span)]  # fmt: skip
            for box in sets.subtract(self.wanted_at(places[0]), got) if places else ():
                yield self._difference("lost", box, zone, f"does not arrive in {zone}")

    def targets(self) -> Iterator[Place]:
        """Places inside that somebody may want to reach."""
        zones = set(self.model.outside)
        return (place for place in self.intent.places if place.target and place.network not in zones)

    def dead_routes(self) -> Iterator[Disagreement]:
        """Routes whose next hop nobody answers for: another way may hide them until the day it is needed."""
        engine = self.measured.engine
        for space in engine.world.spaces.values():
            for route in engine.routing.written(space) if space.ours else ():
                via = route.hop.via
                if via is None or (route.hop.dev and engine.segments.hears(space.key, route.hop.dev, via)):
                    continue
                packet = Packet(0, route.first, sets.ICMP, 0, 8)
                text = (
                    f"route to {IPv4Address(route.first)}/{route.length}: nobody is {IPv4Address(via)} ({route.where})"
                )
                yield Disagreement("dead route", space.name, str(IPv4Address(route.first)), packet, text)

    def unanswered(self) -> Iterator[Disagreement]:
        """Conversations that begin and get no answer."""
        for place in self.intent.places:
            index = self.measured.accepted.get(place.key)
            wanted = sets.overlap(self.wanted_at(place), index.of(place.span)) if index else []
            asked = sets.compact(sets.overlap(wanted, [_ASKED]))
            back = sets.compact(self.measured.returned.of(place.span)) if asked else []
            for box in sets.subtract(asked, back):
                yield self._difference("unanswered", box, place.name, "arrives, and the answer does not come back")

    def services(self) -> Iterator[Disagreement]:
        """A hosted system answers on its port whoever may reach it, and on no other."""
        for service in self.model.services.values():
            address = sets.of_address(service.address)
            door = Box(dst=address, proto=sets.span(sets.PROTOCOL_NUMBERS[service.protocol]),
                       dport=sets.span(service.port))  # fmt: skip
            for place in (each for each in self.intent.places if each.target and each.span == address):
                index = self.measured.accepted.get(place.key)
                open_ = index.of(address) if index else []
                for box in sets.subtract(sets.overlap(self.wanted_at(place), [door]), open_):
                    yield self._difference("closed", box, service.name, "the service's own port is shut")
                here = [each.span[0] for each in self.intent.places if each.key == place.key]
                strangers = sets.minus(sets.ADDRESSES, sets.normal((*self.measured.span("mgmt"), *here)))
                users = _ASKED._replace(src=strangers)
                for box in sets.subtract(sets.overlap(open_, [users]), [door]) if service.kind == "web" else ():
                    yield self._difference("open", box, service.name, "the service answers on another port")

    def devices(self) -> Iterator[Disagreement]:
        """The controller, and who stands by for it, reach every device on its management ports and hear the answer."""
        spans = {place.name: place.span for place in self.intent.places if place.group in ("nms", "devices")}
        controllers = [name for name in (self.model.nms, self.model.standby) if name in spans]
        for place in (each for each in self.intent.places if each.group == "devices"):
            index = self.measured.accepted.get(place.key)
            doors = MANAGEMENT if self.model.hosts[place.name].linux else _SWITCH
            wanted = [door._replace(src=spans[controller], dst=place.span, sport=_ASKED.sport)
                      for controller in controllers if controller != place.name for door in doors]  # fmt: skip
            back = sets.overlap(self.measured.returned.of(place.span), wanted)
            there = sets.overlap(index.of(place.span), back) if index else []
            for box in sets.subtract(wanted, there):
                yield self._difference("out of reach", box, place.name, "the controller does not reach the device")

    def ports(self) -> Iterator[Disagreement]:
        """Every port of a switch is in its network's VLAN, also where nobody is plugged in yet; no other is open."""
        for name, box in self.measured.engine.world.switches.items():
            host = self.model.hosts[name]
            site = self.model.sites[host.site]
            planned = {label: network for network in map(self.model.networks.__getitem__, site.networks)
                       for ports in (network_ports(network, host.platform),)
                       for label in (ports.uplink, *ports.users)}  # fmt: skip
            for label in HARDWARE[host.platform].ports:
                wanted, found = planned.get(label), box.vlan_of(label)
                if found != (vlan(wanted) if wanted else None):
                    where = f"{box.path}:{box.ports[label].line}" if label in box.ports else box.path
                    expected = f"in {wanted.name}, VLAN {vlan(wanted)}" if wanted else "shut"
                    text = f"{label} is {f'in VLAN {found}' if found else 'shut'}, expected {expected} ({where})"
                    source = site_address(wanted or self.model.networks["mgmt"], site.number, SLOT_USER).ip
                    packet = Packet(int(source), int(host.management or 0), sets.ICMP, 0, 8)
                    yield Disagreement("port", name, label, packet, text)

    def reached(self) -> int:
        """How many devices the controller reaches."""
        places = {each.name for each in self.intent.places if each.group == "devices"}
        return len(places - {each.target for each in self.devices()})

    def region(self, source: str, target: str, box: Box) -> Disagreement:
        """A region whose verdict is not the intended one."""
        found = self._difference("region", box, target, "not what policy says")
        return replace(found, source=source)

    # Witnesses --------------------------------------------------------------------------------------------

    def _difference(self, kind: str, box: Box, target: str, text: str) -> Disagreement:
        packet = sets.sample(box)
        place = self.place_of(packet.src)
        return Disagreement(kind, f"{place.network}:{place.name}" if place else "?", target, packet, text)

    def place_of(self, address: int) -> Place | None:
        """Whose address it is: a place's, or one of an outside prefix."""
        if address in self.by_key:
            return self.by_key[address]
        return next((each for each in self.intent.places if each.source and sets.within(address, each.span)), None)

    def explain(self, found: Iterable[Disagreement]) -> list[Disagreement]:
        """The same with the hops of each packet."""
        explained = []
        for each in found:
            place = self.place_of(each.packet.src)
            steps: tuple[Step, ...] = ()
            if place is not None:
                start = self.measured.start(place)
                steps = tuple(self.measured.engine.flow([(start, each.packet.box())], trace=True).steps)
            explained.append(replace(each, steps=steps))
        return explained
