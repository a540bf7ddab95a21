"""A switch as a host: a stand-in that has a network namespace, a disk, and SSH on every address it has.

The disk is a folder: ``startup.json`` (what was saved), ``host_key``, ``bootstrap.pub`` (good for ``admin`` on the
staging address alone), ``standin.log`` (what went wrong).
"""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from pathlib import Path

import asyncssh

from twin.standins.access import Configured
from twin.standins.device import Device, Settings
from twin.standins.fabric import Fabric
from twin.standins.platforms import PLATFORMS
from twin.standins.server import listen
from twin.standins.snmp.watched import Watched

SSH_PORT = 22
LINKS = "links.json"
"""On the disk: Linux interface by port, where cables were plugged since the power came; SIGHUP says so."""

RESTART_S = 3.5
"""A real one takes minutes; nobody learns anything from waiting for them."""


@dataclass(frozen=True, slots=True)
class Box:
    """What a switch is made of.

    ports: every port by its name in the box's own command line. links: Linux interface by port, the out-of-band port
    among them. mac: of its VLAN interfaces. staging: its address on the out-of-band port. disk: folder as above. light:
    powers sent and received (dBm) by port with an optical module.
    """

    platform: str
    name: str
    ports: tuple[str, ...]
    links: Mapping[str, str]
    oob: str
    staging: str
    mac: str
    disk: str
    light: Mapping[str, tuple[float, float]] = field(default_factory=dict)


async def serve(box: Box, ready: Callable[[], None]) -> None:
    """Power it on in the network namespace that the process is in, and answer until SIGTERM.

    Calls ``ready`` as soon as logins are answered. Raises ValueError for a disk that cannot be read, OSError.
    """
    disk = Path(box.disk)
    staging = IPv4Interface(box.staging)
    dialect, session = PLATFORMS[box.platform]
    settings = Settings(
        hostname=box.name, state=disk / "startup.json", ports=";".join(box.ports), restart_s=RESTART_S
    )  # fmt: skip
    driver = Fabric(dict(box.links), box.mac, ((box.links[box.oob], staging),))
    device = Device(dialect, settings, driver=driver)
    await device.power_on()
    access = Configured(device, staging.ip, asyncssh.read_authorized_keys(str(disk / "bootstrap.pub")))
    server = await listen(device, session, access, "0.0.0.0", SSH_PORT, disk / "host_key")
    watched = Watched(device, box.mac, box.light, disk)
    await watched.start()
    ready()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)

    def plugged() -> None:
        kinds = device.dialect.grammar.kinds
        links = json.loads((disk / LINKS).read_text())
        driver.plugged({kinds.interface(port) or port: link for port, link in links.items()})
        device.changed("")

    loop.add_signal_handler(signal.SIGHUP, plugged)
    await stop.wait()
    watched.close()
    server.close()
