"""A switch's agent in its namespace: answers on port 161, and tells a port's state by the log and by a trap."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Mapping
from datetime import datetime
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twin.mirror import names_in
from twin.standins.fabric import running
from twin.standins.snmp import ber, objects
from twin.standins.snmp.agent import Agent, Plain, Table
from twin.standins.snmp.figures import Figures
from twin.standins.snmp.lldp import Listener
from twin.standins.snmp.settings import Watching, watching
from twin.standins.snmp.usm import User
from twin.standins.snmp.vendors import VENDORS, Light

if TYPE_CHECKING:
    from twin.standins.device import Device
    from twin.standins.tree import Node

SNMP_PORT, TRAP_PORT, LOG_PORT = 161, 162, 514
_LINK_GROUP = 1  # RTMGRP_LINK
_SNMP_TRAPS: ber.Name = (1, 3, 6, 1, 6, 3, 1, 1, 5)
_COLD_START, _LINK_DOWN, _LINK_UP = 1, 3, 4
_IF: ber.Name = (1, 3, 6, 1, 2, 1, 2, 2, 1)
_IF_NAME: ber.Name = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1, 1)
_UP, _DOWN = 1, 2
_AWAKE_S = 5.0  # after the power came back: the way to the management host is there
_LARGEST_BOOTS = 0x7FFFFFFF


class Watched:
    """The part of a device that is watched; also what its agent asks of it (``agent.Engine``).

    Args:
        device: What it belongs to.
        mac: Of the box.
        light: Powers by port.
        disk: Where the count of its starts is kept.
    """

    def __init__(self, device: Device, mac: str, light: Light, disk: Path) -> None:
        self._device, self._mac, self._light, self._disk = device, mac, light, disk
        self._vendor = VENDORS[device.dialect.name]
        self.agent = Agent(self, self._vendor.engine_id(mac))
        self._figures = Figures()
        self._lldp = Listener()
        self._states: dict[str, bool] = {}
        self._lines = 0
        self._started = device.started
        self._boots = _next_boots(disk / "snmp-boots")
        self._read: tuple[Node, Any] | None = None  # the configuration that ``_watching`` was read from
        self._watching = Watching()
        self._made: Any = None  # what the table was made of
        self._table = Table(())
        self._names: tuple[str, ...] = ()
        self._changed = 0
        self._transport: asyncio.DatagramTransport | None = None
        self._kernel = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)

    async def start(self, port: int = SNMP_PORT) -> int:
        """Answer on every address of the namespace; returns the port.  OSError when it is taken."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: _Questions(self), local_addr=("0.0.0.0", port))
        self._kernel.bind((0, _LINK_GROUP))
        self._look(tell=False)
        loop.add_reader(self._kernel, self._told)
        loop.add_reader(self._lldp.socket, self._lldp.read)
        loop.call_later(_AWAKE_S, self._awake)
        bound: int = self._transport.get_extra_info("sockname")[1]
        return bound

    def close(self) -> None:
        """Answer nothing more."""
        loop = asyncio.get_running_loop()
        for heard in (self._kernel, self._lldp.socket):
            loop.remove_reader(heard)
        self._kernel.close()
        self._lldp.close()
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    # --- what the agent asks

    @property
    def boots(self) -> int:
        """snmpEngineBoots: grows with every restart of the device, the typed ones too."""
        if self._started != self._device.started:
            self._started = self._device.started
            self._boots = _next_boots(self._disk / "snmp-boots")
            asyncio.get_running_loop().call_later(_AWAKE_S, self._awake)
        return self._boots

    @property
    def uptime_s(self) -> float:
        """snmpEngineTime and sysUpTime."""
        return time.monotonic() - self._device.started

    def users(self) -> Mapping[bytes, User]:
        """Those of the running configuration."""
        return self._settings().users

    def admits(self, source: str, user: bytes) -> bool:
        """Do the access lists let somebody ask from there?  Whoever does not say who he is, is asked who."""
        if not self._device.powered:
            return False
        settings = self._settings()
        lists = settings.lists.get(user) or [acl for acls in settings.lists.values() for acl in acls]
        try:
            return bool(settings.users) and self._device.dialect.passes(lists, IPv4Address(source))
        except AddressValueError:
            return False

    def table(self) -> Table:
        """All objects, made anew when the configuration, the cables or the neighbours are others."""
        device, self_lldp = self._device, self._lldp
        self_lldp.forget()
        lldp = self._settings().lldp
        made = (device.running, device.changed_at, tuple(device.driver.links.items()), self_lldp.turn, lldp)
        if self._made is None or self._made[0] is not made[0] or self._made[1:] != made[1:]:
            self._made = made
            self._table = Table(self._columns(lldp))
        return self._table

    def _columns(self, lldp: bool) -> Any:
        every = objects.ports(self._device, self._mac)
        names = tuple(port.name for port in every)
        if self._names and names != self._names:
            self._changed = int(self.uptime_s * 100)
        self._names = names
        vendor = self._vendor
        yield from objects.system(self._device, vendor.described, vendor.object_id, lambda: self.uptime_s)
        yield from objects.interfaces(self._device, every, self._figures, self._changed)
        yield from vendor.objects(every, self._light, self._figures)
        yield from objects.neighbours(every, self._lldp.heard if lldp else {})

    def _settings(self) -> Watching:
        key = (self._device.running, self._device.changed_at)
        if self._read is None or self._read[0] is not key[0] or self._read[1] != key[1]:
            self._read, self._watching = key, watching(self._device)
        return self._watching

    # --- what it tells by itself

    def heard(self, datagram: bytes, source: tuple[str, int]) -> None:
        """A datagram on port 161."""
        answer = self.agent.answer(datagram, source[0])
        if answer is not None:
            self._send(answer, source)

    def _told(self) -> None:
        """The kernel says that devices have changed."""
        links: set[str] = set()
        try:
            while True:
                links.update(names_in(self._kernel.recv(1 << 16)))
        except BlockingIOError:
            pass
        except OSError:  # more than the socket could hold
            links = set(self._device.driver.links.values())
        if not links.isdisjoint(self._device.driver.links.values()):
            self._look(tell=True)

    def _look(self, *, tell: bool) -> None:
        for port, link in list(self._device.driver.links.items()):
            up = running(link)
            before = self._states.get(port)
            self._states[port] = up
            if not up:
                self._lldp.gone(link)
            if tell and before is not None and before != up and self._device.powered:
                self._tell(port, up)

    def _tell(self, port: str, up: bool) -> None:
        settings, vendor, device = self._settings(), self._vendor, self._device
        self._lines += 1
        if settings.logs:
            words = vendor.words(datetime.now(), device.dialect.host(device.running), port, up, self._lines)
            for address, facility in settings.logs:
                self._send(f"<{8 * facility + vendor.severity}>{words}".encode(), (str(address), LOG_PORT))
        index = device.ports.index(port) + 1
        shut = device.dialect.is_shut(device.running, port)
        rows: list[tuple[ber.Name, int, Plain]] = [
            ((*_IF, 1, index), ber.INTEGER, index),
            ((*_IF, 7, index), ber.INTEGER, _DOWN if shut else _UP),
            ((*_IF, 8, index), ber.INTEGER, _UP if up else _DOWN),
            ((*_IF_NAME, index), ber.OCTETS, port.encode()),
        ]
        self._trap(_LINK_UP if up else _LINK_DOWN, rows)

    def _awake(self) -> None:
        if self._device.powered:
            self._trap(_COLD_START, [])

    def _trap(self, number: int, rows: list[tuple[ber.Name, int, Plain]]) -> None:
        settings = self._settings()
        for address, name in settings.traps:
            user = settings.users.get(name.encode())
            if user is not None:
                self._send(self.agent.trap(user, (*_SNMP_TRAPS, number), rows), (str(address), TRAP_PORT))

    def _send(self, datagram: bytes, target: tuple[str, int]) -> None:
        if self._transport is not None:
            with contextlib.suppress(OSError):  # no way there, or no more: nobody repeats a trap
                self._transport.sendto(datagram, target)


class _Questions(asyncio.DatagramProtocol):
    def __init__(self, watched: Watched) -> None:
        self._watched = watched

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        self._watched.heard(data, addr)


def _next_boots(path: Path) -> int:
    """One more than at the last start (RFC 3414 section 2.2)."""
    try:
        before = int(path.read_text())
    except (OSError, ValueError):
        before = 0
    boots = before % _LARGEST_BOOTS + 1
    draft = path.with_suffix(".new")
    draft.write_text(f"{boots}\n")
    draft.replace(path)
    return boots
