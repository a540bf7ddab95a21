"""Which way this host would send a packet now: its kernel is asked, as `ip route get` does (rtnetlink, RTM_GETROUTE).

So policy rules, ports and the choice among equal routes count, and what a routing daemon believes does not.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from ipaddress import IPv4Address
from urllib.parse import parse_qs

from collectors.agent.state import Value
from collectors.agent.vrf import open_socket

_HEADER = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=8BI")  # struct rtmsg
_ATTRIBUTE = struct.Struct("=HH")
_GETROUTE, _ERROR = 26, 2
_DST, _SRC, _IIF, _OIF, _GATEWAY, _IP_PROTO, _SPORT, _DPORT = 1, 2, 3, 4, 5, 27, 28, 29
_KINDS = {1: "unicast", 2: "local", 3: "broadcast", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
_PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1}
_TIMEOUT_S = 1.0


def page(query: str) -> tuple[str, bytes]:
    """``/route?vrf=gov&from=A&to=B&iif=p5&protocol=udp&sport=1&dport=2``; only ``to`` must be there.

    ``{"kind": "unicast", "device": "p101", "gateway": "172.20.0.202"}``; kind "local": here; "error": no route.

    Raises:
        ValueError: a field that cannot be.
    """
    fields = {key: values[-1] for key, values in parse_qs(query).items()}
    value = lookup(
        fields.get("vrf", ""),
        IPv4Address(fields.get("to", "")),
        source=IPv4Address(fields["from"]) if "from" in fields else None,
        came_by=fields.get("iif", ""),
        protocol=_PROTOCOLS.get(fields.get("protocol", ""), 0),
        ports=(int(fields.get("sport", "0")) & 0xFFFF, int(fields.get("dport", "0")) & 0xFFFF),
    )
    return "application/json", json.dumps(value).encode() + b"\n"


def lookup(
    vrf: str,
    target: IPv4Address,
    *,
    source: IPv4Address | None = None,
    came_by: str = "",
    protocol: int = 0,
    ports: tuple[int, int] = (0, 0),
) -> Value:
    """One packet's way out of one VRF; a failure is told in ``error``."""
    try:
        with open_socket(vrf, socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as link:
            link.setblocking(True)
            link.settimeout(_TIMEOUT_S)
            attributes = _attribute(_DST, target.packed)
            if source is not None:
                attributes += _attribute(_SRC, source.packed)
            if came_by:
                attributes += _attribute(_IIF, struct.pack("=I", _index(vrf, came_by)))
            if protocol:
                attributes += _attribute(_IP_PROTO, bytes([protocol]))
                for kind, port in zip((_SPORT, _DPORT), ports, strict=True):
                    if port and protocol != _PROTOCOLS["icmp"]:
                        attributes += _attribute(kind, struct.pack("!H", port))
            body = _ROUTE.pack(socket.AF_INET, 32, 32 if source is not None else 0, 0, 0, 0, 0, 0, 0) + attributes
            link.send(_HEADER.pack(_HEADER.size + len(body), _GETROUTE, 1, 1, 0) + body)
            return _read(vrf, link.recv(1 << 16))
    except OSError as problem:
        return {"error": problem.strerror or str(problem)}


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def _read(vrf: str, data: bytes) -> Value:
    _length, kind, *_ = _HEADER.unpack_from(data)
    if kind == _ERROR:
        number = -struct.unpack_from("=i", data, _HEADER.size)[0]
        return {"error": os.strerror(number)}
    found: dict[int, bytes] = {}
    at = _HEADER.size + _ROUTE.size
    while at + _ATTRIBUTE.size <= len(data):
        length, name = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            break
        found[name] = data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    what = _ROUTE.unpack_from(data, _HEADER.size)[7]
    value: Value = {"kind": _KINDS.get(what, str(what))}
    if _OIF in found:
        value["device"] = _name(vrf, struct.unpack("=I", found[_OIF])[0])
    if _GATEWAY in found:
        value["gateway"] = str(IPv4Address(found[_GATEWAY]))
    return value


def _index(vrf: str, name: str) -> int:
    """Interface index in that VRF's namespace (SIOCGIFINDEX, netdevice(7))."""
    (index,) = struct.unpack_from("=i", _ioctl(vrf, 0x8933, struct.pack("=16s24x", name.encode()[:15])), 16)
    return int(index)


def _name(vrf: str, index: int) -> str:
    return _ioctl(vrf, 0x8910, struct.pack("=16xi20x", index))[:16].rstrip(b"\0").decode()


def _ioctl(vrf: str, request: int, data: bytes) -> bytes:
    import fcntl

    with open_socket(vrf, socket.AF_INET, socket.SOCK_DGRAM) as link:
        return fcntl.ioctl(link.fileno(), request, data)
