"""JSON lines between signalling and relay: one object a line, UTF-8, at most 256 KiB.

``{"id": 7, "method": "produce", "params": {...}}`` is answered with ``{"id": 7, "result": ...}`` or
``{"id": 7, "error": {"code": "...", "text": "..."}}``; ``{"event": "transport", "params": {...}}`` is not.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LINE_BYTES = 256 * 1024


class LineError(ValueError):
    """What arrived is not a line of the protocol."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are and whom we trust: files with PEM."""

    certificate: Path
    key: Path
    ca: Path

    def server(self) -> ssl.SSLContext:
        """A context that asks every client for a certificate of the same authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.verify_mode = ssl.CERT_REQUIRED
        self._load(context)
        return context

    def client(self) -> ssl.SSLContext:
        """A context that checks the server's name and shows our certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        self._load(context)
        return context

    def _load(self, context: ssl.SSLContext) -> None:
        context.load_verify_locations(self.ca)
        context.load_cert_chain(self.certificate, self.key)


async def read(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next object; None at the end; LineError for anything else."""
    try:
        line = await reader.readline()
    except ValueError as error:  # longer than the reader's limit
        raise LineError(f"a line longer than {LINE_BYTES} bytes") from error
    if not line:
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise LineError("not JSON") from error
    if not isinstance(found, dict):
        raise LineError("not an object")
    return found


def write(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    """Queue one object."""
    writer.write(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


def peer_names(writer: asyncio.StreamWriter) -> set[str]:
    """DNS names in the peer's certificate; empty on a unix socket."""
    certificate = writer.get_extra_info("peercert") or {}
    return {value for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"}
