"""A line filled to the brim, and a meeting's packets on it: who was lost, who was late, which mark arrived."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from drills.lab import Lab
from drills.policy import Place

_MAGIC = b"sanwang-qos!"
_BODY = struct.Struct("!12sBQd")  # magic, stream, sequence, monotonic time of sending
_RTP = struct.Struct("!BBHII")  # RFC 3550: version, marker and payload type, sequence, time stamp, source
_IP = struct.Struct("!BBHHHBBH4s4s")
_UDP = struct.Struct("!HHHH")
_ETH_P_IP = 0x0800
_SO_RCVBUFFORCE = 33
FLOOD_BYTES = 1400  # of UDP payload: with the overlay's headers it still fits the underlay's MTU


class Flood:
    """UDP from one place to another at a steady rate, whether it arrives or not, in a thread of its own."""

    def __init__(self, lab: Lab, source: Place, target: Place, rate_bps: float) -> None:
        self.sent = 0
        self._rate = rate_bps / 8 / (FLOOD_BYTES + 28)  # packets a second
        self._sink = lab.socket(target.host, target.vrf, socket.SOCK_DGRAM)  # never read: the kernel drops what is over
        self._sink.bind((str(target.address), 0))
        self._socket = lab.socket(source.host, source.vrf, socket.SOCK_DGRAM)
        self._socket.bind((str(source.address), 0))
        self._socket.connect(self._sink.getsockname())
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        packet = bytes(FLOOD_BYTES)
        began, tried = time.monotonic(), 0
        while not self._stop.is_set():
            while tried < (time.monotonic() - began) * self._rate:
                tried += 1
                with contextlib.suppress(OSError):  # its own queue is full: the line has been full for long
                    self._socket.send(packet)
                    self.sent += 1
            time.sleep(0.002)

    def close(self) -> None:
        """Stop."""
        self._stop.set()
        self._thread.join(timeout=2)
        self._socket.close()
        self._sink.close()


@dataclass
class Stream:
    """Packets of one kind in one direction."""

    name: str
    payload_type: int
    size_bytes: int  # of the UDP payload
    per_s: float
    tos: int  # that the sender sets
    port: int  # of the relay's side
    down: bool  # from the relay to the hall
    sent: int = 0
    arrived: dict[int, float] = field(default_factory=dict)  # sequence -> delay, seconds
    marks: set[int] = field(default_factory=set)  # TOS values seen at the far end

    def lost(self, until: int) -> int:
        """How many of the first ``until`` never arrived."""
        return sum(number not in self.arrived for number in range(until))


class Talk:
    """A hall and its relay: streams of a meeting's shape, counted where they arrive.

    The relay's port belongs to the relay: what comes to it is counted on the wire before it, and what it would send is
    sent in its name.
    """

    def __init__(self, lab: Lab, hall: Place, relay: Place, streams: list[Stream]) -> None:
        self.streams = streams
        self._relay = str(relay.address)
        self._hall = lab.socket(hall.host, hall.vrf, socket.SOCK_DGRAM)
        self._hall.bind((str(hall.address), 0))
        self._hall.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        self._hall.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 22)
        self._raw = self._inside(lab, relay, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._wire = self._inside(lab, relay, socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_IP))
        self._wire.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 22)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._send, self._hear)]
        for thread in self._threads:
            thread.start()

    def _inside(self, lab: Lab, place: Place, *kind: int) -> socket.socket:
        from drills.lab import inside

        with inside(lab.namespace(place.host, place.vrf)):
            made = socket.socket(*kind)
        made.setblocking(False)
        return made

    def _send(self) -> None:
        began = time.monotonic()
        while not self._stop.is_set():
            for index, stream in enumerate(self.streams):
                while stream.sent < (time.monotonic() - began) * stream.per_s:
                    self._one(index, stream)
                    stream.sent += 1
            time.sleep(0.004)

    def _one(self, index: int, stream: Stream) -> None:
        rtp = _RTP.pack(0x80, stream.payload_type, stream.sent & 0xFFFF, stream.sent, index)
        packet = (rtp + _BODY.pack(_MAGIC, index, stream.sent, time.monotonic())).ljust(stream.size_bytes, b"\0")
        with contextlib.suppress(OSError):
            if stream.down:
                self._raw.sendto(self._in_the_relay_s_name(stream, packet), self._hall.getsockname())
            else:
                self._hall.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, stream.tos)
                self._hall.sendto(packet, (self._relay, stream.port))

    def _in_the_relay_s_name(self, stream: Stream, payload: bytes) -> bytes:
        address, port = self._hall.getsockname()
        udp = _UDP.pack(stream.port, port, 8 + len(payload), 0)
        ends = socket.inet_aton(self._relay), socket.inet_aton(address)
        return _IP.pack(0x45, stream.tos, 28 + len(payload), 0, 0, 64, socket.IPPROTO_UDP, 0, *ends) + udp + payload

    def _hear(self) -> None:
        takes: dict[socket.socket, Callable[[], None]] = {self._hall: self._take_down, self._wire: self._take_up}
        while not self._stop.is_set():
            for ready in select.select(list(takes), [], [], 0.1)[0]:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        takes[ready]()

    def _take_down(self) -> None:
        data, notes, _, _ = self._hall.recvmsg(2048, 64)
        tos = next((note[2][0] for note in notes if note[:2] == (socket.IPPROTO_IP, socket.IP_TOS)), 0)
        self._count(data, tos)

    def _take_up(self) -> None:
        packet = self._wire.recv(2048)
        if len(packet) > 28 and packet[9] == socket.IPPROTO_UDP:
            self._count(packet[(packet[0] & 15) * 4 + 8 :], packet[1])

    def _count(self, data: bytes, tos: int) -> None:
        body = data[_RTP.size : _RTP.size + _BODY.size]
        if len(body) < _BODY.size or not body.startswith(_MAGIC):
            return
        _, index, number, sent = _BODY.unpack(body)
        stream = self.streams[index]
        stream.arrived.setdefault(number, time.monotonic() - sent)
        stream.marks.add(tos)

    def close(self) -> None:
        """Stop talking and counting."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=2)
        for each in (self._hall, self._raw, self._wire):
            each.close()
