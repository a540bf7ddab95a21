"""What soak and loss are measured against: a relay and the meetings' signalling in one process, over TLS.

``python -m bench.soak_centre FOLDER`` says its port, and for each line on its input one line of what it holds:
memory, file descriptors, tasks and objects.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import json
import os
import socket
import ssl
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from identity.secrets import Secrets
from identity.tokens import Tokens
from inventory.load import load_model
from inventory.model import NetworkModel
from sanwang.serve import server
from store.engine import Store, open_store
from vconf import links, meetings
from vconf.cascade import Cascade
from vconf.load.way import Way
from vconf.media import planes
from vconf.media.engine import Engine
from vconf.relay_client import RelayClient
from vconf.relay_server import RelayServer
from vconf.signalling import Signalling

_LOOPBACK = "127.0.0.1"


class Ground:
    """Keys, county and store of a soak, in a folder that both sides read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secrets = Secrets(folder / "identity")
        self.tokens = Tokens(self.secrets.resolve(links.KEY))

    @cached_property
    def model(self) -> NetworkModel:
        """The reference county, whose halls are booked."""
        return load_model("shili")

    def store(self) -> Store:
        """The meetings' store."""
        return open_store(f"sqlite:///{self.folder}/store.db")

    def book(self, halls: Iterable[str], minutes: float) -> meetings.Meeting:
        """A meeting that goes on now."""
        store = self.store()
        try:
            with store.session() as session:
                return meetings.book(
                    session,
                    title="soak",
                    start_at=datetime.now(UTC),
                    duration=timedelta(minutes=minutes),
                    halls=list(halls),
                    who="soak",
                    known_halls=self.model.halls,
                )
        finally:
            store.close()

    def way(self, port: int, meeting: meetings.Meeting) -> Way:
        """To a centre that listens there."""
        trust = ssl.create_default_context(cadata=self.secrets.ca.certificate_pem)
        address = f"wss://{_LOOPBACK}:{port}/meet/ws"

        def token(hall: str) -> str:
            return links.join_token(self.tokens, links.Seat(hall, meeting.id))

        return Way(lambda hall: address, token, trust)


@asynccontextmanager
async def running(
    ground: Ground, engine: str = "auto", address: str = _LOOPBACK, port: int = 0, pages: Path | None = None
) -> AsyncIterator[int]:
    """Relay and signalling, and the pages when their folder is given; yields the signalling's port."""
    key, certificate = ground.secrets.ca.issue_device("centre", ips=[address])
    (ground.folder / "centre.pem").write_text(key + certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ground.folder / "centre.pem")
    media = Engine((address, 0), make_plane=planes.choose(engine))
    relay = RelayServer(media, "relay", None)
    control = ground.folder / "relay.sock"
    await relay.listen_unix(control)
    store = ground.store()
    application = FastAPI()
    door = Signalling(store, ground.tokens, ground.model, Cascade({"relay": RelayClient.over_unix("relay", control)}))
    application.include_router(door.router)
    if pages is not None:
        application.mount("/", StaticFiles(directory=pages, html=True))
    with socket.create_server((address, port)) as listening:
        web = server(application, context)
        serving = asyncio.create_task(web.serve(sockets=[listening]))
        try:
            while not (web.started and door.relay.up):
                if serving.done():
                    raise RuntimeError("the pages' server ended")
                await asyncio.sleep(0.01)
            yield listening.getsockname()[1]
        finally:
            web.should_exit = True
            await serving
            await relay.close()
            await media.close()
            store.close()


class _Mallinfo(ctypes.Structure):
    """mallinfo2(3)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def held() -> dict[str, Any]:
    """What this process holds now: memory in KiB, open files, objects, and running tasks by what they run.

    ``memory_kib`` is what the system counts; of it ``malloc_kib`` is in use by C code, SQLite's part apart; the rest is
    Python's own arenas, code, and what the allocator keeps.
    """
    gc.collect()
    libc = ctypes.CDLL(None)
    libc.malloc_trim(0)  # what was freed goes back to the system: what is left is held
    libc.mallinfo2.restype = _Mallinfo
    info = libc.mallinfo2()
    sqlite = ctypes.CDLL("libsqlite3.so.0")
    sqlite.sqlite3_memory_used.restype = ctypes.c_int64
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    tasks = Counter(getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks())
    return {
        "memory_kib": pages * os.sysconf("SC_PAGE_SIZE") // 1024,
        "malloc_kib": (info.uordblks + info.hblkhd - sqlite.sqlite3_memory_used()) // 1024,
        "sqlite_kib": sqlite.sqlite3_memory_used() // 1024,
        "files": sum(1 for _ in Path("/proc/self/fd").iterdir()) - 1,  # without the one that lists
        "objects": len(gc.get_objects()),
        "blocks": sys.getallocatedblocks(),  # whatever Python holds, strings and numbers too
        "tasks": dict(tasks),
    }


async def _main(options: argparse.Namespace) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    ground = Ground(options.folder)
    async with running(ground, options.engine, options.address, options.port, options.pages) as port:
        print(json.dumps({"port": port}), flush=True)
        while await reader.readline():
            print(json.dumps(held()), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--address", default=_LOOPBACK)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--pages", type=Path)
    asyncio.run(_main(parser.parse_args()))
