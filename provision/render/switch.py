"""An access switch: its whole configuration in a vendor's words, from the model alone.

One patch cable per network leads to the site's router; users' ports have one network each, and which one never moves:
it follows from the network's number (``inventory/hardware.py``).  Priorities are believed at the uplinks only.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

import jinja2

from inventory.hardware import HARDWARE, NetworkPorts, network_ports, vlan
from inventory.model import Host, Network, NetworkModel, Role
from inventory.plan import site_address
from provision.platforms.base import load
from provision.render.files import ConfigFile

RUNNING = "running-configuration"
"""The path of a switch's one file: what the device calls its current configuration."""

STORM_PERCENT = 5
"""Broadcasts may take this part of a user's port."""

STATIONS = 16
"""Addresses that a user's port may have behind it."""


@dataclass(frozen=True, slots=True)
class Vlan:
    """One network of the site."""

    number: int
    name: str


@dataclass(frozen=True, slots=True)
class SwitchPort:
    """A port that is open."""

    name: str
    vlan: Vlan


@dataclass(frozen=True, slots=True)
class AccessSwitch:
    """Everything a template needs."""

    name: str  # "b01-sw"
    place: str  # for people, in English: device texts are ASCII
    management: IPv4Interface
    management_vlan: Vlan
    gateway: IPv4Address
    vlans: tuple[Vlan, ...]  # by number, the management VLAN among them
    uplinks: tuple[SwitchPort, ...]  # one per network
    users: tuple[SwitchPort, ...]
    unused: tuple[str, ...]
    out_of_band: str
    router: str  # at the uplinks' other ends
    controller: IPv4Address  # asks by SNMP, takes the log
    controllers: tuple[IPv4Address, ...]  # may log in: it, and the one that stands by
    time_servers: tuple[IPv4Address, ...]
    whole: bool  # False: only what the management address needs (enrolment); the out-of-band port stays open
    storm_percent: int = STORM_PERCENT
    stations: int = STATIONS

    @property
    def open(self) -> tuple[SwitchPort, ...]:
        """Every port that is not shut."""
        return (*self.uplinks, *self.users) if self.whole else self.uplinks


def access_switch(model: NetworkModel, host: Host, *, networks: frozenset[str] | None = None) -> AccessSwitch:
    """A switch of the county, or what it would be on another platform (``dataclasses.replace(host, platform=...)``).

    ``networks``: only these, and nothing but what reaches the device (enrolment).  Raises KeyError for an unknown
    platform, ValueError for a site without a router or management network, or with a closed group without ports.
    """
    hardware = HARDWARE[host.platform]
    site = model.sites[host.site]
    here = [model.networks[name] for name in site.networks if networks is None or name in networks]
    here.sort(key=lambda network: network.number)
    management = next((network for network in here if network.kind == "mgmt"), None)
    router = next((one for one in model.site_hosts(site.code) if one.role in (Role.ACCESS, Role.CORE)), None)
    nms = model.hosts[model.nms].management
    if management is None or router is None or router.management is None or nms is None:
        raise ValueError(f"{host.name}: {site.code} and the management host need a router and the network mgmt")
    vlans = {network.name: Vlan(vlan(network), network.name) for network in here}
    plan = {network.name: network_ports(network, host.platform) for network in here}
    taken = {name for ports in plan.values() for name in (ports.uplink, *ports.users)}
    names = [*(hardware.port(number) for number in range(1, hardware.count + 1)), *hardware.uplinks]
    clocks = [one.management for one in model.by_role(Role.CORE) if one.site in (*site.homes, site.code)]
    return AccessSwitch(
        name=host.name,
        place=site.en,
        management=site_address(management, site.number, host.slot),
        management_vlan=vlans[management.name],
        gateway=router.management,
        vlans=tuple(vlans.values()),
        uplinks=tuple(SwitchPort(plan[name].uplink, vlans[name]) for name in _ordered(here, plan)),
        users=tuple(SwitchPort(port, vlans[network.name]) for network in here for port in plan[network.name].users),
        unused=tuple(name for name in names if name not in taken),
        out_of_band=hardware.oob,
        router=router.name,
        controller=nms,
        controllers=model.controllers(),
        time_servers=tuple(clock for clock in clocks if clock is not None),
        whole=networks is None,
    )


def _ordered(networks: list[Network], plan: dict[str, NetworkPorts]) -> list[str]:
    """Networks with an uplink, the management network first: its port is typed before any other is touched."""
    return sorted((one.name for one in networks if plan[one.name].uplink), key=lambda name: name != "mgmt")


def render_switch(model: NetworkModel, host: Host, *, networks: frozenset[str] | None = None) -> str:
    """The whole configuration of a switch (or its part for enrolment); secrets stand as ``@secret:NAME@``.

    Raises what ``access_switch`` raises; jinja2.UndefinedError for a template that names what is not there.
    """
    template = _templates(host.platform).get_template("access.j2")
    return template.render(switch=access_switch(model, host, networks=networks))


def switch_file(model: NetworkModel, host: Host, *, networks: frozenset[str] | None = None) -> ConfigFile:
    """The one file that a switch has; raises what ``render_switch`` raises."""
    return ConfigFile(RUNNING, "", render_switch(model, host, networks=networks), "configuration")


@functools.cache
def _templates(platform: str) -> jinja2.Environment:
    folder = load(platform).folder
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder / "templates", folder.parent / "huawei" / "templates"]),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
