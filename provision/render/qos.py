"""Classes of traffic: who may mark what (RFC 4594), and how a line is shared when it is full.

Marks are trusted only where we know who speaks: what a hall sends to the meetings' relays, what relays and servers send
as a service, and what routers send themselves.  All else is marked 0 where it enters the plant.  The overlay's outer
header carries the same mark, so that the underlay shapes by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from inventory.model import ROUTERS, Host, Link, LinkKind, NetworkModel, Service
from provision.environment import Environment

OPUS_PAYLOAD_TYPE = 111
"""What Chromium, which halls run, names Opus in RTP: tells a hall's voice from its picture."""

SHAPED_PER_MILLE = 950
"""Of the line's rate: so that the queue forms here, where it is ordered, and not in the line's own equipment."""


@dataclass(frozen=True, slots=True)
class TrafficClass:
    """One class on a shaped line."""

    name: str  # Service.traffic_class
    dscp: str  # as nft writes it
    number: str  # minor number of its HTB class, hexadecimal
    percent: int  # of the shaped rate it is sure of
    limit: int  # packets that wait at most


CLASSES = (
    TrafficClass("control", "cs6", "10", 5, 100),
    TrafficClass("voice", "ef", "20", 10, 100),
    TrafficClass("video", "af41", "30", 40, 400),
    TrafficClass("training", "af31", "40", 20, 400),
    TrafficClass("data", "cs0", "50", 25, 300),
)
"""Highest priority first; the last one takes what is not marked."""

_DSCP = {each.name: each.dscp for each in CLASSES}


def shape(link: Link, environment: Environment) -> dict[str, Any]:
    """How a port of this link is shaped (platforms/linux/shape.py); {} for what is not an access line."""
    if link.kind is not LinkKind.ACCESS:
        return {}
    rate = _as_tc_shows(link.rate_bps * SHAPED_PER_MILLE // 1000)
    return {
        "rate_bps": rate,
        "default": CLASSES[-1].number,
        "classes": {
            each.number: {
                "prio": place,
                "rate_bps": _as_tc_shows(rate * each.percent // 100),
                "ceil_bps": rate,
                "queue": environment.queue,
                "limit": each.limit if environment.queue == "pfifo" else 10240,
            }
            for place, each in enumerate(CLASSES)
        },
    }


def _as_tc_shows(rate_bps: int) -> int:
    """Rounded down to what tc prints in whole: otherwise a device would never show what it was told."""
    step = 1000 if rate_bps < 10**9 else 10**6
    return rate_bps // step * step


def shaped_ports(model: NetworkModel, host: Host) -> list[str]:
    """Ports of a router that lead to an access line."""
    return [port.name for port in host.ports if not port.vrf and model.links[port.link].kind is LinkKind.ACCESS]


@dataclass(frozen=True, slots=True)
class Marks:
    """What one VRF of a router trusts and sets; everything else that enters is marked 0."""

    plant: tuple[str, ...]  # overlays: marked where it entered
    crossing: str  # LAN of the firewall: what comes from other networks' prefixes was marked before it crossed
    prefix: str
    halls: tuple[IPv4Address, ...]
    media: tuple[tuple[IPv4Address, int], ...]  # relays that halls speak to
    signalling: tuple[tuple[IPv4Address, str, int, str], ...]  # services that halls ask: address, protocol, port, mark
    relays: tuple[tuple[IPv4Address, int], ...]  # relays that stand in this LAN: their own marks count
    services: tuple[tuple[IPv4Address, str, int, str], ...]  # services that answer from here, and their mark


def marks(model: NetworkModel, host: Host, vrf: str) -> Marks | None:
    """The marks of a router's VRF; None where nobody else's packets enter (hosts that are no routers)."""
    if host.role not in ROUTERS or not vrf:
        return None
    own = host.vrf(vrf)
    lans = {bridge.name: bridge.address.network for bridge in own.bridges}
    network = model.networks[vrf]
    here = [each for each in model.services.values() if each.network == vrf and _answers(each, own_lans=lans.values())]
    media = [each for each in model.services.values() if each.kind == "media"]
    halls = tuple(
        hall.address for hall in model.halls.values() if any(hall.address in prefix for prefix in lans.values())
    )
    gate = model.hosts[model.firewall]
    beside = any(port.peer_host == host.name and host.port(port.peer_port).vrf == vrf for port in gate.ports)
    return Marks(
        plant=tuple(each.name for each in own.vxlans if each.address is not None),
        crossing=f"lan-{vrf}" if beside and f"lan-{vrf}" in lans else "",
        prefix=str(network.prefix),
        halls=halls,
        media=tuple((each.address, each.port) for each in media) if halls else (),
        signalling=tuple(
            (each.address, each.protocol, each.port, _DSCP[each.traffic_class])
            for each in model.services.values()
            if halls and each.kind == "meet"
        ),
        relays=tuple((each.address, each.port) for each in here if each.kind == "media"),
        services=tuple(
            (each.address, each.protocol, each.port, _DSCP[each.traffic_class])
            for each in here
            if each.kind != "media" and each.traffic_class != "data"
        ),
    )


def _answers(service: Service, own_lans: Any) -> bool:
    """Whether the service's address, or a host that backs it, is in one of these LANs."""
    addresses = {service.address, *(backend.address for backend in service.backends)}
    return any(address in prefix for address in addresses for prefix in own_lans)
