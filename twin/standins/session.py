"""A user at the command line of a device."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from twin.standins.editor import Editor, Rejected, WrongWord
from twin.standins.grammar import Match, Refusal
from twin.standins.kinds import Word, split
from twin.standins.terminal import CTRL_Z, Gone, Terminal, Wire
from twin.standins.tree import Node

if TYPE_CHECKING:
    from twin.standins.device import Device


class Session:
    """One login.  A platform's own session adds its prompts and commands as methods ``do_NAME``."""

    show_words: ClassVar[tuple[str, ...]] = ("display",)
    """Commands whose output may be filtered with ``| include`` and its like."""
    always: ClassVar[tuple[str, ...]] = ("show",)
    """Views whose commands are known everywhere."""

    def __init__(self, device: Device, wire: Wire, user: str, number: int) -> None:
        self.device = device
        self.dialect = device.dialect
        self.terminal = Terminal(wire)
        self.terminal.help = self._help
        self.terminal.complete = self._complete
        self.user = user
        self.vty = number
        device.session_count += 1
        self.ident = device.session_count
        self.editor: Editor | None = None
        """Where one is in the configuration; None outside it."""
        self.base = "user"
        """The view outside the configuration."""
        self.open = True

    # --- the loop

    async def run(self) -> None:
        """Until the user leaves or hangs up."""
        try:
            await self._wait("login", "login")
            await self.greet()
            while self.open:
                line = await self.terminal.ask(self.prompt(), editing=True)
                await self.execute(line)
            await self.terminal.flush()
        except Gone:
            pass
        finally:
            self.ended()

    async def greet(self) -> None:
        """What the device says before the first prompt."""

    def ended(self) -> None:
        """The session is over, however it came."""

    def prompt(self) -> str:
        raise TypeError(type(self).__name__)

    def hang_up(self) -> None:
        """The device ends the session."""
        self.open = False
        self.terminal.hang_up()

    def leave(self) -> None:
        """Out of the configuration altogether."""
        self.editor = None

    async def control_z(self) -> None:
        """Ctrl-Z was typed."""
        self.leave()

    # --- one line

    async def execute(self, line: str) -> None:
        """Understand a line and do it."""
        if line == CTRL_Z:
            await self.control_z()
            return
        typed = split(line)
        if not typed or typed[0].text[0] in self.dialect.comments:
            return
        column = len(self.prompt())
        filters: list[str] = []
        if typed[0].text and any(word.startswith(typed[0].text.lower()) for word in self.show_words):
            line, *filters = re.split(r"\s\|\s*", line)
            typed = split(line)
        try:
            depth, match = self.find(typed, len(line))
        except Refusal as refusal:
            self.refused(refusal, line, column)
            return
        try:
            if match.rule.sort == "action":
                await self._wait(" ".join(match.words), "")
                await self._act(match, filters)
            else:
                while match.rule.sort == "set" and match.closes_with:
                    match = match.joined(await self.terminal.ask(""))
                await self._wait(" ".join(match.words), "line")
                await self.configure(depth, match)
        except Refusal as refusal:
            self.refused(refusal, line, column)
        except Rejected as rejected:
            self.say(*rejected.lines)
        except OSError as error:
            self.say(f"Error: {error.strerror}.")  # the flash is full, or gone
        except WrongWord as wrong:
            at = typed[min(wrong.index, len(typed) - 1)].column if wrong.index < len(typed) else len(line)
            self.refused(Refusal("parameter", at), line, column)
        await self.device.settle()

    def find(self, typed: list[Word], end: int) -> tuple[int, Match]:
        """The command a line means where one is."""
        if self.editor is None:
            return 0, self.dialect.grammar.match([self.base, *self.always], typed, end)
        return self.editor.find(typed, end, ("*", *self.always))

    async def configure(self, depth: int, match: Match) -> None:
        """Carry out a line of configuration; at once, on most platforms."""
        assert self.editor is not None
        question = match.rule.words.get("confirm") if match.rule.sort == "unset" else None
        if question and not await self.yes(question):
            return
        self.say(*self.editor.apply(depth, match))
        if self.editor.changed:
            self.device.changed(self.user)

    def refused(self, refusal: Refusal, line: str, column: int) -> None:
        """Say that a line is not understood, with the caret under the word."""
        for text in self.dialect.refuse(refusal, line):
            self.terminal.line(text.replace("^@", " " * (column + refusal.column) + "^"))

    async def _act(self, match: Match, filters: list[str]) -> None:
        method = getattr(self, f"do_{match.rule.action}")
        lines: list[str] | None = await method(match)
        if lines is None:
            return
        for text in filters:
            lines = self._filter(lines, text)
        await self.terminal.page(lines, self.dialect.more, self.dialect.more_erase)

    @staticmethod
    def _filter(lines: list[str], text: str) -> list[str]:
        how, _, pattern = text.strip().partition(" ")
        try:
            expression = re.compile(pattern.strip())
        except re.error:
            expression = re.compile(re.escape(pattern.strip()))
        if how and "include".startswith(how):
            return [line for line in lines if expression.search(line)]
        if how and "exclude".startswith(how):
            return [line for line in lines if not expression.search(line)]
        if how and "begin".startswith(how):
            start = next((at for at, line in enumerate(lines) if expression.search(line)), len(lines))
            return lines[start:]
        if how and "count".startswith(how):
            return [f"Total lines: {sum(1 for line in lines if expression.search(line))}."]
        return []

    async def _wait(self, line: str, fallback: str) -> None:
        seconds = self.device.delays.of(line, fallback)
        if seconds:
            await self.terminal.flush()
            await asyncio.sleep(seconds)

    # --- talking

    def say(self, *lines: str) -> None:
        for text in lines:
            self.terminal.line(text)

    async def yes(self, question: str) -> bool:
        """Ask until the answer is yes or no."""
        while True:
            answer = (await self.terminal.ask(question)).strip().lower()
            if answer in ("y", "yes"):
                return True
            if answer in ("n", "no", ""):
                return False

    async def _help(self, text: str) -> None:
        """``?``: what may come next."""
        typed = split(text)
        begun = "" if not typed or text.endswith(" ") else typed[-1].text
        words = typed[:-1] if begun else typed
        found = [word for word in self._next(words) if word.lower().startswith(begun.lower())]
        await self.terminal.page([f"  {word}" for word in found], self.dialect.more, self.dialect.more_erase)

    def _complete(self, text: str) -> str | None:
        """Tab: the rest of the only word that may be meant."""
        typed = split(text)
        if not typed or text.endswith(" "):
            return None
        begun = typed[-1].text.lower()
        found = [word for word in self._next(typed[:-1]) if word.startswith(begun) and not word.isupper()]
        return found[0][len(begun) :] + " " if len(found) == 1 else None

    def _next(self, words: list[Word]) -> list[str]:
        views = [self.base, *self.always] if self.editor is None else [self.editor.view, "*", *self.always]
        return self.dialect.grammar.next_words(views, words)

    # --- common to all

    def root(self) -> Node:
        """The configuration that is in force."""
        return self.device.running

    def changing(self) -> Node:
        """The configuration that lines typed now change."""
        return self.device.running

    def enter(self) -> None:
        """Into the configuration."""
        self.editor = Editor(self.dialect, self.root, self.changing)

    @staticmethod
    def now() -> str:
        return datetime.now().strftime("%Y-%m-%d %H:%M:%S")
