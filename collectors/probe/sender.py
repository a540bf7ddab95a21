"""STAMP Session-Sender: a steady stream to one reflector, and the figures of the last seconds.

Nothing here waits for an answer: the kernel stamps every packet as it comes and goes, so each tick first reads what
came since the last one and then sends.  One timer serves all senders of a process: waking a process costs more than
what it does with a packet.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from ipaddress import IPv4Address

from collectors.probe import stamp, stamps
from collectors.probe.figures import Answer, Figures, Probe, round_trip, summarise

WINDOW_S = 8.0
RECENT_S = 5.0
"""What the least round trip and the capacity are of: a line that has just become slow shows it sooner."""

SILENCE_S = 2.0
TRAIN_SILENCE_S = 4.0
"""A probe is lost when a later one was answered, or when nothing was for this long: a busy reflector is no loss (that
of a line answers once a second)."""

OUTAGE_S = 2.5
"""When answers return after such a gap a new window begins: an outage is no loss ratio."""

TRAIN = 6
"""Packets that a line's sender sends back to back, once a second."""

TRAIN_OCTETS = 1472  # of UDP payload: 1500 octets of IP, what every user's packet may have
_LATE_NS = 1_000_000_000  # a stamp this much later than the program's own time is another packet's
_HEADERS = 42  # Ethernet, IPv4, UDP
_BITS = 8 * (TRAIN_OCTETS + _HEADERS)
_CS6 = 0xC0  # class "control": on a full line a probe tells of the line, not of the queue


class Sender:
    """Sends on one socket, connected to the reflector.

    ``train``: every tick a few packets of 1500 octets leave back to back, and the figures tell the line's capacity.
    """

    def __init__(self, link: socket.socket, target: str, *, train: bool = False, port: int = stamp.PORT) -> None:
        """``link``: non-blocking UDP socket, bound to the source; owned by the sender from now on."""
        self._link = link
        self._session = int(IPv4Address(target)) & 0xFFFF or 1
        self._train = TRAIN if train else 1
        self._tlvs = stamp.tlvs(TRAIN_OCTETS if train else 0)
        self._silence_ns = int((TRAIN_SILENCE_S if train else SILENCE_S) * 1e9)
        self._probes: deque[Probe] = deque()  # sequences without a gap
        self._anchor: Probe | None = None
        self._answered = -1  # newest sequence that was answered
        self._answered_ns = 0  # and when it was sent
        self._newest: Probe | None = None  # the last one answered: when its answer left is told by the next
        self._reflector_sequence = -1
        self._sequence = 0
        self._stamped = 0  # packets the kernel accepted: its stamps count those
        self._by_stamp: dict[int, Probe] = {}  # kernel's number -> probe
        self.errors = 0
        link.connect((target, port))
        link.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, stamp.TTL)
        if train:
            link.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _CS6)
        stamps.stamp_both(link)

    def close(self) -> None:
        """Give the socket up."""
        self._link.close()

    def forget(self) -> None:
        """Begin a new window: what was sent until now is not judged."""
        self._probes.clear()
        self._anchor, self._answered_ns = None, 0

    def tick(self) -> None:
        """Read what came, then send."""
        self.read()
        for _ in range(self._train):
            self._send()

    def lost(self) -> int:
        """Lost packets of the window, in few instructions: whether the figures are worth telling at once."""
        return sum(probe.answer is None and probe.sequence < self._answered for probe in self._probes)

    def figures(self) -> Figures:
        """The last seconds, without probes that may still be answered."""
        now_ns = time.time_ns()
        oldest, silent = now_ns - int(WINDOW_S * 1e9), now_ns - self._silence_ns
        while self._probes and self._probes[0].sent_ns < oldest:
            probe = self._probes.popleft()
            if probe.answer is not None:
                self._anchor = probe
        judged = [probe for probe in self._probes if probe.sequence <= self._answered or probe.sent_ns <= silent]
        return summarise(judged, self._anchor, self._train, now_ns - int(RECENT_S * 1e9), _BITS)

    def round_trips_ns(self) -> list[int]:
        """Of every answered probe of the window, without the reflector's own time."""
        return [round_trip(probe, probe.answer) for probe in self._probes if probe.answer is not None]

    def _send(self) -> None:
        probe = Probe(self._sequence, time.time_ns())
        try:
            packet = stamp.SenderPacket(probe.sequence, probe.sent_ns, self._session)
            self._link.send(stamp.build_sender(packet, self._tlvs))
        except OSError:  # no way out of this host, or an earlier ICMP error: nothing was sent
            self.errors += 1
            return
        self._sequence += 1
        self._probes.append(probe)
        self._by_stamp[self._stamped] = probe
        self._stamped = (self._stamped + 1) & 0xFFFFFFFF
        self._by_stamp.pop(self._stamped - 64, None)

    def read(self) -> None:
        """Take every stamp and answer that has come."""
        if self._by_stamp:
            for number, at_ns in stamps.sent_stamps(self._link):
                probe = self._by_stamp.pop(number, None)
                if probe is not None and 0 <= at_ns - probe.sent_ns < _LATE_NS:
                    probe.sent_ns = at_ns
        for _ in range(256):
            try:
                packet = stamps.receive(self._link)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error of an earlier packet
                self.errors += 1
                continue
            self._take(packet)

    def _take(self, packet: stamps.Received) -> None:
        try:
            answer = stamp.parse_reflector(packet.data)
        except stamp.BadPacket:
            self.errors += 1
            return
        if answer.follow_up is not None:
            self._correct(answer.follow_up)
        sequence = answer.sender_sequence
        place = sequence - self._probes[0].sequence if self._probes else -1
        if not 0 <= place < len(self._probes) or self._probes[place].answer is not None:
            return  # too old, never sent, or a duplicate
        if sequence > self._answered:
            outage = self._probes[place].sent_ns - self._answered_ns > OUTAGE_S * 1e9
            if outage or answer.sequence <= self._reflector_sequence:
                # The first answer of all, after an outage, or of a reflector that was started just now: what was not
                # answered before was not lost on the way.
                self._drop_before(place)
                place = 0
            self._answered, self._answered_ns = sequence, self._probes[place].sent_ns
            self._reflector_sequence = answer.sequence
        times = Answer(answer.received_ns, answer.sent_ns, packet.at_ns, answer.sequence)
        self._newest = self._probes[place]
        self._newest.answer = times

    def _correct(self, told: stamp.FollowUp) -> None:
        """The reflector's kernel has stamped the answer before: what its program took to send is no delay."""
        before = self._newest.answer if self._newest is not None else None
        if self._newest is None or before is None or before.reflector_sequence != told.sequence:
            return
        if before.returned_ns <= told.sent_ns <= before.returned_ns + _LATE_NS:
            self._newest.answer = before._replace(returned_ns=told.sent_ns)

    def _drop_before(self, place: int) -> None:
        self._anchor = None
        for _ in range(place):
            self._probes.popleft()
