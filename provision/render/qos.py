"""Classes of traffic: who may mark what (RFC 4594), and how a line is shared when it is full.

Marks are trusted only where we know who speaks: what a hall sends to the meetings' relays, what relays and servers send
as a service, and what routers send themselves.  All else is marked 0 where it enters the plant.  The overlay's outer
header carries the same mark, so that the underlay shapes by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any

from inventory import relays
from inventory.model import ROUTERS, Host, Link, LinkKind, NetworkModel, Port, Role, Service

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

MEDIA = ("voice", "video")
"""Classes that meetings' media is in."""

SHARES = 64
"""Fair shares at the exit."""

SHARE_MASK = f"0.0.{SHARES - 1}.0"
"""The bits of an address that tell the share: the low ones of the site's number (architecture: address plan)."""

_INTERNET = "60"  # class above the shares

_DSCP = {each.name: each.dscp for each in CLASSES}


def shape(link: Link) -> dict[str, Any]:
    """How a port of this link is shaped (platforms/linux/shape.py); {} for what is not an access line."""
    if link.kind is not LinkKind.ACCESS:
        return {}
    rate = _as_tc_shows(link.rate_bps * SHAPED_PER_MILLE // 1000)
    return {
        "rate_bps": rate,
        "default": CLASSES[-1].number,
        "classes": {
            each.number: {
                "parent": "1",
                "prio": place,
                "rate_bps": _as_tc_shows(rate * each.percent // 100),
                "ceil_bps": rate,
                "queue": "pfifo",
                "limit": each.limit,
            }
            for place, each in enumerate(CLASSES)
        },
    }


def port_shape(model: NetworkModel, host: Host, port: Port) -> dict[str, Any]:
    """How a port is shaped: access lines by class, the exit by unit; {} for every other."""
    link = model.links[port.link]
    if host.role in ROUTERS and not port.vrf:
        return shape(link)
    if host.role is not Role.FIREWALL or port.vrf or not model.exits:
        return {}
    outside = max(model.links[host.port(line.port).link].rate_bps for line in model.exits)
    if any(line.port == port.name for line in model.exits):
        return _fair(link.rate_bps * SHAPED_PER_MILLE // 1000, link.rate_bps * SHAPED_PER_MILLE // 1000)
    if port.name in inner_ports(model):
        return _fair(link.rate_bps, min(link.rate_bps, outside * SHAPED_PER_MILLE // 1000))
    return {}


def sure_bps(model: NetworkModel) -> dict[str, int]:
    """Access line -> bit/s that voice and video together are sure of there, whatever else it carries."""
    found = {}
    for link in model.links.values():
        if classes := shape(link).get("classes"):
            found[link.name] = sum(classes[each.number]["rate_bps"] for each in CLASSES if each.name in MEDIA)
    return found


def inner_ports(model: NetworkModel) -> list[str]:
    """The firewall's ports towards networks that may use the Internet."""
    using = {rule.source_network for rule in model.policy if rule.target_network == "internet"}
    prefixes = [network.prefix for network in model.networks.values() if network.name in using]
    ports = [port for port in model.hosts[model.firewall].ports if not port.vrf and port.address]
    return [port.name for port in ports if port.address and any(port.address.ip in prefix for prefix in prefixes)]


def _fair(rate: int, internet: int) -> dict[str, Any]:
    """A port on which each unit has the same share of what goes to or comes from the Internet.

    A unit's share is found by the low bits of its site's number, which stand in every one of its addresses: so the
    firewall knows no site by name, and two units share one only where those bits are equal.
    """
    rate, internet = _as_tc_shows(rate), _as_tc_shows(internet)
    sure = _as_tc_shows(min(rate * 3 // 4, internet))
    row = {"prio": 0, "queue": "pfifo", "limit": 300}
    other = {**row, "parent": "1", "rate_bps": _as_tc_shows(rate // 4), "ceil_bps": rate}
    inner = {"parent": "1", "prio": 0, "rate_bps": sure, "ceil_bps": internet, "queue": "", "limit": 0}
    each = {**row, "parent": _INTERNET, "prio": 1, "rate_bps": _as_tc_shows(sure // SHARES), "ceil_bps": internet}
    each["limit"] = 100
    shares = {share_class(number): each for number in range(SHARES)}
    return {"rate_bps": rate, "default": CLASSES[-1].number, "classes": {"50": other, _INTERNET: inner, **shares}}


def share_class(number: int) -> str:
    """Minor number of the HTB class of one share."""
    return f"{0x100 + number:x}"


def share_keys() -> list[tuple[str, str]]:
    """(what is left of an address under SHARE_MASK, class) of every share."""
    return [(f"0.0.{number}.0", share_class(number)) for number in range(SHARES)]


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
    control: tuple[tuple[IPv4Address, IPv4Address, int], ...]  # TCP of relays and nodes: from, to, port


def marks(model: NetworkModel, host: Host, vrf: str) -> Marks | None:
    """The marks of a router's VRF; None where nobody else's packets enter (hosts that are no routers)."""
    if host.role not in ROUTERS or not vrf:
        return None
    own = host.vrf(vrf)
    lans = {bridge.name: bridge.address.network for bridge in own.bridges}
    network = model.networks[vrf]
    here = [each for each in model.services.values() if each.network == vrf and _answers(each, own_lans=lans.values())]
    media = [relays.media(model, each) for each in relays.relays_of(model, host.site)]
    halls = tuple(
        hall.address for hall in model.halls.values() if any(hall.address in prefix for prefix in lans.values())
    )

    def in_here(address: IPv4Address) -> bool:
        return any(address in prefix for prefix in lans.values())

    talks = list(relays.control_talks(model)) if vrf == "mgmt" else []
    gate = model.hosts[model.firewall]
    beside = any(port.peer_host == host.name and host.port(port.peer_port).vrf == vrf for port in gate.ports)
    return Marks(
        plant=tuple(each.name for each in own.vxlans if each.address is not None),
        crossing=f"lan-{vrf}" if beside and f"lan-{vrf}" in lans else "",
        prefix=str(network.prefix),
        halls=halls,
        media=tuple(media) if halls else (),
        signalling=tuple(
            (each.address, each.protocol, each.port, _DSCP[each.traffic_class])
            for each in model.services.values()
            if halls and each.kind == "meet"
        ),
        relays=tuple(each for each in media if in_here(each[0])),
        services=tuple(
            (each.address, each.protocol, each.port, _DSCP[each.traffic_class])
            for each in here
            if each.kind != "media" and each.traffic_class != "data"
        )
        + tuple(
            (to, "tcp", port, _DSCP["control"]) for to, port in dict.fromkeys(each[1:] for each in talks) if in_here(to)
        ),
        control=tuple(each for each in talks if in_here(each[0])),
    )


def _answers(service: Service, own_lans: Any) -> bool:
    """Whether the service's address, or a host that backs it, is in one of these LANs."""
    addresses = {service.address, *(backend.address for backend in service.backends)}
    return any(address in prefix for address in addresses for prefix in own_lans)
