"""Who is plugged into which port: LLDP frames (IEEE 802.1AB-2016) sent and heard on the appliance's cables.

One packet socket per namespace that has cables; a frame every 30 s and port.  Figures: section ``lldp``, by port:
``{"vrf", "chassis", "port", "name", "mac"}``.  A neighbour that is not heard for its own time to live, or whose cable
is dark, is gone.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Mapping
from typing import NamedTuple

from collectors.agent.frames import device_mac, mac_text, packet_socket
from collectors.agent.state import AgentState, Value
from collectors.agent.vrf import identity

ETHERTYPE = 0x88CC
NEAREST_BRIDGE = bytes.fromhex("0180c200000e")  # never forwarded by a bridge (802.1AB, table 7-1)
PERIOD_S = 30
TTL_S = 120  # of what we send: four periods
_END, _CHASSIS, _PORT, _TTL, _NAME = 0, 1, 2, 3, 5  # TLV types, 802.1AB table 8-1
_LOCAL, _INTERFACE_NAME, _MAC_CHASSIS, _MAC_PORT = 7, 5, 4, 3  # subtypes of chassis and port
_HEADER = 14


class BadFrame(ValueError):
    """Not an LLDP frame."""


class Neighbour(NamedTuple):
    """What a frame says of its sender."""

    chassis: str
    port: str
    ttl_s: int  # 0: it leaves
    name: str


def build(host: str, port: str, mac: bytes) -> bytes:
    """A frame: chassis and system name are the host's, the port its device name."""

    def tlv(kind: int, value: bytes) -> bytes:
        return struct.pack("!H", kind << 9 | len(value)) + value

    return (
        NEAREST_BRIDGE + mac + struct.pack("!H", ETHERTYPE)
        + tlv(_CHASSIS, bytes([_LOCAL]) + host.encode()[:255])
        + tlv(_PORT, bytes([_INTERFACE_NAME]) + port.encode()[:255])
        + tlv(_TTL, struct.pack("!H", TTL_S))
        + tlv(_NAME, host.encode()[:255])
        + tlv(_END, b"")
    )  # fmt: skip


def parse(frame: bytes) -> Neighbour:
    """A whole Ethernet frame.

    Raises:
        BadFrame: the three TLVs that must come first do not (802.1AB, clause 9.2.7.7.1), or one is too short.
    """
    if len(frame) < _HEADER or frame[12:14] != struct.pack("!H", ETHERTYPE):
        raise BadFrame("no LLDP frame")
    at, name = _HEADER, ""
    found: list[bytes] = []
    while at + 2 <= len(frame):
        (head,) = struct.unpack_from("!H", frame, at)
        kind, length = head >> 9, head & 0x1FF
        value = frame[at + 2 : at + 2 + length]
        if len(value) < length:
            raise BadFrame(f"TLV {kind} is cut off")
        at += 2 + length
        if len(found) < 3:
            if kind != (_CHASSIS, _PORT, _TTL)[len(found)] or len(value) < 2:
                raise BadFrame(f"TLV {kind} where {(_CHASSIS, _PORT, _TTL)[len(found)]} must stand")
            found.append(value)
        elif kind == _END:
            break
        elif kind == _NAME:
            name = _text(value)
    if len(found) < 3:
        raise BadFrame("cut off")
    chassis, port, ttl = found
    return Neighbour(_id(chassis, _MAC_CHASSIS), _id(port, _MAC_PORT), struct.unpack_from("!H", ttl)[0], name)


def _id(value: bytes, mac: int) -> str:
    return mac_text(value[1:]) if value[0] == mac else _text(value[1:])


def _text(value: bytes) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in value.decode("utf-8", "replace"))


class Lldp:
    """All cables of one appliance."""

    def __init__(self, host: str, state: AgentState) -> None:
        self._host = host
        self._state = state
        self._sockets: dict[str, tuple[int, socket.socket]] = {}  # VRF -> identity of its namespace, socket
        self._until: dict[str, float] = {}  # port -> when its neighbour is given up
        self._sent: dict[str, float] = {}  # port -> when

    def tick(self, now: float) -> None:
        """Call every second or so: read what came, send what is due."""
        cables = {
            name: port["vrf"]
            for name, port in self._state.sections["ports"].items()
            if name[:1] == "p" and name[1:].isdigit() and port["up"]
        }
        self._open(set(cables.values()))
        for vrf, (_, link) in self._sockets.items():
            self._read(vrf, link, cables, now)
        for port, vrf in cables.items():
            if now >= self._sent.get(port, 0.0) + PERIOD_S and vrf in self._sockets:
                self._sent[port] = now
                link = self._sockets[vrf][1]
                with contextlib.suppress(OSError):  # gone this very moment
                    link.sendto(build(self._host, port, device_mac(link, port)), (port, ETHERTYPE))
        for port in [port for port in self._sent if port not in cables]:
            del self._sent[port]  # announced at once when its light is back
        for port in [port for port, until in self._until.items() if now >= until or port not in cables]:
            self._gone(port)

    def _open(self, wanted: set[str]) -> None:
        for vrf in [vrf for vrf, (seen, _) in self._sockets.items() if vrf not in wanted or identity(vrf) != seen]:
            self._sockets.pop(vrf)[1].close()
        for vrf in wanted - set(self._sockets):
            with contextlib.suppress(OSError):
                self._sockets[vrf] = (identity(vrf), packet_socket(vrf, ETHERTYPE))

    def _read(self, vrf: str, link: socket.socket, cables: Mapping[str, str], now: float) -> None:
        for _ in range(128):
            try:
                frame, (port, _protocol, kind, *_) = link.recvfrom(2048)
            except OSError:  # nothing more, or a device that went away
                return
            if kind == socket.PACKET_OUTGOING or port not in cables:
                continue
            try:
                neighbour = parse(frame)
            except BadFrame:
                continue
            if neighbour.ttl_s == 0:
                self._gone(port)
                continue
            self._until[port] = now + neighbour.ttl_s
            self._state.put("lldp", port, self._value(vrf, neighbour, frame))

    @staticmethod
    def _value(vrf: str, neighbour: Neighbour, frame: bytes) -> Value:
        return {
            "vrf": vrf,
            "chassis": neighbour.chassis[:64],
            "port": neighbour.port[:64],
            "name": neighbour.name[:64],
            "mac": mac_text(frame[6:12]),
        }

    def _gone(self, port: str) -> None:
        self._until.pop(port, None)
        self._state.put("lldp", port, None)

    def close(self) -> None:
        """Close every socket."""
        for _, link in self._sockets.values():
            link.close()
        self._sockets.clear()
