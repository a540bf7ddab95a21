"""How each hosted service is asked, and from where: from the model, so that a new service is checked at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address

from inventory.model import Host, NetworkModel, Role, Service
from inventory.probes import lan_address

KINDS = {443: "https", 80: "http", 53: "dns", 5060: "sip", 123: "ntp"}
"""By the service's port (IANA); every other TCP port is merely connected to."""


@dataclass(frozen=True, slots=True)
class ServiceCheck:
    """One service, asked by one centre's router in the service's own network."""

    service: str
    kind: str  # https, http, dns, sip, ntp, tcp
    host: str  # asks
    vrf: str
    source: IPv4Address  # the router's own in that network: services answer the county's addresses, no overlay's
    address: IPv4Address
    port: int


def lans(host: Host) -> tuple[tuple[str, str], ...]:
    """(VRF, bridge) of a site router's LANs with users in them: where nobody but us may give addresses."""
    if host.role is not Role.ACCESS:
        return ()
    return tuple((vrf.name, bridge.name) for vrf in host.vrfs for bridge in vrf.bridges if vrf.name != "mgmt")


def service_checks(model: NetworkModel) -> Iterator[ServiceCheck]:
    """Every service that can be asked: not the relays' media, which speaks to invited halls alone."""
    for service in model.services.values():
        kind = KINDS.get(service.port, "tcp" if service.protocol == "tcp" else "")
        asker = _asker(model, service)
        source = lan_address(model.hosts[asker], service.network) if asker else None
        if kind and source is not None and service.kind != "media":
            yield ServiceCheck(service.name, kind, asker, service.network, source, service.address, service.port)


def _asker(model: NetworkModel, service: Service) -> str:
    """The router of a centre that does not serve it first, where there is one: so the check crosses the ring too."""
    usual = service.backends[0].centre if service.backends else ""
    cores = [host for host in model.by_role(Role.CORE) if any(vrf.name == service.network for vrf in host.vrfs)]
    cores.sort(key=lambda host: host.site == usual)  # the others first, in the county's order
    return cores[service.number % max(len(cores) - 1, 1)].name if cores else ""
