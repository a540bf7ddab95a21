"""One process that has loaded everything a switch needs, and forks every switch of an instance: they share its memory.

Started as ``python -m twin.forkserver FD`` (FD: a listening unix socket). Each connection brings one line of JSON, a
box and the path of its network namespace, and is answered ``<pid>`` and, when the switch answers logins, ``ready``;
whatever else comes is why it did not start.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import secrets
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import asyncssh

from twin.standins.access import OneUser
from twin.standins.device import Device, Settings
from twin.standins.host import Box, serve
from twin.standins.platforms import PLATFORMS
from twin.standins.server import listen

_CLONE_NEWNET = 0x40000000
_PR_SET_NAME = 15


def preload() -> None:
    """Everything that every switch does once, done before the first is forked."""
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder) / "host_key"
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(key)
        asyncio.run(_rehearse(key))
    gc.collect()
    gc.freeze()  # the collector leaves alone, and so shared, what is here now


async def _rehearse(key: Path) -> None:
    """One login to each kind of device: what it loads and builds is there then."""
    for dialect, session in PLATFORMS.values():
        device = Device(dialect, Settings(hostname="sw"))
        device.dialect.render(device.running)
        secret = secrets.token_hex()
        server = await listen(device, session, OneUser("admin", secret, None), "127.0.0.1", 0, key)
        async with asyncssh.connect(
            "127.0.0.1", server.get_port(), username="admin", password=secret, known_hosts=None, config=None,
            agent_path=None, client_keys=None,
        ) as line, line.create_process(term_type="vt100") as process:  # fmt: skip
            await process.stdout.read(1)
        server.close()
    nothing = await asyncio.create_subprocess_exec("true")
    await nothing.wait()


def run(listening: socket.socket) -> NoReturn:
    """Fork a switch for each order, for ever."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries them
    while True:
        connection, _ = listening.accept()
        with connection.makefile() as said:
            order = json.loads(said.readline())
        child = os.fork()
        if child == 0:
            listening.close()
            _become(order, connection)
        connection.sendall(f"{child}\n".encode())
        connection.close()


def _become(order: dict[str, Any], connection: socket.socket) -> NoReturn:
    """Be a switch until the end."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        os.chdir("/")
        libc = ctypes.CDLL(None, use_errno=True)
        with Path(order["namespace"]).open() as namespace:
            if libc.setns(namespace.fileno(), _CLONE_NEWNET):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), order["namespace"])
        box = Box(**{**order["box"], "ports": tuple(order["box"]["ports"])})
        libc.prctl(_PR_SET_NAME, box.name.encode()[:15], 0, 0, 0)
        log = os.open(Path(box.disk) / "standin.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for stream in (1, 2):
            os.dup2(log, stream)

        def ready() -> None:
            connection.sendall(b"ready\n")
            connection.close()

        asyncio.run(serve(box, ready))
    except BaseException as error:
        print(f"standins: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        try:
            connection.sendall(f"{type(error).__name__}: {error}\n".encode())
        except OSError:
            pass  # it was ready, and its log says the rest
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    preload()
    run(socket.socket(fileno=int(sys.argv[1])))
