"""STAMP Session-Sender: a steady stream to one reflector, and the figures of the last seconds."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import OrderedDict
from ipaddress import IPv4Address

from collectors.probe import stamp, stamps
from collectors.probe.figures import Answer, Figures, Probe, summarise

WINDOW_S = 10.0
GIVE_UP_S = 1.0  # an answer later than this counts as lost


class Sender:
    """Sends on one socket, connected to the reflector."""

    def __init__(self, link: socket.socket, target: str, interval_ms: int, port: int = stamp.PORT) -> None:
        """``link``: non-blocking UDP socket, bound to the source; owned by the sender from now on."""
        self._link = link
        self._interval_s = interval_ms / 1000
        self._session = int(IPv4Address(target)) & 0xFFFF or 1
        self._probes: OrderedDict[int, Probe] = OrderedDict()
        self._sequence = 0
        self._stamped = 0  # packets the kernel accepted: its stamps count those
        self._by_stamp: dict[int, int] = {}  # kernel's number -> sequence
        self.errors = 0
        link.connect((target, port))
        stamps.stamp_both(link)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(link.fileno(), self._readable)
        # Senders of one host start out of step, or their packets would queue behind each other.
        self._due = self._loop.time() + (int(IPv4Address(target)) * 0.618034 % 1.0) * self._interval_s
        self._timer = self._loop.call_at(self._due, self._send)

    def close(self) -> None:
        """Stop sending."""
        self._timer.cancel()
        self._loop.remove_reader(self._link.fileno())
        self._link.close()

    def figures(self) -> Figures:
        """The last ten seconds, without probes that may still be answered."""
        now_ns = time.time_ns()
        oldest, newest = now_ns - int(WINDOW_S * 1e9), now_ns - int(GIVE_UP_S * 1e9)
        while self._probes and next(iter(self._probes.values())).sent_ns < oldest:
            self._probes.popitem(last=False)
        return summarise([probe for probe in self._probes.values() if probe.sent_ns <= newest])

    def _send(self) -> None:
        now = self._loop.time()
        self._due = max(self._due + self._interval_s, now)  # late ticks are not caught up: no bursts
        self._timer = self._loop.call_at(self._due, self._send)
        sequence = self._sequence
        self._sequence = (sequence + 1) & 0xFFFFFFFF
        sent_ns = time.time_ns()
        self._probes[sequence] = Probe(sequence, sent_ns, None)
        while len(self._probes) > 4096:
            self._probes.popitem(last=False)
        try:
            self._link.send(stamp.build_sender(stamp.SenderPacket(sequence, sent_ns, self._session)))
        except OSError:  # unreachable, or an earlier ICMP error: the probe is lost
            self.errors += 1
            return
        self._by_stamp[self._stamped] = sequence
        self._stamped = (self._stamped + 1) & 0xFFFFFFFF
        self._by_stamp.pop(self._stamped - 64, None)

    def _readable(self) -> None:
        for number, at_ns in stamps.sent_stamps(self._link):
            sequence = self._by_stamp.pop(number, -1)
            if (probe := self._probes.get(sequence)) is not None:
                self._probes[sequence] = probe._replace(sent_ns=at_ns)
        for _ in range(32):
            try:
                packet = stamps.receive(self._link)
            except BlockingIOError:
                return
            except OSError:
                self.errors += 1
                return
            self._answered(packet)

    def _answered(self, packet: stamps.Received) -> None:
        try:
            answer = stamp.parse_reflector(packet.data)
        except stamp.BadPacket:
            self.errors += 1
            return
        probe = self._probes.get(answer.sender_sequence)
        if probe is None or probe.answer is not None:
            return  # too old, or a duplicate
        if packet.at_ns - probe.sent_ns > GIVE_UP_S * 1e9:
            return
        times = Answer(answer.received_ns, answer.sent_ns, packet.at_ns, answer.sequence)
        self._probes[answer.sender_sequence] = probe._replace(answer=times)
