"""Phase 11, guests: gateways of other agencies behind IPsec; not ours, and let in to named services only.

A guest is no site of a network: its prefixes are its own.  The VPN gateway puts its packets on the leg of the network
that it visits, and lets them pass to what is written and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network

from inventory import plan
from inventory.errors import Key, Report
from inventory.expand.ground import Ground
from inventory.model import Guest, Opening, Service
from inventory.schema import Intent


def guest_host(code: str) -> str:
    """Name of a third party's gateway, which only the twin gives power to."""
    return f"{code}-gw"


def expand_guests(
    intent: Intent,
    ground: Ground,
    services: Mapping[str, Service],
    outside: Mapping[str, IPv4Network],
    report: Report,
) -> dict[str, Guest]:
    """Every guest by name."""
    guests: dict[str, Guest] = {}
    taken: dict[IPv4Network, str] = dict.fromkeys(plan.RESERVED, "in use already")
    taken |= {prefix: f"the prefix of {zone}" for zone, prefix in outside.items()}
    for code, written in intent.third_parties.items():
        key: Key = ("third_parties", code)
        if not ground.vpn:
            report.error(key, "a third party's gateway", "a VPN gateway of our own", "add vpn to a centre's boxes")
            continue
        if written.network not in ground.vpn_networks or written.network == "mgmt":
            legs = ", ".join(name for name in ground.vpn_networks if name != "mgmt")
            report.error((*key, "network"), written.network, f"one of the gateway's: {legs}", "add it to vpn.networks")
        for index, prefix in enumerate(written.prefixes):
            clash = next((other for other in taken if other.overlaps(prefix)), None)
            if clash is not None:
                said = f"nothing of {clash}, {taken[clash]}"
                report.error((*key, "prefixes", index), str(prefix), said, "agree on another, or let them translate")
            taken[prefix] = f"{code}'s"
        openings = []
        for index, name in enumerate(written.reaches):
            service = services.get(name)
            if service is None or service.network != written.network:
                known = ", ".join(each.name for each in services.values() if each.network == written.network)
                expected = f"a service of {written.network}: {known}"
                report.error((*key, "reaches", index), name, expected, "correct it or add the service")
                continue
            openings.append(Opening(IPv4Network(service.address), service.protocol, service.port))
        guests[code] = Guest(
            name=code,
            kind="ipsec",
            network=written.network,
            prefixes=written.prefixes,
            openings=tuple(openings),
            host=guest_host(code),
            outer=written.address or plan.outer_ends(plan.line_number(written.number))[1].ip,
            identity=written.identity,
            authority=written.authority,
        )
    return guests
