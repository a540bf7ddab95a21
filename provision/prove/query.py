"""Questions: ``edu:* -> gov:approval tcp/443``, answered over the rendered files with packets that show it.

>>> parse("edu:s001 -> gov:portal tcp/443").target
Selector(network='gov', who='portal', at=12)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from inventory.model import NetworkModel
from provision.prove import sets
from provision.prove.engine import Engine, Flow, Step
from provision.prove.intent import Intent, Place
from provision.prove.measure import start_of
from provision.prove.sets import Box, Packet
from provision.prove.world import Configs, build

_EPHEMERAL = ((32768, 60999),)
_WORD = re.compile(r"\S+")
_PROTOCOL = re.compile(r"(?P<protocol>tcp|udp|icmp|any)(?:/(?P<ports>[0-9,-]+))?")
SYNTAX = "NETWORK[:SITE|SERVICE|KIND|*] -> NETWORK[:SITE|SERVICE|KIND|*] [tcp/PORT|udp/PORT|icmp]"


class QueryError(ValueError):
    """A question that makes no sense: where in it, what was found, what was expected."""

    def __init__(self, text: str, at: int, found: str, expected: str) -> None:
        self.text, self.at = text, at
        super().__init__(f"found {found}; expected {expected}\n  {text}\n  {' ' * at}^ position {at + 1}")


@dataclass(frozen=True, slots=True)
class Selector:
    """One side of a question."""

    network: str
    who: str  # "*", a site, a service, a kind, or "" for an outside zone
    at: int  # where it stands in the question

    def __str__(self) -> str:
        return f"{self.network}:{self.who}" if self.who else self.network


@dataclass(frozen=True, slots=True)
class Query:
    """A question."""

    text: str
    source: Selector
    target: Selector
    protocol: str = ""  # "" = the service's own, else any
    ports: sets.Span = sets.PORTS
    protocol_at: int = 0


@dataclass(frozen=True, slots=True)
class Witness:
    """One packet, its hops, and what became of it."""

    packet: Packet
    end: str
    steps: tuple[Step, ...]
    answered: bool

    def document(self) -> dict[str, Any]:
        """For JSON."""
        hops = [{"space": step.space, "what": step.what, "where": step.where} for step in self.steps]
        return {"packet": str(self.packet), "end": self.end, "answered": self.answered, "hops": hops}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the rendered files say."""

    query: Query
    asked: int  # pairs of a source and a target
    passing: int  # of them, those that work whole: there, accepted, and back
    policy: tuple[str, ...]  # rules that open something of it
    intended: bool  # policy opens all of it
    passes: Witness | None
    stops: Witness | None

    @property
    def verdict(self) -> str:
        """``all``, ``some`` or ``none``."""
        return "all" if self.passing == self.asked else "some" if self.passes else "none"

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "query": self.query.text,
            "verdict": self.verdict,
            "pairs": {"asked": self.asked, "passing": self.passing},
            "policy": list(self.policy),
            "intended": self.intended,
            "passes": self.passes.document() if self.passes else None,
            "stops": self.stops.document() if self.stops else None,
        }


def parse(text: str) -> Query:
    """Read a question.  Raises QueryError with the position."""
    words = [(match[0], match.start()) for match in _WORD.finditer(text)]
    if not words:
        raise QueryError(text, 0, "nothing", SYNTAX)
    source = _selector(text, *words[0])
    if len(words) < 2 or words[1][0] != "->":
        at = words[1][1] if len(words) > 1 else len(text)
        raise QueryError(text, at, repr(words[1][0]) if len(words) > 1 else "the end", "->")
    if len(words) < 3:
        raise QueryError(text, len(text), "the end", "a target after ->")
    target = _selector(text, *words[2])
    if len(words) == 3:
        return Query(text, source, target)
    if len(words) > 4:
        raise QueryError(text, words[4][1], repr(words[4][0]), "the end of the question")
    word, at = words[3]
    match = _PROTOCOL.fullmatch(word)
    if match is None:
        raise QueryError(text, at, repr(word), "tcp/PORT, udp/PORT, icmp or any")
    ports = _ports(text, at + word.find("/") + 1, match["protocol"], match["ports"])
    return Query(text, source, target, match["protocol"], ports, at)


def _selector(text: str, word: str, at: int) -> Selector:
    network, colon, who = word.partition(":")
    if not re.fullmatch(r"[a-z0-9]+", network):
        raise QueryError(text, at, repr(word), "a network like gov:*, or internet, city or province")
    if colon and not re.fullmatch(r"\*|[a-z0-9-]+", who):
        raise QueryError(text, at + len(network) + 1, repr(who) if who else "nothing", "a site, a service, a kind or *")
    return Selector(network, who, at)


def _ports(text: str, at: int, protocol: str, ports: str | None) -> sets.Span:
    if ports is None:
        return sets.PORTS
    found = []
    for item in ports.split(","):
        low, dash, high = item.partition("-")
        numbers = [int(each) for each in ((low, high) if dash else (low, low)) if each]
        if protocol not in ("tcp", "udp") or len(numbers) != 2 or not 1 <= numbers[0] <= numbers[1] <= 65535:
            raise QueryError(text, at, f"{protocol}/{item}", "ports 1 to 65535 of tcp or udp, like tcp/80,443")
        found.append((numbers[0], numbers[1]))
    return sets.normal(found)


