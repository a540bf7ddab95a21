"""Media relays by site, and the nodes of sites that have one of their own: addresses and ports, from the model.

A county puts the box ``relay`` at a centre, where it serves every hall, or at a township, body or building, where it
serves that site's halls.  There the same box runs the site's **node** as well: the halls' pages come from it, and while
the county cannot be reached it holds their meetings.  It hears the county on the bus, of which it is a leaf.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from inventory.model import Hall, Host, NetworkModel, Role, SiteKind

MEDIA_PORT = 3478  # UDP, unless the service of kind "media" says otherwise
CONTROL_PORT = 9820  # TCP, mutual TLS: who drives a relay
NODE_PORT = 443  # TCP, on the node's address in gov: pages and signalling of its site's halls
DOOR_PORT = 9830  # TCP, mutual TLS, on the management host: the county's signalling for nodes
BUS_PORT = 4222  # TCP, loopback: the bus, for processes of the same box
LEAF_PORT = 7422  # TCP, mutual TLS, on the management host: where nodes' leaves join the bus


def network_address(model: NetworkModel, host: Host, network: str) -> IPv4Address:
    """The host's address in a network; KeyError when it has none there."""
    prefix = model.networks[network].prefix
    for port in host.ports:
        if port.address is not None and port.address.ip in prefix:
            return port.address.ip
    raise KeyError(f"{host.name} has no address in {network}")


def media(model: NetworkModel, host: Host) -> tuple[IPv4Address, int]:
    """Where a relay takes media: address and UDP port."""
    services = [each for each in model.services.values() if each.kind == "media"]
    for service in services:
        if any(backend.host == host.name for backend in service.backends):
            return service.address, service.port
    return network_address(model, host, "gov"), services[0].port if services else MEDIA_PORT


def nodes(model: NetworkModel) -> Iterator[Host]:
    """The boxes that run a site's node: every relay outside the centres."""
    return (host for host in model.hosts.values() if is_node(model, host))


def is_node(model: NetworkModel, host: Host) -> bool:
    """Whether a box runs its site's node."""
    return host.role is Role.RELAY and model.sites[host.site].kind is not SiteKind.CENTRE


def node_of(model: NetworkModel, hall: Hall) -> Host | None:
    """The node that a hall's page comes from; None: from the county."""
    return next((host for host in nodes(model) if host.site == hall.site), None)


def node_address(model: NetworkModel, hall: Hall) -> str:
    """Where a hall's page comes from when it is its site's node: ``https://10.8.11.5``; "" when it is the county."""
    node = node_of(model, hall)
    return f"https://{network_address(model, node, 'gov')}" if node is not None else ""


def above(model: NetworkModel, hall: Hall) -> Host:
    """The relay at a centre that a hall's meetings go over, by its site's own relay or without one."""
    own = model.hosts[hall.relay]
    return model.hosts[hall.fallback] if is_node(model, own) and hall.fallback else own


def relays_of(model: NetworkModel, site: str) -> tuple[Host, ...]:
    """Relays that halls at a site may speak to: those of centres, and the site's own."""
    return tuple(host for host in model.by_role(Role.RELAY) if not is_node(model, host) or host.site == site)


def bus(model: NetworkModel) -> bool:
    """Whether the county has a bus between machines: it has when there is a node."""
    return next(nodes(model), None) is not None


def managers(model: NetworkModel) -> Iterator[Host]:
    """The management hosts that the bus and the door for nodes may stand on, the acting one first."""
    return (model.hosts[name] for name in (model.nms, model.standby) if name)


def control_talks(model: NetworkModel) -> Iterator[tuple[IPv4Address, IPv4Address, int]]:
    """TCP conversations between nodes' boxes and the management hosts: (who starts, with whom, port).

    They cross access lines, and a meeting waits for them.
    """
    for node in nodes(model):
        for manager in managers(model):
            if node.management is not None and manager.management is not None:
                yield node.management, manager.management, LEAF_PORT
                yield node.management, manager.management, DOOR_PORT
                yield manager.management, node.management, CONTROL_PORT
