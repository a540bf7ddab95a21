"""The relay's control channel: one signalling process drives one engine.

A signalling process names itself when it connects.  When its connection is lost the meetings go on for
``GRACE_S``: media does not need it.  When another process takes over, what the old one made goes on for
``ORPHAN_S``, so that halls see each other while their pages come back and build anew.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vconf import lines
from vconf.media.dtls import DtlsError
from vconf.media.engine import Engine, EngineError
from vconf.media.ortc import OrtcError
from vconf.media.pipes import PipeError
from vconf.relay_client import RelayError
from vconf.workers import Workers

GRACE_S = 30.0
ORPHAN_S = 12.0
HELLO_S = 5.0
_BACKLOG_BYTES = 4 << 20

logger = logging.getLogger(__name__)
_Method = Callable[[dict[str, Any]], Any]


class RelayServer:
    """Answers the signalling with an engine.

    Args:
        engine: The worker's engine, or several workers.
        name: The relay's host name.
        clients: DNS names of certificates that may drive it; None on a unix socket.
    """

    def __init__(self, engine: Engine | Workers, name: str, clients: frozenset[str] | None) -> None:
        self._engine = engine
        self._name = name
        self._clients = clients
        self._boot = secrets.token_hex(8)
        self._started_s = time.monotonic()
        self._owner = ""
        self._writer: asyncio.StreamWriter | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._orphans: dict[str, asyncio.TimerHandle] = {}  # transport -> when it is closed
        self._servers: list[asyncio.Server] = []
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        engine.on_event = self._event
        self._methods: dict[str, _Method] = {
            "ping": lambda p: {},
            "status": lambda p: self.status(),
            "quality": lambda p: engine.quality(),
            "peerQuality": lambda p: engine.peer_quality(_text(p, "room")),
            "createTransport": lambda p: engine.create_transport(_text(p, "room"), _text(p, "peer")),
            "connectTransport": self._connect,
            "restartIce": lambda p: engine.restart_ice(_text(p, "transport")),
            "closePeer": lambda p: engine.close_peer(_text(p, "room"), _text(p, "peer")),
            "closeTransport": lambda p: engine.close_transport(_text(p, "transport")),
            "produce": self._produce,
            "pauseProducer": lambda p: engine.pause_producer(_text(p, "producer"), p.get("paused") is True),
            "closeProducer": lambda p: engine.close_producer(_text(p, "producer")),
            "consume": lambda p: engine.consume(
                _text(p, "transport"), _text(p, "producer"), p.get("rtpCapabilities"), _text(p, "cname")
            ),
            "consumeAudio": lambda p: engine.consume_audio(
                _text(p, "transport"), int(p.get("slots", 3)), p.get("rtpCapabilities"), _text(p, "cname")
            ),
            "roomAudio": lambda p: engine.room_audio(_text(p, "room"), int(p["loudest"])),
            "prefer": lambda p: engine.prefer(_text(p, "consumer"), p.get("priority"), p.get("maxLayer")),
            "pauseConsumer": lambda p: engine.pause_consumer(_text(p, "consumer"), p.get("paused") is True),
            "closeConsumer": lambda p: engine.close_consumer(_text(p, "consumer")),
            "openPipe": lambda p: engine.open_pipe(_text(p, "room"), _text(p, "peer")),
            "joinPipe": lambda p: engine.join_pipe(
                _text(p, "transport"), _text(p, "ip"), int(p["port"]), _text(p, "key")
            ),
            "pipeProducer": lambda p: engine.pipe_producer(_text(p, "transport"), _text(p, "producer")),
        }

    async def listen(self, address: tuple[str, int], identity: lines.Identity) -> None:
        """Offer the channel over mutual TLS."""
        server = await asyncio.start_server(
            self._accept, *address, ssl=identity.server(), limit=lines.LINE_BYTES, ssl_handshake_timeout=5
        )
        self._servers.append(server)

    async def listen_unix(self, path: Path) -> None:
        """Offer the channel on a socket that only our own user can open."""
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._accept, str(path), limit=lines.LINE_BYTES)
        path.chmod(0o600)
        self._servers.append(server)

    async def close(self) -> None:
        """Stop listening and hang up."""
        for server in self._servers:
            server.close()
        for writer in self._connections.values():
            writer.close()  # its reader then sees the end
        if self._connections:
            await asyncio.wait(set(self._connections), timeout=2)
        for timer in (self._grace, *self._orphans.values()):
            if timer is not None:
                timer.cancel()

    async def status(self) -> dict[str, Any]:
        """The engine's figures with the relay's name, age in seconds, and CPU seconds used."""
        return {
            "name": self._name,
            "boot": self._boot,
            "up_s": round(time.monotonic() - self._started_s, 1),
            "cpu_s": round(time.process_time(), 2),
            **await _settled(self._engine.status()),
        }

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        task.add_done_callback(lambda done: self._connections.pop(done, None))
        try:
            if self._clients is not None and not lines.peer_names(writer) & self._clients:
                logger.warning("control: refused %s", sorted(lines.peer_names(writer)))
                return
            await self._serve(reader, writer)
        except (lines.LineError, ConnectionError, TimeoutError) as error:
            logger.warning("control: %s: connection closed", error or type(error).__name__)
        finally:
            if self._writer is writer:
                self._writer = None
                self._grace = asyncio.get_running_loop().call_later(GRACE_S, self._forget, "signalling gone")
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(HELLO_S):
            hello = await lines.read(reader)
        if hello is None:
            return
        if hello.get("method") == "status":  # a watcher asks once and goes: it takes nothing over
            lines.write(writer, {"id": hello.get("id"), "result": await self.status()})
            await writer.drain()
            return
        if hello.get("method") != "hello" or not isinstance(hello.get("params"), dict):
            raise lines.LineError("the first line is not hello")
        self._take_over(_text(hello["params"], "instance"), writer)
        lines.write(
            writer,
            {
                "id": hello.get("id"),
                "result": {"name": self._name, "boot": self._boot, "transports": self._owned()},
            },
        )
        while (message := await lines.read(reader)) is not None and self._writer is writer:
            lines.write(writer, await self._answer(message))
            await writer.drain()

    def _take_over(self, instance: str, writer: asyncio.StreamWriter) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        if self._writer is not None:
            self._writer.close()
        if instance != self._owner:
            loop = asyncio.get_running_loop()
            for transport in self._owned():
                self._orphans[transport] = loop.call_later(ORPHAN_S, self._close_orphan, transport)
        self._owner = instance
        self._writer = writer

    def _owned(self) -> list[str]:
        """Transports that the present owner made."""
        return [transport for transport in self._engine.transports if transport not in self._orphans]

    def _close_orphan(self, transport: str) -> None:
        self._orphans.pop(transport, None)
        self._engine.close_transport(transport)

    def _forget(self, why: str) -> None:
        if self._engine.transports:
            logger.info("control: %s: closing %d transports", why, len(self._engine.transports))
        for transport in list(self._engine.transports):
            self._engine.close_transport(transport)

    async def _answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """Never raises for what a message says."""
        identifier = message.get("id")
        method = self._methods.get(str(message.get("method")))
        params = message.get("params", {})
        if method is None or not isinstance(params, dict):
            return {"id": identifier, "error": {"code": "unknown", "text": f"method {message.get('method')!r}"}}
        try:
            return {"id": identifier, "result": await _settled(method(params))}
        except RelayError as error:  # of a worker
            return {"id": identifier, "error": {"code": error.code, "text": str(error)}}
        except (EngineError, OrtcError, DtlsError, PipeError) as error:
            return {"id": identifier, "error": {"code": "refused", "text": str(error)}}
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            logger.warning("control: %s: %r", message.get("method"), error)
            return {"id": identifier, "error": {"code": "bad", "text": f"{type(error).__name__}: {error}"}}

    async def _produce(self, params: dict[str, Any]) -> dict[str, Any]:
        made = self._engine.produce(
            _text(params, "transport"),
            _text(params, "kind"),
            params.get("rtpParameters"),
            paused=params.get("paused") is True,
            **{key: _text(params, key) for key in ("source", "peer") if params.get(key)},
        )
        return {"id": await _settled(made)}

    def _connect(self, params: dict[str, Any]) -> Any:
        return self._engine.connect_transport(_text(params, "transport"), params["dtlsParameters"]["fingerprints"])

    def _event(self, name: str, values: dict[str, Any]) -> None:
        writer = self._writer
        if writer is None or writer.is_closing():
            return
        if writer.transport.get_write_buffer_size() > _BACKLOG_BYTES:
            writer.close()  # it does not read: on its return it learns the state anew
            return
        lines.write(writer, {"event": name, "params": values})


async def _settled(result: Any) -> Any:
    """An engine answers at once, workers when they have."""
    return await result if inspect.isawaitable(result) else result


def _text(params: dict[str, Any], key: str) -> str:
    value = params.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= 256:
        raise EngineError(f"{key}: expected a text of at most 256 characters")
    return value
