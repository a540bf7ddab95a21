"""From words to a walk: ``t01:gov`` to ``service:portal``, ``b05:gov`` or ``203.0.113.80 tcp/443``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address

from inventory.model import NetworkModel
from inventory.walk import Flow

_TARGET = re.compile(r"(?P<where>\S+?)(?:\s+(?P<protocol>tcp|udp|icmp)(?:/(?P<port>[0-9]{1,5}))?)?")


@dataclass(frozen=True, slots=True)
class Unclear(Exception):
    """A word that names nothing in this county."""

    word: str
    expected: str

    def __str__(self) -> str:
        return f"{self.word!r}: expected {self.expected}"


def flow_of(model: NetworkModel, source: str, target: str) -> Flow:
    """The packet meant.  Raises Unclear.

    ``source`` is ``site:network``; ``target`` the same, ``service:name``, or an address, and where it is no
    service optionally `` tcp/80``, `` udp/53`` or `` icmp`` (the default).
    """
    host, vrf, start = _place(model, source)
    match = _TARGET.fullmatch(target)
    if match is None:
        raise Unclear(target, "a target like `b05:gov tcp/22`")
    where, protocol, port = match["where"], match["protocol"] or "icmp", int(match["port"] or 0)
    if where.startswith("service:"):
        service = model.services.get(where.removeprefix("service:"))
        if service is None:
            raise Unclear(where, f"one of {', '.join(model.services)}")
        return Flow(host, vrf, start, service.address, service.protocol, service.port)
    try:
        address = IPv4Address(where)
    except ValueError:
        address = _place(model, where)[2]
    return Flow(host, vrf, start, address, protocol, port)


def _place(model: NetworkModel, text: str) -> tuple[str, str, IPv4Address]:
    """Host, VRF and address of a site's user in a network, or of a host's management address (``host:mgmt``)."""
    site, _, network = text.partition(":")
    host = model.hosts.get(site)
    if host is not None and network == "mgmt" and host.management is not None:
        return host.name, host.management_vrf, host.management
    try:
        endpoint = model.endpoint(site, network)
    except KeyError:
        present = ", ".join(item.network for item in model.endpoints if item.site == site)
        expected = f"{site}: and one of {present}" if present else "a site and a network like `t01:gov`, or `host:mgmt`"
        raise Unclear(text, expected) from None
    return endpoint.host, endpoint.vrf, endpoint.address
