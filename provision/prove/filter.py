"""What a ruleset does with packets: exact evaluation of a hook's chains over boxes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from provision.prove.ruleset import Chain, Rule, Ruleset
from provision.prove.sets import Box, cut, take

NEW, ESTABLISHED, INVALID = "new", "established", "invalid"


@dataclass(frozen=True, slots=True)
class Context:
    """What is the same for all packets of an evaluation."""

    iif: str = ""
    oif: str = ""
    state: str = NEW
    direction: str = "original"


@dataclass(frozen=True, slots=True)
class Item:
    """Packets under way in a hook."""

    box: Box
    mark: int = 0
    ct_mark: int = 0
    rule: Rule | None = None  # the last that decided
    chain: str = ""
    nat: Rule | None = None

    @property
    def where(self) -> str:
        """File and line of the rule that decided."""
        return self.rule.where if self.rule else ""


@dataclass(slots=True)
class Outcome:
    """What came of a hook."""

    passed: list[Item]
    dropped: list[Item]


class Hits(set[str]):
    """Where every rule stands that some packet matched."""


def run(
    ruleset: Ruleset | None, hook: str, items: Iterable[Item], context: Context, hits: Hits | None = None
) -> Outcome:
    """Take packets through every base chain of a hook."""
    live: list[Item] = list(items)
    dropped: list[Item] = []
    if ruleset is None:
        return Outcome(live, dropped)
    for chain in ruleset.hooked(hook):
        if chain.inert:
            continue
        if chain.kind == "nat" and context.state != NEW:
            continue  # NAT is decided by the first packet; answers are translated by the connection
        done, rest = _chain(ruleset, chain, live, context, hits, 0)
        live = [item for verdict, item in done if verdict != "drop"]
        dropped += [item for verdict, item in done if verdict == "drop"]
        if chain.policy == "drop":
            policy = Rule(chain.where, f"chain {chain.name}: policy drop", verdict="drop")
            dropped += [replace(item, rule=policy, chain=chain.name) for item in rest]
        else:
            live += rest
    return Outcome(live, dropped)


Decided = list[tuple[str, Item]]


def _chain(
    ruleset: Ruleset, chain: Chain, items: list[Item], context: Context, hits: Hits | None, depth: int
) -> tuple[Decided, list[Item]]:
    """(decided, those that reached the end)."""
    decided: Decided = []
    live = items
    returned: list[Item] = []
    for rule in chain.rules:
        if not live:
            break
        if not applies(rule, context):
            continue
        kept: list[Item] = []
        for item in live:
            if not _marked(rule, item):
                kept.append(item)
                continue
            matched, rest = _match(rule, item)
            kept += rest
            if matched and hits is not None:
                hits.add(rule.where)
            for hit in matched:
                _act(ruleset, chain, rule, hit, context, hits, depth, decided, kept, returned)
        live = kept
    return decided, live + returned


def _act(
    ruleset: Ruleset, chain: Chain, rule: Rule, item: Item, context: Context, hits: Hits | None, depth: int,
    decided: Decided, kept: list[Item], returned: list[Item],
) -> None:  # fmt: skip
    if rule.set_mark:
        item = replace(item, mark=item.ct_mark if rule.set_mark == "ct" else int(rule.set_mark))
    if rule.set_ct_mark:
        item = replace(item, ct_mark=item.mark if rule.set_ct_mark == "meta" else int(rule.set_ct_mark))
    match rule.verdict:
        case "":
            kept.append(item)
        case "accept":
            decided.append(("accept", replace(item, rule=rule, chain=chain.name)))
        case "drop" | "reject":
            decided.append(("drop", replace(item, rule=rule, chain=chain.name)))
        case "return":
            returned.append(item)
        case "jump" | "goto":
            done, rest = _chain(ruleset, ruleset.chains[rule.to], [item], context, hits, depth + 1)
            decided += done
            (kept if rule.verdict == "jump" else returned).extend(rest)
        case _:
            decided.append(("accept", replace(item, nat=rule, chain=chain.name)))


def applies(rule: Rule, context: Context) -> bool:
    """True when interfaces and connection state fit; no routed packet fits a rule with ``never``."""
    if rule.never or rule.by_class:
        return False
    if rule.iif is not None and named(context.iif, rule.iif[1]) is not rule.iif[0]:
        return False
    if rule.oif is not None and named(context.oif, rule.oif[1]) is not rule.oif[0]:
        return False
    if rule.states is not None and (context.state in rule.states[1]) is not rule.states[0]:
        return False
    return not rule.direction or rule.direction == context.direction


def named(name: str, names: frozenset[str]) -> bool:
    """True when an interface is one of the names; ``p*`` means all that begin with p."""
    return name in names or any(each.endswith("*") and name.startswith(each[:-1]) for each in names)


def _marked(rule: Rule, item: Item) -> bool:
    if rule.mark is not None and (item.mark == rule.mark[1]) is not rule.mark[0]:
        return False
    return rule.ct_mark is None or (item.ct_mark == rule.ct_mark[1]) is rule.ct_mark[0]


def _match(rule: Rule, item: Item) -> tuple[list[Item], list[Item]]:
    matched: list[Item] = []
    rest = [item.box]
    for limit in rule.within:
        left = []
        for box in rest:
            both = cut(box, limit)
            if both is None:
                left.append(box)
            else:
                matched.append(replace(item, box=both))
                left += take(box, limit)
        rest = left
    if not matched:
        return [], [item]
    return matched, [replace(item, box=box) for box in rest]
