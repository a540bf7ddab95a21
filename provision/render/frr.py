"""frr.conf: OSPF and BFD in the underlay, static routes per VRF, iBGP between the centres per VRF."""

from __future__ import annotations

from dataclasses import dataclass

from inventory.model import Host, NetworkModel, Port, Vrf
from provision.environment import Environment
from provision.render.files import fill
from provision.render.network import wanted

AS_NUMBER = 64512  # private (RFC 6996); the county is one autonomous system
FIRST_HOME, SECOND_HOME = 200, 100  # local preference


@dataclass(frozen=True, slots=True)
class _Core:
    """iBGP of one VRF on a centre: neighbours are the other centres on ``vc-<network>``."""

    vrf: str
    device: str
    neighbours: tuple[str, ...]
    default: bool


_SLOW_MS = 300


def bfd_ms(port: Port, environment: Environment) -> int:
    """BFD interval of a port in this environment; one that is slow already is not slowed: three of them stay below a
    second, from which on a hall counts as cut off."""
    return max(port.bfd_ms, min(port.bfd_ms * environment.bfd_scale, _SLOW_MS))


def daemons(host: Host) -> tuple[str, ...]:
    """FRR daemons of a router, in the order in which they start."""
    core = any(vrf.name and vrf.ospf_interfaces for vrf in host.vrfs)
    return ("zebra", "staticd", "bfdd", "ospfd", *(("bgpd",) if core else ()))


def frr_conf(model: NetworkModel, host: Host, environment: Environment, networks: frozenset[str] | None) -> str:
    """The text of /etc/frr/frr.conf, in the order in which FRR itself shows it."""
    underlay = host.vrf("")
    ports = [host.port(name) for name in underlay.ospf_interfaces]
    vrfs = [vrf for vrf in host.vrfs if vrf.name and wanted(host, vrf.name, networks)]
    return fill(
        "frr.conf.j2",
        host=host,
        environment=environment,
        underlay=underlay,
        ports=[(port, bfd_ms(port, environment)) for port in ports],
        profiles=sorted({bfd_ms(port, environment) for port in ports}),
        metrics=sorted({metric for _, metric in underlay.anycast_vteps}),
        vrfs=vrfs,
        cores=[core for vrf in vrfs if (core := _core(vrf))],
        as_number=AS_NUMBER,
        preferences=((10, FIRST_HOME), (20, SECOND_HOME)),
    )


def _core(vrf: Vrf) -> _Core | None:
    for vxlan in vrf.vxlans:
        if vxlan.name in vrf.ospf_interfaces:
            neighbours = tuple(str(address) for address, _ in vxlan.neighbours)
            return _Core(vrf.name, vxlan.name, neighbours, vrf.ospf_originate_default)
    return None
