"""Cables: the ``ip`` commands that plug them, unplug them and give or take their carrier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from inventory.model import Host, Link, NetworkModel
from twin import names

_FRAME_BYTES = 1600  # the plant carries the largest MTU of the underlay on every cable

_FIRST_INDEX = 100_000
"""Devices of the plant have high numbers: a veth whose two ends happen to have the same number in their namespaces
tells its carrier up to a second late (the kernel's link watch takes it for a device of its own)."""

_BRIDGE = "mcast_snooping 0 stp_state 0 ageing_time 0 group_fwd_mask 0x4000"
"""A cable's bridge learns nothing, so each frame goes to the other end; the mask lets LLDP through."""


def lay(link: Link) -> Iterator[str]:
    """Plant command: the bridge of a cable."""
    index = _FIRST_INDEX + 4 * link.number
    yield f"link add name {names.bridge(link)} index {index} mtu {_FRAME_BYTES} up type bridge {_BRIDGE}"


def plug(instance: str, model: NetworkModel, link: Link, side: str) -> Iterator[str]:
    """Plant command: one half of a cable, from the bridge to the host's port (down, without address)."""
    end = link.a if side == "a" else link.b
    mtu = model.hosts[end.host].port(end.port).mtu
    index = _FIRST_INDEX + 4 * link.number + (1 if side == "a" else 2)
    yield (
        f"link add name {names.middle(link, side)} index {index} group {group(model, end.host)}"
        f" mtu {max(mtu, _FRAME_BYTES)} up master {names.bridge(link)}"
        f" type veth peer name {end.port} address {names.port_mac(link, side)} mtu {mtu}"
        f" netns {names.namespace(instance, end.host)}"
    )


def group(model: NetworkModel, host: str) -> int:
    """Device group of a host's cable ends in the plant: the kernel removes a whole group at once."""
    return _FIRST_INDEX + list(model.hosts).index(host)


def lay_staging() -> Iterator[str]:
    """Plant command: the staging room's switch."""
    yield f"link add name {names.STAGING_BRIDGE} up type bridge mcast_snooping 0 stp_state 0"


def plug_staging(instance: str, model: NetworkModel, host: Host) -> Iterator[str]:
    """Plant command: a host's staging cable; nothing for hosts without a staging port."""
    if host.staging is None:
        return
    number = model.sites[host.site].number
    yield (
        f"link add name {names.staging_middle(host, number)} group {group(model, host.name)}"
        f" up master {names.STAGING_BRIDGE} type veth peer name {names.STAGING_PORT}"
        f" address {names.staging_mac(host, number)}"
        f" netns {names.namespace(instance, host.name)}"
    )


def links_of(model: NetworkModel, host: str) -> list[Link]:
    """Every cable that ends at a host."""
    found = model.hosts[host]
    return [model.links[port.link] for port in found.ports]


def carrier(links: Iterable[Link], up: bool, only_sides: str = "ab") -> Iterator[str]:
    """Plant commands: give or take the carrier of both ends of cables."""
    for link in links:
        for side in only_sides:
            yield f"link set dev {names.middle(link, side)} {'up' if up else 'down'}"
