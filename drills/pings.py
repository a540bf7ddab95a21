"""Steady echoes from each hall to its relay: what an outage cost a hall, in lost echoes."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterable

from drills.flows import Flow, Flows
from drills.lab import Lab
from drills.policy import Place

_ECHO, _REPLY = 8, 0  # RFC 792
_HEAD = struct.Struct("!BBHHH")


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return int(~(total + (total >> 16)) & 0xFFFF)


def echo(identifier: int, sequence: int) -> bytes:
    """An ICMP echo request that carries its own, longer sequence number."""
    body = struct.pack("!I", sequence)
    head = _HEAD.pack(_ECHO, 0, 0, identifier, sequence & 0xFFFF)
    return _HEAD.pack(_ECHO, 0, _checksum(head + body), identifier, sequence & 0xFFFF) + body


class Pings(Flows):
    """Echo requests every ``interval_ms`` from the halls' own computers; closed and made anew when a host was replaced:
    its sockets die with it."""

    def __init__(self, lab: Lab, halls: Iterable[str], interval_ms: float) -> None:
        self._halls = [lab.model.halls[code] for code in halls]
        super().__init__(lab, [], interval_ms)

    def _open_all(self, lab: Lab, pairs: list[tuple[Place, Place]]) -> list[Flow]:
        flows = []
        for hall in self._halls:
            near = lab.socket(hall.host, "", socket.SOCK_RAW, socket.IPPROTO_ICMP)
            near.bind((str(hall.address), 0))
            flows.append(Flow(hall.code, near, None, (str(lab.model.services["media"].address), 0)))
        return flows

    def _send(self, flow: Flow, now: float) -> None:
        with contextlib.suppress(OSError):
            flow.source.sendto(echo(self._identifier(flow), flow.sent), flow.goal)
        flow.sent += 1

    def _collect(self, flow: Flow) -> None:
        with contextlib.suppress(OSError):
            while True:
                data = flow.source.recv(256)
                start = (data[0] & 15) * 4
                if len(data) >= start + 12 and data[start] == _REPLY:
                    identifier, sequence = struct.unpack_from("!H2xI", data, start + 4)
                    if identifier == self._identifier(flow):
                        flow.back.add(sequence)

    def _identifier(self, flow: Flow) -> int:
        return 0x5300 + self._flows.index(flow)
