"""Vendor access switches: how each platform names its ports, and which port belongs to which network.

Which ones never moves: it follows from the network's number alone.  A network's uplink is the patch cable to the
``lan-<network>`` bridge of the site's router (docs/decisions/013: a cable per network, no trunk).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from inventory.model import Network

Platform = Literal["huawei_vrp8", "huawei_vrp5", "h3c_comware", "ruijie_rgos", "zte_zxr10"]

VLAN_BASE = 100
"""A network's VLAN is this and its number: gov 101, mgmt 104."""

_PUBLIC = {"gov": (range(1, 8), 8), "edu": (range(9, 10), 10), "tv": (range(11, 12), 12)}
FIRST_CLOSED, _CLOSED_PORT, _EACH = 10, 13, 2  # closed groups from number 10 upwards have two ports each, from 13


@dataclass(frozen=True, slots=True)
class Hardware:
    """How a platform names its ports."""

    access: str  # {} is the port's number, from 1
    count: int
    uplinks: tuple[str, ...]  # 10G; the first leads to the router's management LAN
    oob: str  # out-of-band management port: the staging port
    snmp_auth: str = "SHA1"  # the strongest of SNMPv3 that every series of the platform has; it is configured

    def port(self, number: int) -> str:
        """The name of an access port, by its number on the front."""
        return self.access.format(number)

    @property
    def ports(self) -> tuple[str, ...]:
        """Every port but the out-of-band one."""
        return (*map(self.port, range(1, self.count + 1)), *self.uplinks)


HARDWARE: dict[str, Hardware] = {
    "huawei_vrp5": Hardware(
        "GigabitEthernet0/0/{}",
        24,
        ("XGigabitEthernet0/0/1", "XGigabitEthernet0/0/2"),
        "MEth0/0/1",
        "SHA256",
    ),
    "huawei_vrp8": Hardware("GE1/0/{}", 24, ("10GE1/0/1", "10GE1/0/2"), "MEth0/0/0", "SHA256"),
    "h3c_comware": Hardware(
        "GigabitEthernet1/0/{}",
        24,
        ("Ten-GigabitEthernet1/0/25", "Ten-GigabitEthernet1/0/26"),
        "M-GigabitEthernet0/0/0",
    ),
    "ruijie_rgos": Hardware(
        "GigabitEthernet 0/{}", 24, ("TenGigabitEthernet 0/25", "TenGigabitEthernet 0/26"), "Mgmt 0"
    ),
    "zte_zxr10": Hardware("gei-0/1/1/{}", 24, ("xgei-0/1/2/1", "xgei-0/1/2/2"), "mgmt_eth"),
}


@dataclass(frozen=True, slots=True)
class NetworkPorts:
    """One network's ports on a switch, as the box's own command line names them."""

    uplink: str
    users: tuple[str, ...]  # () in mgmt: nobody's computer is in it


def vlan(network: Network) -> int:
    """A network's VLAN on every switch."""
    return VLAN_BASE + network.number


def network_ports(network: Network, platform: str) -> NetworkPorts:
    """A network's ports, the same on every switch of a platform.

    Raises KeyError for an unknown platform, ValueError for a closed group whose number has no port.
    """
    hardware = HARDWARE[platform]
    if network.kind == "mgmt":
        return NetworkPorts(hardware.uplinks[0], ())
    if network.name in _PUBLIC:
        users, uplink = _PUBLIC[network.name]
    else:
        first = _CLOSED_PORT + (network.number - FIRST_CLOSED) * _EACH
        users, uplink = range(first, first + 1), first + 1
        if not 1 <= first < uplink <= hardware.count:
            raise ValueError(
                f"network {network.name} (number {network.number}) has no port on a switch of {hardware.count}"
            )
    return NetworkPorts(hardware.port(uplink), tuple(hardware.port(number) for number in users))


def last_closed(platform: str) -> int:
    """The highest number of a closed group that still has ports on this platform."""
    return FIRST_CLOSED + (HARDWARE[platform].count - _CLOSED_PORT - 1) // _EACH
