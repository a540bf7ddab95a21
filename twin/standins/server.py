"""Many devices behind SSH in one process."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

import asyncssh

from twin.standins.access import Access, Way
from twin.standins.device import Device
from twin.standins.session import Session

CIPHERS = ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-ctr"]
"""What such devices offer, and what costs little here: ChaCha20 of asyncssh is slow at small packets."""


class Channel:
    """The bytes of an SSH channel; what is written goes out together when the device waits for the user."""

    def __init__(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        self._process = process
        self._out: list[bytes] = []

    async def read(self) -> bytes:
        while True:
            try:
                return await self._process.stdin.read(4096)
            except (asyncssh.TerminalSizeChanged, asyncssh.BreakReceived, asyncssh.SignalReceived):
                continue
            except (asyncssh.Error, OSError):
                return b""

    def write(self, data: bytes) -> None:
        self._out.append(data)

    async def drain(self) -> None:
        if not self._out:
            return
        data, self._out = b"".join(self._out), []
        try:
            self._process.stdout.write(data)
            await self._process.stdout.drain()
        except (asyncssh.Error, OSError):
            pass

    def close(self) -> None:
        self._process.exit(0)


class Login(asyncssh.SSHServer):
    """One SSH connection before it has a shell."""

    def __init__(self, device: Device, access: Access) -> None:
        self._device = device
        self._access = access

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._way = Way(conn.get_extra_info("sockname")[0], conn.get_extra_info("peername")[0])
        if self._access.admitted(self._way):
            self._device.connections.add(conn)
        else:
            conn.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._device.connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        keys = self._access.keys(username, self._way)
        self._keys = keys is not None
        if keys is not None:
            self._connection.set_authorized_keys(keys)
        return True

    def public_key_auth_supported(self) -> bool:
        return self._keys

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return self._access.password(username, password, self._way)


async def listen(
    device: Device,
    session: type[Session],
    access: Access,
    address: str,
    port: int,
    host_key: Path,
) -> asyncssh.SSHAcceptor:
    """Offer a device on an address; the port is `acceptor.get_port()`."""

    async def shell(process: asyncssh.SSHServerProcess[bytes]) -> None:
        channel = Channel(process)
        user = str(process.get_extra_info("username"))
        number = device.vty()
        if number is None:
            channel.write(f"\r\n{device.dialect.busy}\r\n".encode())
            await channel.drain()
            process.exit(1)
            return
        login = session(device, channel, user, number)
        device.sessions[number] = login
        try:
            await login.run()
        except Exception:  # A bug of ours ends this login and is told, the other devices go on.
            traceback.print_exc(file=sys.stderr)
        finally:
            del device.sessions[number]
            await channel.drain()
            process.exit(0)

    return await asyncssh.create_server(
        lambda: Login(device, access),
        address,
        port,
        server_host_keys=[str(host_key)],
        process_factory=shell,
        encoding=None,
        line_editor=False,
        allow_scp=False,
        keepalive_interval=30,
        login_timeout=120,
        compression_algs=["none"],
        encryption_algs=CIPHERS,
    )
