"""What somebody types into a vendor's switch by hand, as from the controller's desk."""

from __future__ import annotations

import asyncio
import socket

import asyncssh

from drills.lab import Lab, inside
from identity.secrets import Secrets


def type_in(lab: Lab, switch: str, lines: list[str]) -> str:
    """Log in from the management host in band, as the county's own user, and type; gives what came back."""
    host = lab.model.hosts[switch]
    with inside(lab.namespace(lab.model.nms)):
        connection = socket.create_connection((str(host.management), 22), timeout=10)
    password = Secrets(lab.places.lib / "identity").resolve(f"switch/{switch}/password")
    return asyncio.run(_typed(connection, password, lines))


async def _typed(connection: socket.socket, password: str, lines: list[str]) -> str:
    options = {"username": "sanwang", "password": password, "known_hosts": None, "client_keys": None}
    async with (
        asyncssh.connect(sock=connection, **options) as session,
        session.create_process(term_type="vt100") as shell,
    ):
        shown = ""
        for line in lines:
            shown += await _quiet(shell)
            shell.stdin.write(f"{line}\n")
        return shown + await _quiet(shell)


async def _quiet(shell: asyncssh.SSHClientProcess[str]) -> str:
    """What the device says until it says nothing for half a second."""
    shown = ""
    while True:
        try:
            part = await asyncio.wait_for(shell.stdout.read(4096), 0.5)
        except TimeoutError:
            return shown
        if not part:
            return shown
        shown += part
