"""Cables of switches as one wire: where one end has no light, the other has none.

A cable's two halves are joined by a bridge in the plant, which hides from each end what becomes of the other. A router
must see that a switch's port was shut, and a switch that its user's computer is gone. So this process, inside the
plant's namespace, takes a middle down while the other middle (itself up) has no carrier, and gives it back after.
A middle that is down was taken down by a fault, by lost power, or by us: it says nothing, and is left alone.

Runs alone (``python -I mirror.py LOWEST [NUMBER ...]``): cables with numbers from LOWEST upwards, and those named.
"""

from __future__ import annotations

import errno
import fcntl
import re
import socket
import struct
import sys

_RTMGRP_LINK, _RTM_NEWLINK, _IFLA_IFNAME = 1, 16, 3
_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_IFF_UP, _IFF_RUNNING = 0x1, 0x40
_MIDDLE = re.compile(r"m([0-9]+)([ab])")  # twin.names.middle


class Mirror:
    """Keeps both ends of the watched cables alike."""

    def __init__(self, lowest: int, named: frozenset[int]) -> None:
        self._lowest, self._named = lowest, named
        self._asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def settle(self, name: str) -> None:
        """One middle may have changed: make the other one like it."""
        found = _MIDDLE.fullmatch(name)
        if found is None or (int(found[1]) < self._lowest and int(found[1]) not in self._named):
            return
        # What stands in the message may be old: only the present state counts, or two ends could dim each other.
        near = self._flags(name)
        other = f"m{found[1]}{'b' if found[2] == 'a' else 'a'}"
        far = self._flags(other)
        if near is None or far is None or not near & _IFF_UP:
            return
        wanted = far | _IFF_UP if near & _IFF_RUNNING else far & ~_IFF_UP
        if wanted != far:
            self._ask(_SIOCSIFFLAGS, other, wanted)

    def all(self) -> None:
        """Look at every cable: at the start, and after messages were lost."""
        for _, name in socket.if_nameindex():
            self.settle(name)

    def _flags(self, name: str) -> int | None:
        return self._ask(_SIOCGIFFLAGS, name, 0)

    def _ask(self, request: int, name: str, flags: int) -> int | None:
        """None when the device is gone."""
        try:
            answer = fcntl.ioctl(self._asking, request, struct.pack("16sH14x", name.encode(), flags & 0xFFFF))
        except OSError as error:
            if error.errno in (errno.ENODEV, errno.ENXIO):
                return None
            raise
        return int(struct.unpack("16sH14x", answer)[1])


def names_in(data: bytes) -> list[str]:
    """Devices that a netlink datagram tells a new state of (RFC 3549; RTM_NEWLINK)."""
    found = []
    while len(data) >= 16:
        length, kind = struct.unpack_from("=IH", data)
        if length < 16:
            break
        message, data = data[16:length], data[(length + 3) & ~3 :]
        if kind != _RTM_NEWLINK:
            continue
        attributes = message[16:]
        while len(attributes) >= 4:
            size, what = struct.unpack_from("=HH", attributes)
            if size < 4:
                break
            if what == _IFLA_IFNAME:
                found.append(attributes[4:size].rstrip(b"\0").decode(errors="replace"))
            attributes = attributes[(size + 3) & ~3 :]
    return found


def main(lowest: int, named: frozenset[int]) -> None:
    """Follow the kernel's messages for ever."""
    mirror = Mirror(lowest, named)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as heard:
        heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        heard.bind((0, _RTMGRP_LINK))
        mirror.all()
        print("ready", flush=True)
        while True:
            try:
                names = names_in(heard.recv(1 << 16))
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                mirror.all()
                continue
            for name in dict.fromkeys(names):
                mirror.settle(name)


if __name__ == "__main__":
    main(int(sys.argv[1]), frozenset(map(int, sys.argv[2:])))
