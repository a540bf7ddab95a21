"""Moves through the views of a configuration and changes it, as a person at the command line does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twin.standins.grammar import Match, Refusal, Rule
from twin.standins.kinds import Word, split
from twin.standins.tree import Key, Node

if TYPE_CHECKING:
    from twin.standins.dialect import Dialect


class Rejected(Exception):
    """A line understood but refused: what the device answers."""

    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)
        self.lines = list(lines)


class WrongWord(Exception):
    """A line whose word at an index cannot be, for a reason that only the configuration knows."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


@dataclass(frozen=True, slots=True)
class Frame:
    """A view one is in: its name, and the line that opened it."""

    view: str
    key: Key = ()
    words: tuple[str, ...] = ()
    rule: Rule | None = None


ROOT = Frame("system")


class Editor:
    """One session's place in a configuration."""

    def __init__(self, dialect: Dialect, read: Callable[[], Node], write: Callable[[], Node]) -> None:
        self.dialect = dialect
        self.read = read
        self.write = write
        self.frames: list[Frame] = [ROOT]
        self.match: Match | None = None
        """The line being carried out; a platform may put another way of writing it here."""
        self.changed = False
        """Has the last line changed anything, other than the place one is in?"""

    @property
    def view(self) -> str:
        return self.frames[-1].view

    def here(self) -> Node:
        """The line whose view one is in.  Views that are gone (rolled back by a timer) are left."""
        node = self.read()
        for depth, frame in enumerate(self.frames[1:], 1):
            below = node.children.get(frame.key)
            if below is None:
                del self.frames[depth:]
                break
            node = below
        return node

    def find(self, typed: list[Word], end: int, extra: tuple[str, ...]) -> tuple[int, Match]:
        """The command that a line means here, or in a view above, with the depth of that view.  Raises Refusal."""
        self.here()
        grammar = self.dialect.grammar
        try:
            return len(self.frames) - 1, grammar.match([self.view, *extra], typed, end)
        except Refusal as refusal:
            if refusal.why == "ambiguous":
                raise
            for depth in range(len(self.frames) - 2, -1, -1):
                try:
                    match = grammar.match([self.frames[depth].view], typed, end)
                except Refusal:
                    continue
                return depth, match
            raise refusal from None

    def target(self) -> Node:
        """The writable line whose view one is in; lines on the way are made again where they are gone."""
        node = self.write()
        for frame in self.frames[1:]:
            node = node.children.setdefault(frame.key, Node(frame.words, frame.rule))
        return node

    def apply(self, depth: int, match: Match) -> list[str]:
        """Carry out a line of configuration in the view at a depth.  Raises Rejected or WrongWord."""
        del self.frames[depth + 1 :]
        rule = match.rule
        self.changed = True
        if rule.sort == "unset":
            return self._unset(match)
        here = self.here()
        known = here.children.get(match.key)
        self.changed = not rule.opens or known is None or known.words != match.words
        output: list[str] = []
        self.match = match
        if rule.opens and known is not None and known.words == match.words:
            pass
        elif "do" in rule.words:
            output = self.dialect.handler(rule.words["do"])(self, match)
        else:
            self.store(match)
        if rule.opens:
            done = self.match
            self.frames.append(Frame(rule.opens, done.key, done.words, done.rule))
        return output

    def store(self, match: Match) -> None:
        """Keep a line as it was typed."""
        rule = match.rule
        negation = self.dialect.grammar.negation
        target = self.target()
        if "hidden" in rule.flags:
            return
        if "on" in rule.flags:
            target.drop(negation, *match.words)
            return
        if "both" in rule.flags:
            target.drop(negation, *match.key)
        old = target.children.get(match.key)
        node = Node(match.words, rule)
        if old is not None and rule.opens:
            node.children = old.children
        target.put(match.key, node)

    def _unset(self, match: Match) -> list[str]:
        rule = match.rule
        assert rule.sets is not None
        words = match.words[1:]
        if "undo_do" in rule.words:
            return self.dialect.handler(rule.words["undo_do"])(self, match)
        target = self.target()
        if rule.flags & {"on", "both"}:
            key = words[: len(match.key) - 1] if "both" in rule.flags else words
            target.drop(*key)
            target.put(match.words, Node(match.words, rule.sets))
            return []
        gone = target.drop(*words)
        if self.dialect.grammar.loose and not gone:
            gone = self._unset_loosely(target, words)
        if not gone and "missing" in rule.words:
            raise Rejected(rule.words["missing"])
        return []

    def _unset_loosely(self, target: Node, words: tuple[str, ...]) -> int:
        """`no description anything` takes the description away, whatever it was."""
        try:
            match = self.dialect.grammar.match([self.view], split(" ".join(words)), 0)
        except Refusal:
            return 0
        return 1 if target.children.pop(match.key, None) else 0

    def replay(self, frames: list[Frame], match: Match) -> None:
        """Carry out a line typed earlier, in the views it was typed in."""
        self.frames = list(frames)
        self.target()
        self.apply(len(frames) - 1, match)


def load_text(dialect: Dialect, text: str) -> tuple[Node, list[str]]:
    """The configuration that a text in the vendor's own form says, and the lines of it that were not understood."""
    root = Node(())
    editor = Editor(dialect, lambda: root, lambda: root)
    refused: list[str] = []
    lines = iter(text.splitlines())
    for raw in lines:
        line = raw.strip()
        if not line or line.startswith(dialect.comments) or line in ("return", "end"):
            if not raw.startswith(" "):
                editor.frames = [ROOT]
            continue
        indent = (len(raw) - len(raw.lstrip())) // dialect.indent
        del editor.frames[min(indent, len(editor.frames) - 1) + 1 :]
        try:
            depth, match = editor.find(split(line), len(line), ())
            if match.rule.action == "exit" and len(editor.frames) > 1:
                editor.frames.pop()
                continue
            if match.rule.sort == "action":
                raise Rejected(line)
            while match.rule.sort == "set" and match.closes_with:
                match = match.joined(next(lines, match.closes_with))
            editor.apply(depth, match)
        except (Refusal, Rejected, WrongWord):
            refused.append(line)
    return root, refused
