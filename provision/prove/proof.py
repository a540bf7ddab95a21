"""The proof of a whole county: measured, compared, its regions counted, and its own eyes tested by planted mistakes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from inventory.model import NetworkModel
from provision.prove import rules
from provision.prove.checks import Checks, Disagreement
from provision.prove.engine import Engine
from provision.prove.errors import ProveError
from provision.prove.intent import Intent
from provision.prove.measure import Measurement
from provision.prove.mistakes import Mistake, plant
from provision.prove.regions import Regions
from provision.prove.rules import Finding
from provision.prove.world import Configs, build

SHOWN = 40
"""How many witnesses and useless rules a document shows; their numbers are always whole."""

Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Proof:
    """What was proved."""

    measured: Measurement
    checks: Checks
    regions: Regions
    disagreements: list[Disagreement]
    useless: list[Finding]
    never: list[Finding]
    seconds: float
    planted: list[tuple[Mistake, str]] = field(default_factory=list)  # and how it was found, "" when it was not

    @property
    def good(self) -> bool:
        """True when rendered files and intent agree, and every planted mistake was found."""
        return not self.disagreements and not self.useless and all(how for _, how in self.planted)

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        exits = sorted(self.checks.exits())
        devices = sum(place.group == "devices" for place in self.measured.intent.places)
        found: dict[str, Any] = {
            "regions": len(self.regions.regions),
            "boundaries": len(self.regions.boundaries),
            "disagreements": len(self.disagreements),
            "sources": len(self.measured.intent.sources),
            "targets": len(self.measured.intent.targets),
            "allowed": sum(region.allowed for region in self.regions.regions),
            "exits": exits,
            "one_exit": len(exits) == 1,
            "devices": {"expected": devices, "reached": self.checks.reached()},
            "rules": {
                "shadowed": sum(each.kind == "shadowed" for each in self.useless),
                "duplicate": sum(each.kind == "duplicate" for each in self.useless),
                "never_hit": len(self.never),
                "findings": [each.document() for each in (*self.useless, *self.never)[:SHOWN]],
            },
            "witnesses": [each.document() for each in self.checks.explain(self.disagreements[:SHOWN])],
            "seconds": round(self.seconds, 2),
        }
        if self.planted:
            found["planted"] = len(self.planted)
            found["found"] = sum(bool(how) for _, how in self.planted)
            kinds = Counter(mistake.kind for mistake, _ in self.planted)
            seen = Counter(mistake.kind for mistake, how in self.planted if how)
            found["kinds"] = {kind: {"planted": count, "found": seen[kind]} for kind, count in kinds.items()}
            found["mistakes"] = [mistake.document() | {"found": how} for mistake, how in self.planted]
        return found


def prove(model: NetworkModel, configs: Configs) -> Proof:
    """Prove a county's files.  Raises ProveError for one that the proof cannot read."""
    began = time.monotonic()
    world = build(model, configs)
    engine = Engine(world)
    measured = Measurement(engine, Intent(model))
    checks = Checks(measured)
    disagreements = checks.all()
    regions = Regions(measured)
    for region in regions.regions:
        if not region.agreed and not disagreements:
            disagreements.append(checks.region(region.source.name, region.target.name, region.box))
    useless = list(rules.useless(world))
    never = list(rules.never_hit(world, engine.hits))
    return Proof(measured, checks, regions, disagreements, useless, never, time.monotonic() - began)


def try_eyes(proof: Proof, count: int, seed: int, progress: Progress) -> None:
    """Plant mistakes one at a time into the rendered files, and note what showed each."""
    world = proof.measured.engine.world
    known = frozenset((each.kind, each.source, each.target) for each in proof.disagreements)
    for number in range(count):
        mistake, configs = plant(world, proof.measured.engine.hits, seed + number)
        proof.planted.append((mistake, seen(world.model, configs, known)))
        progress("planted mistakes", number + 1, count)


def seen(model: NetworkModel, configs: Configs, known: frozenset[tuple[str, str, str]] = frozenset()) -> str:
    """The first disagreement beyond those known, in words; "" when the proof sees none."""
    try:
        world = build(model, configs)
        for each in Checks(Measurement(Engine(world), Intent(model))).each():
            if (each.kind, each.source, each.target) not in known:
                return f"{each.kind}: {each.source} -> {each.target}, {each.packet}: {each.text}"
        for finding in rules.useless(world):
            return f"{finding.kind}: {finding.where}"
    except ProveError as unreadable:
        return f"unreadable: {unreadable}"
    return ""
