"""Phase 11, guests: gateways of other agencies behind IPsec, and people's notebooks; let in to what is named only.

A guest is no site of a network: its prefixes are its own.  The VPN gateway puts its packets on the leg of the network
that it visits, and lets them pass to what is written and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network

from inventory import plan
from inventory.errors import Key, Report
from inventory.expand.ground import Ground
from inventory.guests import Guest, Opening, Pool
from inventory.model import Service
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
        openings = _openings((*key, "reaches"), written.reaches, written.network, services, report)
        guests[code] = Guest(
            name=code,
            kind="ipsec",
            network=written.network,
            prefixes=written.prefixes,
            openings=openings,
            host=guest_host(code),
            outer=written.address or plan.outer_ends(plan.line_number(written.number))[1].ip,
            identity=written.identity,
            authority=written.authority,
        )
    return guests | _travellers(intent, ground, services, report)


def expand_pool(intent: Intent, ground: Ground) -> Pool | None:
    """Where travellers' addresses come from; call it after ``expand_guests``."""
    written = intent.travellers
    if written is None or not ground.vpn:
        return None
    prefix = plan.site_prefix(ground.networks[written.network], written.number)
    return Pool(written.network, prefix, written.days, tuple(written.reaches))


def _travellers(intent: Intent, ground: Ground, services: Mapping[str, Service], report: Report) -> dict[str, Guest]:
    """People's notebooks by login."""
    written, key = intent.travellers, ("travellers",)
    if written is None:
        for login in intent.switches.travellers:
            report.error(("switches", "travellers", login), login, "a county with `travellers:`", "revoke it")
        return {}
    if not ground.vpn or written.network not in ground.vpn_networks or written.network == "mgmt":
        legs = ", ".join(name for name in ground.vpn_networks if name != "mgmt") or "none: the county has no gateway"
        report.error((*key, "network"), written.network, f"one of the gateway's: {legs}", "correct it")
        return {}
    owner = next((site.code for site in ground.sites.values() if site.number == written.number), "")
    if owner:
        report.error(
            (*key, "number"), str(written.number), f"a site number used nowhere else ({owner})", "choose another"
        )
    network = ground.networks[written.network]
    per_role: dict[str, tuple[Opening, ...]] = {}
    for role, names in written.reaches.items():
        whole = (Opening(network.prefix, "any", 0),) if network.name in names else ()
        rest = tuple(name for name in names if name != network.name)
        per_role[role] = whole or _openings((*key, "reaches", role), rest, network.name, services, report)
    guests: dict[str, Guest] = {}
    slots: dict[int, str] = {}
    for login, notebook in intent.switches.travellers.items():
        place = ("switches", "travellers", login)
        person = intent.people.get(login)
        openings = {opening: None for role in (person.roles if person else ()) for opening in per_role.get(role, ())}
        if not openings:
            expected = f"a person with one of the roles {', '.join(per_role)}"
            report.error(place, login, expected, f"sanwang vpn revoke --person {login}, or correct the role")
        if notebook.slot in slots:
            report.error((*place, "slot"), str(notebook.slot), f"one of its own ({slots[notebook.slot]})", "correct it")
        slots[notebook.slot] = login
        guests[login] = Guest(
            name=login,
            kind="wireguard",
            network=network.name,
            prefixes=(IPv4Network(plan.site_address(network, written.number, notebook.slot).ip),),
            openings=tuple(openings),
            key=notebook.key,
            until=notebook.until,
        )
    for login in guests:
        if login in intent.third_parties:
            report.error(("third_parties", login), login, "a code that is nobody's login", "choose another code")
    return guests


def _openings(
    key: Key, names: tuple[str, ...], network: str, services: Mapping[str, Service], report: Report
) -> tuple[Opening, ...]:
    """Services of a network by name."""
    openings = []
    for index, name in enumerate(names):
        service = services.get(name)
        if service is None or service.network != network:
            known = ", ".join(each.name for each in services.values() if each.network == network)
            report.error((*key, index), name, f"a service of {network}: {known}", "correct it or add the service")
            continue
        openings.append(Opening(IPv4Network(service.address), service.protocol, service.port))
    return tuple(openings)
