"""The agent's STAMP reflectors and senders: opened when their VRF and address are there, reopened when remade."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from collectors.agent import config
from collectors.agent.state import AgentState
from collectors.agent.vrf import identity, open_socket
from collectors.probe import stamp
from collectors.probe.figures import Figures
from collectors.probe.reflector import Reflector
from collectors.probe.sender import Sender

_TELL_S = 2.0  # figures are made this often, and at once when the losses of a line have changed
_AT_REST_S = 6.0  # of a line that goes on as before they are told this often
_CHANGED = 1.25  # a capacity, or a round trip longer than _SHORT_MS, that is another by this factor
_SHORT_MS = 0.5
_SO_RCVBUFFORCE = 33
_BUFFER_OCTETS = 2 << 20  # a busy agent loses no probe for seconds

Thing = TypeVar("Thing", bound=Reflector | Sender)


class _Slot(Generic[Thing]):
    """One thing that lives on a socket of a VRF."""

    def __init__(self, name: str, vrf: str, make: Callable[[], Thing]) -> None:
        self.name = name
        self.vrf = vrf
        self.make = make
        self.identity = -1
        self.thing: Thing | None = None
        self.error = ""

    def ensure(self) -> None:
        """Open, or open again when the VRF was remade."""
        now = identity(self.vrf)
        if now != self.identity:
            self.close()
        if self.thing is None:
            try:
                self.thing, self.identity, self.error = self.make(), now, ""
            except OSError as problem:
                self.error = problem.strerror or str(problem)

    def close(self) -> None:
        """Give the socket up."""
        if self.thing is not None:
            self.thing.close()
            self.thing = None


class _Path(_Slot[Sender]):
    """A sender, and when its figures are told."""

    def __init__(self, row: config.Sender) -> None:
        super().__init__(row.name, row.vrf, partial(_sender, row))
        self.row = row
        self.look_at = 0.0
        self.tell_at = 0.0
        self.lost = 0
        self.told: Figures | None = None


def _bound(vrf: str, address: str, port: int, device: str = "") -> socket.socket:
    link = open_socket(vrf, socket.AF_INET, socket.SOCK_DGRAM)
    try:
        link.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_OCTETS)
        if device:  # a line that is down is not probed over another
            link.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        link.bind((address, port))
    except OSError:
        link.close()
        raise
    return link


def _reflector(row: config.Reflector) -> Reflector:
    return Reflector(_bound(row.vrf, row.address, stamp.PORT, row.port), prompt=not row.port)


def _sender(row: config.Sender) -> Sender:
    # On a line both ends use STAMP's own port: the rulesets need one door and no memory.
    link = _bound(row.vrf, row.source, stamp.PORT if row.port else 0, row.port)
    return Sender(link, row.target, train=bool(row.port))


def _alike(now: Figures, before: Figures) -> bool:
    """Nothing in them that a judge would change his mind about."""
    trip, trip_before = (max(each.rtt_min_ms or 0.0, _SHORT_MS) for each in (now, before))
    rate, rate_before = (each.bottleneck_bps or 1e12 for each in (now, before))
    return (
        (now.sent > 0, now.lost) == (before.sent > 0, before.lost)
        and max(trip, trip_before) < _CHANGED * min(trip, trip_before)
        and max(rate, rate_before) < _CHANGED * min(rate, rate_before)
    )


class Probes:
    """All of one agent's probes."""

    def __init__(self, settings: config.AgentConfig, state: AgentState) -> None:
        self._state = state
        self._reflectors: list[_Slot[Reflector]] = [
            _Slot(f"{row.vrf}/{row.address}", row.vrf, partial(_reflector, row)) for row in settings.reflectors
        ]
        self._line_reflectors = [
            slot for slot, row in zip(self._reflectors, settings.reflectors, strict=True) if row.port
        ]
        self._paths = [_Path(row) for row in settings.senders if not row.port]
        self._lines = [_Path(row) for row in settings.senders if row.port]

    def ensure(self) -> None:
        """Call every few seconds."""
        for reflector in self._reflectors:
            reflector.ensure()
        for path in (*self._paths, *self._lines):
            path.ensure()
        if self._reflectors:
            errors = [f"{slot.name}: {slot.error}" for slot in self._reflectors if slot.error]
            self._state.put("sources", "reflector", {"ok": not errors, "error": "; ".join(errors)})

    async def run(self) -> None:
        """Probe the paths until cancelled; one timer for all."""
        if not self._paths:
            return
        loop = asyncio.get_running_loop()
        period = min(path.row.interval_ms for path in self._paths) / 1000
        due = loop.time()
        while True:
            for path in self._paths:
                if path.thing is not None:
                    path.thing.tick()
                self._tell(path, due)
            due = max(due + period, loop.time())  # late ticks are not caught up
            await asyncio.sleep(due - loop.time())

    def lines(self) -> None:
        """Probe the lines: call every second."""
        now = asyncio.get_running_loop().time()
        for slot in self._line_reflectors:
            if slot.thing is not None:
                slot.thing.read()
        for path in self._lines:
            port = self._state.sections["ports"].get(path.row.port)
            if path.thing is not None:
                if port is None or port["up"]:
                    path.thing.tick()
                else:
                    path.thing.forget()  # dark: nothing is sent, nothing lost
            self._tell(path, now)

    def _tell(self, path: _Path, now: float) -> None:
        """Put a path's figures into the state."""
        row = path.row
        base = {"vrf": row.vrf, "source": row.source, "target": row.target}
        if path.thing is None:
            self._state.put("probes", row.name, {**base, "error": path.error})
            return
        lost = path.thing.lost() if row.port else 0
        if lost == path.lost and now < path.look_at:
            return
        path.lost, path.look_at = lost, now + _TELL_S - 0.1
        figures = path.thing.figures()
        if row.port and now < path.tell_at and path.told is not None and _alike(figures, path.told):
            return
        path.told, path.tell_at = figures, now + _AT_REST_S - 0.1
        if figures.sent:
            self._state.put("probes", row.name, {**base, "error": "", **figures._asdict()})
        elif row.port:
            self._state.put("probes", row.name, None)

    def reflected(self) -> int:
        """Packets answered since the start."""
        return sum(slot.thing.reflected for slot in self._reflectors if slot.thing is not None)

    def close(self) -> None:
        """Close every socket."""
        for reflector in self._reflectors:
            reflector.close()
        for path in (*self._paths, *self._lines):
            path.close()
