"""A platform's command line as data: which commands each view knows, in the order the device shows them.

A grammar file has lines of three sorts::

    types GigabitEthernet Vlanif         interface types, in the order the device lists interfaces; ``~`` is a
                                         space before the number, ``!`` means that there is no number
    negation undo                        the word that takes a command back ("no loose": trailing words may follow)
    view interface                       starts a view; its commands follow, indented

    ip address ! IP MASK                 a line of configuration (``syntax.py``)
    acl (number) INT:2000-2999 > basic   ... that opens the view ``basic``
    display version = version            a command that does something, and is no configuration
    ---                                  a section ends: the device puts its separator here
    section vrf                          the same, and what begins has a name

``view *`` holds what every configuration view knows.  After ``::`` come words with what is special:

    on            on by default: only its negation is shown
    both          shown either way
    keep          cannot be taken back
    hidden        accepted and not shown
    sorted        shown in the order of its numbers, not of typing
    same          in the same place of the order as the line before
    text          goes on over several lines until its first character comes again
    hash          shown with a separator of its own before it
    undo="..."    what may follow the negation, when it is not simply the beginning up to ``!``; may be repeated;
                  empty: another line's negation serves
    do=NAME       the platform's own code sets it; undo_do=NAME takes it back
    confirm="..." the device asks this before it takes the line back
    missing="..." the device says this when there is nothing to take back
    prompt="..."  what the view adds to the prompt; {1} is the second word of the line, {^} the view above
    batch="..."   lines without contents are shown together in one line that begins so

``@tag`` before a line keeps it for platforms with that tag.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from collections.abc import Sequence as Sequence_
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from twin.standins.kinds import Kinds, Word
from twin.standins.syntax import SHORT, Sequence, Trace, compile_syntax, first_words
from twin.standins.syntax import Path as Way

Sort = Literal["set", "unset", "action"]
FLAGS = frozenset({"on", "both", "keep", "hidden", "sorted", "hash", "same", "text"})
WORDS = frozenset({"do", "undo_do", "confirm", "missing", "prompt", "batch"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One command of a view."""

    sort: Sort
    syntax: Sequence
    text: str
    rank: int
    """Place in the device's own order."""
    section: int
    flags: frozenset[str]
    words: dict[str, str]
    opens: str = ""
    action: str = ""
    sets: Rule | None = None
    """For a negation: the command that it takes back."""


@dataclass(frozen=True, slots=True)
class Match:
    """A typed line understood: the command, its words as the device shows them, how many identify it."""

    rule: Rule
    words: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def closes_with(self) -> str:
        """The character that a text of several lines still waits for; "" when the line is whole."""
        value = self.words[-1]
        opener = value[0]
        return opener if "text" in self.rule.flags and not opener.isalnum() and opener not in value[1:] else ""

    def joined(self, more: str) -> Match:
        """With one more line of a text."""
        return Match(self.rule, (*self.words[:-1], f"{self.words[-1]}\n{more}"), self.key)


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """A typed line not understood: why, and the column of the word that does not fit."""

    why: Literal["unknown", "parameter", "incomplete", "ambiguous", "long"]
    column: int


@dataclass(slots=True)
class View:
    name: str
    rules: list[Rule] = field(default_factory=list)
    heads: dict[str, list[Rule]] = field(default_factory=dict)
    loose: list[Rule] = field(default_factory=list)
    """Commands that begin with a parameter."""

    def add(self, rule: Rule) -> None:
        self.rules.append(rule)
        first = first_words(rule.syntax)
        for word in first or ():
            self.heads.setdefault(word, []).append(rule)
        if first is None:
            self.loose.append(rule)


