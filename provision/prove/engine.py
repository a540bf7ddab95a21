"""Forwarding over a world, all sources at once: boxes travel in waves from space to space.

Packets that meet in a space on the same way in (interface, connections they have opened) are one region from there
on, so a county is walked in some twenty waves and not once for each pair.  A witness is the same walk with one packet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from typing import NamedTuple

from provision.prove import sets
from provision.prove.filter import ESTABLISHED, INVALID, NEW, Context, Hits, Item, run
from provision.prove.routes import Routing
from provision.prove.segments import Segments
from provision.prove.sets import Box, Packet, Span, compact, cut, meet, minus, take
from provision.prove.tables import Hop
from provision.prove.tunnels import Peer
from provision.prove.world import Key, Space, World

MAX_HOPS = 32


class Connection(NamedTuple):
    """What a stateful space remembers of a first packet."""

    space: Key
    src: Span | None = None  # before source NAT
    dst: Span | None = None  # before destination NAT
    dport: Span | None = None
    mark: int = 0


class State(NamedTuple):
    """Where a region is, how it came, and which connections know it."""

    space: Key
    iif: str = ""  # "" = made here
    connections: tuple[Connection, ...] = ()
    answer: bool = False


@dataclass(frozen=True, slots=True)
class Arrival:
    """Packets that reached a host of theirs, before its own ruleset."""

    state: State
    box: Box  # as they arrive
    accepted: bool  # by the host's own ruleset
    rule: str = ""  # line of the rule that said so

    def sent(self) -> Box:
        """As they were sent: address translation undone."""
        return sent(self.box, self.state)


@dataclass(frozen=True, slots=True)
class Loss:
    """Packets that went no further."""

    state: State
    box: Box
    why: str
    rule: str = ""  # file:line
    counter: str = ""

    def sent(self) -> Box:
        """As they were sent."""
        return sent(self.box, self.state)


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a witness."""

    space: str
    what: str
    where: str  # file:line or file


@dataclass(slots=True)
class Flow:
    """What became of all packets."""

    arrivals: list[Arrival] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)


def sent(box: Box, state: State) -> Box:
    """Undo the translations of the connections (of a first packet)."""
    for each in reversed(state.connections):
        if each.src is not None:
            box = box._replace(src=each.src)
        if each.dst is not None:
            box = box._replace(dst=each.dst, dport=each.dport if each.dport is not None else box.dport)
    return box


