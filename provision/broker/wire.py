"""The broker's wire format: one JSON document per line over a unix socket, both ways.

A request is ``{"method": str, "params": {...}, "who": str, "why": str}``.  The broker answers with any number of
``{"event": {...}}`` lines and then exactly one ``{"result": ...}`` or ``{"error": {"kind", "message"}}`` line.
One request at a time per connection; a client that wants several at once opens several connections.
"""

from __future__ import annotations

import json
from typing import Any

LINE_LIMIT_BYTES = 16 * 1024 * 1024
"""Longest line either side accepts; a full bundle of one appliance is some 100 kB."""


class BrokerError(Exception):
    """A request that the broker refused or could not do.

    ``kind`` is one of ``request`` (the question is wrong), ``county`` (the county's files have errors), ``unreachable``
    (the device does not answer), ``busy`` (all its VTY lines are taken), ``device`` (it answered with an error),
    ``stale`` (device or county moved since it was planned), ``audit`` (no record can be kept), ``absent`` (no broker
    listens), ``moved`` (another broker has taken over: ask again) or ``broker`` (a fault of the broker itself).
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


def encode(document: dict[str, Any]) -> bytes:
    """One line, newline included."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """The JSON object of one line; BrokerError of kind ``request`` for anything else."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BrokerError("request", f"a line that is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise BrokerError("request", f"expected a JSON object, found {type(document).__name__}")
    return document
