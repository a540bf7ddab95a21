"""Looking at a device over SSH: only commands that show are ever sent, and the host key is agreed to first."""

from __future__ import annotations

import base64
import hashlib
import re
import socket

import paramiko

from provision.adopt.taken import Taken
from provision.broker.session import Address
from provision.vendor import Credentials, VendorError, VendorSession
from provision.vendor.transcript import Sink

_SHOWS = re.compile(r"(?:display|show) [a-z][\w\- ]*")
WAIT_S = 10.0

ASKED: dict[str, tuple[str, ...]] = {
    "huawei_vrp8": ("display version", "display lldp neighbor"),
    "huawei_vrp5": ("display version", "display lldp neighbor"),
    "h3c_comware": ("display version", "display lldp neighbor-information verbose"),
    "ruijie_rgos": ("show version", "show lldp neighbors"),
    "zte_zxr10": ("show version",),
}
"""What is asked beside the running configuration; a device that does not know one is not the worse for it."""


def fingerprint(key: str) -> str:
    """``SHA256:...`` of ``type base64``, as OpenSSH shows it."""
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def host_key(address: str, port: int) -> str:
    """The host key that answers there, as ``type base64``; nobody logs in.  Raises VendorError."""
    try:
        with socket.create_connection((address, port), WAIT_S) as line:
            transport = paramiko.Transport(line)
            transport.set_log_channel("sanwang.vendor.ssh")
            try:
                transport.start_client(timeout=WAIT_S)
                key = transport.get_remote_server_key()
            finally:
                transport.close()
    except (OSError, paramiko.SSHException, EOFError) as error:
        said = f"{address} port {port}: no SSH answers ({error}): is it up, and is there a path to it?"
        raise VendorError("unreachable", said) from None
    return f"{key.get_name()} {key.get_base64()}"


class Looking:
    """A session of which only looking is left."""

    def __init__(self, session: VendorSession) -> None:
        self._session = session

    def ask(self, command: str) -> str:
        """What the command shows.  Raises ValueError for any other command, VendorError when the device refuses."""
        if not _SHOWS.fullmatch(command):
            raise ValueError(f"{command!r} is no command that only shows: it is not sent")
        return self._session.show(command)

    def running(self) -> str:
        """Its configuration."""
        if not _SHOWS.fullmatch(self._session.words.running):
            raise ValueError(f"{self._session.words.running!r} is no command that only shows: it is not sent")
        return self._session.running()


def look(where: Address, platform: str, credentials: Credentials, log: Sink, pinned: str) -> Taken:
    """Read a device.  Raises VendorError."""
    answers: dict[str, str] = {}
    refused: list[str] = []
    with VendorSession.open(where, platform, credentials, log, pinned=pinned) as session:
        eyes = Looking(session)
        running = eyes.running()
        for command in ASKED[platform]:
            try:
                answers[command] = eyes.ask(command)
            except VendorError as error:
                if error.kind != "refused":
                    raise
                refused.append(f"{command}: {error.words}")
    return Taken(f"{where.address}:{where.port}", platform, running, answers, tuple(refused))
