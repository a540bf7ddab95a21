"""A page's WebSocket to the signalling (docs/protocol.md): requests with answers, and notifications."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

PROTOCOL = Subprotocol("sanwang.meet.1")
_ANSWER_S = 10.0
_CONNECT_S = 3.0  # as pages
_CLOSE_S = 2.0


class Lost(ConnectionError):
    """The connection is gone, or could not be had."""


class Refusal(RuntimeError):
    """The signalling refused a request; ``code`` is its word."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code


class Channel:
    """One connection; ``heard(type, data)`` gets the notifications while ``read`` runs."""

    def __init__(self, connection: ClientConnection, heard: Callable[[str, dict[str, Any]], None]) -> None:
        self._connection = connection
        self._heard = heard
        self._number = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    @staticmethod
    async def open(
        address: str,
        tls: ssl.SSLContext | None,
        opened: socket.socket,
        heard: Callable[[str, dict[str, Any]], None],
    ) -> Channel:
        """Connect this socket, made for it and not connected yet, to "wss://address/path"; Lost when that fails."""
        where = urlsplit(address)
        opened.setblocking(False)
        target = where.hostname or "", where.port or (443 if where.scheme == "wss" else 80)
        try:
            async with asyncio.timeout(_CONNECT_S):
                try:
                    await asyncio.get_running_loop().sock_connect(opened, target)
                except BaseException:
                    opened.close()  # from here on it is the connection's, which closes it
                    raise
                connection = await connect(
                    address,
                    sock=opened,
                    ssl=tls,
                    subprotocols=[PROTOCOL],
                    compression=None,
                    open_timeout=None,
                    ping_interval=None,  # the protocol has its own
                    close_timeout=_CLOSE_S,
                )
        except (OSError, TimeoutError, WebSocketException) as error:
            raise Lost(f"{address}: {error or type(error).__name__}") from None
        return Channel(connection, heard)

    async def read(self) -> None:
        """Until the connection ends, then Lost with its code (RFC 6455 section 7.4)."""
        try:
            while True:
                message = json.loads(await self._connection.recv())
                if "type" in message:
                    self._heard(message["type"], message.get("data", {}))
                    continue
                answer = self._waiting.pop(message.get("id"), None)
                if answer is None or answer.done():
                    continue
                if error := message.get("error"):
                    answer.set_exception(Refusal(error["code"], error["text"]))
                else:
                    answer.set_result(message["data"])
                await asyncio.sleep(0)  # who asked takes the answer before what came behind it is told
        except ConnectionClosed as end:
            raise Lost(f"closed with {end.rcvd.code if end.rcvd else 'no word'}") from None
        finally:
            for answer in self._waiting.values():
                answer.cancel()

    async def request(self, kind: str, /, **data: Any) -> Any:
        """The answer's data; Refusal, or Lost when there is none within ten seconds."""
        self._number += 1
        answer = self._waiting[self._number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(_ANSWER_S):
                await self._connection.send(json.dumps({"id": self._number, "type": kind, "data": data}))
                return await answer
        except ConnectionClosed:
            raise Lost(f"{kind}: the connection is closed") from None
        except TimeoutError:
            raise Lost(f"{kind}: no answer within {_ANSWER_S:.0f} s") from None

    async def leave(self) -> None:
        """Say so, and close; never raises for a connection that is gone."""
        with contextlib.suppress(ConnectionClosed, OSError, TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._connection.send(json.dumps({"id": 0, "type": "leave", "data": {}}))
                while True:
                    await self._connection.recv()  # the server closes when it has taken us out
        await self._connection.close()
