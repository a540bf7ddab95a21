"""Links, addresses, neighbours and routes of one network namespace, from the kernel's own events.

One rtnetlink socket (rtnetlink(7)) per namespace; messages are decoded by pyroute2's classes.  Headers are looked
at first, so that a burst of a hundred OSPF routes costs a count and not a hundred decodes.  The same handlers take
the first dump and the later events; when the kernel says that events were lost (ENOBUFS) everything is dumped again
and what was not seen is dropped.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import Callable
from typing import Any

from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from collectors.agent.state import AgentState
from collectors.agent.vrf import open_socket

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
_NLM_F_REQUEST_DUMP = 0x301
_DONE, _ERROR = 3, 2
_NEWLINK, _DELLINK, _GETLINK = 16, 17, 18
_NEWADDR, _DELADDR, _GETADDR = 20, 21, 22
_NEWROUTE, _DELROUTE, _GETROUTE = 24, 25, 26
_NEWNEIGH, _DELNEIGH, _GETNEIGH = 28, 29, 30
_GROUPS = 0x1 | 0x4 | 0x10 | 0x40  # RTMGRP_LINK, _NEIGH, _IPV4_IFADDR, _IPV4_ROUTE
_IFF_UP, _IFF_LOOPBACK, _IFF_LOWER_UP = 0x1, 0x8, 0x10000
_NUD_INCOMPLETE, _NUD_FAILED, _NUD_NOARP, _NUD_PERMANENT = 0x01, 0x20, 0x40, 0x80
_RT_TABLE_MAIN, _RTN_UNICAST = 254, 1
_RECEIVE_BUFFER = 1 << 20


class NamespaceWatch:
    """Keeps one namespace's part of the state current.

    Keys: ``ports`` by interface name, ``addresses`` ``<address>/<length>@<interface>``, ``neighbours``
    ``<address>@<interface>``, ``routes`` by VRF name ("" = default namespace).
    """

    def __init__(self, vrf: str, state: AgentState, on_routes: Callable[[], None]) -> None:
        """``on_routes`` is called for every batch of events that changed a route."""
        self.vrf = vrf
        self.route_changes = 0
        self._state = state
        self._on_routes = on_routes
        self._names: dict[int, str] = {}
        self._defaults: dict[tuple[int, int], str] = {}  # (metric, protocol) -> next hop
        self._pending: list[int] = []  # dumps still to ask for; the first is being answered
        self._seen: dict[str, set[str]] = {}
        self._sequence = 0
        self._socket = open_socket(vrf, socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        self._socket.bind((0, _GROUPS))
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._readable)
        self._resync()

    def close(self) -> None:
        """Stop, and forget what this namespace held."""
        self._loop.remove_reader(self._socket.fileno())
        self._socket.close()
        for section in ("ports", "addresses", "neighbours"):
            for key in self._mine(section):
                self._state.put(section, key, None)
        self._state.put("routes", self.vrf, None)

    def _mine(self, section: str) -> list[str]:
        return [key for key, value in self._state.sections[section].items() if value["vrf"] == self.vrf]

    def _resync(self) -> None:
        self._seen = {"ports": set(), "addresses": set(), "neighbours": set()}
        self._defaults = {}
        self._pending = [_GETLINK, _GETADDR, _GETNEIGH, _GETROUTE]
        self._ask()

    def _ask(self) -> None:
        kind = self._pending[0]
        family = 0 if kind == _GETLINK else socket.AF_INET
        body = struct.pack("=B15x", family)  # the four header structs begin with the family and fit in 16 bytes
        self._sequence += 1
        self._socket.send(_HEADER.pack(_HEADER.size + len(body), kind, _NLM_F_REQUEST_DUMP, self._sequence, 0) + body)

    def _readable(self) -> None:
        before = self.route_changes
        for _ in range(64):  # bounded, so that a storm of events cannot starve the loop
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                break
            except OSError as problem:
                if problem.errno != errno.ENOBUFS:
                    raise
                self._resync()
                continue
            self._messages(data)
        if self.route_changes != before:
            self._on_routes()

    def _messages(self, data: bytes) -> None:
        offset = 0
        while offset + _HEADER.size <= len(data):
            length, kind, _flags, sequence, _port = _HEADER.unpack_from(data, offset)
            if length < _HEADER.size:
                return
            if kind in (_DONE, _ERROR):
                if self._pending and sequence == self._sequence:
                    self._answered()
            elif kind in (_NEWLINK, _DELLINK):
                self._link(kind, self._decode(ifinfmsg, data, offset))
            elif kind in (_NEWADDR, _DELADDR):
                self._address(kind, self._decode(ifaddrmsg, data, offset))
            elif kind in (_NEWROUTE, _DELROUTE):
                self._route(kind, data, offset, dumped=sequence != 0 and sequence == self._sequence)
            elif kind in (_NEWNEIGH, _DELNEIGH):
                self._neighbour(kind, data, offset)
            offset += (length + 3) & ~3

    @staticmethod
    def _decode(kind: Any, data: bytes, offset: int) -> Any:
        message = kind(data, offset)
        message.decode()
        return message

    def _answered(self) -> None:
        self._pending.pop(0)
        if self._pending:
            self._ask()
            return
        for section, seen in self._seen.items():
            for key in self._mine(section):
                if key not in seen:
                    self._state.put(section, key, None)
        self._tell_defaults()

    def _put(self, section: str, key: str, value: dict[str, Any] | None) -> None:
        if value is not None:
            self._seen[section].add(key)
        elif (held := self._state.sections[section].get(key)) is not None and held["vrf"] != self.vrf:
            return  # it moved to another namespace, whose watch has already told so
        self._state.put(section, key, value)

    def _link(self, kind: int, message: Any) -> None:
        index, flags = message["index"], message["flags"]
        name = message.get_attr("IFLA_IFNAME")
        if message["family"] != 0 or not name or flags & _IFF_LOOPBACK:
            return  # AF_BRIDGE messages tell of port states of a bridge
        if kind == _DELLINK:
            self._names.pop(index, None)
            self._put("ports", name, None)
            return
        old = self._names.get(index)
        if old not in (None, name):
            self._put("ports", str(old), None)
        self._names[index] = name
        admin = bool(flags & _IFF_UP)
        self._put(
            "ports",
            name,
            {
                "vrf": self.vrf,
                "up": admin and bool(flags & _IFF_LOWER_UP),
                "admin": admin,
                "mtu": message.get_attr("IFLA_MTU"),
            },
        )

    def _address(self, kind: int, message: Any) -> None:
        name = self._names.get(message["index"])
        local = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
        if name is None or local is None:
            return  # loopback, or a link already gone
        value = {"vrf": self.vrf, "port": name} if kind == _NEWADDR else None
        self._put("addresses", f"{local}/{message['prefixlen']}@{name}", value)

    def _neighbour(self, kind: int, data: bytes, offset: int) -> None:
        family, index, status = struct.unpack_from("=B3xiH", data, offset + _HEADER.size)
        name = self._names.get(index)
        if family != socket.AF_INET or name is None or status & (_NUD_NOARP | _NUD_PERMANENT | _NUD_INCOMPLETE):
            return
        message = self._decode(ndmsg, data, offset)
        address = message.get_attr("NDA_DST")
        value = None
        if kind == _NEWNEIGH:
            value = {
                "vrf": self.vrf,
                "port": name,
                "mac": message.get_attr("NDA_LLADDR"),
                "ok": not status & _NUD_FAILED,
            }
        self._put("neighbours", f"{address}@{name}", value)

    def _route(self, kind: int, data: bytes, offset: int, *, dumped: bool) -> None:
        family, length, _src, _tos, table, protocol, _scope, what = struct.unpack_from(
            "=8B", data, offset + _HEADER.size
        )
        if family != socket.AF_INET or table != _RT_TABLE_MAIN or what != _RTN_UNICAST:
            return
        if not dumped:
            self.route_changes += 1
        if length != 0:
            return
        message = self._decode(rtmsg, data, offset)
        key = (message.get_attr("RTA_PRIORITY") or 0, protocol)
        if kind == _NEWROUTE:
            out = self._names.get(message.get_attr("RTA_OIF") or 0, "")
            self._defaults[key] = f"{message.get_attr('RTA_GATEWAY') or 'several'}@{out}"
        else:
            self._defaults.pop(key, None)
        if not self._pending:
            self._tell_defaults()

    def _tell_defaults(self) -> None:
        best = min(self._defaults, default=None)
        self._state.put("routes", self.vrf, {"default": self._defaults[best] if best is not None else None})
