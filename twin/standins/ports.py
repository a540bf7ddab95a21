"""Physical ports: `shutdown` in the running configuration really cuts the cable behind a port."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from twin.standins.fabric import running

if TYPE_CHECKING:
    from twin.standins.dialect import Dialect
    from twin.standins.tree import Node


def expand_ports(text: str) -> list[str]:
    """Port names from ``GigabitEthernet0/0/1-24 XGigabitEthernet0/0/1-4``."""
    ports: list[str] = []
    for word in text.split(";"):
        found = re.fullmatch(r"(.*?)(\d+)-(\d+)", word.strip())
        if found:
            ports.extend(f"{found[1]}{number}" for number in range(int(found[2]), int(found[3]) + 1))
        elif word.strip():
            ports.append(word.strip())
    return ports


class Driver(Protocol):
    """The hardware under a device's running configuration."""

    links: dict[str, str]
    """Linux interface by port."""

    async def start(self, dialect: Dialect, root: Node, ports: Iterable[str]) -> None:
        """Become what a configuration says, whatever there was before."""

    async def follow(self, dialect: Dialect, root: Node, ports: Iterable[str]) -> None:
        """Become what a configuration says."""

    async def off(self) -> None:
        """Be without power."""

    def carrier(self, port: str) -> bool:
        """Has a port a live cable?"""


@dataclass(slots=True)
class PortDriver:
    """Tells the machine which ports are up.

    links: Linux interface by port; set up and down with iproute2.
    hook: a command, called with the port's name and ``up`` or ``down``.
    """

    links: dict[str, str] = field(default_factory=dict)
    hook: tuple[str, ...] = ()
    failures: int = 0
    now: dict[str, bool] = field(default_factory=dict)
    """Which ports are up; one that was never told is."""

    async def start(self, dialect: Dialect, root: Node, ports: Iterable[str]) -> None:
        """Set every port that somebody wants to know of."""
        self.now = {port: dialect.is_shut(root, port) for port in self._watched(ports)}
        await self.follow(dialect, root, ports)

    async def follow(self, dialect: Dialect, root: Node, ports: Iterable[str]) -> None:
        """Set the ports whose state in the configuration has changed."""
        for port in self._watched(ports):
            await self._become(port, not dialect.is_shut(root, port))

    async def off(self) -> None:
        """Every port is down."""
        for port in {**self.now, **self.links}:
            await self._become(port, False)

    def _watched(self, ports: Iterable[str]) -> Iterable[str]:
        return ports if self.hook else self.links

    async def _become(self, port: str, up: bool) -> None:
        if self.now.get(port, True) != up:
            await self.set(port, up)
            self.now[port] = up

    async def set(self, port: str, up: bool) -> None:
        """Make a port up or down.  What goes wrong is said on stderr and counted."""
        state = "up" if up else "down"
        if port in self.links:
            await self._run("ip", "link", "set", "dev", self.links[port], state)
        if self.hook:
            await self._run(*self.hook, port, state)

    async def _run(self, *command: str) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            _, said = await process.communicate()
        except OSError as error:
            self._failed(command, str(error))
            return
        if process.returncode:
            self._failed(command, said.decode(errors="replace").strip() or f"exit code {process.returncode}")

    def _failed(self, command: tuple[str, ...], why: str) -> None:
        self.failures += 1
        print(f"standins: {' '.join(command)}: {why}", file=sys.stderr)

    def carrier(self, port: str) -> bool:
        """Has the port a live cable?  A port without a Linux interface behind it always has."""
        return port not in self.links or running(self.links[port])
