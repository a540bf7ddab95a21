"""What may be sent as configuration: lines of configuration, and nothing that enters, leaves, commits or saves."""

from __future__ import annotations

import re
from collections.abc import Sequence

from provision.vendor.errors import VendorError
from provision.vendor.transcript import hidden
from provision.vendor.words import Words

_LABEL = re.compile(r"[A-Za-z][\w.-]{0,59}")
_NEVER = re.compile(r"(?i)(?:save|write|copy|commit|abort|reset saved|reboot|reload|startup|configuration)\b")


def body_of(words: Words, host: str, lines: Sequence[str]) -> list[str]:
    """The lines between entering and leaving configuration mode, which the session says itself.

    Raises VendorError of kind ``request``, with the number of the line that is none.
    """
    body = [line.rstrip() for line in lines if line.strip()]
    if body and body[0].strip() == words.enter:
        del body[0]
    while body and body[-1].strip() in (words.leave, "commit"):
        del body[-1]
    for number, line in enumerate(body, 1):
        one_line(host, line.replace("\n", " "))  # a banner is one command of several lines
        if line.strip() in (words.leave, words.enter) or _NEVER.match(line.strip()):
            raise VendorError(
                "request",
                f"{host}: line {number}, {hidden(line.strip())!r}, is not configuration: "
                "entering, leaving, committing and saving are the session's own",
                number=number,
                line=hidden(line.strip()),
            )
    return body


def one_line(host: str, text: str) -> None:
    """A command is one line of text; VendorError of kind ``request`` for anything else."""
    if not text.strip() or any(ord(character) < 32 for character in text):
        raise VendorError("request", f"{host}: a command is one line of text, found {hidden(text)!r}")


def check_label(label: str) -> None:
    """A label is a word that VRP takes as a persistence id, or ""; VendorError of kind ``request`` otherwise."""
    if label and not _LABEL.fullmatch(label):
        raise VendorError("request", f"label {label!r}: expected a letter, then letters, digits, '.', '-' or '_'")
