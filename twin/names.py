"""How the twin names namespaces and devices; every name fits the kernel's 15 bytes.

A link is two veth pairs whose middles sit in the plant namespace, joined by a bridge::

    host a: p12 ---- m12a [ b12 ] m12b ---- p12 :host b
"""

from __future__ import annotations

from inventory.model import Host, Link

STAGING_BRIDGE = "staging"
STAGING_PORT = "stg0"


def namespace(instance: str, host: str) -> str:
    """Name of a host's network namespace in the machine."""
    return f"{instance}.{host}"


def plant(instance: str) -> str:
    """Name of the namespace that holds every cable's middle."""
    return f"{instance}.plant"


def middle(link: Link, side: str) -> str:
    """The plant's half of a cable; ``side`` is ``a`` or ``b``."""
    return f"m{link.number}{side}"


def bridge(link: Link) -> str:
    """The bridge that joins both middles of a cable."""
    return f"b{link.number}"


def side_of(link: Link, host: str) -> str:
    """Which end of the link the host is: ``a`` or ``b``."""
    return "a" if link.a.host == host else "b"


def port_mac(link: Link, side: str) -> str:
    """The MAC of a port: the same after every restart, as a machine's own port has it."""
    high, middle, low = link.number.to_bytes(3)
    return f"02:54:{high:02x}:{middle:02x}:{low:02x}:0{side}"


def staging_middle(host: Host, site_number: int) -> str:
    """The plant's half of a host's staging cable."""
    return f"s{site_number}-{host.slot}"


def staging_mac(host: Host, site_number: int) -> str:
    """The MAC of a host's staging port."""
    return f"02:55:{site_number >> 8:02x}:{site_number & 255:02x}:00:{host.slot:02x}"


def switch_mac(host: Host, site_number: int) -> str:
    """The MAC of a switch's VLAN interfaces."""
    return f"02:56:{site_number >> 8:02x}:{site_number & 255:02x}:00:{host.slot:02x}"
