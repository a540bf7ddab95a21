"""Rulesets are read as nft reads them, and evaluated as z3 says they must be."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import pytest
import z3  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from provision.prove import nft, rules, sets
from provision.prove.errors import ProveError
from provision.prove.filter import ESTABLISHED, NEW, Context, Hits, Item, run
from provision.prove.ruleset import Ruleset
from provision.prove.sets import ALL, Box

SOMEHOW = Context("a", "b")
HEAD = "table inet county {\n chain forward {\n  type filter hook forward priority filter; policy drop;\n"


def ruleset(*lines: str, rest: str = "") -> Ruleset:
    return nft.parse("fw:/etc/nftables.conf", HEAD + "".join(f"  {line}\n" for line in lines) + " }\n" + rest + "}\n")


def passed(found: Ruleset, context: Context = SOMEHOW) -> list[Box]:
    return [item.box for item in run(found, "forward", [Item(ALL)], context).passed]


def test_a_rule_is_what_its_line_says() -> None:
    found = ruleset(
        'iifname { "p1", "p2" } oifname "p3" ip saddr 10.8.0.0/13 tcp dport { 80, 443 } counter accept comment "web"'
    )
    rule = found.hooked("forward")[0].rules[0]
    assert rule.where == "fw:/etc/nftables.conf:4"
    assert rule.iif == (True, frozenset({"p1", "p2"}))
    assert (rule.verdict, rule.comment) == ("accept", "web")
    assert rule.within == (Box(src=((0x0A080000, 0x0A0FFFFF),), proto=((6, 6),), dport=((80, 80), (443, 443))),)
    assert passed(found, Context("p1", "p3")) == list(rule.within)
    assert passed(found, Context("p9", "p3")) == []


def test_named_sets_includes_and_tables_of_one_name() -> None:
    text = (
        "table inet county {\n set halls {\n  type ipv4_addr\n  elements = { 10.8.11.10, 10.8.12.10 }\n }\n"
        " chain forward {\n  type filter hook forward priority filter; policy drop;\n  ip saddr @halls accept\n }\n}\n"
        'include "/etc/sanwang/exit.nft"\n'
    )
    extra = (
        "table inet exit {\n chain forward {\n  type filter hook forward priority filter - 10; policy accept;\n"
        "  tcp dport 25 drop\n }\n}\n"
    )
    found = nft.parse("fw:/etc/nftables.conf", text, {"/etc/sanwang/exit.nft": extra})
    assert [chain.priority for chain in found.hooked("forward")] == [-10, 0]
    assert all(sets.cut(box, Box(proto=((6, 6),), dport=((25, 25),))) is None for box in passed(found))
    dropped = run(found, "forward", [Item(ALL)], Context()).dropped
    assert {item.where for item in dropped} == {"fw:/etc/sanwang/exit.nft:4", "fw:/etc/nftables.conf:6"}


def test_state_and_marks_are_followed() -> None:
    found = ruleset("ct state established accept", "tcp dport 22 meta mark set 7", "meta mark 7 accept")
    assert passed(found, Context(state=ESTABLISHED)) == [ALL]
    assert passed(found, Context(state=NEW)) == [Box(proto=((6, 6),), dport=((22, 22),))]


def test_hits_name_the_rules_that_packets_met() -> None:
    hits = Hits()
    run(ruleset("tcp dport 22 accept", 'iifname "x" accept'), "forward", [Item(ALL)], Context("a", "b"), hits)
    assert hits == {"fw:/etc/nftables.conf:4"}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("ip saddr 10.8.0.0/13 frobnicate accept", "frobnicate"),
        ("ip saddr 10.8.0.999 accept", "10.8.0.999"),
        ("ip saddr @nobody accept", "@nobody"),
        ("jump nowhere", "nowhere"),
        ("ip dscp ef drop", "ip dscp ef drop"),
    ],
)
def test_what_it_does_not_know_is_an_error_with_its_line(line: str, found: str) -> None:
    with pytest.raises(ProveError) as problem:
        ruleset("tcp dport 22 accept", line)
    assert problem.value.where == "fw:/etc/nftables.conf:5"
    assert found in problem.value.found


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_any_text_gives_rules_or_an_error(text: str) -> None:
    with contextlib.suppress(ProveError):
        found = nft.parse("x:/y", HEAD + text)
        assert found.hooked("forward")


# z3 as the oracle -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Written:
    """A rule as it is written, and as z3 understands it."""

    saddr: tuple[tuple[int, int], ...] = ()
    unlike: bool = False  # saddr !=
    daddr: tuple[tuple[int, int], ...] = ()
    protocol: str = ""
    ports: tuple[tuple[int, int], ...] = ()
    verdict: str = "accept"

    def text(self) -> str:
        words = []
        if self.saddr:
            words.append(f"ip saddr {'!= ' if self.unlike else ''}{{ {_items(self.saddr, _dotted)} }}")
        if self.daddr:
            words.append(f"ip daddr {{ {_items(self.daddr, _dotted)} }}")
        if self.protocol and self.ports:
            words.append(f"{self.protocol} dport {{ {_items(self.ports, str)} }}")
        elif self.protocol:
            words.append(f"meta l4proto {self.protocol}")
        return " ".join([*words, self.verdict])

    def formula(self, p: dict[str, Any]) -> Any:
        parts = []
        if self.saddr:
            inside = _among(p["src"], self.saddr)
            parts.append(z3.Not(inside) if self.unlike else inside)
        if self.daddr:
            parts.append(_among(p["dst"], self.daddr))
        if self.protocol:
            parts.append(p["proto"] == {"tcp": 6, "udp": 17}[self.protocol])
        if self.protocol and self.ports:
            parts.append(_among(p["dport"], self.ports))
        return z3.And(*parts) if parts else z3.BoolVal(True)


def _dotted(number: int) -> str:
    return f"10.0.{number >> 8}.{number & 255}"


def _items(intervals: tuple[tuple[int, int], ...], show: Any) -> str:
    return ", ".join(show(low) if low == high else f"{show(low)}-{show(high)}" for low, high in intervals)


def _among(variable: Any, intervals: tuple[tuple[int, int], ...], base: int = 0) -> Any:
    return z3.Or(*[z3.And(variable >= base + low, variable <= base + high) for low, high in intervals])


def _verdict(chain: list[Written], others: dict[str, list[Written]], p: dict[str, Any], end: Any) -> Any:
    """Whether a packet is accepted by a chain, first match first; ``end`` is what happens behind its last rule."""
    result = end
    for rule in reversed(chain):
        if rule.verdict.startswith("jump"):
            met = _verdict(others[rule.verdict.split()[1]], {}, p, result)
        elif rule.verdict == "return":
            met = end
        else:
            met = z3.BoolVal(rule.verdict == "accept")
        result = z3.If(rule.formula(p), met, result)
    return result


numbers = st.integers(0, 1023)
intervals = st.lists(st.tuples(numbers, numbers).map(lambda pair: (min(pair), max(pair))), max_size=3).map(sets.normal)
ending = st.sampled_from(["accept", "drop"])


def written(verdicts: st.SearchStrategy[str]) -> st.SearchStrategy[Written]:
    return st.builds(
        Written, intervals, st.booleans(), intervals, st.sampled_from(["", "tcp", "udp"]), intervals, verdicts
    )


@settings(max_examples=60, deadline=None)
@given(
    st.lists(written(st.sampled_from(["accept", "drop", "jump sub", "return"])), max_size=8),
    st.lists(written(st.sampled_from(["accept", "drop", "return"])), max_size=4),
    st.sampled_from(["accept", "drop"]),
)
def test_intervals_and_z3_agree(chain: list[Written], sub: list[Written], policy: str) -> None:
    text = f"table inet t {{\n chain c {{\n  type filter hook forward priority 0; policy {policy};\n"
    text += "".join(f"  {rule.text()}\n" for rule in chain) + " }\n chain sub {\n"
    text += "".join(f"  {rule.text()}\n" for rule in sub) + " }\n}\n"
    boxes = [item.box for item in run(nft.parse("x:y", text), "forward", [Item(ALL)], Context()).passed]
    p = {name: z3.Int(name) for name in ("src", "dst", "proto", "dport")}
    base = 10 << 24
    shifted = {**p, "src": p["src"] - base, "dst": p["dst"] - base}
    there = z3.And(
        *[p[name] >= 0 for name in p], p["src"] < 1 << 32, p["dst"] < 1 << 32, p["proto"] < 256, p["dport"] < 1 << 16
    )
    ours = z3.Or(
        *[z3.And(*[_among(p[name], getattr(box, name)) for name in p]) for box in boxes]
    ) if boxes else z3.BoolVal(False)  # fmt: skip
    oracle = _verdict(chain, {"sub": sub}, shifted, z3.BoolVal(policy == "accept"))
    solver = z3.Solver()
    solver.add(there, ours != oracle)
    answer = solver.check()
    assert answer == z3.unsat, (text, solver.model())


@settings(max_examples=60, deadline=None)
@given(st.lists(written(ending), min_size=1, max_size=7))
def test_a_shadowed_rule_is_one_that_z3_finds_unreachable(chain: list[Written]) -> None:
    found = ruleset(*[rule.text() for rule in chain])
    useless = {finding.where for finding in rules._chain(found.hooked("forward")[0])}
    p = {name: z3.Int(name) for name in ("src", "dst", "proto", "dport")}
    for place, rule in enumerate(chain):
        solver = z3.Solver()
        solver.add(p["src"] >= -(10 << 24), p["src"] < (1 << 32) - (10 << 24), p["dst"] >= -(10 << 24))
        solver.add(p["proto"] >= 0, p["proto"] < 256, p["dport"] >= 0, p["dport"] < 1 << 16)
        solver.add(rule.formula(p), *[z3.Not(earlier.formula(p)) for earlier in chain[:place]])
        unreachable = solver.check() == z3.unsat
        assert (f"fw:/etc/nftables.conf:{place + 4}" in useless) == unreachable
