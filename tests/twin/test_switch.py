"""Switches of five vendors as hosts: power, cables that carry what the configuration says, logins, restarts."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import asyncssh
import pytest

from inventory.places import Places
from tests.twin.small import switch_model
from twin import names, namespaces
from twin.county import Twin

pytestmark = [pytest.mark.twin, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

SITES = {"huawei_vrp5": "s1", "huawei_vrp8": "s2", "h3c_comware": "s3", "ruijie_rgos": "s4", "zte_zxr10": "s5"}
JOIN = {
    "huawei_vrp5": ["system-view", "vlan batch 101",
                    "interface g0/0/1", "port link-type access", "port default vlan 101",
                    "interface g0/0/2", "port link-type access", "port default vlan 101", "return"],
    "huawei_vrp8": ["system-view", "vlan batch 101", "interface GE1/0/1", "port default vlan 101",
                    "interface GE1/0/2", "port default vlan 101", "commit", "return"],
    "h3c_comware": ["system-view", "vlan 101", "interface g1/0/1", "port access vlan 101",
                    "interface g1/0/2", "port access vlan 101", "return"],
    "ruijie_rgos": ["configure", "vlan 101", "interface gi 0/1", "switchport access vlan 101",
                    "interface gi 0/2", "switchport access vlan 101", "end"],
    "zte_zxr10": ["configure", "switchvlan-configuration", "vlan 101", "exit",
                  "interface gei-0/1/1/1", "switchport access vlan 101", "exit",
                  "interface gei-0/1/1/2", "switchport access vlan 101", "end"],
}  # fmt: skip
SHUT = {
    "huawei_vrp5": ["system-view", "interface g0/0/2", "shutdown", "return"],
    "huawei_vrp8": ["system-view", "interface GE1/0/2", "shutdown", "commit", "return"],
    "h3c_comware": ["system-view", "interface g1/0/2", "shutdown", "return"],
    "ruijie_rgos": ["configure", "interface gi 0/2", "shutdown", "end"],
    "zte_zxr10": ["configure", "interface gei-0/1/1/2", "shutdown", "end"],
}


class Bench:
    """Five switches with their users, and a desk in the staging room."""

    def __init__(self, twin: Twin, key: asyncssh.SSHKey) -> None:
        self.twin = twin
        self.key = key

    @property
    def room(self) -> str:
        return names.plant(self.twin.places.instance)

    def dial(self, address: str) -> socket.socket:
        """A connection to port 22, made in the staging room. OSError when nobody answers."""
        made: list[socket.socket] = []
        namespaces.in_namespace(self.room, lambda: made.append(socket.create_connection((address, 22), timeout=3)))
        made[0].setblocking(False)
        return made[0]

    @asynccontextmanager
    async def login(self, address: str, user: str = "admin", password: str = "") -> AsyncIterator[Desk]:
        """Somebody at the command line. asyncssh.PermissionDenied when the switch does not know him."""
        way: dict[str, object] = (
            {"password": password, "client_keys": None} if password else {"client_keys": [self.key]}
        )
        connection = asyncssh.connect(
            "sw", sock=self.dial(address), username=user, known_hosts=None, config=None, agent_path=None, **way
        )
        async with connection as line, line.create_process(term_type="vt100") as process:
            yield Desk(process)

    def staging(self, host: str) -> str:
        staging = self.twin.model.hosts[host].staging
        assert staging is not None
        return str(staging.ip)

    def reaches(self, host: str, address: str) -> bool:
        return self.twin.run(host, ["ping", "-c1", "-W1", address]).returncode == 0


class Desk:
    """Types, and reads until the prompt."""

    def __init__(self, process: asyncssh.SSHClientProcess[str]) -> None:
        self._process = process

    async def type(self, *lines: str) -> str:
        shown = ""
        for line in ("", *lines):
            self._process.stdin.write(line + "\n")
            shown += await self._until_quiet()
        return shown.replace("\r\n", "\n")

    async def _until_quiet(self) -> str:
        """What comes until the device waits: a prompt or a question stands at the end."""
        text = ""
        async with asyncio.timeout(10):
            while not text.rstrip("\n").endswith(("]", ">", "#", ":")) or text.endswith("\n"):
                more = await self._process.stdout.read(4096)
                if not more:
                    return text
                text += more
        return text


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    key = asyncssh.generate_private_key("ssh-ed25519")
    twin = Twin(switch_model(), Places("zwtest"))
    twin.up(bootstrap_key=key.export_public_key().decode())
    try:
        namespaces.ip_batch(["address add 100.97.0.1/15 dev staging"], names.plant("zwtest"))
        yield Bench(twin, key)
    finally:
        twin.down()


@pytest.mark.parametrize("platform", SITES)
async def test_frames_go_where_the_configuration_says(bench: Bench, platform: str) -> None:
    site = SITES[platform]
    number = site[1]
    assert bench.reaches(f"{site}-a", f"10.8.{number}.3")  # out of the box, every port is in VLAN 1
    async with bench.login(bench.staging(f"{site}-sw")) as desk:
        await desk.type(*JOIN[platform])
        assert bench.reaches(f"{site}-a", f"10.8.{number}.2")
        assert not bench.reaches(f"{site}-a", f"10.8.{number}.3")
        await desk.type(*SHUT[platform])
        assert not bench.reaches(f"{site}-a", f"10.8.{number}.2")
