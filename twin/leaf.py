"""User equipment and the outside world: the twin gives them address and route, as DHCP or a carrier would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network

from inventory.model import Host, Role
from twin.namespaces import HOST_SYSCTLS

SWITCH_SYSCTLS: Mapping[str, str] = {
    **HOST_SYSCTLS,
    "net/ipv4/conf/all/arp_ignore": "1",  # an address belongs to its VLAN interface alone, not to every port
    "net/ipv4/conf/all/rp_filter": "1",
    "net/ipv4/conf/all/promote_secondaries": "1",
}


def sysctls(host: Host) -> Mapping[str, str]:
    """Settings of a host's namespace: only the outside world forwards from the start."""
    if host.role is Role.SWITCH:
        return SWITCH_SYSCTLS
    return {**HOST_SYSCTLS, "net/ipv4/ip_forward": "1"} if host.role is Role.OUTSIDE else HOST_SYSCTLS


_FIRST_TABLE = 100
"""Routing tables for routes by source, and their rules' priorities."""


def bare(host: Host) -> Iterator[str]:
    """``ip`` commands that take addresses, routes and rules of user equipment away again; some find nothing to take."""
    for port in host.ports:
        yield f"address flush dev {port.name}"
    for table in range(_FIRST_TABLE, _FIRST_TABLE + len(host.ports) + len(host.vrf("").routes)):
        yield f"route flush table {table}"
        yield f"rule del priority {table}"


def configure(host: Host) -> Iterator[str]:
    """``ip`` commands inside the host's namespace: loopbacks, bridges, ports, routes."""
    own = host.vrf("")
    for address in own.loopbacks:
        yield f"address add {address} dev lo"
    for bridge in own.bridges:
        yield f"link add name {bridge.name} up type bridge mcast_snooping 0 stp_state 0"
        yield f"address add {bridge.address} dev {bridge.name}"
    for port in host.ports:
        master = f" master {port.bridge}" if port.bridge else ""
        yield f"link set dev {port.name}{master} up"
        if port.address is not None:
            yield f"address add {port.address} dev {port.name}"
    tables: dict[IPv4Network, int] = {}
    for route in own.routes:
        if route.source is None:
            yield f"route replace {route.prefix} via {route.via}"
            continue
        # Ahead of the main table, as on the appliances: the leg's own network is in the table too.
        leg = next(port for port in host.ports if port.address is not None and route.via in port.address.network)
        assert leg.address is not None
        if route.source not in tables:
            table = tables[route.source] = _FIRST_TABLE + len(tables)
            yield f"rule add from {route.source} lookup {table} priority {table}"
            yield f"route replace {leg.address.network} dev {leg.name} table {table}"
        yield f"route replace {route.prefix} via {route.via} dev {leg.name} table {tables[route.source]}"
