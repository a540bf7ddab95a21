"""A device's output through its template: rows, or the line that was not understood."""

from __future__ import annotations

from typing import Any, TextIO

import textfsm
from textfsm import clitable, texttable

from provision.parsers.catalog import Parser, find
from provision.parsers.transcript import clean

Row = dict[str, Any]
"""One record: the template's value names in lower case; text, a list of texts, or a list of such records."""


LONGEST_LINE = 2000
"""Characters: no device prints a longer line, and a template's search must end in time on any input."""


class NotUnderstood(Exception):
    """The template met a line that it does not know: another release prints otherwise, or this is no such output."""

    def __init__(self, parser: Parser, number: int, line: str) -> None:
        self.parser, self.number, self.line = parser, number, line
        super().__init__(
            f"line {number} is not understood: {line[:200]!r}; expected the output of '{parser.command}' "
            f"on {parser.platform}, as {parser.templates} reads it"
        )


class _Watched(textfsm.TextFSM):  # type: ignore[misc]
    """TextFSM that remembers where it is, and whether any line with text meant anything to it."""

    def __init__(self, template: TextIO) -> None:
        super().__init__(template)
        self.number = 0
        self.line = ""
        self.first: tuple[int, str] | None = None
        self.matched = False

    def _CheckLine(self, line: str) -> None:
        self.number, self.line = self.number + 1, line
        if line.strip() and self.first is None:
            self.first = (self.number, line)
        if len(line) > LONGEST_LINE:
            raise textfsm.TextFSMError("a line that no device prints")
        super()._CheckLine(line)

    def _CheckRule(self, rule: Any, line: str) -> Any:
        found = super()._CheckRule(rule, line)
        if found and line.strip():
            self.matched = True
        return found


class _Table(clitable.CliTable):  # type: ignore[misc]
    """clitable's join of several templates, each of them watched."""

    def __init__(self, parser: Parser) -> None:
        super().__init__("index", str(parser.folder))
        self._parser = parser
        self._keys: set[str] = set()

    def _ParseCmdItem(self, cmd_input: str, template_file: TextIO) -> texttable.TextTable:
        machine = _Watched(template_file)
        if not self._keys:
            self._keys = set(machine.GetValuesByAttrib("Key"))
        table = texttable.TextTable()
        table.header = machine.header
        try:
            records = machine.ParseText(cmd_input)
        except textfsm.TextFSMError as error:
            raise NotUnderstood(self._parser, machine.number, machine.line) from error
        if machine.first and not machine.matched:
            raise NotUnderstood(self._parser, *machine.first)
        for record in records:
            table.Append(record)
        return table


def parse(platform: str, command: str, output: str) -> list[Row]:
    """The rows that a command printed.

    Args:
        platform: a name of ours (``huawei_vrp8``), of netmiko or of ntc-templates.
        command: as typed; it may be abbreviated as the device allows.
        output: what the device printed, with or without the echoed command and pager lines.

    Raises:
        UnknownParser: nothing is known of the platform or the command.
        NotUnderstood: a line that the template does not know, or none at all that it knows.
    """
    parser = find(platform, command)
    table = _Table(parser)
    table.ParseCmd(clean(output), templates=parser.templates)
    names = [name.lower() for name in table.header]
    return [dict(zip(names, row, strict=True)) for row in table]
