"""From the bytes of a saved session to the text that a device meant to print."""

from __future__ import annotations

import re

_PAGER = re.compile(r" *-{2,4} ?[Mm]ore ?-{2,4} *(?:\x08+ *\x08*|\x1b\[\d+D *\x1b\[\d+D|\r +\r)?")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x00")
_GAP = re.compile(r"[ \t]{200,}")  # wider than any table: a template's search would take its cube in steps
_PROMPT = r"(?:<[^<>\s]+>|\[[~*]?[^\[\]\s]+\]|[\w.-]+(?:\([\w.\-/]+\))?[#>])"
_ECHO = re.compile(rf"{_PROMPT} ?(?:di|sh|d |v)\S*.*", re.IGNORECASE)
_BARE_PROMPT = re.compile(rf"{_PROMPT}\s*")


def decode(raw: bytes) -> str:
    """Text of a device's output: UTF-8, or else GB 18030, in which Chinese devices keep their descriptions.

    Never fails: what is neither is replaced by U+FFFD.
    """
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("gb18030", errors="replace")


def clean(text: str) -> str:
    """Without what the terminal added: pager lines, escape sequences, the echoed command, the prompt after it."""
    text = _ESCAPES.sub("", _PAGER.sub("", text)) if "\x1b" in text or "ore" in text or "\x00" in text else text
    lines = re.sub(r"\r+\n", "\n", _GAP.sub(" " * 200, text)).split("\n")
    filled = [number for number, line in enumerate(lines) if line.strip()]
    if filled and _ECHO.fullmatch(lines[filled[0]].strip()):
        lines[filled[0]] = ""
    if filled and _BARE_PROMPT.fullmatch(lines[filled[-1]].strip()):
        lines[filled[-1]] = ""
    return "\n".join(lines)
