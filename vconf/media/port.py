"""One UDP port of a media worker: batched sends with UDP segmentation offload, marked and bounded.

Linux' UDP_SEGMENT (udp(7), since 4.18) takes one buffer for a run of equal-sized datagrams to one receiver, the
last of which may be shorter: the send path is walked once for the run, which is where the time goes.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

Address = tuple[str, int]

EF, AF41, CS3 = 46 << 2, 34 << 2, 24 << 2
"""IP_TOS values: voice, interactive video, and our own answers (RFC 4594)."""

UDP_SEGMENT = 103
_SEGMENTS = 48  # the kernel takes 64; 48 of 1,300 bytes stay below the 65,507 of one datagram
_MOST_BYTES = 65_000
_READS = 128  # datagrams taken before the loop gets its turn back
_BUFFER = 1 << 22
_SIZE = struct.Struct("=H")
_TOS = struct.Struct("=i")


@dataclass(slots=True)
class PortCounters:
    """What went through since the start."""

    packets_in: int = 0
    bytes_in: int = 0
    packets_out: int = 0
    bytes_out: int = 0
    sends: int = 0  # system calls
    dropped_full: int = 0  # the receiver's queue was full
    dropped_error: int = 0  # the kernel refused (no route, too big)


class MediaPort:
    """A bound UDP socket in the event loop.

    ``on_datagrams`` is called once per wake-up with everything that was waiting.  ``send`` queues; queues are
    written at the end of the wake-up, or after ``coalesce_ms`` when that is above zero.
    """

    def __init__(
        self,
        bind: Address,
        on_datagram: Callable[[bytes, Address], None],
        *,
        queue_packets: int = 1024,
        coalesce_ms: float = 0.0,
    ) -> None:
        self.counters = PortCounters()
        self._on_datagram = on_datagram
        self._limit = queue_packets
        self._coalesce_s = coalesce_ms / 1000
        self._queues: dict[tuple[Address, int], list[bytes]] = defaultdict(list)
        self._scheduled = False
        self._writing = False
        self._gso = True
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        for option, forced in ((socket.SO_RCVBUF, 33), (socket.SO_SNDBUF, 32)):  # 33, 32: the ...BUFFORCE options
            try:
                self._socket.setsockopt(socket.SOL_SOCKET, forced, _BUFFER)
            except PermissionError:
                self._socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        try:
            self._socket.bind(bind)
        except OSError:
            self._socket.close()
            raise
        self.address: Address = self._socket.getsockname()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def close(self) -> None:
        """Write what waits, then close."""
        self._flush()
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()

    def send(self, data: bytes, address: Address, tos: int) -> bool:
        """Queue one datagram; False (and counted) when the receiver's queue is full."""
        queue = self._queues[address, tos]
        if len(queue) >= self._limit:
            self.counters.dropped_full += 1
            return False
        queue.append(data)
        if not self._scheduled:
            self._scheduled = True
            if self._coalesce_s:
                self._loop.call_later(self._coalesce_s, self._flush)
            else:
                self._loop.call_soon(self._flush)
        return True

    def _readable(self) -> None:
        counters = self.counters
        for _ in range(_READS):
            try:
                data, address = self._socket.recvfrom(2048)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # an ICMP error of an earlier send is reported here
                continue
            counters.packets_in += 1
            counters.bytes_in += len(data)
            self._on_datagram(data, address)

    def _flush(self) -> None:
        self._scheduled = False
        if self._socket.fileno() < 0:
            return
        for key in list(self._queues):
            queue = self._queues[key]
            address, tos = key
            sent = 0
            while sent < len(queue):
                count = self._send_run(queue, sent, address, tos)
                if count == 0:  # the socket is full: go on when it can take more
                    del queue[:sent]
                    self._wait_writable()
                    return
                sent += count
            del self._queues[key]
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._socket.fileno())

    def _wait_writable(self) -> None:
        self._scheduled = True
        if not self._writing:
            self._writing = True
            self._loop.add_writer(self._socket.fileno(), self._flush)

    def _send_run(self, queue: list[bytes], start: int, address: Address, tos: int) -> int:
        """Send one run from ``start``; returns how many packets are done with, 0 when the socket is full."""
        size = len(queue[start])
        end = start + 1
        total = size
        if self._gso:
            limit = min(len(queue), start + _SEGMENTS)
            while end < limit and len(queue[end]) <= size and total + len(queue[end]) <= _MOST_BYTES:
                total += len(queue[end])
                end += 1
                if len(queue[end - 1]) < size:  # a shorter one ends the run
                    break
        ancillary: list[tuple[int, int, bytes]] = [(socket.IPPROTO_IP, socket.IP_TOS, _TOS.pack(tos))]
        count = end - start
        if count > 1:
            ancillary.append((socket.IPPROTO_UDP, UDP_SEGMENT, _SIZE.pack(size)))
        try:
            self._socket.sendmsg(queue[start:end], ancillary, 0, address)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            if count > 1 and error.errno in (errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.ENOPROTOOPT):
                self._gso = False  # this path has no segmentation: one by one from here on
                return self._send_run(queue, start, address, tos)
            self.counters.dropped_error += count
            return count
        self.counters.sends += 1
        self.counters.packets_out += count
        self.counters.bytes_out += total
        return count
