"""Phase 12, policy: selectors as written become prefixes; everything not allowed is denied.

A selector is ``network:who`` with who ``*``, a site's code, a kind in the plural (``schools``, ``bodies``
...), ``halls`` or, in mgmt, ``nms``; ``service:name``; or a zone: ``internet``, ``city``, ``province``,
``vpn`` (the gateway's outer port).  A target may end in `` tcp/80,443`` or `` udp/3478`` or `` icmp``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

from inventory import plan
from inventory.errors import Key, Report
from inventory.expand.ground import Ground
from inventory.expand.vpn import gateway_outer
from inventory.expand.written import BY_NAME, written_sites
from inventory.model import Hall, PolicyRule, Service
from inventory.schema import Intent

Ports = tuple[tuple[int, int], ...]
_TARGET = re.compile(r"(?P<selector>\S+)(?:\s+(?P<protocol>tcp|udp|icmp|any)(?:/(?P<ports>[0-9,-]+))?)?")
ZONES = ("internet", "city", "province", "vpn")
KINDS = tuple(name for name in BY_NAME if name not in ("centres", "carriers", "uplinks"))


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a crossing: a network or zone, its prefixes, and on a target what may be used there."""

    zone: str
    prefixes: tuple[IPv4Network, ...]
    protocol: str = "any"
    ports: Ports = ()


@dataclass(frozen=True, slots=True)
class Resolver:
    """Turns selectors into prefixes; notes what it cannot resolve."""

    intent: Intent
    ground: Ground
    services: Mapping[str, Service]
    halls: Mapping[str, Hall]
    outside: Mapping[str, IPv4Network]
    report: Report

    def source(self, key: Key, text: str) -> Side | None:
        """Who may start: any selector but a service."""
        if text == "internet" and "internet" in self.outside:
            return Side("internet", (plan.DEFAULT,))  # whoever calls from there, broadband lines included
        if text.startswith("service:"):
            self._unknown(key, text)
            return None
        return self._selector(key, text)

    def target(self, key: Key, text: str) -> Side | None:
        """What may be reached, with protocol and ports; a service brings its own."""
        match = _TARGET.fullmatch(text)
        if match is None:
            self.report.error(key, text, "`selector protocol/ports`, e.g. `internet tcp/80,443`", "correct it")
            return None
        selector, protocol = match["selector"], match["protocol"]
        if selector.startswith("service:"):
            return self._service(key, selector.removeprefix("service:"), protocol)
        side = self._selector(key, selector)
        if side is None:
            return None
        if protocol is None:
            self.report.error(key, text, "a protocol, e.g. `tcp/80,443`", "say what may be used there")
            return None
        return Side(side.zone, side.prefixes, protocol, self._ports(key, protocol, match["ports"]))

    def _service(self, key: Key, name: str, protocol: str | None) -> Side | None:
        service = self.services.get(name)
        if service is None:
            known = ", ".join(self.services)
            self.report.error(key, f"service {name}", f"one of {known}", "correct it or add the service")
            return None
        if protocol is not None:
            self.report.error(key, f"a protocol after service:{name}", "none: the service has its own", "remove it")
        port = (service.port, service.port)
        return Side(service.network, (IPv4Network(service.address),), service.protocol, (port,))

    def _selector(self, key: Key, text: str) -> Side | None:
        if text in ZONES:
            return self._zone(key, text)
        network_name, _, who = text.partition(":")
        network = self.ground.networks.get(network_name)
        if network is None or not who:
            self._unknown(key, text)
            return None
        if who == "*":
            return Side(network.name, (network.prefix,))
        if who == "halls" and network_name == "gov":
            return Side("gov", tuple(IPv4Network(hall.address) for hall in self.halls.values()))
        if who == "nms" and network_name == "mgmt":
            number = self.ground.sites[self.ground.nms].number
            return Side("mgmt", (IPv4Network(plan.site_address(network, number, plan.SLOT_NMS).ip),))
        if who in KINDS:
            sites = [site for site in written_sites(self.intent) if site.section.name == who]
        else:
            sites = [site for site in written_sites(self.intent) if site.code == who]
        present = [
            site.intent.number
            for site in sites
            if network.name in self.ground.sites[site.code].networks
            or (site.section.name == "units" and network.name == "tv")  # their line to the head-end
        ]
        if not present:
            self.report.error(
                key,
                f"{text}, which nobody is",
                "a site or a kind that is in that network",
                "correct the code or the network",
            )
            return None
        return Side(network.name, tuple(plan.site_prefix(network, number) for number in present))

    def _zone(self, key: Key, name: str) -> Side | None:
        if name == "vpn" and self.ground.vpn:
            return Side("vpn", (IPv4Network(gateway_outer(self.ground)),))
        if name not in self.outside:
            self.report.error(key, name, "a zone the county has a line to", "add the line or remove the rule")
            return None
        return Side(name, (self.outside[name],))

    def _ports(self, key: Key, protocol: str, text: str | None) -> Ports:
        if text is None:
            return ()
        ports = []
        for item in text.split(","):
            low, _, high = item.partition("-")
            first = int(low) if low else 0
            last = int(high) if high else first
            if protocol not in ("tcp", "udp") or not 1 <= first <= last <= 65535:
                self.report.error(key, f"{protocol}/{item}", "ports 1 to 65535 of tcp or udp", "correct the ports")
            ports.append((first, last))
        return tuple(ports)

    def _unknown(self, key: Key, text: str) -> None:
        self.report.error(
            key,
            text,
            f"`network:who` with a network of {', '.join(self.ground.networks)}, or a zone of {', '.join(ZONES)}",
            "correct the selector",
        )


def expand_policy(
    intent: Intent,
    ground: Ground,
    services: Mapping[str, Service],
    halls: Mapping[str, Hall],
    outside: Mapping[str, IPv4Network],
    report: Report,
) -> tuple[PolicyRule, ...]:
    """Every allowed crossing: one rule for each pair of a written source and target, in the written order."""
    resolver = Resolver(intent, ground, services, halls, outside, report)
    rules: list[PolicyRule] = []
    names: set[str] = set()
    for index, written in enumerate(intent.policy):
        key: Key = ("policy", index)
        if written.name in names:
            report.error((*key, "name"), f"{written.name} again", "each rule's name once", "rename one")
        names.add(written.name)
        sources = [resolver.source((*key, "from", place), text) for place, text in enumerate(written.source)]
        targets = [resolver.target((*key, "to", place), text) for place, text in enumerate(written.target)]
        pairs = [(source, target) for target in targets for source in sources if source and target]
        for number, (source, target) in enumerate(pairs, 1):
            if source.zone == target.zone:
                report.error(
                    key,
                    f"{source.zone} to {target.zone}",
                    "two different networks: inside one there is no crossing",
                    "remove that side",
                )
            rules.append(
                PolicyRule(
                    name=written.name if len(pairs) == 1 else f"{written.name}-{number}",
                    source_network=source.zone,
                    sources=source.prefixes,
                    target_network=target.zone,
                    targets=target.prefixes,
                    protocol=target.protocol,
                    ports=target.ports,
                    why=written.why,
                )
            )
    return tuple(rules)
