"""What a vendor's device refused, in words that name the line and what the device itself said."""

from __future__ import annotations

from typing import Literal

Kind = Literal["request", "unreachable", "busy", "refused", "device"]


class VendorError(Exception):
    """A device that did not do what it was asked.

    ``kind``: ``request`` (the question itself is wrong), ``unreachable`` (no session, or it broke), ``busy`` (every VTY
    line is taken, or somebody else holds the configuration), ``refused`` (a line was refused), ``device`` (anything
    else the device said).
    ``number`` (from 1), ``line`` and ``words`` name the refused line and the device's own words, "" and 0 where no line
    is to blame.  ``sent`` are the lines that the device had taken before: not empty only where they ARE in its running
    configuration now and wait for ``undo()``.  Secrets in all of them are hidden.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        *,
        number: int = 0,
        line: str = "",
        words: str = "",
        sent: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.message = message
        self.number = number
        self.line = line
        self.words = words
        self.sent = sent
