"""What a node passes to its parent while it is there: pages' WebSockets and HTTP requests, over mutual TLS.

The parent's processes may move (a standby takes over): each address is tried in turn, the one that answered last first.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import logging
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from vconf.conversation import MESSAGE_BYTES, PROTOCOL

AGAIN = 1012
"""RFC 6455 section 7.4: service restart, come again."""

_CONNECT_S = 1.5
_ANSWER_S = 5.0
_KNOCK_S = 0.5
_DROP_S = 1.0
_WELCOME_BYTES = 4 << 20  # a welcome of hundreds of venues
_OURS = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "upgrade", "keep-alive", "te", "cookie"}
)
_THEIRS = ("content-type", "cache-control", "retry-after")

logger = logging.getLogger(__name__)


class Away(Exception):
    """The parent does not answer."""


@dataclass(frozen=True, slots=True)
class Place:
    """One address of the parent; ``name`` must be in its certificate."""

    name: str
    host: str
    port: int


class Passing:
    """Connections to the parent.

    Args:
        places: Where it may be.
        tls: Shows our certificate, checks its.
        also: Pages' addresses that a page may try while this node is silent; told in answers.
    """

    def __init__(self, places: Sequence[Place], tls: ssl.SSLContext, also: Sequence[str] = ()) -> None:
        self.alive: Callable[[], None] = lambda: None
        """Called whenever something came from the parent."""
        self._places = list(places)
        self._tls = tls
        self._also = list(also)
        self._pages: set[asyncio.Task[None]] = set()
        self._requests: set[asyncio.Task[Response]] = set()

    async def knock(self) -> bool:
        """Whether one of its doors opens: TCP alone, answered by the kernel however busy the process is."""
        return any(await asyncio.gather(*(_opens(place) for place in self._places)))

    # -- WebSockets ---------------------------------------------------------------------------

    async def serve(self, socket: WebSocket) -> None:
        """One page that was accepted, until either side ends it or ``drop``."""
        task = asyncio.current_task()
        assert task is not None
        self._pages.add(task)
        try:
            await self._serve(socket)
        except asyncio.CancelledError:
            await _close(socket, AGAIN)
        finally:
            self._pages.discard(task)

    async def drop(self) -> None:
        """Tell every page to come again: the parent is lost."""
        tasks = [*self._pages, *self._requests]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_DROP_S)  # a page that is dead answers no closing handshake

    async def _serve(self, socket: WebSocket) -> None:
        try:
            connection = await self._connect()
        except Away as away:
            logger.info("a page: %s", away)
            await _close(socket, AGAIN)
            return
        try:
            code = await self._pump(socket, connection)
        finally:
            connection.transport.abort()  # a lost line answers no closing handshake
        await _close(socket, code)

    async def _connect(self) -> ClientConnection:
        problem = ""
        for place in list(self._places):
            try:
                connection = await connect(
                    f"wss://{place.host}:{place.port}/meet/ws",
                    ssl=self._tls,
                    server_hostname=place.name,
                    subprotocols=[Subprotocol(PROTOCOL)],
                    compression=None,
                    proxy=None,
                    open_timeout=_CONNECT_S,
                    ping_interval=None,  # the protocol has its own
                    max_size=_WELCOME_BYTES,
                )
            except (OSError, TimeoutError, WebSocketException) as error:
                problem = f"{place.host}:{place.port}: {error or type(error).__name__}"
                continue
            self._first(place)
            return connection
        raise Away(problem)

    async def _pump(self, socket: WebSocket, connection: ClientConnection) -> int:
        """Both ways; the code to close the page with."""

        async def up() -> int:
            while True:
                text = await socket.receive_text()
                if len(text) > MESSAGE_BYTES:
                    return 1009
                await connection.send(text)

        async def down() -> int:
            while True:
                message = await connection.recv(decode=True)
                self.alive()
                await socket.send_text(str(message))

        ways = [asyncio.ensure_future(up()), asyncio.ensure_future(down())]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        for way in done:
            error = way.exception()
            if isinstance(error, ConnectionClosed):
                return error.rcvd.code if error.rcvd is not None else AGAIN
            if isinstance(error, WebSocketDisconnect | RuntimeError):
                with contextlib.suppress(ConnectionClosed, TimeoutError):
                    async with asyncio.timeout(1):
                        await connection.close()  # a page that goes is told of at once
                return 1000
            if error is None:
                return way.result()
        return AGAIN

    # -- HTTP ---------------------------------------------------------------------------------

    async def request(self, request: Request) -> Response:
        """The parent's answer; Away."""
        task = asyncio.ensure_future(self._request(request))
        self._requests.add(task)
        try:
            return await task
        except asyncio.CancelledError:
            if not task.cancelled():
                task.cancel()
                raise
            raise Away("the tier above was lost meanwhile") from None
        finally:
            self._requests.discard(task)

    async def _request(self, request: Request) -> Response:
        body = await request.body()
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        headers = {name: value for name, value in request.headers.items() if name not in _OURS}
        problem = ""
        for place in list(self._places):
            try:
                status, answered, content = await asyncio.to_thread(
                    self._ask, place, request.method, path, body, headers
                )
            except (OSError, http.client.HTTPException) as error:
                problem = f"{place.host}:{place.port}: {error or type(error).__name__}"
                continue
            self._first(place)
            self.alive()
            if status == 200 and self._also and path.startswith("/meet/") and request.method == "POST":
                content = self._with_also(content)
            kept = {name: answered[name] for name in _THEIRS if name in answered}
            return Response(content, status, kept)
        raise Away(problem)

    def _ask(
        self, place: Place, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        """In a thread: http.client has no other way, and little memory."""
        connection = _Connection(place, self._tls)
        try:
            connection.request(method, path, body or None, dict(headers))
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def _with_also(self, content: bytes) -> bytes:
        try:
            found = json.loads(content)
        except ValueError:
            return content
        if not isinstance(found, dict) or "hall" not in found:
            return content
        return json.dumps(found | {"also": self._also}, ensure_ascii=False, separators=(",", ":")).encode()

    def _first(self, place: Place) -> None:
        if self._places[0] is not place:
            self._places.remove(place)
            self._places.insert(0, place)


class _Connection(http.client.HTTPSConnection):
    """To an address, with the name that its certificate has to hold."""

    def __init__(self, place: Place, tls: ssl.SSLContext) -> None:
        super().__init__(place.host, place.port, timeout=_ANSWER_S, context=tls)
        self._place, self._tls = place, tls

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._place.name)


async def _opens(place: Place) -> bool:
    try:
        async with asyncio.timeout(_KNOCK_S):
            _, writer = await asyncio.open_connection(place.host, place.port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def _close(socket: WebSocket, code: int) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError):
        await socket.close(code if code in (1000, 1001, 1008, 1009, 1012, 1013) else AGAIN)
