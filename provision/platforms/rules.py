"""A rulebook: what a vendor's device does with each of its lines, as data.

A rule's ``line`` is a pattern of words:

====== =====================================================================================================
word   meaning
====== =====================================================================================================
text   itself; ``a|b`` either; ``Vlanif*`` any word that begins so
``*``  one word that belongs to the setting's identity (an interface's name, a rule's number)
``+``  the same, all words to the end (at least one)
``=``  one word that is the setting's value; ``=a|b`` one of these
``...`` its value to the end (perhaps nothing)
====== =====================================================================================================

Two lines of one view with the same rule and the same identity are one setting: the second replaces the first.
``{1}``, ``{2}`` in ``undo``, ``takes`` and ``resets`` are what ``*``, ``=``, ``+``, ``...``, ``a|b`` and ``Vlanif*``
stood for, in their order; ``{line}`` is the line.

The order of rules is the order of dependency: what is referred to comes first.  New lines are sent in this order,
removals at the end and the other way round, so that nothing is taken away before what replaces it is there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML

from provision.platforms.expand import Expansion

Change = Literal["overwrite", "undo", "ranges", "acl", "entry", "never"]
"""How a setting gets another value: the new line replaces it, it must be undone first, it is a list of numbers of which
some come and some go, it is a rule of an access list that can be edited ("acl") or not ("entry": {1} is its number), or
the device has no way to it."""


class RulebookError(ValueError):
    """A rulebook that cannot be meant as it is written."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a device does with one kind of line."""

    line: str
    undo: str = ""  # how it is taken away; "" is the negation and the line itself
    change: Change = "overwrite"
    stays: bool = False  # the device has it by itself: it is never taken away
    early: bool = False  # taken away before anything new is sent, not after
    takes: tuple[str, ...] = ()  # lines of this view, and below, that the device removes with it; "?" perhaps
    resets: tuple[str, ...] = ()  # the same, when it is set
    keeps: bool = False  # the view itself cannot be removed: its lines are taken away one by one
    hidden: bool = False  # it holds a secret, which the device shows in another form
    bare: bool = False  # it is refused while its view holds anything else: all removals come before it
    unique: bool = False  # {1} {2} is an IPv4 address with its mask, which no two lines of a device may share
    ranges: Literal["to", "comma"] = "to"  # how a list of numbers is written: "2 5 to 9" or "2,5-9"
    add: str = ""  # how numbers are added to a list; "" is the pattern with them; {numbers} stands for them
    first: str = ""  # how a list of numbers is begun where there is none; "" is as numbers are added
    whole: str = ""  # how a list is taken away with all its numbers; "" is as numbers are
    per_line: int = 10  # ranges that fit one line
    inside: tuple[Rule, ...] | None = None  # the rules of the view that it opens; None: it opens none
    words: tuple[str, ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        words = tuple(self.line.split())
        if not words or any(word in ("+", "...") for word in words[:-1]):
            raise RulebookError(f"rule {self.line!r}: '+' and '...' stand at the end only; write one word at least")
        if self.change == "ranges" and words[-1] != "...":
            raise RulebookError(f"rule {self.line!r}: a list of numbers ends with '...'")
        object.__setattr__(self, "words", words)

    def match(self, line: str) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
        """(identity, every captured text in order) when the line is of this kind."""
        rest = line
        identity: list[str] = []
        captured: list[str] = []
        for word in self.words:
            if word in ("+", "..."):
                if word == "+" and not rest:
                    return None
                if word == "+":
                    identity.append(rest)
                captured.append(rest)
                return tuple(identity), tuple(captured)
            first, _, rest = rest.partition(" ")
            rest = rest.lstrip(" ")
            if not first:
                return None
            if word[0] == "=":
                if word != "=" and first not in word[1:].split("|"):
                    return None
                captured.append(first)
            elif word == "*":
                identity.append(first)
                captured.append(first)
            elif any(fnmatchcase(first, choice) for choice in word.split("|")):
                identity.append(first)
                if not word.replace("-", "").isalnum():
                    captured.append(first)
            else:
                return None
        return None if rest else (tuple(identity), tuple(captured))

    def removal(self, negate: str, line: str, captured: tuple[str, ...]) -> str:
        """The line that takes it away."""
        if self.undo:
            return fill(self.undo, line, captured)
        if line.startswith(f"{negate} "):
            return line.removeprefix(f"{negate} ")
        return f"{negate} {line}"


def fill(template: str, line: str, captured: tuple[str, ...]) -> str:
    """The template with ``{1}``... and ``{line}`` put in."""
    return re.sub(
        r"\{(line|\d+)\}", lambda found: line if found[1] == "line" else captured[int(found[1]) - 1], template
    ).strip()


_FORMS = frozenset({"simple", "plain", "cipher", "hash", "irreversible-cipher"})
_CODED = re.compile(r"\b(password|secret|md5|key) [0578] |\bencrypted ")  # Ruijie and ZTE say so how it is written


def same_secret(one: str, other: str) -> bool:
    """True when two lines differ only where one of them names a secret that the other shows in a form of its own."""
    mine, its = (_CODED.sub(lambda found: f"{found[1]} " if found[1] else "", line).split() for line in (one, other))
    if len(mine) != len(its):
        return False
    named = False
    for a, b in zip(mine, its, strict=True):
        if a.startswith("@secret:") != b.startswith("@secret:"):
            named = True
        elif a != b and not (a in _FORMS and b in _FORMS):
            return False
    return named


_WHOLE = Rule("+")
_REMEMBERED = 20_000
Kind = tuple[int, Rule, tuple[str, ...], tuple[str, ...]]
"""What a line is: place in the order of the rules, rule, identity, captured texts."""


@dataclass(frozen=True, slots=True, eq=False)
class Rulebook:
    """One vendor's rules; equal to itself alone."""

    negate: str  # "undo" or "no"
    leave: str  # "quit" or "exit"
    two_phase: bool  # lines go to a candidate and take effect together
    separators: tuple[str, ...]
    multiline: tuple[re.Pattern[str], ...]
    ignored: tuple[re.Pattern[str], ...]  # lines that say nothing of their own, with what stands below
    rules: tuple[Rule, ...]
    expansions: tuple[Expansion, ...] = ()
    _known: dict[tuple[int, str], tuple[tuple[Rule, ...], Kind]] = field(default_factory=dict, init=False, repr=False)

    def of(self, line: str, rules: tuple[Rule, ...]) -> Kind:
        """(place in the order, rule, identity, captured) of a line in a view that has these rules.

        ``undo X`` is X with another value: the same setting.  A line without a rule is its own identity and comes last.
        A county's switches say the same few lines, so what was found is remembered; a line with a secret is not.
        """
        known = self._known.get((id(rules), line))
        if known is not None:
            return known[1]
        found = self._of(line, rules)
        if not found[1].hidden:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[id(rules), line] = rules, found  # with the rules themselves: their id is theirs for as long
        return found

    def _of(self, line: str, rules: tuple[Rule, ...]) -> Kind:
        plain = line.removeprefix(f"{self.negate} ")
        for place, rule in enumerate(rules):
            found = rule.match(line) or (rule.match(plain) if plain != line else None)
            if found:
                return place, rule, *found
        return len(rules), _WHOLE, (plain,), (plain,)


_KEYS = {one.name for one in fields(Rule) if one.init}


def load_rulebook(path: Path) -> Rulebook:
    """Read ``rulebook.yml``.  Raises RulebookError for a rule that cannot be meant."""
    written = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    shared: dict[str, list[Any]] = {}
    if "shared" in written:
        shared = YAML(typ="safe").load((path.parent / written["shared"]).read_text(encoding="utf-8"))
    return Rulebook(
        negate=written["negate"],
        leave=written["leave"],
        two_phase=written["two_phase"],
        separators=tuple(written["separators"]),
        multiline=tuple(re.compile(pattern) for pattern in written.get("multiline", ())),
        ignored=tuple(re.compile(pattern) for pattern in written.get("ignored", ())),
        rules=_rules(written["rules"], shared, path),
        expansions=tuple(
            Expansion(re.compile(row["line"]), row["to"], row.get("ranges", "to")) for row in written.get("expand", ())
        ),
    )


def _rules(written: list[Any], shared: dict[str, list[Any]], path: Path) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    for row in written:
        if isinstance(row, str):
            row = {"line": row}
        if "use" in row:
            rules += _rules(shared[row["use"]], shared, path)
            continue
        unknown = set(row) - _KEYS
        if unknown:
            raise RulebookError(f"{path}: rule {row.get('line')!r}: unknown {sorted(unknown)}; known {sorted(_KEYS)}")
        row = dict(row)
        for several in ("takes", "resets"):
            row[several] = tuple(row.get(several, ()))
        if "inside" in row:
            row["inside"] = _rules(row["inside"] or [], shared, path)
        rules.append(Rule(**row))
    return tuple(rules)
