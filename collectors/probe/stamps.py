"""UDP sockets whose packets carry the kernel's own time stamps (Linux, Documentation/networking/timestamping.rst).

Received packets are stamped by the network stack as they arrive, sent ones as they are handed to the device, so that
neither a busy interpreter nor a busy machine shows up as delay of the path.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import NamedTuple

_SO_TIMESTAMPNS = 35
_SO_TIMESTAMPING = 37
_TX_SOFTWARE, _RX_SOFTWARE, _SOFTWARE, _OPT_ID, _OPT_TSONLY = 2, 8, 16, 128, 2048
_IP_RECVERR = 11
_IP_RECVTTL = 12
_EE_ORIGIN_TIMESTAMPING = 4
_TIMESPEC = struct.Struct("=qq")
_EXTENDED_ERROR = struct.Struct("=IBBBxII")  # struct sock_extended_err: errno, origin, type, code, info, data
_CONTROL_BYTES = 256
_DATA_BYTES = 2048


class Received(NamedTuple):
    """One datagram and when the kernel saw it."""

    data: bytes
    source: tuple[str, int]
    at_ns: int
    ttl: int


def stamp_receive(link: socket.socket) -> None:
    """Have every received packet stamped, and its TTL told."""
    link.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    link.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)


def stamp_both(link: socket.socket) -> None:
    """Have received and sent packets stamped; sent ones are numbered from 0 (OPT_ID)."""
    flags = _TX_SOFTWARE | _RX_SOFTWARE | _SOFTWARE | _OPT_ID | _OPT_TSONLY
    link.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPING, flags)
    link.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)


def _stamp(data: bytes) -> int:
    seconds, nanoseconds = _TIMESPEC.unpack_from(data)
    return int(seconds * 1_000_000_000 + nanoseconds)


def receive(link: socket.socket) -> Received:
    """The next datagram; without a kernel stamp the time is now.

    Raises:
        BlockingIOError: there is none.
        OSError: an ICMP error came back on a connected socket.
    """
    data, control, _flags, source = link.recvmsg(_DATA_BYTES, _CONTROL_BYTES)
    at_ns, ttl = 0, 0
    for level, kind, value in control:
        if level == socket.SOL_SOCKET and kind in (_SO_TIMESTAMPNS, _SO_TIMESTAMPING) and len(value) >= 16:
            at_ns = _stamp(value)
        elif level == socket.IPPROTO_IP and kind == socket.IP_TTL and len(value) >= 4:
            ttl = struct.unpack_from("=i", value)[0]
    return Received(data, source, at_ns or time.time_ns(), ttl)


def sent_stamps(link: socket.socket) -> list[tuple[int, int]]:
    """Stamps of packets that have left: (number of the packet, time in ns); empties the socket's error queue."""
    stamps: list[tuple[int, int]] = []
    while True:
        try:
            _data, control, _flags, _source = link.recvmsg(0, _CONTROL_BYTES, socket.MSG_ERRQUEUE)
        except BlockingIOError:
            return stamps
        at_ns, number = 0, -1
        for level, kind, value in control:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPING and len(value) >= 16:
                at_ns = _stamp(value)
            elif level == socket.IPPROTO_IP and kind == _IP_RECVERR and len(value) >= _EXTENDED_ERROR.size:
                _errno, origin, _type, _code, _info, data = _EXTENDED_ERROR.unpack_from(value)
                if origin == _EE_ORIGIN_TIMESTAMPING:
                    number = data
        if at_ns and number >= 0:
            stamps.append((number, at_ns))
