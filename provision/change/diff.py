"""Differences as people read them: unified, secrets masked, and nothing in them that a terminal would obey."""

from __future__ import annotations

import difflib
import unicodedata

CONTEXT_LINES = 3
_ESCAPED = {"Cc", "Cf", "Cs", "Co"}
"""Unicode categories that are shown as escapes: controls, direction marks that reorder a line, surrogates."""


def printable(text: str) -> str:
    """The text with every character escaped that is not seen as what it is; newlines and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char if char in "\n\t" or unicodedata.category(char) not in _ESCAPED else _escape(char) for char in text
    )


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def file_diff(path: str, before: str, after: str, *, mode_before: str = "", mode_after: str = "") -> str:
    """What changes in one file, both texts masked already; a change that the mask hides is told in words.

    ``mode_before``, ``mode_after``: "0644"; "" where there is no file, or its mode is not known.
    """
    before, after = printable(before), printable(after)
    lines = [f"--- {path}", f"+++ {path}"]
    if mode_before and mode_after and mode_before != mode_after:
        lines.append(f" mode {mode_before} becomes {mode_after}")
    body = list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=CONTEXT_LINES))[2:]
    if not body and len(lines) == 2:
        lines.append(" the file is empty" if not before and not after else " a secret in it differs")
    return "\n".join(lines + body) + "\n"


def counts(diff: str) -> tuple[int, int]:
    """(lines added, lines removed) of one file's diff."""
    body = diff.splitlines()[2:]
    return sum(line.startswith("+") for line in body), sum(line.startswith("-") for line in body)
