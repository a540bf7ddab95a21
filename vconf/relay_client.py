"""The signalling's end of a relay's control channel: asks, hears events, comes back by itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from vconf import lines

ANSWER_S = 3.0
BEAT_S, MOST_SILENT = 0.2, 4
"""A relay that says nothing for so many beats is lost: noticed within a second, however it died."""

COUNTY = "county"
"""The side of the county's signalling; a township's node has its own."""

_PAUSES_S = (0.1, 0.2, 0.3, 0.5)

logger = logging.getLogger(__name__)


class RelayError(Exception):
    """The relay refused, or is not there.  ``code``: "refused", "bad", "unknown", "away"."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class RelayClient:
    """One relay.

    Args:
        name: Its host name, checked against its certificate.
        connect: Opens the channel; see ``over_tls`` and ``over_unix``.
        side: Whose rooms: several sides drive one relay at once, and none sees another's.

    ``on_event(name, params)`` hears what the relay tells.  ``on_state(up, transports)`` is called after each
    connection with the transports that are still alive there (none when it has restarted), and with
    (False, set()) when it is lost.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]],
        side: str = COUNTY,
    ) -> None:
        self.name = name
        self.up = False
        self.on_event: Callable[[str, dict[str, Any]], None] = lambda name, params: None
        self.on_state: Callable[[bool, set[str]], None] = lambda up, transports: None
        self._open = connect
        self._side = side
        self._heard = 0  # lines, since the start
        self._instance = secrets.token_hex(8)
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._task: asyncio.Task[None] | None = None

    @classmethod
    def over_tls(
        cls,
        name: str,
        address: tuple[str, int],
        server_name: str,
        identity: lines.Identity,
        side: str = COUNTY,
    ) -> RelayClient:
        """Mutual TLS to the relay's management address; ``server_name`` must be in its certificate."""
        context = identity.client()
        return cls(
            name,
            lambda: asyncio.open_connection(
                *address, ssl=context, server_hostname=server_name, limit=lines.LINE_BYTES, ssl_handshake_timeout=3
            ),
            side,
        )

    @classmethod
    def over_unix(cls, name: str, path: Path, side: str = COUNTY) -> RelayClient:
        """A unix socket of the same machine."""
        return cls(name, lambda: asyncio.open_unix_connection(str(path), limit=lines.LINE_BYTES), side)

    def start(self) -> None:
        """Connect, and stay connected."""
        self._task = asyncio.get_running_loop().create_task(self._keep())

    async def close(self) -> None:
        """Hang up."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def request(self, method: str, **params: Any) -> Any:
        """Ask the relay; RelayError when it refuses, is away, or does not answer within three seconds."""
        if not self.up:
            raise RelayError("away", f"relay {self.name} is not connected")
        return await self._ask(method, params)

    def _connected(self) -> asyncio.StreamWriter:
        if self._writer is None:
            raise RelayError("away", f"relay {self.name} is not connected")
        return self._writer

    async def _ask(self, method: str, params: dict[str, Any]) -> Any:
        writer = self._connected()
        self._number += 1
        number = self._number
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            lines.write(writer, {"id": number, "method": method, "params": params})
            async with asyncio.timeout(ANSWER_S):
                return await future
        except TimeoutError:
            raise RelayError("away", f"relay {self.name} did not answer {method}") from None
        finally:
            self._waiting.pop(number, None)

    async def _keep(self) -> None:
        failures = 0
        while True:
            try:
                async with asyncio.timeout(ANSWER_S):
                    reader, self._writer = await self._open()
                failures = 0
                await self._session(reader)
            except (OSError, TimeoutError, lines.LineError, RelayError) as error:
                if failures == 0:
                    logger.warning("relay %s: %s", self.name, error or type(error).__name__)
            finally:
                self._lost()
            await asyncio.sleep(_PAUSES_S[min(failures, len(_PAUSES_S) - 1)])
            failures += 1

    async def _session(self, reader: asyncio.StreamReader) -> None:
        reading = asyncio.ensure_future(self._read(reader))
        beating = asyncio.ensure_future(self._greet_and_beat())
        try:
            done, _ = await asyncio.wait({reading, beating}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (reading, beating):
                task.cancel()
            await asyncio.gather(reading, beating, return_exceptions=True)

    async def _greet_and_beat(self) -> None:
        hello = await self._ask("hello", {"instance": self._instance, "side": self._side})
        self.up = True
        self.on_state(True, set(hello["transports"]))
        silent = 0  # beats counted, not time: a moment in which we ourselves stood still is none
        while silent < MOST_SILENT:
            heard = self._heard
            self._number += 1
            lines.write(self._connected(), {"id": self._number, "method": "ping"})
            await asyncio.sleep(BEAT_S)
            silent = 0 if self._heard > heard else silent + 1
        raise RelayError("away", f"silent for {MOST_SILENT * BEAT_S:.1f} s")

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while (message := await lines.read(reader)) is not None:
            self._heard += 1
            if "event" in message:
                self.on_event(str(message["event"]), message.get("params", {}))
                continue
            future = self._waiting.get(message.get("id", -1))
            if future is None or future.done():
                continue
            error = message.get("error")
            if isinstance(error, dict):
                future.set_exception(RelayError(str(error.get("code")), str(error.get("text"))))
            else:
                future.set_result(message.get("result"))

    def _lost(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(RelayError("away", f"relay {self.name} hung up"))
        if self.up:
            self.up = False
            self.on_state(False, set())
