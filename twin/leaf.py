"""User equipment and the outside world: the twin gives them address and route, as DHCP or a carrier would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inventory.model import Host, Role
from twin.namespaces import HOST_SYSCTLS


def sysctls(host: Host) -> Mapping[str, str]:
    """Settings of a host's namespace: only the outside world forwards from the start."""
    return {**HOST_SYSCTLS, "net/ipv4/ip_forward": "1"} if host.role is Role.OUTSIDE else HOST_SYSCTLS


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
    for route in own.routes:
        yield f"route replace {route.prefix} via {route.via}"