def places(intent: Intent, query: Query, selector: Selector, *, source: bool) -> list[Place]:
    """The places a selector means.  Raises QueryError naming what is there."""
    model = intent.model
    fitting = [each for each in intent.places if each.network == selector.network]
    fitting = [each for each in fitting if (each.source if source else each.target)]
    if selector.network not in model.networks and selector.network not in model.outside:
        names = ", ".join((*model.networks, *model.outside))
        raise QueryError(query.text, selector.at, f"network {selector.network!r}", f"one of {names}")
    if selector.who in ("", "*"):
        return fitting
    found = [each for each in fitting if selector.who in _words(model, each)]
    if not found:
        at = selector.at + len(selector.network) + 1
        known = sorted({word for each in fitting for word in _words(model, each)})
        shown = ", ".join(known[:24]) + (" ..." if len(known) > 24 else "")
        raise QueryError(
            query.text, at, f"{selector.who!r}, which is not in {selector.network}", f"* or one of {shown}"
        )
    return found


def _words(model: NetworkModel, place: Place) -> set[str]:
    """Every word by which a place may be meant: its name, its group, services on its address, `halls`."""
    words = {place.name, place.group.removeprefix("service:")}
    address = place.span[0][0]
    words |= {each.name for each in model.services.values() if int(each.address) == address}
    if any(int(hall.address) == address for hall in model.halls.values()):
        words.add("halls")
    return words


def ask(model: NetworkModel, configs: Configs, query: Query) -> Answer:
    """Answer a question over rendered files.  Raises QueryError and ProveError."""
    intent = Intent(model)
    sources = places(intent, query, query.source, source=True)
    targets = places(intent, query, query.target, source=False)
    proto, ports = _asked(model, query)
    engine = Engine(build(model, configs))
    answer = _Asking(engine, intent, proto, ports)
    return answer.run(query, sources, targets)


def _asked(model: NetworkModel, query: Query) -> tuple[sets.Span, sets.Span]:
    """Protocol and ports; a service brings its own."""
    service = model.services.get(query.target.who)
    if not query.protocol:
        if service is None:
            return sets.PROTOCOLS, sets.PORTS
        return sets.span(sets.PROTOCOL_NUMBERS[service.protocol]), sets.span(service.port)
    if query.protocol == "any":
        return sets.PROTOCOLS, sets.PORTS
    number = sets.PROTOCOL_NUMBERS[query.protocol]
    return sets.span(number), sets.span(8) if number == sets.ICMP else query.ports


class _Asking:
    def __init__(self, engine: Engine, intent: Intent, proto: sets.Span, ports: sets.Span) -> None:
        self.engine, self.intent = engine, intent
        self.limit = Box(proto=proto, sport=_EPHEMERAL, dport=ports)

    def run(self, query: Query, sources: list[Place], targets: list[Place]) -> Answer:
        """One walk for all pairs, then a witness of either verdict."""
        span = sets.normal(interval for each in targets for interval in each.span)
        starts = [(start_of(self.engine, each), self.limit._replace(src=each.span, dst=span)) for each in sources]
        there = self.engine.flow(starts)
        keys = {each.key for each in targets}
        good = [each for each in there.arrivals if each.accepted and each.state.space in keys]
        back = self.engine.answer(Flow(arrivals=good))
        returned = [Box(e.box.dst, e.box.src, e.box.proto, sets.PORTS, sets.PORTS) for e in back.arrivals if e.accepted]
        works = sets.compact(sets.overlap((each.sent() for each in good), returned))
        asked = passing = 0
        passed: Box | None = None
        stopped: Box | None = None
        for source in sources:
            for target in targets:
                pair = self.limit._replace(src=source.span, dst=target.span)
                if source.key == target.key:
                    continue
                asked += 1
                left = sets.subtract([pair], works)
                passing += not left
                passed = passed or next(iter(sets.overlap([pair], works)), None)
                stopped = stopped or (left[0] if left else None)
        rules = self._policy(sources, span)
        open_ = [box for _, box in rules]
        inside = query.source.network == query.target.network and query.source.network in self.intent.model.networks
        whole = [self.limit._replace(src=each.span, dst=span) for each in sources]
        return Answer(
            query,
            asked,
            passing,
            tuple(dict.fromkeys(name for name, _ in rules)),
            inside or not sets.subtract(whole, open_),
            self._witness(passed, sources) if passed else None,
            self._witness(stopped, sources) if stopped else None,
        )

    def _policy(self, sources: list[Place], span: sets.Span) -> list[tuple[str, Box]]:
        found = []
        networks = {each.network for each in sources}
        targets = {each.network for each in self.intent.places if sets.meet(each.span, span)}
        src = sets.normal(interval for each in sources for interval in each.span)
        for network in networks:
            for target in targets - {network}:
                for rule, box in self.intent.opened(network, target):
                    if sets.cut(box, self.limit._replace(src=src, dst=span)):
                        found.append((rule.name, box))
        return found

    def _witness(self, box: Box, sources: Iterable[Place]) -> Witness:
        packet = sets.sample(box)
        place = next(each for each in sources if sets.within(packet.src, each.span))
        start = start_of(self.engine, place)
        flow = self.engine.flow([(start, packet.box())], trace=True)
        back = self.engine.answer(flow)
        answered = any(each.accepted and each.state.space == place.key for each in back.arrivals)
        ends = [
            f"{'accepted' if each.accepted else 'refused'} by {'/'.join(filter(None, each.state.space))}"
            for each in flow.arrivals
        ] + [f"stopped: {each.why}" for each in flow.losses]
        return Witness(packet, "; ".join(ends), tuple(flow.steps), answered)
