"""What must be there, computed from the model alone; nothing measured enters here.

Choices:

- ``hosts`` are all appliances (judged by their agent) and every user's box that hangs on a port of an appliance
  (judged by the carrier of that port: nothing of ours runs on it).
- ``ospf`` and ``bfd`` count ends: one adjacency seen from both routers is two.
- ``targets`` are what the collector must hear: one agent and one SNMP agent per appliance, one answer per probed path.
- ``services`` follow from the host's role, as docs/architecture.md lists them.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

from inventory.model import APPLIANCES, Host, NetworkModel, Role
from inventory.probes import probe_paths

_BASE = ("sshd", "snmpd", "agent")
_ROUTER = ("zebra", "staticd", "ospfd", "bfdd")
_BY_ROLE: dict[Role, tuple[str, ...]] = {
    Role.CORE: _ROUTER,
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

    appliances: tuple[str, ...]
    leaves: dict[str, tuple[str, str]]  # user's box -> (appliance, its port)
    ospf: frozenset[tuple[str, str]]  # (host, "<vrf>/<interface>/<neighbour's router id>")
    bfd: frozenset[tuple[str, str]]  # (host, "<vrf>/<interface>/<peer's address>")
    tunnels: dict[str, ExpectedTunnel]
    services: frozenset[tuple[str, str]]  # (host, service)
    relays: tuple[str, ...]
    probes: dict[str, str]  # path -> host that sends

    @property
    def hosts(self) -> int:
        """How many hosts are judged."""
        return len(self.appliances) + len(self.leaves)

    @property
    def targets(self) -> int:
        """How many things the collector must hear."""
        return 2 * len(self.appliances) + len(self.probes)


def services(model: NetworkModel, host: Host) -> tuple[str, ...]:
    """Services that run on a host, in the county's names."""
    tunnels = {
        _VPN_DAEMON[tunnel.kind] for tunnel in model.tunnels.values() if host.name in (tunnel.host, tunnel.gateway)
    }
    role = _BY_ROLE.get(host.role, ())
    return (*_BASE, *role, *sorted(tunnels - set(role)))


def _leaves(model: NetworkModel) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for link in model.links.values():
        for near, far in (link.ends, link.ends[::-1]):
            if model.hosts[far.host].role is Role.LEAF and model.hosts[near.host].role in APPLIANCES:
                found.setdefault(far.host, (near.host, near.port))
    return found


def _routing(model: NetworkModel) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    ospf: set[tuple[str, str]] = set()
    bfd: set[tuple[str, str]] = set()
    for host in model.hosts.values():
        for port in host.ports:
            if not port.ospf:
                continue
            peer = model.hosts[port.peer_host]
            far = peer.port(port.peer_port)
            if not far.ospf:
                continue
            ospf.add((host.name, f"{port.vrf}/{port.name}/{peer.vrf(far.vrf).router_id}"))
            if port.bfd_ms and far.bfd_ms and far.address is not None:
                bfd.add((host.name, f"{port.vrf}/{port.name}/{far.address.ip}"))
    for near, far_host in ((a, b) for a in model.hosts.values() for b in model.hosts.values() if a is not b):
        for vrf in near.vrfs:
            if not vrf.name or vrf.router_id is None or not vrf.ospf_interfaces:
                continue
            far_vrf = next((other for other in far_host.vrfs if other.name == vrf.name and other.router_id), None)
            if far_vrf is None:
                continue
            for name in vrf.ospf_interfaces:
                device = next((vxlan for vxlan in far_vrf.vxlans if vxlan.name == name and vxlan.address), None)
                if device is not None and device.address is not None:
                    ospf.add((near.name, f"{vrf.name}/{name}/{far_vrf.router_id}"))
                    bfd.add((near.name, f"{vrf.name}/{name}/{device.address.ip}"))
    return ospf, bfd


def expect(model: NetworkModel) -> Expected:
    """What the model asks for."""
    ospf, bfd = _routing(model)
    appliances = tuple(model.appliances())
    return Expected(
        appliances=tuple(host.name for host in appliances),
        leaves=_leaves(model),
        ospf=frozenset(ospf),
        bfd=frozenset(bfd),
        tunnels={
            tunnel.name: ExpectedTunnel(tunnel.gateway, tunnel.kind, tunnel.inner) for tunnel in model.tunnels.values()
        },
        services=frozenset((host.name, name) for host in appliances for name in services(model, host)),
        relays=tuple(host.name for host in model.by_role(Role.RELAY)),
        probes={path.name: path.host for path in probe_paths(model)},
    )
