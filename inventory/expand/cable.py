"""A cable with both of its ports: what the cabling phases hand on."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Interface

from inventory.model import Link, LinkEnd, LinkKind, Port, Role
from inventory.plan import MTU


@dataclass(frozen=True, slots=True)
class Seat:
    """A host that will stand at a site, before it has ports and routes."""

    name: str
    site: str
    role: Role
    slot: int
    networks: tuple[str, ...]
    platform: str = "linux"


@dataclass(frozen=True, slots=True)
class End:
    """One end of a cable as a phase plans it."""

    host: str
    vrf: str = ""
    bridge: str = ""
    address: IPv4Interface | None = None
    mtu: int = MTU
    bfd_ms: int = 0
    cost: int = 10
    ospf: bool = False
    label: str = ""


@dataclass(frozen=True, slots=True)
class Cable:
    """A link and its two ports."""

    link: Link
    a: Port
    b: Port

    @property
    def ports(self) -> tuple[tuple[str, Port], ...]:
        """(host, port) of both ends, a first."""
        return ((self.link.a.host, self.a), (self.link.b.host, self.b))


def cable(
    name: str,
    number: int,
    kind: LinkKind,
    a: End,
    b: End,
    *,
    rate_bps: int,
    length_km: float = 0.0,
    ducts: tuple[str, ...] = (),
) -> Cable:
    """Both ports carry the link's number as their name."""
    port = f"p{number}"
    link = Link(name, number, kind, LinkEnd(a.host, port), LinkEnd(b.host, port), rate_bps, length_km, ducts)
    return Cable(link, _port(a, b, port, name), _port(b, a, port, name))


def bits(rate: str) -> int:
    """``100M`` or ``1G`` in bit/s."""
    return int(rate[:-1]) * {"M": 10**6, "G": 10**9}[rate[-1]]


def _port(mine: End, peer: End, port: str, link: str) -> Port:
    return Port(
        name=port,
        link=link,
        peer_host=peer.host,
        peer_port=port,
        mtu=mine.mtu,
        vrf=mine.vrf,
        bridge=mine.bridge,
        address=mine.address,
        ospf=mine.ospf,
        bfd_ms=mine.bfd_ms,
        ospf_cost=mine.cost,
        label=mine.label,
    )
