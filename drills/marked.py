"""Marked packets: crafted, sent from one namespace of a running county, and looked for in others.

The mark is a number in the payload, so that a packet is known again behind any address translation.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from drills.lab import Lab, inside
from provision.prove import sets
from provision.prove.sets import Packet
from provision.prove.world import Key

_MARK = b"sanwang-proof"
_NUMBER = struct.Struct("!I")
ANSWER = 1 << 24
"""Added to a packet's number: its answer."""
_OUTGOING = 4  # PACKET_OUTGOING of packet(7)
_IPV4 = 0x0800
_BUFFER = 1 << 20


@dataclass(frozen=True, slots=True)
class Heard:
    """A marked packet that came in somewhere."""

    key: Key
    number: int
    target: int  # destination address as it came
    raw: bytes


def craft(packet: Packet, number: int) -> bytes:
    """The bytes of an IPv4 packet; TCP begins a connection, ICMP asks for an echo."""
    from scapy.layers.inet import ICMP, IP, TCP, UDP
    from scapy.packet import Raw

    head = IP(
        src=str(IPv4Address(packet.src)), dst=str(IPv4Address(packet.dst)), proto=packet.proto, id=number & 0xFFFF
    )
    inner: Any = Raw(_payload(number))
    if packet.proto == sets.TCP:
        inner = TCP(sport=packet.sport, dport=packet.dport, flags="S", seq=number) / inner
    elif packet.proto == sets.UDP:
        inner = UDP(sport=packet.sport, dport=packet.dport) / inner
    elif packet.proto == sets.ICMP:
        inner = ICMP(type=packet.dport, id=number & 0xFFFF, seq=1) / inner
    return bytes(head / inner)


def answer(raw: bytes, number: int) -> bytes:
    """The answer to a packet as it came in: accepted connection, echo reply, or the same turned round."""
    from scapy.layers.inet import ICMP, IP, TCP, UDP
    from scapy.packet import Raw

    came = IP(raw)
    head = IP(src=came.dst, dst=came.src, proto=came.proto)
    inner: Any = Raw(_payload(number))
    if TCP in came:
        size = len(_payload(number))
        inner = (
            TCP(sport=came[TCP].dport, dport=came[TCP].sport, flags="SA", seq=1, ack=came[TCP].seq + 1 + size) / inner
        )
    elif UDP in came:
        inner = UDP(sport=came[UDP].dport, dport=came[UDP].sport) / inner
    elif ICMP in came:
        inner = ICMP(type=0, id=came[ICMP].id, seq=came[ICMP].seq) / inner
    return bytes(head / inner)


def _payload(number: int) -> bytes:
    return _MARK + _NUMBER.pack(number)


class Wire:
    """Sends from any namespace of the county and listens in some of them until closed."""

    def __init__(self, lab: Lab, listening: Iterable[Key]) -> None:
        self._lab = lab
        self._stack = contextlib.ExitStack()
        self._senders: dict[tuple[Key, int], socket.socket] = {}
        self._ears: dict[int, tuple[Key, socket.socket]] = {}
        self._asked: dict[tuple[Key, int], int] = {}
        self._poll = select.poll()
        for key in sorted(set(listening)):
            with inside(lab.namespace(*key)):
                ear = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_IPV4))
            self._stack.enter_context(ear)
            ear.setblocking(False)
            ear.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            self._ears[ear.fileno()] = (key, ear)
            self._poll.register(ear, select.POLLIN)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def send(self, key: Key, raw: bytes) -> bool:
        """Send a whole IPv4 packet; False when the host's own tables refuse it (no route)."""
        source, target = int.from_bytes(raw[12:16], "big"), str(IPv4Address(raw[16:20]))
        if (key, source) not in self._senders:
            self._senders[key, source] = self._sender(key, source)
        try:
            self._senders[key, source].sendto(raw, (target, 0))
        except OSError:
            return False
        return True

    def _sender(self, key: Key, source: int) -> socket.socket:
        with inside(self._lab.namespace(*key)):
            made = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
            self._stack.enter_context(made)
            # Bound, routing sees the source address; an address that is not the host's own cannot be.
            with contextlib.suppress(OSError):
                made.bind((str(IPv4Address(source)), 0))
        return made

    def asked(self, key: Key, port: int, number: int) -> None:
        """A TCP connection begun there from that port: whatever the other end's own kernel says is its answer too."""
        self._asked[key, port] = number

    def hear(self, wait_s: float, each: Callable[[Heard], None], enough: Callable[[], bool]) -> None:
        """Tell every marked packet that comes in, until the time is over or it is enough."""
        end = time.monotonic() + wait_s
        while not enough() and (left := end - time.monotonic()) > 0:
            for number, _ in self._poll.poll(left * 1000):
                key, ear = self._ears[number]
                self._drain(key, ear, each)

    def _drain(self, key: Key, ear: socket.socket, each: Callable[[Heard], None]) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                raw, address = ear.recvfrom(2048)
                if address[2] == _OUTGOING or len(raw) < 28:
                    continue
                place = raw.find(_MARK)
                if place < 0:
                    self._unmarked(key, raw, each)
                    continue
                # An error message quotes the packet behind its own header: it is not the packet.
                quoted = raw[9] == sets.ICMP and raw[(raw[0] & 15) * 4] not in (0, 8)
                if len(raw) >= place + len(_MARK) + 4 and not quoted:
                    marked = _NUMBER.unpack_from(raw, place + len(_MARK))[0]
                    each(Heard(key, marked, int.from_bytes(raw[16:20], "big"), raw))

    def _unmarked(self, key: Key, raw: bytes, each: Callable[[Heard], None]) -> None:
        start = (raw[0] & 15) * 4
        if raw[9] == sets.TCP and len(raw) >= start + 4:
            number = self._asked.get((key, int.from_bytes(raw[start + 2 : start + 4], "big")))
            if number is not None:
                each(Heard(key, number | ANSWER, int.from_bytes(raw[16:20], "big"), raw))
