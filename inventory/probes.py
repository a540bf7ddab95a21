"""Which paths and lines are probed with STAMP, from the model: provision renders them, collectors expect them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from inventory.model import ROUTERS, Hall, Host, Link, LinkEnd, LinkKind, NetworkModel, Role, SiteKind
from inventory.relays import above

PROBED_NETWORK = "gov"
"""Halls sit in it."""

INTERVAL_MS = 500
LINE_INTERVAL_MS = 1000


@dataclass(frozen=True, slots=True)
class ProbePath:
    """One STAMP session: a host probes another, inside one network or over one line."""

    name: str  # "<host>-<target host>", or "link:<link>"; unique in the county
    host: str  # sends
    target_host: str  # reflects
    vrf: str
    source: IPv4Address
    target: IPv4Address
    interval_ms: int = INTERVAL_MS
    port: str = ""  # a line is probed: packets leave by this port and no other
    target_port: str = ""  # and come in by that one
    link: str = ""  # the line's name


def link_key(link: str) -> str:
    """Name of a line's session: the key of its figures in the agent's section "probes" and at ``GET /probes``."""
    return f"link:{link}"


def lan_address(host: Host, network: str) -> IPv4Address | None:
    """The router's own address on ``lan-<network>``; None when it has no such LAN."""
    for vrf in host.vrfs:
        if vrf.name == network:
            for bridge in vrf.bridges:
                if bridge.name == f"lan-{network}":
                    return bridge.address.ip
    return None


def reflectors(model: NetworkModel, host: Host) -> tuple[tuple[str, IPv4Address, str], ...]:
    """(VRF, address, port) of every STAMP reflector of a host: its management address, on routers the probed network,
    and its end of every line that the other end probes (the others have no port)."""
    found: list[tuple[str, IPv4Address, str]] = []
    if host.management is not None:
        found.append((host.management_vrf, host.management, ""))
    if host.role in ROUTERS:
        if (address := lan_address(host, PROBED_NETWORK)) is not None:
            found.append((PROBED_NETWORK, address, ""))
        lines = (path for path in link_paths(model, host) if path.target_host == host.name)
        found += ((path.vrf, path.target, path.target_port) for path in lines)
    return tuple(found)


def hall_path(model: NetworkModel, hall: Hall) -> str:
    """Name of the path of a hall's meetings, from its relay's centre to its site (of the relay above its site's own);
    "" in that relay's own house."""
    relay = above(model, hall).site
    ends = [
        next((host.name for host in model.site_hosts(site) if host.role in ROUTERS), "") for site in (relay, hall.site)
    ]
    return "-".join(ends) if relay != hall.site and all(ends) else ""


def probe_paths(model: NetworkModel) -> Iterator[ProbePath]:
    """Every path in the probed network: from each centre's router to each township's router and that of every other
    site with a hall, and among the centres."""
    halls = {hall.site for hall in model.halls.values()}
    centres = list(model.by_role(Role.CORE))
    for centre in centres:
        source = lan_address(centre, PROBED_NETWORK)
        if source is None:
            continue
        for host in model.by_role(Role.CORE, Role.ACCESS):
            wanted = model.sites[host.site].kind in (SiteKind.CENTRE, SiteKind.TOWNSHIP) or host.site in halls
            target = lan_address(host, PROBED_NETWORK)
            if host.name == centre.name or target is None or not wanted:
                continue
            yield ProbePath(f"{centre.name}-{host.name}", centre.name, host.name, PROBED_NETWORK, source, target)


def link_paths(model: NetworkModel, host: Host | None = None) -> Iterator[ProbePath]:
    """Every fibre of the underlay, probed from one end: a site's router probes its centres, each centre the next one
    of the ring, so that nobody sends many.  ``host``: only fibres that end there."""
    links = (model.links[port.link] for port in host.ports) if host else iter(model.links.values())
    for link in links:
        if link.kind not in (LinkKind.RING, LinkKind.ACCESS):
            continue
        near, far = _sender_first(model, link)
        here, there = (model.hosts[end.host].port(end.port) for end in (near, far))
        if here.ospf and there.ospf and here.address and there.address:
            yield ProbePath(
                link_key(link.name),
                near.host,
                far.host,
                here.vrf,
                here.address.ip,
                there.address.ip,
                interval_ms=LINE_INTERVAL_MS,
                port=near.port,
                target_port=far.port,
                link=link.name,
            )


def _sender_first(model: NetworkModel, link: Link) -> tuple[LinkEnd, LinkEnd]:
    return (link.b, link.a) if model.hosts[link.b.host].role is Role.ACCESS else link.ends
