"""One line said, one answer heard: prompts, questions, pagers and refusals of a vendor's command line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from netmiko.exceptions import NetmikoBaseException, ReadTimeout
from paramiko.ssh_exception import SSHException

from provision.vendor.errors import VendorError
from provision.vendor.transcript import hidden
from provision.vendor.words import MORE, QUESTION, Words

ANSWER_TIMEOUT_S = 30.0
AHEAD_LINES = 20  # lines under way at once to a device with a candidate; under 2 kB, far less than a VTY's buffer
_TURNS = 64  # questions and pages within one answer, an end for a device that asks for ever
_SILENCE_S = 1.0
_ASKED = re.compile(QUESTION.pattern.removesuffix(r"\Z") + r"(?=.)", re.DOTALL)
BROKEN = (NetmikoBaseException, SSHException, OSError, EOFError)
"""What a session that breaks raises."""


class Dialogue:
    """Talks to one device through a driver of ``provision.vendor.drivers``; knows its name and so its prompts."""

    def __init__(self, connection: Any, words: Words, host: str, secrets: tuple[str, ...]) -> None:
        self.connection = connection
        self.words = words
        self.host = host
        self.secrets = secrets
        self._names: list[str] = []
        self._errors = re.compile("|".join(f"(?:{error})" for error in words.errors), re.MULTILINE | re.IGNORECASE)
        self.last_prompt = ""

    def know(self, name: str) -> None:
        """The device's name from here on, besides the names it had before (a candidate may not be committed yet)."""
        if name in self._names:
            return
        self._names.append(name)
        one = "(?:" + "|".join(re.escape(known) for known in self._names) + ")"
        prompt = self.words.prompt.replace("{name}", one)
        self._configuring = re.compile(self.words.configuring.replace("{name}", one))
        self.connection.base_prompt = name
        self.connection.configuring = self._configuring.pattern
        self._end = re.compile(
            rf"(?:\A|(?<=[\r\n]))(?P<prompt>{prompt})\s?\Z|(?P<question>{QUESTION.pattern})|(?P<more>{MORE.pattern})"
        )
        self._next = re.compile(rf"(?:\A|(?<=[\r\n]))(?P<prompt>{prompt})|(?P<question>{_ASKED.pattern})")

    @property
    def configuring(self) -> bool:
        """Whether the last prompt was one of configuration mode."""
        return bool(self._configuring.fullmatch(self.last_prompt))

    @property
    def pending(self) -> bool:
        """Whether the last prompt told of lines that are not committed (two-phase devices)."""
        return self.words.two_phase and self.last_prompt.startswith("[*")

    def ask(self, line: str, *, timeout_s: float = ANSWER_TIMEOUT_S) -> str:
        """One line; its answer without echo and prompt.

        Questions that the words know are answered; any other one is answered No and raises VendorError.
        """
        try:
            self.connection.say(line)
            return self._heard(line, timeout_s)
        except ReadTimeout:
            raise self._silent(line, timeout_s) from None
        except BROKEN as error:
            raise self._broke(line, error) from None

    def _heard(self, line: str, timeout_s: float) -> str:
        said = ""
        for _ in range(_TURNS):
            text, found = self.connection.hear(self._end, timeout_s)
            if found["more"]:
                said += text[: found.start()]
                self.connection.write_channel(" ")
            elif found["question"]:
                said += text + "\n"
                self.connection.say(self._answer(line, said))
            else:
                self.last_prompt = found["prompt"]
                return _without_echo(said + text[: found.start()], line)
        raise VendorError("device", f"{self.host}: {self.shown(line)!r} asks without end")

    def _answer(self, line: str, said: str) -> str:
        asked = said.strip().rpartition("\n")[2].strip()
        for question in self.words.questions:
            if re.match(question.command, line.strip()) and re.search(question.asks, said):
                return question.answer
        self.connection.say("N")
        _, found = self.connection.hear(self._end, ANSWER_TIMEOUT_S)
        self.last_prompt = found["prompt"] or ""
        raise VendorError(
            "refused",
            f"{self.host}: {self.shown(line)!r} asks a question that nobody foresaw, answered No: {self.shown(asked)}",
            line=self.shown(line),
            words=self.shown(asked),
        )

    def one_by_one(self, lines: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Each line and its answer; the next is sent when the caller asks for it."""
        for line in lines:
            self._maybe_renamed(line)
            yield line, self.ask(line)

    def ahead(self, lines: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Each line and its answer, lines being sent some ahead of their answers: only where they can be discarded.

        A line that may ask something, or renames the device, goes alone: the next one would be its answer.  A view is
        left only when every line before was taken: had the line that opens it been refused, its ``quit`` would leave
        the view above, configuration mode itself in the end.
        """
        batch: list[str] = []
        for line in lines:
            if self._goes_alone(line):
                yield from self._batch(batch)
                batch = []
                yield from self.one_by_one([line])
                continue
            if line.strip() == self.words.up:
                yield from self._batch(batch)
                batch = []
            batch.append(line)
            if len(batch) == AHEAD_LINES:
                yield from self._batch(batch)
                batch = []
        yield from self._batch(batch)

    def _batch(self, batch: list[str]) -> Iterator[tuple[str, str]]:
        if not batch:
            return
        line = batch[0]
        answers = []
        try:
            self.connection.say(self.connection.RETURN.join(batch))
            for line in batch:
                text, found = self.connection.hear(self._next, ANSWER_TIMEOUT_S)
                if found["question"]:
                    self._lost_in_question()
                    asked = text.strip().rpartition("\n")[2].strip()
                    words = f"asks a question that nobody foresaw: {self.shown(asked)}"
                    answers.append((line, f"Error: {words}"))
                    break
                self.last_prompt = found["prompt"]
                answers.append((line, _without_echo(text[: found.start()], line)))
        except ReadTimeout:
            raise self._silent(line, ANSWER_TIMEOUT_S) from None
        except BROKEN as error:
            raise self._broke(line, error) from None
        yield from answers

    def _lost_in_question(self) -> None:
        """A line was eaten as the answer to a question: find a prompt again, saying No to whatever is asked."""
        for _ in range(_TURNS):
            said = self.connection.quiet(_SILENCE_S)
            found = self._end.search(said)
            if found and found["prompt"]:
                self.last_prompt = found["prompt"]
                return
            self.connection.say("N" if found and found["question"] else "")
        raise EOFError("no prompt any more")

    def _goes_alone(self, line: str) -> bool:
        if self._maybe_renamed(line) or "\n" in line:
            return True
        return any(re.match(question.command, line.strip()) for question in self.words.questions)

    def _maybe_renamed(self, line: str) -> bool:
        renamed = re.match(self.words.rename, line.strip())
        if renamed:
            self.know(renamed["name"])
        return renamed is not None

    def refusal(self, answer: str) -> str:
        """The device's words if it refused, else ""."""
        found = self._errors.search(answer)
        if found is None:
            return ""
        lines = [line.strip() for line in answer.splitlines() if line.strip(" ^\t\r")]
        return self.shown(" ".join(lines)[:300]) or "^"

    def shown(self, text: str) -> str:
        """A text that may be shown: no secrets."""
        return hidden(text, self.secrets)

    def _silent(self, line: str, timeout_s: float) -> VendorError:
        return VendorError(
            "unreachable",
            f"{self.host}: no prompt within {timeout_s:.0f} s after {self.shown(line)!r}: see its session log",
            line=self.shown(line),
        )

    def _broke(self, line: str, error: Exception) -> VendorError:
        first = next((one for one in str(error).splitlines() if one.strip()), type(error).__name__)
        words = self.shown(first.strip())
        return VendorError(
            "unreachable", f"{self.host}: the session broke in {self.shown(line)!r}: {words}", words=words
        )


def _without_echo(text: str, line: str) -> str:
    for said in line.strip().split("\n"):
        first, newline, rest = text.partition("\n")
        if said.strip() not in first:
            break
        text = rest if newline else ""
    return text.strip("\r\n").rstrip()
