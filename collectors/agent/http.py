"""The agent's small HTTP server: ``GET`` of a few pages, one request a connection.

A framework would be larger than the rest of the agent.  Request line and headers are bounded in size and time, and
the number of connections is bounded too.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping

_LIMIT = 8192
_TIMEOUT_S = 5.0
_CONNECTIONS = 16
_REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}

Page = Callable[[str], tuple[str, bytes]]
"""From the query to (content type, body); ValueError for a query that cannot be answered."""


def parse_request(head: bytes) -> tuple[str, str, str]:
    """(method, path, query) of a request's head.

    Raises:
        ValueError: not a request line of HTTP/1.
    """
    parts = head.split(b"\r\n", 1)[0].split(b" ")
    if len(parts) != 3 or not parts[2].startswith(b"HTTP/1."):
        raise ValueError("not a request line of HTTP/1")
    path, _, query = parts[1].decode("ascii", "replace").partition("?")
    return parts[0].decode("ascii", "replace"), path, query


class TinyServer:
    """Serves fixed pages on sockets given to it."""

    def __init__(self, pages: Mapping[str, Page]) -> None:
        self._pages = pages
        self._open = 0

    async def start(self, listener: socket.socket) -> asyncio.Server:
        """Serve on a bound socket; the caller closes the server."""
        return await asyncio.start_server(self._serve, sock=listener, limit=_LIMIT, backlog=8)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                status, kind, body = await self._answer(reader)
                head = (
                    f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: {kind}\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                )
                writer.write(head.encode() + body)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client went away, or was too slow
        finally:
            self._open -= 1
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, str, bytes]:
        plain = "text/plain; charset=utf-8"
        if self._open > _CONNECTIONS:
            return 503, plain, b"busy\n"
        try:
            method, path, query = parse_request(await reader.readuntil(b"\r\n\r\n"))
        except (ValueError, asyncio.LimitOverrunError) as problem:
            return 400, plain, f"{problem}\n".encode()
        if method != "GET":
            return 405, plain, b"GET only\n"
        page = self._pages.get(path)
        if page is None:
            return 404, plain, f"{' '.join(sorted(self._pages))}\n".encode()
        try:
            kind, body = page(query)
        except ValueError as problem:
            return 400, plain, f"{problem}\n".encode()
        return 200, kind, body
