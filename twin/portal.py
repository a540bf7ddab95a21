"""The machine's own doors to the county's pages: ports of 127.0.0.1 forwarded, byte by byte, to unix sockets.

PORT leads to the pages, PORT + 1 to the door that asks for a person's certificate. Both live on the management host;
its sockets are visible in the machine. Nothing else of the machine's network is touched.
Runs alone as ``python -I portal.py FD SOCKET FD SOCKET`` (stdlib only).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inventory.places import Places

DEFAULT_PORT = 8443
_CHUNK_BYTES = 65536
_MOST_CONNECTIONS = 500


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry one direction until its end, then say so to the other side."""
    while data := await reader.read(_CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


async def forward(listening: socket.socket, target: str) -> None:
    """Serve for ever; a connection that finds no page server behind is closed at once."""
    limit = asyncio.Semaphore(_MOST_CONNECTIONS)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with limit:
            with contextlib.suppress(OSError):
                inner_reader, inner_writer = await asyncio.open_unix_connection(target)
                try:
                    await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
                finally:
                    inner_writer.close()
            writer.close()

    server = await asyncio.start_server(serve, sock=listening)
    await server.serve_forever()


async def forward_all(doors: Sequence[tuple[socket.socket, str]]) -> None:
    """Several doors at once, for ever."""
    await asyncio.gather(*(forward(listening, target) for listening, target in doors))


def start(places: Places, port: int = DEFAULT_PORT) -> None:
    """Open both doors; they end with the twin. TwinError (exit code 3) when one of the ports is taken."""
    from twin import children
    from twin.state import State

    state = State(places)
    state.stop_helper("portal")
    with contextlib.ExitStack() as opened:
        arguments: list[str] = []
        listening: list[int] = []
        for number, target in ((port, places.serve_socket), (port + 1, places.door_socket)):
            listening.append(opened.enter_context(_listening(number)).fileno())
            arguments += (str(listening[-1]), str(target))
        door = subprocess.Popen(
            [sys.executable, "-I", __file__, *arguments],
            pass_fds=listening,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=Path("/"),
            start_new_session=True,
        )
    state.record_helper("portal", door.pid)
    (state.folder / "portal-port").write_text(f"{port}\n")
    children.keep(door)


def addresses(places: Places) -> dict[str, str]:
    """Where the pages, and signing in by certificate, are on this machine; {} while no door is open."""
    from twin.state import State

    state = State(places)
    door = state.helpers().get("portal")
    if door is None or not door.alive:
        return {}
    port = int((state.folder / "portal-port").read_text())
    return {
        "pages": f"https://127.0.0.1:{port}/ops/",
        "certificate": f"https://127.0.0.1:{port + 1}/?back={port}",
    }


def _listening(port: int) -> socket.socket:
    from twin.errors import TwinError

    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        listening.close()
        why = error.strerror if isinstance(error, OSError) else "no such port"
        text = f"port {port} on 127.0.0.1 cannot be opened ({why}). Next: stop its owner or use --port"
        raise TwinError(text, 3) from None
    listening.listen(128)
    return listening


if __name__ == "__main__":
    pairs = zip(sys.argv[1::2], sys.argv[2::2], strict=True)
    asyncio.run(forward_all([(socket.socket(fileno=int(number)), target) for number, target in pairs]))
