"""Cables of switches as one wire: where one end has no light, the other has none.

A cable's two halves are joined by a bridge in the plant, which hides from each end what becomes of the other. A router
must see that a switch's port was shut, and a switch that its user's computer is gone. So this process, inside the
plant's namespace, takes a middle down while the other middle (itself up) has no carrier, and gives it back after.
A middle that is down otherwise was taken down by a fault or by lost power: it says nothing, and is left alone.

Runs alone (``python -I mirror.py LOWEST [NUMBER ...]``): cables with numbers from LOWEST upwards, and those named.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import re
import socket
import struct
import sys

_RTMGRP_LINK, _RTM_NEWLINK, _IFLA_IFNAME = 1, 16, 3
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCETHTOOL = 0x8913, 0x8914, 0x8946
_ETHTOOL_GLINK = 0x0A
_IFF_UP = 0x1
_MIDDLE = re.compile(r"m([0-9]+)([ab])")  # twin.names.middle


class Mirror:
    """Keeps both ends of the watched cables alike."""

    def __init__(self, lowest: int, named: frozenset[int]) -> None:
        self._lowest, self._named = lowest, named
        self._asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._dimmed: set[str] = set()
        """Middles that we took down."""

    def settle(self, name: str) -> None:
        """One middle of a cable may have changed: make both ends alike."""
        found = _MIDDLE.fullmatch(name)
        if found is None or (int(found[1]) < self._lowest and int(found[1]) not in self._named):
            return
        # What stands in the message may be old: only the present state counts, or two ends could dim each other.
        ends = [f"m{found[1]}{side}" for side in "ab"]
        up = {end: self._flags(end) & _IFF_UP != 0 for end in ends}
        self._dimmed -= {end for end in ends if up[end]}
        for near, far in (ends, ends[::-1]):
            if not up[near]:
                continue
            if self._carrier(near):
                if far in self._dimmed:
                    up[far] = self._set(far, up=True)
                    self._dimmed.discard(far)
            elif up[far]:
                up[far] = self._set(far, up=False)
                self._dimmed.add(far)

    def all(self) -> None:
        """Look at every cable: at the start, and after messages were lost."""
        for _, name in socket.if_nameindex():
            self.settle(name)

    def _flags(self, name: str) -> int:
        """Flags of a device; 0 when it is gone."""
        answer = self._ask(_SIOCGIFFLAGS, struct.pack("16sH14x", name.encode(), 0))
        return 0 if answer is None else int(struct.unpack("16sH14x", answer)[1])

    def _set(self, name: str, *, up: bool) -> bool:
        flags = self._flags(name)
        self._ask(
            _SIOCSIFFLAGS, struct.pack("16sH14x", name.encode(), (flags | _IFF_UP if up else flags & ~_IFF_UP) & 0xFFFF)
        )
        return up

    def _carrier(self, name: str) -> bool:
        """Is there light at this moment? The device's flags tell it up to a second late, ethtool's answer does not."""
        value = ctypes.create_string_buffer(struct.pack("=II", _ETHTOOL_GLINK, 0), 8)
        asked = self._ask(_SIOCETHTOOL, struct.pack("16sP8x", name.encode(), ctypes.addressof(value)))
        return asked is not None and struct.unpack("=II", value.raw)[1] == 1

    def _ask(self, request: int, question: bytes) -> bytes | None:
        """None when the device is gone."""
        try:
            return fcntl.ioctl(self._asking, request, question)
        except OSError as error:
            if error.errno in (errno.ENODEV, errno.ENXIO):
                return None
            raise


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
