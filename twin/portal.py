"""The machine's own door to the county's pages: 127.0.0.1:PORT forwarded, byte by byte, to a unix socket.

The pages live on the management host; its socket is visible in the machine. Nothing else of the machine's network is
touched. Runs alone as ``python -I portal.py FD SOCKET`` (stdlib only).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
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


def start(places: Places, port: int = DEFAULT_PORT) -> None:
    """Open the door; it ends with the twin. TwinError (exit code 3) when the port is taken."""
    from twin import children
    from twin.errors import TwinError
    from twin.state import State

    state = State(places)
    state.stop_helper("portal")
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", port))
        except OSError as error:
            text = f"port {port} on 127.0.0.1 cannot be opened ({error.strerror}). Next: stop its owner or use --port"
            raise TwinError(text, 3) from None
        listening.listen(128)
        door = subprocess.Popen(
            [sys.executable, "-I", __file__, str(listening.fileno()), str(places.serve_socket)],
            pass_fds=[listening.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=Path("/"),
            start_new_session=True,
        )
    state.record_helper("portal", door.pid)
    children.keep(door)


if __name__ == "__main__":
    asyncio.run(forward(socket.socket(fileno=int(sys.argv[1])), sys.argv[2]))