class Grammar:
    """The views of a platform."""

    def __init__(
        self, kinds: Kinds, negation: str, loose: bool, views: dict[str, View], section_names: dict[int, str]
    ) -> None:
        self.kinds = kinds
        self.negation = negation
        self.loose = loose
        self.views = views
        self.section_names = section_names

    def match(self, views: Sequence_[str], typed: list[Word], end: int) -> Match:
        """The command that a line means in the first of some views.  Raises Refusal; `end` is the line's length."""
        trace = Trace()
        found: list[tuple[Way, Rule]] = []
        first = typed[0].text.lower()
        known = {head for name in views for head in self.views[name].heads if head.startswith(first)}
        if len(known) > 1 and first not in known and not any(self.views[name].loose for name in views):
            raise Refusal("ambiguous", typed[0].column)
        for name in views:
            view = self.views[name]
            rules = [rule for head in view.heads if head.startswith(first) for rule in view.heads[head]]
            for rule in (*rules, *view.loose):
                for way in rule.syntax.walk(typed, Way(0), trace, self.kinds):
                    if way.at == len(typed):
                        found.append((way, rule))
                    else:
                        trace.note(way.at, ended=True)
        if not found:
            raise self._refusal(trace, typed, end)
        best = min(way.fits for way, _ in found)
        ways = [(way, rule) for way, rule in found if way.fits == best]
        way, rule = ways[0]
        for other, _ in ways[1:]:
            if rule.sort == "action" or other.words == way.words:
                continue
            place = next(
                (at for at, pair in enumerate(zip(way.words, other.words, strict=False)) if len(set(pair)) > 1), 0
            )
            if place < len(best) and best[place] == SHORT:
                raise Refusal("ambiguous", typed[place].column)
        return Match(rule, way.words, way.words if way.key is None else way.words[: way.key])

    @staticmethod
    def _refusal(trace: Trace, typed: list[Word], end: int) -> Refusal:
        if trace.at < 0:
            return Refusal("unknown", typed[0].column)
        if trace.at >= len(typed):
            return Refusal("incomplete", end)
        column = typed[trace.at].column
        if trace.values:
            return Refusal("parameter", column)
        if trace.ended and not trace.keywords:
            return Refusal("long", column)
        return Refusal("unknown", column)

    def next_words(self, views: Iterable[str], typed: list[Word]) -> list[str]:
        """What may follow some words, for ``?`` and for Tab."""
        found: set[str] = set()
        for name in views:
            for rule in self.views[name].rules:
                trace = Trace()
                complete = any(way.at == len(typed) for way in rule.syntax.walk(typed, Way(0), trace, self.kinds))
                if complete:
                    found.add("<cr>")
                if trace.at == len(typed):
                    found |= trace.keywords | trace.values
        return sorted(found, key=lambda word: (word == "<cr>", word))


def load(path: Path, tags: frozenset[str] = frozenset()) -> Grammar:
    """A grammar from its file.  ValueError names the file and line of a mistake."""
    kinds = Kinds()
    views: dict[str, View] = {"*": View("*")}
    negation, loose = "undo", False
    names: dict[int, str] = {}
    view: View | None = None
    section = rank = 0
    for number, raw in enumerate(path.read_text().splitlines(), 1):
        line = raw.partition(" //")[0].rstrip()
        words = line.split()
        if not words or line.startswith("//"):
            continue
        while words and words[0].startswith("@"):
            if words[0][1:] not in tags:
                words = []
                break
            line = line.replace(words[0], "", 1)
            words = words[1:]
        if not words:
            continue
        try:
            if words[0] == "types":
                kinds.types = [word.replace("~", " ") for word in words[1:]]
            elif words[0] == "negation":
                negation, loose = words[1], "loose" in words[2:]
            elif words[0] == "view":
                view = views.setdefault(words[1], View(words[1]))
                section += 1
            elif words[0] in ("---", "section"):
                section += 1
                if len(words) > 1:
                    names[section] = words[1]
            elif view is None:
                raise ValueError("a command before the first view")
            else:
                rank += "same" not in line.partition(" :: ")[2].split()
                for rule in _rules(line, rank, section, negation, loose):
                    view.add(rule)
        except ValueError as error:
            raise ValueError(f"{path.name}:{number}: {error}") from error
    for view in views.values():
        for rule in view.rules:
            if rule.opens and rule.opens not in views:
                raise ValueError(f"{path.name}: {rule.text!r} opens view {rule.opens!r}, which is not there")
    return Grammar(kinds, negation, loose, views, names)


def _rules(line: str, rank: int, section: int, negation: str, loose: bool) -> list[Rule]:
    body, _, tail = line.partition(" :: ")
    body, _, action = body.partition(" = ")
    body, _, opens = body.partition(" > ")
    body, opens, action = body.strip(), opens.strip(), action.strip()
    flags: set[str] = set()
    words: dict[str, str] = {}
    undos: list[str] = []
    for item in shlex.split(tail):
        name, equals, value = item.partition("=")
        if name == "undo" and equals:
            undos.append(value)
        elif equals and name in WORDS:
            words[name] = value
        elif not equals and name in FLAGS:
            flags.add(name)
        else:
            raise ValueError(f"unknown {item!r} after '::'")
    frozen = frozenset(flags)
    if action:
        return [Rule("action", compile_syntax(body), body, rank, section, frozen, words, opens, action)]
    rule = Rule("set", compile_syntax(body), body, rank, section, frozen, words, opens)
    rules = [rule]
    if "keep" not in flags:
        if not undos:
            before, mark, after = body.partition(" ! ")
            # `no description something` is fine where the negation is loose; `undo description something` is not.
            undos = [f"{before} [ {after} ]" if mark and loose and after else before]
        for undo in filter(None, undos):
            text = f"{negation} {undo.replace('!', '')}"
            rules.append(Rule("unset", compile_syntax(text), text, rank, section, frozen, words, "", "", rule))
    return rules
