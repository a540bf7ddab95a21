"""Which paths are probed with STAMP, computed from the model: provision renders them, collectors expect them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from inventory.model import ROUTERS, Host, NetworkModel, Role, SiteKind

PROBED_NETWORK = "gov"
"""Halls sit in it."""

INTERVAL_MS = 500


@dataclass(frozen=True, slots=True)
class ProbePath:
    """One STAMP session: a centre's router probes another router inside one network."""

    name: str  # "<host>-<target host>", unique in the county
    host: str  # sends
    target_host: str  # reflects
    vrf: str
    source: IPv4Address
    target: IPv4Address
    interval_ms: int = INTERVAL_MS


def lan_address(host: Host, network: str) -> IPv4Address | None:
    """The router's own address on ``lan-<network>``; None when it has no such LAN."""
    for vrf in host.vrfs:
        if vrf.name == network:
            for bridge in vrf.bridges:
                if bridge.name == f"lan-{network}":
                    return bridge.address.ip
    return None


def reflectors(host: Host) -> tuple[tuple[str, IPv4Address], ...]:
    """(VRF, address) of every STAMP reflector of a host: its management address, and on routers the probed network."""
    found: list[tuple[str, IPv4Address]] = []
    if host.management is not None:
        found.append((host.management_vrf, host.management))
    if host.role in ROUTERS and (address := lan_address(host, PROBED_NETWORK)) is not None:
        found.append((PROBED_NETWORK, address))
    return tuple(found)


def probe_paths(model: NetworkModel) -> Iterator[ProbePath]:
    """Every path: from each centre's router to each township's router, and among the centres."""
    centres = list(model.by_role(Role.CORE))
    for centre in centres:
        source = lan_address(centre, PROBED_NETWORK)
        if source is None:
            continue
        for host in model.by_role(Role.CORE, Role.ACCESS):
            kind = model.sites[host.site].kind
            target = lan_address(host, PROBED_NETWORK)
            if host.name == centre.name or target is None or kind not in (SiteKind.CENTRE, SiteKind.TOWNSHIP):
                continue
            yield ProbePath(f"{centre.name}-{host.name}", centre.name, host.name, PROBED_NETWORK, source, target)
