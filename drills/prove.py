"""Real packets against the proof: one for every region and for both sides of every boundary of a running county.

A packet is sent from the very place that the proof names and looked for where it should arrive, before that host's
own ruleset.  What arrived is answered, and the answer is looked for at home.  What the proof says the firewall drops
must be seen by the firewall's own counters as well, so that "stopped" never means "never came there".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from drills.lab import Lab
from drills.marked import ANSWER, Heard, Wire, answer, craft
from drills.verify import deny_counters
from inventory.model import Role
from provision.prove import sets
from provision.prove.engine import Arrival, Loss, reply
from provision.prove.intent import Group, Place
from provision.prove.proof import Proof
from provision.prove.regions import Boundary, Region
from provision.prove.sets import Packet
from provision.prove.world import Key, zone_of

AT_ONCE = 200
WAIT_S = 1.0
"""How long a packet that should not arrive is waited for; those that should are tried again."""
TRIES = 4
_FIRST_PORT, _PORTS = 33000, 27000
_SHOWN = 40

Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Probe:
    """One packet to send, and what the proof says of it."""

    number: int
    name: str
    place: Place
    packet: Packet
    targets: frozenset[Key]  # where it is looked for
    there: bool  # it should arrive
    back: bool  # and its answer too
    counter: str  # of the firewall, which should see it dropped
    came: Heard | None = None
    answered: bool = False

    @property
    def done(self) -> bool:
        """True when it did all that the proof says it does."""
        return (self.came is not None) >= self.there and self.answered >= self.back


@dataclass(slots=True)
class Result:
    """What real packets showed."""

    regions: int = 0
    boundaries: int = 0
    packets: int = 0
    arrived: int = 0
    answers: int = 0
    counted: int = 0  # packets that the firewall's counters had to show
    disagreements: list[dict[str, str]] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """True when every packet did what the proof says."""
        return not self.disagreements

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "regions": self.regions,
            "boundaries": self.boundaries,
            "packets": self.packets,
            "arrived": self.arrived,
            "answers": self.answers,
            "counted": self.counted,
            "disagreements": len(self.disagreements),
            "witnesses": self.disagreements[:_SHOWN],
        }


def send(lab: Lab, proof: Proof, progress: Progress) -> Result:
    """Try every region and boundary.  Needs root; changes nothing but counters and connection tables."""
    probes = list(plan(proof))
    before = deny_counters(lab)
    sent: Counter[str] = Counter()
    listening = {key for probe in probes for key in (*probe.targets, probe.place.key)}
    with Wire(lab, listening) as wire:
        for first in range(0, len(probes), AT_ONCE):
            _batch(wire, proof, probes[first : first + AT_ONCE], sent)
            progress("packets", min(first + AT_ONCE, len(probes)), len(probes))
    return _judge(proof, probes, sent, before, deny_counters(lab))


def _batch(wire: Wire, proof: Proof, probes: list[Probe], sent: Counter[str]) -> None:
    known = {probe.number: probe for probe in probes}
    spaces = proof.measured.engine.world.spaces

    def heard(each: Heard) -> None:
        probe = known.get(each.number & (ANSWER - 1))
        if probe is None:
            return
        if each.number & ANSWER:
            probe.answered = probe.answered or each.key == probe.place.key
            return
        if each.key == probe.place.key and each.target == probe.packet.src:
            return  # the kernel's own answer to an echo, heard before the echo itself
        space = spaces[each.key]
        if probe.came is None and each.key in probe.targets and (
            space.zone or each.target in space.local or (probe.place.key != each.key and not _owned(probe))
        ):  # fmt: skip
            probe.came = each
            wire.send(each.key, answer(each.raw, probe.number | ANSWER))

    for attempt in range(TRIES):
        waiting = [probe for probe in probes if not probe.done or (attempt == 0)]
        for probe in waiting:
            if probe.packet.proto == sets.TCP:
                wire.asked(probe.place.key, probe.packet.sport, probe.number)
            if wire.send(probe.place.key, craft(probe.packet, probe.number)) and attempt == 0:
                sent[probe.counter] += 1
        wire.hear(WAIT_S, heard, enough=lambda: False)
        if all(probe.done for probe in probes):
            return


def _owned(probe: Probe) -> bool:
    """True when the probe's destination is somebody's: then it counts only where that address is."""
    return not probe.name.endswith(("unused", "elsewhere"))


def _judge(
    proof: Proof, probes: list[Probe], sent: Counter[str], before: dict[str, int], after: dict[str, int]
) -> Result:
    result = Result(len(proof.regions.regions), len(proof.regions.boundaries), len(probes))
    for probe in probes:
        result.arrived += probe.came is not None
        result.answers += probe.answered
        why = ""
        if probe.came and not probe.there:
            why = f"arrives at {'/'.join(filter(None, probe.came.key))}; the proof says it does not"
        elif probe.there and not probe.came:
            why = "does not arrive; the proof says it does"
        elif probe.back and not probe.answered:
            why = "its answer does not come back; the proof says it does"
        elif probe.answered and not probe.back:
            why = "its answer comes back; the proof says it does not"
        if why:
            result.disagreements.append({"packet": str(probe.packet), "pair": probe.name, "why": why})
    for counter, count in sent.items():
        rose = after.get(counter, 0) - before.get(counter, 0)
        result.counted += count if counter else 0
        if counter and rose < count:
            why = f"the firewall's counter {counter} rose by {rose}; the proof says at least {count}"
            result.disagreements.append({"packet": "", "pair": counter, "why": why})
    return result


# What is sent -------------------------------------------------------------------------------------------------


def plan(proof: Proof) -> Iterator[Probe]:
    """A probe for each region and two for each boundary, with the proof's own answer for each packet.

    Raises nothing; a region that no packet can stand for (a host to itself alone) has none.
    """
    number = 0
    for region in proof.regions.regions:
        packet = next(_samples(proof, region), None)
        if packet is not None:
            number += 1
            yield _probe(proof, region, packet, number)
    for edge in proof.regions.boundaries:
        for packet in (edge.inside, edge.outside):
            number += 1
            yield _probe(proof, edge, packet, number)


def _samples(proof: Proof, region: Region) -> Iterator[Packet]:
    """Packets of a region from one host to another."""
    chosen = sets.sample(region.box)
    if chosen.proto == sets.ICMP and chosen.dport > 255:
        return  # no such type
    for source in region.source.places:
        src = sets.meet(source.span, region.box.src)
        for target in region.target.places or (None,):
            dst = sets.meet(target.span, region.box.dst) if target else region.box.dst
            if src and dst and (target is None or target.key != source.key) and _goes(proof, source, dst):
                yield chosen._replace(src=_inner(src), dst=_inner(dst))


def _inner(span: sets.Span) -> int:
    """An address of a span, not the first of a prefix: that one is nobody's."""
    low, high = span[0]
    return low + 1 if high > low else low


