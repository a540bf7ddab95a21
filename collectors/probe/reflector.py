"""STAMP Session-Reflector, stateful (RFC 8762 section 4.3): counts its answers per sender, so that the sender can tell
on which way a packet was lost."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import OrderedDict

from collectors.probe import stamp, stamps

_SESSIONS = 256  # senders remembered, the longest silent is forgotten first


class Reflector:
    """Answers on one bound UDP socket.

    A prompt one answers as packets come.  The other, for lines, answers when ``read`` is called, each second: the
    kernel has stamped what came, the sender takes the time in between off (RFC 8762: T3 - T2), and a process that is
    woken for each packet costs several times what the answer does.
    """

    def __init__(self, link: socket.socket, *, prompt: bool = True) -> None:
        """``link``: non-blocking, bound; owned by the reflector from now on."""
        self._link = link
        self._sessions: OrderedDict[tuple[str, int, int], stamp.FollowUp] = OrderedDict()  # sender -> last answer
        self._stamped = 0  # packets the kernel accepted: its stamps count those
        self.reflected = 0
        self.refused = 0
        link.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, stamp.TTL)
        stamps.stamp_both(link)
        self._loop = asyncio.get_running_loop() if prompt else None
        if self._loop is not None:
            self._loop.add_reader(link.fileno(), self.read)

    def close(self) -> None:
        """Stop answering."""
        if self._loop is not None:
            self._loop.remove_reader(self._link.fileno())
        self._link.close()

    def read(self) -> None:
        """Answer what has come, a bounded number."""
        stamps.sent_stamps(self._link)  # late ones, of ports with a queue: they would wake us for ever
        for _ in range(64):
            try:
                packet = stamps.receive(self._link)
            except BlockingIOError:
                return
            except OSError:
                continue
            self._reflect(packet)

    def _reflect(self, packet: stamps.Received) -> None:
        try:
            request = stamp.parse_sender(packet.data)
        except stamp.BadPacket:
            self.refused += 1
            return
        key = (*packet.source, request.session)
        last = self._sessions.pop(key, None)
        count = last.sequence + 1 if last is not None else 0
        sent_ns = time.time_ns()
        answer = stamp.ReflectorPacket(
            sequence=count,
            sent_ns=sent_ns,
            session=request.session,
            received_ns=packet.at_ns,
            sender_sequence=request.sequence,
            sender_sent_ns=request.sent_ns,
            sender_ttl=packet.ttl & 0xFF,
            follow_up=last,
        )
        try:
            self._link.sendto(stamp.build_reflector(answer, packet.data), packet.source)
            self.reflected += 1
            sent_ns = self._stamp() or sent_ns
        except OSError:  # no route back: the sender counts it as lost, which it is
            self.refused += 1
        self._sessions[key] = stamp.FollowUp(count, sent_ns)
        if len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)

    def _stamp(self) -> int:
        """When the packet just sent left, if the kernel says so at once, as it does on every port without a queue."""
        found = [at_ns for number, at_ns in stamps.sent_stamps(self._link) if number == self._stamped]
        self._stamped = (self._stamped + 1) & 0xFFFFFFFF
        return found[0] if found else 0
