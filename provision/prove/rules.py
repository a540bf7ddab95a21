"""Rules that never do anything: shadowed by earlier ones, written twice, or never reached by any packet there is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from provision.prove.filter import ESTABLISHED, INVALID, NEW, Context, Hits, applies
from provision.prove.ruleset import Chain, Rule
from provision.prove.sets import subtract
from provision.prove.world import World

_ENDS = ("accept", "drop", "reject", "return", "goto", "snat", "dnat", "masquerade", "redirect")
_OTHER = "*other*"


@dataclass(frozen=True, slots=True)
class Finding:
    """One useless rule."""

    kind: str  # "shadowed", "duplicate" or "never hit"
    where: str
    text: str
    by: str = ""  # the rule that is in its way

    def document(self) -> dict[str, str]:
        """For JSON."""
        return {"kind": self.kind, "where": self.where, "rule": self.text, "by": self.by}


def useless(world: World) -> Iterator[Finding]:
    """Shadowed and duplicate rules of every chain; each file is looked at once."""
    seen: set[str] = set()
    for space in world.spaces.values():
        for chain in space.ruleset.chains.values() if space.ruleset else ():
            if chain.where not in seen:
                seen.add(chain.where)
                yield from _chain(chain)


def never_hit(world: World, hits: Hits) -> Iterator[Finding]:
    """Rules with a verdict that no packet of the proof met; those for neighbours on a wire and rates are left out."""
    for space in world.spaces.values():
        for chain in space.ruleset.chains.values() if space.ruleset else ():
            for rule in () if chain.inert else chain.rules:
                if rule.verdict and not rule.never and rule.where not in hits and not _local(rule):
                    yield Finding("never hit", rule.where, rule.text)


def _local(rule: Rule) -> bool:
    """Doors that the county's own users never knock at: the loopback and the staging port."""
    return rule.iif is not None and rule.iif[0] and rule.iif[1] <= {"lo", "stg0"}


def _chain(chain: Chain) -> Iterator[Finding]:
    same: dict[Rule, Rule] = {}
    combinations = list(_combinations(chain))
    ending: list[Rule] = []
    for rule in chain.rules:
        key = replace(rule, where="", text="", comment="", counter="")
        if rule.verdict and key in same:
            yield Finding("duplicate", rule.where, rule.text, same[key].where)
        elif rule.verdict and not rule.never:
            by = _shadow(rule, ending, combinations)
            if by is not None:
                yield Finding("shadowed", rule.where, rule.text, by.where)
        same.setdefault(key, rule)
        if rule.verdict in _ENDS and not (rule.never or rule.mark or rule.ct_mark):
            ending.append(rule)


def _shadow(rule: Rule, earlier: list[Rule], combinations: list[Context]) -> Rule | None:
    """The last of the earlier rules that leave nothing to this one; None when something is left."""
    last: Rule | None = None
    tried = False
    for context in combinations:
        if not applies(rule, context):
            continue
        tried = True
        left = list(rule.within)
        for other in earlier:
            if applies(other, context):
                rest = subtract(left, other.within)
                if rest != left:
                    last = other
                left = rest
            if not left:
                break
        if left:
            return None
    return last if tried else None


def _combinations(chain: Chain) -> Iterator[Context]:
    """Every way in, way out and connection state that some rule of the chain tells apart."""
    ins = {name for rule in chain.rules if rule.iif for name in rule.iif[1]} | {_OTHER}
    outs = {name for rule in chain.rules if rule.oif for name in rule.oif[1]} | {_OTHER}
    states = (NEW, ESTABLISHED, INVALID) if any(rule.states for rule in chain.rules) else (NEW,)
    directions = ("original", "reply") if any(rule.direction for rule in chain.rules) else ("original",)
    for iif, oif, state, direction in product(sorted(ins), sorted(outs), states, directions):
        yield Context(iif, oif, state, direction)
