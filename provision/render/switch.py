"""The access switch of a body: its whole configuration in a vendor's words, from the model alone.

One trunk to the body's router carries one VLAN per network of the site; users' ports have one network each, and which
one never moves: it follows from the network's number.  Priorities are believed at the uplink only.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

import jinja2

from inventory.model import Network, NetworkModel, Role, SiteKind
from inventory.plan import SLOT_SWITCH, site_address
from provision.platforms.base import load

VLAN_BASE = 100
"""A network's VLAN is this and its number: gov 101, mgmt 104."""

_PUBLIC = {"gov": (1, 8), "edu": (9, 10), "tv": (11, 12)}
_FIRST_CLOSED, _CLOSED_PORT, _EACH = 10, 13, 2  # closed groups from number 10 upwards have two ports each, from 13


@dataclass(frozen=True, slots=True)
class Hardware:
    """How a platform names its ports."""

    access: str  # {} is the port's number, from 1
    count: int
    uplinks: tuple[str, ...]  # the first goes to the router


HARDWARE = {
    "huawei_vrp5": Hardware("GigabitEthernet0/0/{}", 24, ("XGigabitEthernet0/0/1", "XGigabitEthernet0/0/2")),
    "huawei_vrp8": Hardware("GE1/0/{}", 24, ("10GE1/0/1", "10GE1/0/2")),
    "h3c_comware": Hardware("GigabitEthernet1/0/{}", 24, ("Ten-GigabitEthernet1/0/25", "Ten-GigabitEthernet1/0/26")),
    "ruijie_rgos": Hardware("GigabitEthernet 0/{}", 24, ("TenGigabitEthernet 0/25", "TenGigabitEthernet 0/26")),
    "zte_zxr10": Hardware("gei_1/{}", 24, ("xgei_1/25", "xgei_1/26")),
}


@dataclass(frozen=True, slots=True)
class Vlan:
    """One network of the site."""

    number: int
    name: str


@dataclass(frozen=True, slots=True)
class AccessPort:
    """A port for users; ``vlan`` None: nobody's, and shut."""

    name: str
    vlan: Vlan | None


@dataclass(frozen=True, slots=True)
class AccessSwitch:
    """Everything a template needs."""

    name: str  # "b01-sw"
    site: str
    place: str  # for people, in English: device texts are ASCII
    management: IPv4Interface
    management_vlan: Vlan
    gateway: IPv4Address
    vlans: tuple[Vlan, ...]  # by number, the management VLAN among them
    uplink: str
    router: str  # at the uplink's other end
    ports: tuple[AccessPort, ...]  # users' ports and spare uplinks
    controller: IPv4Address  # may log in, asks by SNMP, takes the log
    time_servers: tuple[IPv4Address, ...]

    @property
    def trunk(self) -> tuple[int, ...]:
        """VLANs on the uplink."""
        return tuple(vlan.number for vlan in self.vlans)


def access_switch(model: NetworkModel, site_code: str, platform: str) -> AccessSwitch:
    """The switch of a site.

    Raises KeyError for an unknown site or platform, ValueError for a site without an access switch or with a network
    whose number has no port.
    """
    site = model.sites[site_code]
    if site.kind not in (SiteKind.BODY, SiteKind.BUILDING):
        raise ValueError(f"{site_code} is a {site.kind}: only a body or the county building has an access switch")
    hardware = HARDWARE[platform]
    networks = sorted((model.networks[name] for name in site.networks), key=lambda network: network.number)
    vlans = {network.name: Vlan(VLAN_BASE + network.number, network.name) for network in networks}
    taken = {number: vlans[network.name] for network in networks for number in _ports(network, hardware)}
    ports = [AccessPort(hardware.access.format(number), taken.get(number)) for number in range(1, hardware.count + 1)]
    management = next(network for network in networks if network.kind == "mgmt")
    router = next(host for host in model.site_hosts(site_code) if host.role is Role.ACCESS)
    nms = model.hosts[model.nms].management
    clocks = [host.management for host in model.by_role(Role.CORE) if host.site in site.homes]
    if nms is None or router.management is None:
        raise ValueError(f"{site_code}: the management host and {router.name} have no management address")
    return AccessSwitch(
        name=f"{site_code}-sw",
        site=site_code,
        place=site.en,
        management=site_address(management, site.number, SLOT_SWITCH),
        management_vlan=vlans[management.name],
        gateway=router.management,
        vlans=tuple(vlans.values()),
        uplink=hardware.uplinks[0],
        router=router.name,
        ports=(*ports, *(AccessPort(name, None) for name in hardware.uplinks[1:])),
        controller=nms,
        time_servers=tuple(clock for clock in clocks if clock is not None),
    )


def _ports(network: Network, hardware: Hardware) -> Iterator[int]:
    """The numbers of a network's ports, the same on every switch."""
    if network.kind == "mgmt":
        return
    if network.name in _PUBLIC:
        first, last = _PUBLIC[network.name]
    else:
        first = _CLOSED_PORT + (network.number - _FIRST_CLOSED) * _EACH
        last = first + _EACH - 1
    if not 1 <= first <= last <= hardware.count:
        raise ValueError(
            f"network {network.name} (number {network.number}) has no port on a switch of {hardware.count}"
        )
    yield from range(first, last + 1)


def render_switch(model: NetworkModel, site_code: str, platform: str) -> str:
    """The whole configuration of a site's access switch; secrets stand as ``@secret:NAME@``.

    Raises what ``access_switch`` raises; jinja2.UndefinedError for a template that names what is not there.
    """
    template = _templates(platform).get_template("access.j2")
    return template.render(switch=access_switch(model, site_code, platform))


@functools.cache
def _templates(platform: str) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(load(platform).folder / "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
