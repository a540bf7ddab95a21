"""Octets of each fair share of the Internet exit, from the HTB classes of the firewall's ports.

Asked of the kernel over rtnetlink (rtnetlink(7), RTM_GETTCLASS): a few milliseconds for all classes. Counters begin
anew when a port's classes are made anew, as any counter may.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator, Mapping

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_TCMSG = struct.Struct("=BxHiIII")  # struct tcmsg: family, -, index, handle, parent, info (linux/rtnetlink.h)
_ATTRIBUTE = struct.Struct("=HH")
_BASIC = struct.Struct("=QI")  # struct gnet_stats_basic: bytes, packets
_QUEUE = struct.Struct("=IIIII")  # struct gnet_stats_queue: qlen, backlog, drops, requeues, overlimits
_GETTCLASS, _NEWTCLASS = 42, 40
_REQUEST_DUMP = 0x301
_DONE, _ERROR = 3, 2
_STATS2, _STATS_BASIC, _STATS_QUEUE = 7, 1, 3
_TIMEOUT_S = 1.0

SHARE_BASE = 0x100
"""Minor number of the first share's class; the next ones follow (provision/render/qos.py)."""

SHARES = 64

Counts = tuple[int, int]  # octets, packets dropped


def read_shares(ports: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """``ports``: name -> "up" or "down".  Key "share:<number>:<direction>" -> octets and dropped packets, summed.

    A share that never carried anything is left out; so is a port that is not there.
    """
    found: dict[tuple[int, str], list[int]] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.settimeout(_TIMEOUT_S)
        for number, (port, direction) in enumerate(ports.items(), 1):
            with contextlib.suppress(OSError):
                index = socket.if_nametoindex(port)
                for minor, (octets, dropped) in _classes(kernel, index, number):
                    share = minor - SHARE_BASE
                    if 0 <= share < SHARES and octets + dropped:
                        sums = found.setdefault((share, direction), [0, 0])
                        sums[0] += octets
                        sums[1] += dropped
    return {
        f"share:{share}:{direction}": {"octets": octets, "dropped": dropped}
        for (share, direction), (octets, dropped) in sorted(found.items())
    }


def _classes(kernel: socket.socket, index: int, sequence: int) -> Iterator[tuple[int, Counts]]:
    body = _TCMSG.pack(0, 0, index, 0, 0, 0)
    kernel.send(_HEADER.pack(_HEADER.size + len(body), _GETTCLASS, _REQUEST_DUMP, sequence, 0) + body)
    while True:
        done, found = parse_classes(kernel.recv(1 << 16), sequence)
        yield from found
        if done:
            return


def parse_classes(data: bytes, sequence: int) -> tuple[bool, list[tuple[int, Counts]]]:
    """(whether the dump has ended, (minor number, counts) of each HTB class) of one datagram of the kernel."""
    found: list[tuple[int, Counts]] = []
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, _flags, number, _port = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size or offset + length > len(data):
            return True, found
        if number == sequence:
            if kind in (_DONE, _ERROR):
                return True, found
            if kind == _NEWTCLASS and length >= _HEADER.size + _TCMSG.size:
                handle = _TCMSG.unpack_from(data, offset + _HEADER.size)[3]
                counts = _counts(data[offset + _HEADER.size + _TCMSG.size : offset + length])
                found.append((handle & 0xFFFF, counts))
        offset += (length + 3) & ~3
    return False, found


def _counts(attributes: bytes) -> Counts:
    octets = dropped = 0
    for kind, value in _walk(attributes):
        if kind != _STATS2:
            continue
        for inner, figures in _walk(value):
            if inner == _STATS_BASIC and len(figures) >= _BASIC.size:
                octets = _BASIC.unpack_from(figures)[0]
            elif inner == _STATS_QUEUE and len(figures) >= _QUEUE.size:
                dropped = _QUEUE.unpack_from(figures)[2]
    return octets, dropped


def _walk(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < _ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