def _goes(proof: Proof, source: Place, dst: sets.Span) -> bool:
    """A box on a broadband line sends what its tunnel does not carry to the carrier itself: not its users' packets."""
    return sets.meet(proof.measured.intent.reach(source.key[0]), dst) == dst


def _probe(proof: Proof, of: Region | Boundary, packet: Packet, number: int) -> Probe:
    regions, engine = proof.regions, proof.measured.engine
    place = regions.place(of, packet)
    if packet.proto != sets.ICMP:
        packet = packet._replace(sport=_FIRST_PORT + number % _PORTS)
    ends = regions.ends(place, packet)
    good = [end for end in ends if isinstance(end, Arrival) and regions.lands(of, end)]
    there = any(regions.lands(of, end) for end in ends)
    home = sets.within(packet.src, place.span) and (packet.proto != sets.ICMP or packet.dport == 8)
    back = home and any(
        isinstance(end, Arrival) and end.state.space == place.key for end in engine.flow(map(reply, good)).arrivals
    )
    counter = next((end.counter for end in ends if isinstance(end, Loss) and end.counter), "")
    name = f"{of.source.name} -> {of.target.name}"
    return Probe(number, name, place, packet, _watched(proof, of.target), there, back, counter)


def _watched(proof: Proof, target: Group) -> frozenset[Key]:
    """Where packets to a class of destinations are looked for; where nobody is, in the centres of that network."""
    model = proof.measured.intent.model
    if target.places:
        return frozenset(place.key for place in target.places)
    if target.network in model.networks:
        spaces = proof.measured.engine.world.spaces
        return frozenset(key for key in spaces if key[1] == target.network and model.hosts[key[0]].role is Role.CORE)
    return frozenset((host.name, "") for host in model.by_role(Role.OUTSIDE) if zone_of(model, host) == target.network)
