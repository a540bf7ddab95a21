"""The agent's STAMP reflectors and senders: opened when their VRF and address are there, reopened when remade."""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial

from collectors.agent import config
from collectors.agent.state import AgentState
from collectors.agent.vrf import identity, open_socket
from collectors.probe import stamp
from collectors.probe.reflector import Reflector
from collectors.probe.sender import Sender


class _Slot:
    """One thing that lives on a socket of a VRF."""

    def __init__(self, name: str, vrf: str, make: Callable[[], Reflector | Sender]) -> None:
        self.name = name
        self.vrf = vrf
        self.make = make
        self.identity = -1
        self.thing: Reflector | Sender | None = None
        self.error = ""

    def ensure(self) -> None:
        """Open, or open again when the VRF was remade."""
        now = identity(self.vrf)
        if self.thing is not None and now != self.identity:
            self.thing.close()
            self.thing = None
        if self.thing is None:
            try:
                self.thing, self.identity, self.error = self.make(), now, ""
            except OSError as problem:
                self.error = problem.strerror or str(problem)


def _bound(vrf: str, address: str, port: int) -> socket.socket:
    link = open_socket(vrf, socket.AF_INET, socket.SOCK_DGRAM)
    try:
        link.bind((address, port))
    except OSError:
        link.close()
        raise
    return link


def _reflector(row: config.Reflector) -> Reflector:
    return Reflector(_bound(row.vrf, row.address, stamp.PORT))


def _sender(row: config.Sender) -> Sender:
    return Sender(_bound(row.vrf, row.source, 0), row.target, row.interval_ms)


class Probes:
    """All of one agent's probes."""

    def __init__(self, settings: config.AgentConfig, state: AgentState) -> None:
        self._state = state
        self._config = settings
        self._reflectors = [
            _Slot(f"{row.vrf}/{row.address}", row.vrf, partial(_reflector, row)) for row in settings.reflectors
        ]
        self._senders = [_Slot(row.name, row.vrf, partial(_sender, row)) for row in settings.senders]

    def ensure(self) -> None:
        """Call every few seconds."""
        for slot in (*self._reflectors, *self._senders):
            slot.ensure()
        if self._reflectors:
            errors = [f"{slot.name}: {slot.error}" for slot in self._reflectors if slot.error]
            self._state.put("sources", "reflector", {"ok": not errors, "error": "; ".join(errors)})

    def publish(self) -> None:
        """Put every path's figures into the state."""
        for slot, row in zip(self._senders, self._config.senders, strict=True):
            base = {"vrf": row.vrf, "source": row.source, "target": row.target}
            if isinstance(slot.thing, Sender):
                figures = slot.thing.figures()
                if figures.sent:
                    self._state.put("probes", row.name, {**base, "error": "", **figures._asdict()})
                continue
            self._state.put("probes", row.name, {**base, "error": slot.error})

    def reflected(self) -> int:
        """Packets answered since the start."""
        return sum(slot.thing.reflected for slot in self._reflectors if isinstance(slot.thing, Reflector))

    def close(self) -> None:
        """Close every socket."""
        for slot in (*self._reflectors, *self._senders):
            if slot.thing is not None:
                slot.thing.close()
                slot.thing = None
