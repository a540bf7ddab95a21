"""A switch of the small county on loopback, with the configuration that the county renders for its platform."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path

from collectors.snmp.session import Port, Session
from collectors.snmp.usm import Auth, User
from inventory.hardware import HARDWARE
from inventory.load import load_model
from provision.render.switch import render_switch
from twin.standins.device import Device, Settings
from twin.standins.platforms import PLATFORMS
from twin.standins.ports import PortDriver
from twin.standins.snmp.watched import Watched

AUTH, PRIV = "authentic-2026", "private-2026"
MAC = "02:56:00:1f:00:0e"
COUNTED = 8
"""Number of the access port behind which the machine's loopback device is."""


def user(platform: str) -> User:
    """The county's, as the platform has him."""
    return User("sanwang", AUTH, PRIV, Auth[HARDWARE[platform].snmp_auth])


def made(platform: str, disk: Path, *, log: str = "127.0.0.1", asks: str = "127.0.0.1") -> Device:
    """A device that has just got power; it lets one address ask and tells another."""
    model = load_model("xiao")
    hardware = HARDWARE[platform]
    text = render_switch(model, replace(model.hosts["b01-sw"], platform=platform))
    for name, plain in (("snmp/auth", AUTH), ("snmp/priv", PRIV)):
        text = text.replace(f"@secret:{name}@", plain)
    text = re.sub("@secret:[^@]+@", "Switch.Secret-1234", text)
    nms = str(model.hosts[model.nms].management)
    standby = [str(address) for address in model.controllers() if str(address) != nms]
    text = "\n".join(
        line.replace(nms, log if any(word in line for word in ("log", "target-host", "snmp-server host")) else asks)
        for line in text.splitlines()
        if not any(address in line for address in standby)
    )
    links = {hardware.port(COUNTED): "lo"}
    ports = (*map(hardware.port, range(1, hardware.count + 1)), *hardware.uplinks, hardware.oob)
    settings = Settings(hostname="b01-sw", state=disk / "startup.json", ports=";".join(ports))
    dialect, _ = PLATFORMS[platform]
    return Device(dialect, settings, driver=PortDriver(links), config=text)


@asynccontextmanager
async def watched(platform: str, disk: Path, **more: str) -> AsyncIterator[tuple[Watched, int]]:
    """It answers: (the part that is watched, port)."""
    hardware = HARDWARE[platform]
    part = Watched(made(platform, disk, **more), MAC, {hardware.port(COUNTED): (-5.0, -8.3)}, disk)
    port = await part.start(0)
    try:
        yield part, port
    finally:
        part.close()


@asynccontextmanager
async def session(platform: str, port: int, who: User | None = None) -> AsyncIterator[Session]:
    """The collector's conversation with it."""
    with closing(Port()) as line:
        yield line.session("127.0.0.1", who or user(platform), port)
