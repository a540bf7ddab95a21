"""Command syntax in the notation of vendors' manuals, compiled and matched word by word.

``{ a | b }`` one of, ``[ a ]`` optional, ``{ a | b } *`` any number of them in any order, each once.
lower case     a keyword; a unique beginning of it is enough, as on the device
UPPER[:arg]    a parameter of that kind (``kinds.py``)
(word)         may be left out, is always shown
~word          may be typed, is never shown
-word          must be typed, is never shown
!              everything before it identifies the line: a second line with the same beginning replaces the first
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from twin.standins.kinds import Kinds, Word

EXACT, SHORT, VALUE = 0, 1, 2
"""How a typed word fitted: the whole keyword, its beginning, or a parameter."""


@dataclass(frozen=True, slots=True)
class Path:
    """One way through a syntax: next word, words as the device shows them, how each fitted, length of the key."""

    at: int
    words: tuple[str, ...] = ()
    fits: tuple[int, ...] = ()
    key: int | None = None


@dataclass(slots=True)
class Trace:
    """Where matching failed furthest to the right, and what could have stood there."""

    at: int = -1
    keywords: frozenset[str] = frozenset()
    values: frozenset[str] = frozenset()
    ended: bool = False

    def note(self, at: int, *, keyword: str = "", value: str = "", ended: bool = False) -> None:
        if at > self.at:
            self.at, self.keywords, self.values, self.ended = at, frozenset(), frozenset(), False
        if at == self.at:
            if keyword:
                self.keywords |= {keyword}
            if value:
                self.values |= {value}
            self.ended = self.ended or ended


class Element:
    """A part of a syntax."""

    def walk(self, typed: list[Word], path: Path, trace: Trace, kinds: Kinds) -> Iterator[Path]:
        """Every way this part fits from path.at on."""
        raise TypeError(type(self).__name__)


@dataclass(frozen=True, slots=True)
class Keyword(Element):
    word: str
    shown: bool = True

    def walk(self, typed: list[Word], path: Path, trace: Trace, kinds: Kinds) -> Iterator[Path]:
        if path.at < len(typed):
            text = typed[path.at].text.lower()
            if self.word.startswith(text) or self.word.lower() == text:
                words = (*path.words, self.word) if self.shown else path.words
                fit = EXACT if len(text) == len(self.word) else SHORT
                yield Path(path.at + 1, words, (*path.fits, fit), path.key)
                return
        trace.note(path.at, keyword=self.word)


@dataclass(frozen=True, slots=True)
class Implied(Element):
    word: str

    def walk(self, typed: list[Word], path: Path, trace: Trace, kinds: Kinds) -> Iterator[Path]:
        yield from Keyword(self.word).walk(typed, path, trace, kinds)
        yield Path(path.at, (*path.words, self.word), path.fits, path.key)


@dataclass(frozen=True, slots=True)
class Value(Element):
    kind: str
    arg: str

    def walk(self, typed: list[Word], path: Path, trace: Trace, kinds: Kinds) -> Iterator[Path]:
        found = False
        for used, shown in kinds.read(self.kind, self.arg, typed, path.at):
            found = True
            yield Path(path.at + used, (*path.words, *shown), (*path.fits, *[VALUE] * used), path.key)
        if not found:
            trace.note(path.at, value=self.kind)


@dataclass(frozen=True, slots=True)
class Sequence(Element):
    items: tuple[Element, ...]

    def walk(self, typed: list[Word], path: Path, trace: Trace, kinds: Kinds) -> Iterator[Path]:
        yield from self._from(0, typed, path, trace, kinds)

    def _from(self, index: int, typed: list[Word], path: Path, trace: Trace, kinds: Kinds) -> Iterator[Path]:
        if index == len(self.items):
            yield path
            return
        for step in self.items[index].walk(typed, path, trace, kinds):
            yield from self._from(index + 1, typed, step, trace, kinds)


@dataclass(frozen=True, slots=True)
class Choice(Element):
    items: tuple[Element, ...]

    def walk(self, typed: list[Word], path: Path, trace: Trace, kinds: Kinds) -> Iterator[Path]:
        for item in self.items:
            yield from item.walk(typed, path, trace, kinds)


@dataclass(frozen=True, slots=True)
class Optional(Element):
    item: Element

    def walk(self, typed: list[Word], path: Path, trace: Trace, kinds: Kinds) -> Iterator[Path]:
        yield from self.item.walk(typed, path, trace, kinds)
        yield path


@dataclass(frozen=True, slots=True)
class AnyOrder(Element):
    """Each alternative at most once; shown in the order of the syntax, whatever the order typed."""

    items: tuple[Element, ...]

    def walk(self, typed: list[Word], path: Path, trace: Trace, kinds: Kinds) -> Iterator[Path]:
        yield from self._more(frozenset(), {}, typed, path, path, trace, kinds)

    def _more(
        self,
        used: frozenset[int],
        shown: dict[int, tuple[str, ...]],
        typed: list[Word],
        start: Path,
        path: Path,
        trace: Trace,
        kinds: Kinds,
    ) -> Iterator[Path]:
        for index, item in enumerate(self.items):
            if index in used:
                continue
            for step in item.walk(typed, Path(path.at, (), path.fits, path.key), trace, kinds):
                if step.at > path.at:
                    more = {**shown, index: step.words}
                    yield from self._more(used | {index}, more, typed, start, step, trace, kinds)
        if used:
            words = tuple(word for index in sorted(shown) for word in shown[index])
            yield Path(path.at, (*start.words, *words), path.fits, path.key)


@dataclass(frozen=True, slots=True)
class KeyEnd(Element):
    def walk(self, typed: list[Word], path: Path, trace: Trace, kinds: Kinds) -> Iterator[Path]:
        yield Path(path.at, path.words, path.fits, len(path.words))


def compile_syntax(text: str) -> Sequence:
    """The compiled form of a line of a grammar.  ValueError names what does not close."""
    words = text.split()
    element, rest = _sequence(words, text, ())
    if rest:
        raise ValueError(f"unexpected {rest[0]!r} in {text!r}")
    return element


def _sequence(words: list[str], text: str, stop: tuple[str, ...]) -> tuple[Sequence, list[str]]:
    items: list[Element] = []
    while words and words[0] not in stop:
        word, words = words[0], words[1:]
        if word in ("{", "["):
            close = "}" if word == "{" else "]"
            choices = []
            while True:
                part, words = _sequence(words, text, ("|", close))
                choices.append(part)
                if not words:
                    raise ValueError(f"{word!r} is not closed in {text!r}")
                end, words = words[0], words[1:]
                if end == close:
                    break
            if words and words[0] == "*":
                words = words[1:]
                element: Element = AnyOrder(tuple(choices))
            else:
                element = Choice(tuple(choices)) if len(choices) > 1 else choices[0]
            items.append(Optional(element) if word == "[" else element)
        elif word == "!":
            items.append(KeyEnd())
        elif word.startswith("(") and word.endswith(")"):
            items.append(Implied(word[1:-1]))
        elif word.startswith("-") and len(word) > 1:
            items.append(Keyword(word[1:], shown=False))
        elif word.startswith("~"):
            items.append(Optional(Keyword(word[1:], shown=False)))
        elif re.match(r"[A-Z]+(:|$)", word):
            kind, _, arg = word.partition(":")
            items.append(Value(kind, arg))
        elif word in ("|", "}", "]", "*"):
            raise ValueError(f"stray {word!r} in {text!r}")
        else:
            items.append(Keyword(word))
    return Sequence(tuple(items)), words


def first_words(element: Element) -> frozenset[str] | None:
    """The keywords a syntax may begin with; None if it may begin with a parameter."""
    if isinstance(element, Keyword | Implied):
        return frozenset({element.word})
    if isinstance(element, Choice | AnyOrder):
        found = [first_words(item) for item in element.items]
        return None if None in found else frozenset().union(*[words for words in found if words is not None])
    if isinstance(element, Sequence):
        words: frozenset[str] = frozenset()
        for item in element.items:
            if isinstance(item, KeyEnd):
                continue
            first = first_words(item.item if isinstance(item, Optional) else item)
            if first is None:
                return None
            words |= first
            if not isinstance(item, Optional | Implied):
                break
        return words
    return None
