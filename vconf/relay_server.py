"""The relay's control channel: signalling processes drive one engine.

A signalling process names itself and its side (the county, or a township's node) when it connects; each side has
rooms of its own, and none sees another's.  When a side's connection is lost its meetings go on for ``GRACE_S``: media
does not need it.  When another process of the same side takes over, what the old one made goes on for ``ORPHAN_S``, so
that halls see each other while their pages come back and build anew.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vconf import lines
from vconf.media.dtls import DtlsError
from vconf.media.engine import Engine, EngineError
from vconf.media.ortc import OrtcError
from vconf.media.pipes import PipeError
from vconf.relay_client import COUNTY, RelayError
from vconf.requests import requests, text
from vconf.workers import Workers

GRACE_S = 30.0
ORPHAN_S = 12.0
HELLO_S = 5.0
MOST_SIDES = 8
_SIDE = re.compile(r"[A-Za-z0-9_:.-]{1,64}")
_BACKLOG_BYTES = 4 << 20

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Side:
    """Who drives a part of the rooms; in the engine their names begin with the side's."""

    name: str
    owner: str = ""
    writer: asyncio.StreamWriter | None = None
    grace: asyncio.TimerHandle | None = None
    orphans: dict[str, asyncio.TimerHandle] = field(default_factory=dict)  # transport -> when it is closed

    @property
    def prefix(self) -> str:
        """Of its rooms."""
        return f"{self.name}/"


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
        self._sides: dict[str, _Side] = {}
        self._servers: list[asyncio.Server] = []
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        engine.on_event = self._event
        self._methods = requests(engine) if isinstance(engine, Engine) else None  # None: workers, which answer all

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
        for side in self._sides.values():
            for timer in (side.grace, *side.orphans.values()):
                if timer is not None:
                    timer.cancel()

    async def status(self) -> dict[str, Any]:
        """The engine's figures with the relay's name, age in seconds, and CPU seconds used."""
        return {
            "name": self._name,
            "boot": self._boot,
            "up_s": round(time.monotonic() - self._started_s, 1),
            "cpu_s": round(time.process_time(), 2),
            **(self._engine.status() if isinstance(self._engine, Engine) else await self._engine.status()),
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
        except (lines.LineError, OSError, TimeoutError) as error:
            logger.warning("control: %s: connection closed", error or type(error).__name__)
        finally:
            for side in self._sides.values():
                if side.writer is writer:
                    side.writer = None
                    side.grace = asyncio.get_running_loop().call_later(GRACE_S, self._forget, side)
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
        side = self._side(hello["params"])
        self._take_over(side, text(hello["params"], "instance"), writer)
        lines.write(
            writer,
            {
                "id": hello.get("id"),
                "result": {"name": self._name, "boot": self._boot, "transports": self._owned(side)},
            },
        )
        while (message := await lines.read(reader)) is not None and side.writer is writer:
            lines.write(writer, await self._answer(message, side))
            await writer.drain()

    def _side(self, hello: dict[str, Any]) -> _Side:
        name = hello.get("side", COUNTY)
        if not isinstance(name, str) or not _SIDE.fullmatch(name):
            raise lines.LineError("side: expected a word")
        if name not in self._sides and len(self._sides) >= MOST_SIDES:
            raise lines.LineError(f"more than {MOST_SIDES} sides")
        return self._sides.setdefault(name, _Side(name))

    def _take_over(self, side: _Side, instance: str, writer: asyncio.StreamWriter) -> None:
        if side.grace is not None:
            side.grace.cancel()
            side.grace = None
        if side.writer is not None:
            side.writer.close()
        if instance != side.owner:
            loop = asyncio.get_running_loop()
            for transport in self._owned(side):
                side.orphans[transport] = loop.call_later(ORPHAN_S, self._close_orphan, side, transport)
        side.owner = instance
        side.writer = writer

    def _all_of(self, side: _Side) -> list[str]:
        return [known for known, made in self._engine.transports.items() if made.room.startswith(side.prefix)]

    def _owned(self, side: _Side) -> list[str]:
        """Transports that the side's present owner made."""
        return [transport for transport in self._all_of(side) if transport not in side.orphans]

    def _close_orphan(self, side: _Side, transport: str) -> None:
        side.orphans.pop(transport, None)
        self._engine.close_transport(transport)

    def _forget(self, side: _Side) -> None:
        """Nobody of this side came back."""
        left = self._all_of(side)
        if left:
            logger.info("control: %s is gone: closing %d transports", side.name, len(left))
        for transport in left:
            self._engine.close_transport(transport)

    async def _answer(self, message: dict[str, Any], side: _Side) -> dict[str, Any]:
        """Never raises for what a message says."""
        identifier, name = message.get("id"), str(message.get("method"))
        params = message.get("params", {})
        if not isinstance(params, dict):
            return {"id": identifier, "error": {"code": "bad", "text": "params: expected an object"}}
        try:
            return {"id": identifier, "result": await self._carry_out(name, params, side)}
        except RelayError as error:  # of a worker
            return {"id": identifier, "error": {"code": error.code, "text": str(error)}}
        except (EngineError, OrtcError, DtlsError, PipeError) as error:
            return {"id": identifier, "error": {"code": "refused", "text": str(error)}}
        except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
            logger.warning("control: %s: %r", message.get("method"), error)
            return {"id": identifier, "error": {"code": "bad", "text": f"{type(error).__name__}: {error}"}}

    async def _carry_out(self, name: str, params: dict[str, Any], side: _Side) -> Any:
        if name == "ping":
            return {}
        if name == "status":
            return await self.status()
        if "room" in params:
            params = {**params, "room": side.prefix + text(params, "room")}
        if isinstance(self._engine, Workers):
            result = await self._engine.request(name, **params)
        elif self._methods is not None and name in self._methods:
            result = self._methods[name](params)
        else:
            raise RelayError("unknown", f"method {name!r}")
        if name == "quality":
            return [_named(row, side) for row in result if str(row["room"]).startswith(side.prefix)]
        return result

    def _event(self, name: str, values: dict[str, Any]) -> None:
        side = self._sides.get(str(values.get("room")).partition("/")[0])
        writer = side.writer if side is not None else None
        if side is None or writer is None or writer.is_closing():
            return
        if writer.transport.get_write_buffer_size() > _BACKLOG_BYTES:
            writer.close()  # it does not read: on its return it learns the state anew
            return
        lines.write(writer, {"event": name, "params": _named(values, side)})


def _named(values: dict[str, Any], side: _Side) -> dict[str, Any]:
    """With the room as its side calls it."""
    return {**values, "room": str(values["room"]).removeprefix(side.prefix)}