class Engine:
    """Walks packets through a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.segments = Segments(world, self.carry)
        self.routing = Routing(world, self.segments.hears)
        self.hits = Hits()
        self._carried: dict[tuple[str, int, int], str | None] = {}
        self._tunnels: dict[tuple[str, str], bool] = {}
        self._owned: dict[Key, Span] = {}
        self._tracing: list[Step] | None = None

    def flow(self, starts: Iterable[tuple[State, Box]], trace: bool = False) -> Flow:
        """Send every start's packets until all have arrived or are lost."""
        result = Flow()
        before, self._tracing = self._tracing, result.steps if trace else None
        wave: dict[State, list[Box]] = {}
        for state, box in starts:
            wave.setdefault(state, []).append(box)
        for _ in range(MAX_HOPS):
            following: dict[State, list[Box]] = {}
            for state, boxes in wave.items():
                for box in compact(boxes) if len(boxes) > 1 else boxes:
                    self._arrive(state, box, result, following)
            wave = following
            if not wave:
                break
        for state, boxes in wave.items():
            result.losses += [Loss(state, box, "goes round in a loop") for box in boxes]
        self._tracing = before
        return result

    def answer(self, flow: Flow) -> Flow:
        """The answers to everything that arrived and was accepted."""
        return self.flow(reply(each) for each in flow.arrivals if each.accepted)

    # One space --------------------------------------------------------------------------------------------

    def _arrive(self, state: State, box: Box, result: Flow, following: dict[State, list[Box]]) -> None:
        space = self.world.spaces[state.space]
        known = next((each for each in state.connections if each.space == space.key), None)
        kind = (ESTABLISHED if known else INVALID) if state.answer else NEW
        direction = "reply" if state.answer and known else "original"
        context = Context(state.iif, "", kind, direction)
        first = Item(box, ct_mark=known.mark if known and state.answer else 0)
        outcome = run(space.ruleset, "prerouting" if state.iif else "output", [first], context, self.hits)
        self._lost(result, state, space, outcome.dropped)
        for item in outcome.passed:
            connection = Connection(space.key, mark=item.ct_mark)
            packet = item.box
            if item.nat is not None:
                connection = connection._replace(dst=packet.dst, dport=packet.dport)
                packet = self._to(packet, item.nat.to, "dst")
                self._note(space, f"translated to {_one(packet)}: {item.nat.text}", item.nat.where)
            elif state.answer and known and known.src is not None:
                packet = packet._replace(dst=known.src)
                self._note(space, f"translated back to {_one(packet)}", _path(space))
            self._route(state, space, packet, item, connection, known, context, result, following)

    def _route(
        self, state: State, space: Space, box: Box, item: Item, connection: Connection, known: Connection | None,
        context: Context, result: Flow, following: dict[State, list[Box]],
    ) -> None:  # fmt: skip
        own = self._own(space)
        here = meet(box.dst, own)
        if here:
            opened = _with(state, connection, known) if item.nat is not None else state
            self._deliver(opened, space, box._replace(dst=here), context, result)
        rest = minus(box.dst, own)
        if not rest:
            return
        box = box._replace(dst=rest)
        if state.iif and not space.forward:
            result.losses.append(Loss(state, box, f"{space.name} does not forward", f"{space.key[0]}"))
            return
        ways, lost = self.routing.fib(space.key).split(box, state.iif, item.mark)
        for each in lost:
            self._absorb(state, space, each, result)
        for hop, part in ways:
            self._trace_route(space, part, state, item.mark, hop)
            self._forward(state, space, part, item, hop, connection, known, context, result, following)

    def _forward(
        self, state: State, space: Space, box: Box, item: Item, hop: Hop, connection: Connection,
        known: Connection | None, context: Context, result: Flow, following: dict[State, list[Box]],
    ) -> None:  # fmt: skip
        leaving = Context(context.iif, hop.dev, context.state, context.direction)
        items = [Item(box, item.mark, item.ct_mark)]
        if state.iif:
            outcome = run(space.ruleset, "forward", items, leaving, self.hits)
            self._lost(result, state, space, outcome.dropped)
            items = outcome.passed
            for each in items:
                if each.rule is not None:
                    self._note(space, f"passes: {each.rule.text}", each.where)
        outcome = run(space.ruleset, "postrouting", items, leaving, self.hits)
        self._lost(result, state, space, outcome.dropped)
        for each in outcome.passed:
            packet, opened = each.box, connection._replace(mark=each.ct_mark)
            if each.nat is not None:
                opened = opened._replace(src=packet.src)
                address = each.nat.to or str(IPv4Address(space.interfaces[hop.dev].addresses[0][0]))
                packet = self._to(packet, address, "src")
                self._note(space, f"sent as {_one(packet)}: {each.nat.text}", each.nat.where)
            elif state.answer and known and known.dst is not None:
                packet = packet._replace(src=known.dst, sport=known.dport or packet.sport)
            after = state if state.answer or not space.stateful else _with(state, opened, known)
            self._leave(after, space, packet, hop, result, following)

    def _deliver(self, state: State, space: Space, box: Box, context: Context, result: Flow) -> None:
        # An answer comes to whoever asked: the host's own connection knows it.
        iif = context.iif or "lo"
        asked = Context(iif, "", ESTABLISHED, "reply") if state.answer else replace(context, iif=iif)
        outcome = run(space.ruleset, "input", [Item(box)], asked, self.hits)
        for item, accepted in [(each, True) for each in outcome.passed] + [(each, False) for each in outcome.dropped]:
            rule = item.where or (_path(space) if space.ruleset else "")
            result.arrivals.append(Arrival(state, item.box, accepted, rule))
            text = item.rule.text if item.rule else "no rule refuses"
            self._note(space, f"arrives; {'accepted' if accepted else 'refused'}: {text}", rule)

    def _absorb(self, state: State, space: Space, box: Box, result: Flow) -> None:
        """Outside, whatever is not the county's goes on into the world."""
        if space.zone:
            result.arrivals.append(Arrival(state, box, accepted=True))
            self._note(space, f"goes on into {space.zone}", "")
        else:
            result.losses.append(Loss(state, box, f"{space.name} has no route"))

    def _lost(self, result: Flow, state: State, space: Space, items: list[Item]) -> None:
        for item in items:
            rule = item.where
            text = item.rule.text if item.rule else ""
            result.losses.append(
                Loss(state, item.box, f"{space.name}: {text}", rule, item.rule.counter if item.rule else "")
            )
            self._note(space, f"dropped: {text}", rule)

    # Between spaces ---------------------------------------------------------------------------------------

    def _leave(
        self, state: State, space: Space, box: Box, hop: Hop, result: Flow, following: dict[State, list[Box]]
    ) -> None:
        interface = space.interfaces[hop.dev]
        if interface.kind == "tunnel":
            self._tunnel(state, space, box, hop.dev, result, following)
            return
        owners = self.segments.owners(space.key, hop.dev)
        if hop.via is not None:
            found = owners.get(hop.via)
            if found is None:
                why = f"nobody on {space.name} {hop.dev} answers for {IPv4Address(hop.via)}"
                result.losses.append(Loss(state, box, why))
            else:
                following.setdefault(State(found[0], found[1], state.connections, state.answer), []).append(box)
            return
        rest = box.dst
        for address, (key, name) in owners.items():
            if sets.within(address, rest):
                one = box._replace(dst=((address, address),))
                rest = minus(rest, one.dst)
                following.setdefault(State(key, name, state.connections, state.answer), []).append(one)
        if rest and space.zone:
            self._absorb(state, space, box._replace(dst=rest), result)
        elif rest:
            why = f"nobody on {space.name} {hop.dev} answers"
            result.losses.append(Loss(state, box._replace(dst=rest), why))

    def _tunnel(
        self, state: State, space: Space, box: Box, device: str, result: Flow, following: dict[State, list[Box]]
    ) -> None:
        vpn = self.world.vpns.get((space.key[0], device))
        rest = [box]
        for peer in vpn.peers if vpn else ():
            there = Box(src=peer.near, dst=peer.far)
            for each in [both for part in rest if (both := cut(part, there))]:
                self._through(state, space, each, device, peer, result, following)
            rest = [piece for part in rest for piece in take(part, there)]
        for each in rest:
            where = vpn.path if vpn else space.name
            result.losses.append(Loss(state, each, f"{space.name}: no peer of {device} takes it", where))

    def _through(
        self, state: State, space: Space, box: Box, device: str, peer: Peer, result: Flow,
        following: dict[State, list[Box]],
    ) -> None:  # fmt: skip
        key = (peer.host, "")
        theirs = self.world.vpns.get((peer.host, device))
        back = next((each for each in theirs.peers if each.host == space.key[0]), None) if theirs else None
        if back is None or theirs is None or not self.up(space.key[0], peer.host, device):
            result.losses.append(Loss(state, box, f"{space.name}: the tunnel to {peer.host} is not up"))
            return
        welcome = Box(src=back.far, dst=back.near)
        inside = cut(box, welcome)
        if inside is not None:
            vpn = self.world.vpns[(space.key[0], device)]
            self._note(space, f"into the tunnel to {peer.host}", f"{vpn.path}:{peer.line}")
            following.setdefault(State(key, device, state.connections, state.answer), []).append(inside)
        for piece in take(box, welcome):
            why = f"{peer.host}: not of the prefixes of {space.key[0]}"
            result.losses.append(Loss(state, piece, why, f"{theirs.path}:{back.line}"))

    def up(self, a: str, b: str, device: str) -> bool:
        """True when the outer packets of a tunnel go there and back; the end that knows the other's address calls."""
        pair = (min(a, b), max(a, b))
        if pair not in self._tunnels:
            self._tunnels[pair] = any(self._calls(one, other, device) for one, other in ((a, b), (b, a)))
        return self._tunnels[pair]

    def _calls(self, caller: str, called: str, device: str) -> bool:
        vpn, space = self.world.vpns.get((caller, device)), self.world.spaces.get((caller, ""))
        peer = next((each for each in vpn.peers if each.host == called), None) if vpn else None
        if peer is None or peer.endpoint is None or space is None:
            return False
        route = self.routing.fib(space.key).route(0, int(peer.endpoint), "", 0)
        if route is None or not space.interfaces[route.hop.dev].addresses:
            return False
        source = space.interfaces[route.hop.dev].addresses[0][0]
        packet = Packet(source, int(peer.endpoint), sets.UDP, peer.port, peer.port)
        return self.answered(space.key, packet, called)

    def answered(self, start: Key, packet: Packet, end: str = "") -> bool:
        """True when a packet is accepted (by that host) and its answer comes back."""
        there = self.flow([(State(start), packet.box())])
        good = [each for each in there.arrivals if each.accepted and end in ("", each.state.space[0])]
        back = self.flow(reply(each) for each in good)
        return any(each.state.space == start and each.accepted for each in back.arrivals)

    def carry(self, host: str, local: int, vtep: int) -> str | None:
        """The host that takes VXLAN packets from one VTEP to another, over the underlay's own routes and rules."""
        key = (host, local, vtep)
        if key not in self._carried:
            packet = Packet(local, vtep, sets.UDP, 50000, 4789)
            there = self.flow([(State((host, "")), packet.box())])
            taken = [each.state.space[0] for each in there.arrivals if each.accepted]
            self._carried[key] = taken[0] if taken and taken[0] != host else None
        return self._carried[key]

    # Helpers ----------------------------------------------------------------------------------------------

    def _own(self, space: Space) -> Span:
        """A space's own addresses."""
        if space.key not in self._owned:
            self._owned[space.key] = sets.normal((address, address) for address in space.local)
        return self._owned[space.key]

    def _to(self, box: Box, to: str, side: str) -> Box:
        address, _, port = to.partition(":")
        box = box._replace(**{side: sets.of_address(IPv4Address(address))})
        if side == "dst" and port:
            return box._replace(dport=sets.span(int(port)))
        return box

    def _note(self, space: Space, what: str, where: str) -> None:
        if self._tracing is not None:
            self._tracing.append(Step(space.name, what, where))

    def _trace_route(self, space: Space, box: Box, state: State, mark: int, hop: Hop) -> None:
        if self._tracing is None:
            return
        route = self.routing.fib(space.key).route(box.src[0][0], box.dst[0][0], state.iif, mark)
        prefix = f"{IPv4Address(route.first)}/{route.length}" if route else "?"
        via = f" via {IPv4Address(hop.via)}" if hop.via is not None else ""
        self._note(space, f"{prefix}{via} dev {hop.dev}", route.where if route else "")


def reply(arrival: Arrival) -> tuple[State, Box]:
    """The answer to packets that arrived, at the space that they reached."""
    box = arrival.box
    answer = Box(box.dst, box.src, box.proto, box.dport, box.sport)
    if box.proto == ((sets.ICMP, sets.ICMP),):
        answer = Box(box.dst, box.src, box.proto, sets.PORTS, sets.span(0))
    return State(arrival.state.space, "", arrival.state.connections, True), answer


def _with(state: State, connection: Connection, known: Connection | None) -> State:
    """The state after a stateful space has opened a connection."""
    if state.answer or known == connection:
        return state
    others = tuple(each for each in state.connections if each.space != connection.space)
    return state._replace(connections=(*others, connection))


def _path(space: Space) -> str:
    return space.ruleset.path if space.ruleset else space.name


def _one(box: Box) -> str:
    return str(sets.sample(box))
