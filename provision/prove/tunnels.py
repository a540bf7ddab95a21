"""WireGuard, strongSwan and keepalived files as text -> peers, selectors, floating addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from provision.prove import sets
from provision.prove.errors import ProveError
from provision.prove.sets import Span

_PUBLIC = re.compile(r"@secret:wg-pub/([^@]+)@")


@dataclass(slots=True)
class Peer:
    """The other end of a tunnel, as this end's file has it."""

    host: str
    kind: str  # "wireguard" or "ipsec"
    line: int
    far: Span = ()  # destinations that go to this peer, and sources that may come from it
    near: Span = sets.ADDRESSES  # IPsec: our own side of the selectors
    endpoint: IPv4Address | None = None
    port: int = 0


@dataclass(slots=True)
class Floating:
    """A VRRP address."""

    address: int
    interface: str
    priority: int
    group: int
    line: int


@dataclass(slots=True)
class Vpn:
    """A file of one host."""

    path: str
    device: str
    peers: list[Peer] = field(default_factory=list)


def wireguard(path: str, text: str) -> Vpn:
    """Read ``wg0.conf``."""
    found = Vpn(path, path.rpartition("/")[2].removesuffix(".conf"))
    allowed: list[tuple[int, IPv4Network]] = []  # (place of the peer, prefix)
    for number, line in enumerate(text.split("\n"), 1):
        key, _, value = (part.strip() for part in line.partition("="))
        try:
            if line.strip() == "[Peer]":
                found.peers.append(Peer("", "wireguard", number))
            elif key == "PublicKey":
                match = _PUBLIC.search(value)
                found.peers[-1].host = match[1] if match else value
            elif key == "AllowedIPs":
                found.peers[-1].line = number
                allowed += [(len(found.peers) - 1, IPv4Network(item.strip())) for item in value.split(",")]
            elif key == "Endpoint":
                address, _, port = value.rpartition(":")
                found.peers[-1].endpoint, found.peers[-1].port = IPv4Address(address), int(port)
        except (ValueError, IndexError) as problem:
            raise ProveError(f"{path}:{number}", str(problem), "a WireGuard peer", "correct the line") from None
    _keys(found.peers, allowed)
    return found


def _keys(peers: list[Peer], allowed: list[tuple[int, IPv4Network]]) -> None:
    """Cryptokey routing: the longest prefix wins, and of equal ones the last written."""
    taken: Span = ()
    ordered = sorted(enumerate(allowed), key=lambda each: (-each[1][1].prefixlen, -each[0]))
    for _, (place, network) in ordered:
        span = sets.of_network(network)
        peers[place].far = sets.join(peers[place].far, sets.minus(span, taken))
        taken = sets.join(taken, span)


def swanctl(path: str, text: str) -> Vpn:
    """Read the connections of a ``swanctl.conf``."""
    found = Vpn(path, "ipsec0")
    sections: list[str] = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.partition("#")[0].strip()
        if line.endswith("{"):
            sections.append(line[:-1].strip())
            if len(sections) == 2 and sections[0] == "connections":
                found.peers.append(Peer("", "ipsec", number, port=4500))
        elif line == "}":
            sections.pop()
        elif "=" in line and sections[:1] == ["connections"]:
            key, _, value = (part.strip() for part in line.partition("="))
            _selector(found.peers[-1], sections, key, value, number)
    return found


def _selector(peer: Peer, sections: list[str], key: str, value: str, number: int) -> None:
    if key == "remote_addrs" and value != "%any":
        peer.endpoint = IPv4Address(value)
    elif key == "id" and sections[-1] == "remote":
        peer.host = value.partition(".")[0]
    elif key == "remote_ts":
        peer.far, peer.line = _networks(value), number
    elif key == "local_ts":
        peer.near = _networks(value)


def keepalived(path: str, text: str) -> list[Floating]:
    """Read the floating addresses of a ``keepalived.conf``."""
    found: list[Floating] = []
    interface, priority, group, listing = "", 100, 0, False
    for number, raw in enumerate(text.split("\n"), 1):
        words = raw.split()
        match words:
            case ["interface", name]:
                interface = name
            case ["priority", value]:
                priority = int(value)
            case ["virtual_router_id", value]:
                group = int(value)
            case ["virtual_ipaddress", "{"]:
                listing = True
            case ["}"]:
                listing = False
            case [address, *rest] if listing:
                device = rest[rest.index("dev") + 1] if "dev" in rest else interface
                number_ = int(IPv4Address(address.partition("/")[0]))
                found.append(Floating(number_, device, priority, group, number))
    return found


def _networks(value: str) -> Span:
    ranges = (sets.of_network(IPv4Network(item.strip()))[0] for item in value.split(",") if item.strip())
    return sets.normal(ranges)
