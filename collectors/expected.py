"""What must be there, computed from the model alone; nothing measured enters here.

Choices:

- ``hosts`` are all Linux appliances (judged by their agent), every vendor's access switch (judged by the carrier of its
  uplinks at the router) and every user's box that hangs on a port of a Linux appliance (judged by the carrier of that
  port: nothing of ours runs on it).  What hangs on an access switch nobody of ours sees.
- ``ospf``, ``bgp`` and ``bfd`` count ends: one adjacency seen from both routers is two.  OSPF runs in the underlay,
  BGP between the centres in every VRF, BFD under both.
- ``targets`` are what the collector must hear: one agent per Linux appliance, one SNMP agent per appliance of any make,
  one answer per probed path and line.
- ``services`` follow from the host's role, as docs/architecture.md lists them.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

from inventory.model import Host, NetworkModel, Role
from inventory.probes import link_paths, probe_paths
from inventory.relays import bus, is_node

_BASE = ("sshd", "snmpd", "agent", "chrony")
_ROUTER = ("zebra", "staticd", "bfdd", "ospfd")
_BY_ROLE: dict[Role, tuple[str, ...]] = {
    Role.CORE: (*_ROUTER, "bgpd"),
    Role.ACCESS: _ROUTER,
    Role.SERVER: ("nginx", "keepalived"),
    Role.RELAY: ("relay",),
    Role.NMS: ("broker", "collect", "serve", "prometheus", "alertmanager"),
    Role.PARTNER: ("charon",),
}
_VPN_DAEMON = {"wireguard": "wireguard", "ipsec": "charon"}


@dataclass(frozen=True, slots=True)
class ExpectedTunnel:
    """A tunnel as its gateway sees it."""

    gateway: str
    kind: str  # "wireguard" or "ipsec"
    inner: tuple[IPv4Network, ...]


@dataclass(frozen=True, slots=True)
class Expected:
    """Everything the county must show when nothing is wrong."""

    appliances: tuple[str, ...]  # those with an agent
    switches: dict[str, tuple[tuple[str, str], ...]]  # access switch -> (router, its port) of every uplink
    leaves: dict[str, tuple[str, str]]  # user's box -> (appliance, its port)
    ospf: frozenset[tuple[str, str]]  # (host, "<vrf>/<interface>/<neighbour's router id>")
    bgp: frozenset[tuple[str, str]]  # (host, "<vrf>/<peer's address>")
    bfd: frozenset[tuple[str, str]]  # (host, "<vrf>/<peer's address>")
    fibre_bfd: dict[tuple[str, str], str]  # (host, underlay port) -> key of its BFD session
    tunnels: dict[str, ExpectedTunnel]
    services: frozenset[tuple[str, str]]  # (host, service)
    relays: tuple[str, ...]
    probes: dict[str, str]  # path, or line's session -> host that sends

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host that is judged."""
        return (*self.appliances, *self.switches, *self.leaves)

    @property
    def targets(self) -> int:
        """How many things the collector must hear."""
        return 2 * len(self.appliances) + len(self.switches) + len(self.probes)


def services(model: NetworkModel, host: Host) -> tuple[str, ...]:
    """Services that run on a host, in the county's names."""
    tunnels = {
        _VPN_DAEMON[tunnel.kind] for tunnel in model.tunnels.values() if host.name in (tunnel.host, tunnel.gateway)
    } | {_VPN_DAEMON[guest.kind] for guest in model.guests.values() if host.name == model.vpn}
    if model.travellers and host.name == model.vpn:
        tunnels.add(_VPN_DAEMON["wireguard"])
    role = _BY_ROLE.get(host.role, ())
    if is_node(model, host):
        role = (*role, "bus", "node")
    if host.role is Role.NMS and bus(model):
        role = (*role, "bus")
    if host.role is Role.FIREWALL and model.exits:
        # keeps the exit's translations; chooses between several carriers
        role = ("natlog", "lines") if len(model.exits) > 1 else ("natlog",)
    return (*_BASE, *role, *sorted(tunnels - set(role)))


def _leaves(model: NetworkModel) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for link in model.links.values():
        for near, far in (link.ends, link.ends[::-1]):
            here = model.hosts[near.host]
            if model.hosts[far.host].role is Role.LEAF and here.appliance and here.linux:
                found.setdefault(far.host, (near.host, near.port))
    return found


def _switches(model: NetworkModel) -> dict[str, tuple[tuple[str, str], ...]]:
    return {
        host.name: tuple(
            (port.peer_host, port.peer_port) for port in host.ports if model.hosts[port.peer_host].role is Role.ACCESS
        )
        for host in model.by_role(Role.SWITCH)
    }


def _underlay(model: NetworkModel) -> tuple[set[tuple[str, str]], dict[tuple[str, str], str]]:
    """OSPF ends, and the key of the BFD session of every port that has one."""
    ospf: set[tuple[str, str]] = set()
    bfd: dict[tuple[str, str], str] = {}
    for host in model.hosts.values():
        for port in host.ports:
            peer = model.hosts[port.peer_host]
            far = peer.port(port.peer_port)
            if not (port.ospf and far.ospf):
                continue
            ospf.add((host.name, f"{port.vrf}/{port.name}/{peer.vrf(far.vrf).router_id}"))
            if port.bfd_ms and far.bfd_ms and far.address is not None:
                bfd[host.name, port.name] = f"{port.vrf}/{far.address.ip}"
    return ospf, bfd


def _between_centres(model: NetworkModel) -> set[tuple[str, str]]:
    """BGP peers of every VRF on the overlays that join the centres; each has a BFD session too."""
    return {
        (host.name, f"{vrf.name}/{address}")
        for host in model.by_role(Role.CORE)
        for vrf in host.vrfs
        if vrf.name
        for vxlan in vrf.vxlans
        if vxlan.name in vrf.ospf_interfaces
        for address, _mac in vxlan.neighbours
    }


def expect(model: NetworkModel) -> Expected:
    """What the model asks for."""
    ospf, fibre_bfd = _underlay(model)
    bgp = _between_centres(model)
    appliances = tuple(model.linux_appliances())
    return Expected(
        appliances=tuple(host.name for host in appliances),
        switches=_switches(model),
        leaves=_leaves(model),
        ospf=frozenset(ospf),
        bgp=frozenset(bgp),
        bfd=frozenset(bgp | {(host, key) for (host, _port), key in fibre_bfd.items()}),
        fibre_bfd=fibre_bfd,
        tunnels={
            tunnel.name: ExpectedTunnel(tunnel.gateway, tunnel.kind, tunnel.inner) for tunnel in model.live_tunnels()
        },
        services=frozenset((host.name, name) for host in appliances for name in services(model, host)),
        relays=tuple(host.name for host in model.by_role(Role.RELAY)),
        probes={path.name: path.host for path in (*probe_paths(model), *link_paths(model))},
    )
