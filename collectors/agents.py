"""Asking one agent: ``GET`` of its small HTTP server, over the management network."""

from __future__ import annotations

import asyncio
import json
from ipaddress import IPv4Address
from typing import Any
from urllib.parse import urlencode

from collectors.agent.config import HTTP_PORT

TIMEOUT_S = 3.0
_LARGEST = 1 << 20


class NoAnswer(Exception):
    """The agent did not answer, or refused: says why."""


async def get(address: IPv4Address, path: str, fields: dict[str, str]) -> Any:
    """The JSON document behind ``path``.

    Raises:
        NoAnswer: also for a status other than 200.
    """
    try:
        async with asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection(str(address), HTTP_PORT)
            try:
                writer.write(f"GET {path}?{urlencode(fields)} HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.read(_LARGEST)
            finally:
                writer.close()
    except TimeoutError:
        raise NoAnswer(f"{address}: no answer within {TIMEOUT_S:g} s") from None
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as problem:
        raise NoAnswer(f"{address}: {problem}") from None
    status = head.split(b" ", 2)[1:2]
    if status != [b"200"]:
        raise NoAnswer(f"{address}: {body[:200].decode(errors='replace').strip()}")
    try:
        return json.loads(body)
    except ValueError:
        raise NoAnswer(f"{address}: no JSON") from None
