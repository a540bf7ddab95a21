"""Steady probe flows between places of a running county: what an outage cost, in lost packets.

Loss is told by sequence numbers, never by the clock of a busy machine: ``lost_ms`` is the number of probes that
never came back, in a row, times the interval they were sent at.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

from drills.lab import Lab
from drills.policy import Place

_SEQUENCE = struct.Struct("!QI")


@dataclass
class Flow:
    """One stream of probes, there and back."""

    name: str
    source: socket.socket
    target: socket.socket | None  # echoes; None: somebody else answers
    goal: tuple[str, int]
    sent: int = 0
    back: set[int] = field(default_factory=set)


class Flows:
    """Probes each flow every ``interval_ms`` in a thread of its own until closed.

    The echo side runs in the same thread: both ends are sockets in the county's namespaces.
    """

    def __init__(self, lab: Lab, pairs: list[tuple[Place, Place]], interval_ms: float = 5.0) -> None:
        self._interval_s = interval_ms / 1000
        self._flows = self._open_all(lab, pairs)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flows", daemon=True)
        self._thread.start()

    def _open_all(self, lab: Lab, pairs: list[tuple[Place, Place]]) -> list[Flow]:
        return [self._open(lab, *pair) for pair in pairs]

    def _open(self, lab: Lab, source: Place, target: Place) -> Flow:
        near = lab.socket(source.host, source.vrf, socket.SOCK_DGRAM)
        near.bind((str(source.address), 0))
        far = lab.socket(target.host, target.vrf, socket.SOCK_DGRAM)
        far.bind((str(target.address), 0))
        for end in (near, far):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        return Flow(f"{source} -> {target}", near, far, far.getsockname())

    def _run(self) -> None:
        poller = select.poll()
        near = {flow.source.fileno(): flow for flow in self._flows}
        far = {flow.target.fileno(): flow for flow in self._flows if flow.target is not None}
        for number in (*near, *far):
            poller.register(number, select.POLLIN)
        due = time.monotonic()
        while not self._stop.is_set():
            now = time.monotonic()
            if now >= due:
                for flow in self._flows:
                    self._send(flow, now)
                due = max(due + self._interval_s, now)  # late: skip ahead, never burst
            for number, _ in poller.poll(max(0.0, (due - time.monotonic()) * 1000)):
                if number in far:
                    self._echo(far[number])
                else:
                    self._collect(near[number])

    def _send(self, flow: Flow, now: float) -> None:
        # a dead route refuses the packet at once: it counts as sent and lost
        with contextlib.suppress(OSError):
            flow.source.sendto(_SEQUENCE.pack(flow.sent, int(now) & 0xFFFFFFFF), flow.goal)
        flow.sent += 1

    def _echo(self, flow: Flow) -> None:
        assert flow.target is not None
        with contextlib.suppress(OSError):
            while True:
                data, peer = flow.target.recvfrom(64)
                flow.target.sendto(data, peer)

    def _collect(self, flow: Flow) -> None:
        with contextlib.suppress(OSError):
            while True:
                data = flow.source.recv(64)
                if len(data) == _SEQUENCE.size:
                    flow.back.add(_SEQUENCE.unpack(data)[0])

    def mark(self) -> list[int]:
        """Where every flow is now; hand it to ``lost_ms`` later."""
        return [flow.sent for flow in self._flows]

    def lost_ms(self, since: list[int], settle_s: float = 0.5) -> float:
        """Longest row of lost probes of any flow since the mark, in milliseconds."""
        return max(self.lost_each_ms(since, settle_s).values(), default=0.0)

    def lost_each_ms(self, since: list[int], settle_s: float = 0.5) -> dict[str, float]:
        """Longest row of lost probes since the mark by flow, in milliseconds."""
        until = self.mark()
        time.sleep(settle_s)
        lost = {}
        for flow, first, last in zip(self._flows, since, until, strict=True):
            row = worst = 0
            for sequence in range(first, last):
                row = 0 if sequence in flow.back else row + 1
                worst = max(worst, row)
            lost[flow.name] = round(worst * self._interval_s * 1000, 1)
        return lost

    def lost(self, since: list[int], settle_s: float = 0.5) -> list[int]:
        """How many probes of each flow never came back since the mark."""
        until = self.mark()
        time.sleep(settle_s)
        return [
            sum(sequence not in flow.back for sequence in range(first, last))
            for flow, first, last in zip(self._flows, since, until, strict=True)
        ]

    def answered_for_s(self, since: list[int]) -> list[float]:
        """How long after the mark each flow's last answered probe was sent, in seconds; 0 when none was."""
        return [
            (max((each for each in list(flow.back) if each >= first), default=first - 1) - first + 1) * self._interval_s
            for flow, first in zip(self._flows, since, strict=True)
        ]

    def answered_since(self, mark: list[int], grace_s: float = 1.0) -> list[bool]:
        """Whether any probe of each flow was answered that was sent later than ``grace_s`` after the mark."""
        skip = round(grace_s / self._interval_s)
        return [
            any(each >= first + skip for each in list(flow.back)) for flow, first in zip(self._flows, mark, strict=True)
        ]

    def flowing(self, within_s: float) -> bool:
        """Wait until every flow answers again; False when one does not within the time."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            marks = self.mark()
            time.sleep(0.2)
            if all(
                any(number in flow.back for number in range(mark, flow.sent))
                for flow, mark in zip(self._flows, marks, strict=True)
            ):
                return True
        return False

    def close(self) -> None:
        """Stop probing and give the sockets back."""
        self._stop.set()
        self._thread.join(timeout=5)
        for flow in self._flows:
            flow.source.close()
            if flow.target is not None:
                flow.target.close()
