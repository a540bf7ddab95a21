"""LLDP heard on the cables (IEEE 802.1AB): one packet socket for all of them."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from typing import NamedTuple

ETHERTYPE = 0x88CC
_HEADER = 14
_END, _CHASSIS, _PORT, _TTL, _NAME = 0, 1, 2, 3, 5
_AT_ONCE = 64


class Neighbour(NamedTuple):
    """What a frame says of its sender; chassis and port begin with the octet of their subtype."""

    chassis: bytes
    port: bytes
    name: bytes
    until: float  # monotonic seconds


def parse(frame: bytes, now: float) -> Neighbour | None:
    """A whole Ethernet frame; None for one that is no LLDP or too short to mean anything."""
    found: dict[int, bytes] = {}
    at = _HEADER
    while at + 2 <= len(frame):
        (head,) = struct.unpack_from("!H", frame, at)
        kind, length = head >> 9, head & 0x1FF
        value = frame[at + 2 : at + 2 + length]
        if kind == _END or len(value) < length:
            break
        found.setdefault(kind, value)
        at += 2 + length
    chassis, port, ttl = (found.get(kind, b"") for kind in (_CHASSIS, _PORT, _TTL))
    if len(chassis) < 2 or len(port) < 2 or len(ttl) < 2:
        return None
    return Neighbour(chassis, port, found.get(_NAME, b""), now + struct.unpack_from("!H", ttl)[0])


class Listener:
    """Keeps ``heard``, by Linux interface; ``turn`` grows when who is there has changed."""

    def __init__(self) -> None:
        self.heard: dict[str, Neighbour] = {}
        self.turn = 0
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(ETHERTYPE))

    def read(self) -> None:
        """Everything that has arrived."""
        now = time.monotonic()
        for _ in range(_AT_ONCE):
            try:
                frame, (link, _protocol, kind, *_) = self.socket.recvfrom(2048)
            except OSError:
                return
            neighbour = parse(frame, now) if kind != socket.PACKET_OUTGOING else None
            if neighbour is None:
                continue
            before = self.heard.get(link)
            self.heard[link] = neighbour
            if before is None or before[:3] != neighbour[:3]:
                self.turn += 1

    def gone(self, link: str) -> None:
        """A cable went dark: nobody is there."""
        if self.heard.pop(link, None) is not None:
            self.turn += 1

    def forget(self) -> None:
        """Those whose time is over."""
        now = time.monotonic()
        for link in [link for link, one in self.heard.items() if one.until < now]:
            self.gone(link)

    def close(self) -> None:
        """Hear nothing more."""
        with contextlib.suppress(OSError):
            self.socket.close()
