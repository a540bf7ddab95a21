"""One relay on several cores: a worker process for each, receivers spread over them, streams piped between them.

Behind ``RelayServer`` this takes the place of an engine.  Each worker is a relay of its own on the next UDP port and is
driven over a socket of our own user; a hall and all it sends and receives live on one worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from vconf.cascade import Cascade
from vconf.pipework import ROOM
from vconf.relay_client import RelayClient

READY_S = 20.0

logger = logging.getLogger(__name__)


class Workers(Cascade):
    """The workers of one relay; a worker's loss closes its transports, which the halls build anew elsewhere."""

    dead_s = 0.0  # the socket of a process of this machine is lost with the process

    def __init__(self, media: tuple[str, int], number: int, options: list[str]) -> None:
        self._addresses = [(media[0], media[1] + index) for index in range(number)]
        self._options = options
        self._folder = tempfile.TemporaryDirectory(prefix="relay-")
        self._paths = [Path(self._folder.name) / f"{index}.sock" for index in range(number)]
        named = ((f"worker {index}", path) for index, path in enumerate(self._paths))
        super().__init__({name: RelayClient.over_unix(name, path) for name, path in named})
        self._processes: list[asyncio.Task[None]] = []
        self._ready = asyncio.Event()

    async def run(self) -> None:
        """Start every worker; TimeoutError when one does not answer."""
        self._processes = [
            asyncio.get_running_loop().create_task(self._run(index)) for index in range(len(self._paths))
        ]
        self.start()
        async with asyncio.timeout(READY_S):
            await self._ready.wait()

    async def close(self) -> None:
        """Stop the workers."""
        for task in self._processes:
            task.cancel()
        await asyncio.gather(*self._processes, return_exceptions=True)
        await super().close()
        self._folder.cleanup()

    def close_transport(self, transport: str) -> None:
        """In the background; unknown ones are closed already."""
        self._own(self._close_transport(transport))

    async def status(self) -> dict[str, Any]:
        """Sums over the workers, and each worker's own under ``workers``."""
        each = [one for one in (await super().status()).values() if one is not None]
        rooms = {(seat.room, seat.peer) for seat in self.transports.values() if not seat.room.endswith(f"/{ROOM}")}
        total = _sum([{k: v for k, v in one.items() if k not in ("name", "boot", "up_s")} for one in each])
        return {**total, "rooms": len({room for room, _ in rooms}), "peers": len(rooms), "workers": each}

    def _state(self, relay: str, up: bool, alive: set[str]) -> None:
        super()._state(relay, up, alive)
        if all(client.up for client in self._relays.values()):
            self._ready.set()

    def _place(self, room: str, peer: str, wish: str) -> str:
        """A new peer goes where the fewest transports are."""
        loads = dict.fromkeys(self._relays, 0)
        for seat in self.transports.values():
            loads[seat.relay] += 1
        free = [name for name, client in self._relays.items() if client.up]
        return super()._place(room, peer, min(free, key=loads.__getitem__, default=""))

    async def _run(self, index: int) -> None:
        """Start a worker, and again when it ends."""
        host, port = self._addresses[index]
        argv = [
            *("-m", "sanwang.relay", "--name", f"worker {index}", "--media", f"{host}:{port}"),
            "--child",
            str(os.getpid()),
        ]
        while True:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, *argv, "--unix", str(self._paths[index]), *self._options),
                stdout=asyncio.subprocess.DEVNULL,
            )
            try:
                code = await process.wait()
            finally:
                if process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        process.terminate()
                    await process.wait()
            logger.error("worker %d ended with %d: starting it again", index, code)
            await asyncio.sleep(0.5)


def _sum(trees: list[dict[str, Any]]) -> dict[str, Any]:
    """Numbers added, trees by key, texts as the first has them."""
    total: dict[str, Any] = {}
    for tree in trees:
        for key, value in tree.items():
            if isinstance(value, dict):
                total[key] = _sum([total.get(key, {}), value])
            elif isinstance(value, int | float):
                total[key] = total.get(key, 0) + value
            else:
                total.setdefault(key, value)
    return total
