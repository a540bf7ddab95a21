"""One UDP socket: runs of equal datagrams by segmentation offload, marked, with a bounded backlog.

Linux' UDP_SEGMENT (udp(7), since 4.18) takes one buffer for a run of equal-sized datagrams to one receiver, the
last of which may be shorter: the send path is walked once for the run, which is where the time goes.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections import deque

from vconf.media.plane import Address, Counters

UDP_SEGMENT = 103
_BUFFER = 1 << 22
_BACKLOG = 2048  # runs that wait for a full socket
_BACKLOG_US = 500
_SIZE = struct.Struct("=H")
_TOS = struct.Struct("=i")

Bytes = bytes | memoryview
Marks = list[tuple[int, int, bytes]]


def bound_socket(bind: Address) -> socket.socket:
    """A non-blocking UDP socket with room for bursts; OSError when the address is not ours or taken."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    for option, forced in ((socket.SO_RCVBUF, 33), (socket.SO_SNDBUF, 32)):  # 33, 32: the ...BUFFORCE options
        try:
            made.setsockopt(socket.SOL_SOCKET, forced, _BUFFER)
        except PermissionError:
            made.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
    try:
        made.bind(bind)
    except OSError:
        made.close()
        raise
    return made


class UdpPort:
    """A bound, non-blocking socket that counts into ``counters``."""

    def __init__(self, bind: Address, counters: Counters) -> None:
        self._counters = counters
        self._gso = True
        self._marks: dict[tuple[int, int], Marks] = {}
        self._backlog: deque[tuple[bytes, int, int, int, Address]] = deque()
        self._socket = bound_socket(bind)
        self.address: Address = self._socket.getsockname()
        self.sendmsg = self._socket.sendmsg
        self.is_free = True  # nothing waits, and runs can be sent whole: ``sendmsg`` may be called

    def fileno(self) -> int:
        """For the loop."""
        return self._socket.fileno()

    def close(self) -> None:
        """Drop what waits."""
        self._socket.close()

    def read(self, into: memoryview) -> tuple[int, Address] | None:
        """One datagram; None when there is none."""
        while True:
            try:
                return self._socket.recvfrom_into(into)
            except (BlockingIOError, InterruptedError):
                return None
            except ConnectionError:  # an ICMP error of an earlier send is reported here
                continue

    def write(self, data: Bytes, segment: int, count: int, tos: int, address: Address) -> None:
        """Send ``count`` datagrams of ``segment`` octets (the last may be shorter)."""
        if count > 1 and not self._gso:
            for at in range(0, len(data), segment):
                self.write(data[at : at + segment], segment, 1, tos, address)
        elif self._backlog or not self._try(data, segment, count, tos, address):
            self._keep(data, segment, count, tos, address)

    def write_backlog(self) -> int:
        """What waited for a full socket; returns when to try again, microseconds, 0: nothing waits."""
        while self._backlog:
            if not self._try(*self._backlog[0]):
                return _BACKLOG_US
            self._backlog.popleft()
        self.is_free = self._gso
        return 0

    def _try(self, data: Bytes, segment: int, count: int, tos: int, address: Address) -> bool:
        """False when the socket is full; what the kernel refuses is counted and done with."""
        counters = self._counters
        try:
            self.sendmsg((data,), self.marks(tos, segment if count > 1 else 0), 0, address)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError as error:
            if count > 1 and error.errno in (errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.ENOPROTOOPT):
                self._gso = self.is_free = False  # this path has no segmentation: one by one from here on
                parts = range(0, len(data), segment)
                return all(self._try(data[at : at + segment], segment, 1, tos, address) for at in parts)
            counters.send_error += count
        else:
            counters.sends += 1
            counters.packets_out += count
            counters.bytes_out += len(data)
        return True

    def _keep(self, data: Bytes, segment: int, count: int, tos: int, address: Address) -> None:
        if len(self._backlog) >= _BACKLOG:
            self._counters.queue_full += count
        else:
            self._backlog.append((bytes(data), segment, count, tos, address))
            self.is_free = False

    def marks(self, tos: int, segment: int) -> Marks:
        """What goes with a datagram (``segment`` 0), or with a run of such segments."""
        made = self._marks.get((tos, segment))
        if made is None:
            made = [(socket.IPPROTO_IP, socket.IP_TOS, _TOS.pack(tos))]
            if segment:
                made.append((socket.IPPROTO_UDP, UDP_SEGMENT, _SIZE.pack(segment)))
            self._marks[tos, segment] = made
        return made
