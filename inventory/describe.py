"""A county or one of its sites as plain data, for people (a table) and for programs (JSON)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from inventory.model import LinkKind, NetworkModel
from inventory.walk import Walk


def describe_county(model: NetworkModel) -> dict[str, Any]:
    """Counts and lists that fit one screen."""
    return {
        "name": model.name,
        "zh": model.zh,
        "en": model.en,
        "sites": dict(Counter(site.kind.value for site in model.sites.values())),
        "hosts": {"total": len(model.hosts), **Counter(host.role.value for host in model.hosts.values())},
        "links": dict(Counter(link.kind.value for link in model.links.values())),
        "fibre_km": round(sum(link.length_km for link in model.links.values() if link.fibre), 1),
        "networks": [
            {
                "name": network.name,
                "number": network.number,
                "zh": network.zh,
                "en": network.en,
                "kind": network.kind,
                "prefix": str(network.prefix),
                "sites": sum(network.name in site.networks for site in model.sites.values()),
            }
            for network in model.networks.values()
        ],
        "services": [
            {
                "name": service.name,
                "zh": service.zh,
                "en": service.en,
                "network": service.network,
                "address": f"{service.address} {service.protocol}/{service.port}",
                "backends": [backend.host for backend in service.backends],
            }
            for service in model.services.values()
        ],
        "halls": len(model.halls),
        "tunnels": dict(Counter(tunnel.kind for tunnel in model.tunnels.values())),
        "policy_rules": len(model.policy),
        "single_homed": len(single_homed(model)),
    }


def single_homed(model: NetworkModel) -> list[str]:
    """Codes of the sites that one cut line leaves alone."""
    return [site.code for site in model.sites.values() if site.homes and not site.dual_homed and not site.kind.outside]


def describe_site(model: NetworkModel, code: str) -> dict[str, Any]:
    """Everything about one site: names, addresses, hosts, links, hall.  KeyError when there is none."""
    site = model.sites[code]
    hosts = list(model.site_hosts(code))
    names = {host.name for host in hosts}
    return {
        "code": site.code,
        "number": site.number,
        "kind": site.kind.value,
        "zh": site.zh,
        "en": site.en,
        "homes": list(site.homes),
        "at_km": [site.x, site.y],
        "organisations": [{"zh": zh, "en": en} for zh, en in site.organisations],
        "networks": [
            {"name": item.network, "user": f"{item.host}", "address": str(item.address)}
            for item in model.endpoints
            if item.site == code
        ],
        "hosts": [
            {
                "name": host.name,
                "role": host.role.value,
                "platform": host.platform if host.appliance else "",
                "management": str(host.management) if host.management else "",
                "loopback": str(host.loopback) if host.loopback else "",
                "ports": len(host.ports),
            }
            for host in hosts
        ],
        "links": [
            {
                "name": link.name,
                "kind": link.kind.value,
                "ends": [f"{end.host}:{end.port}" for end in link.ends],
                "mbps": link.rate_bps // 10**6,
                "km": link.length_km,
                "ducts": list(link.ducts),
            }
            for link in model.links.values()
            if any(end.host in names for end in link.ends)
            and (link.kind is not LinkKind.LAN or len({end.host for end in link.ends} & names) == 2)
        ],
        "halls": [
            {"code": hall.code, "zh": hall.zh, "en": hall.en, "seats": hall.seats, "address": str(hall.address)}
            for hall in model.halls.values()
            if hall.site == code
        ],
        "attached": [other.code for other in model.sites.values() if code in other.homes],
    }


def describe_walk(walk: Walk) -> dict[str, Any]:
    """A packet's way: spaces as ``host`` or ``host/vrf``."""
    return {
        "verdict": walk.verdict,
        "hops": [f"{host}/{vrf}" if vrf else host for host, vrf in walk.hops],
        "links": list(walk.links),
        "crossings": [list(crossing) for crossing in walk.crossings],
        "rule": walk.rule,
    }
