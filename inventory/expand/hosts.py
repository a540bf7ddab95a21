"""Phase 15, hosts: seats, ports and VRFs put together; and where each site's users sit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from inventory import plan
from inventory.expand.access import users_name
from inventory.expand.cable import Cable, Seat
from inventory.expand.ground import Ground
from inventory.expand.written import REMOTE, written_sites
from inventory.model import APPLIANCES, ROUTERS, Endpoint, Hall, Host, Port, Role, SiteKind, Vrf
from inventory.schema import Intent

FORWARDERS = ROUTERS | {Role.FIREWALL, Role.VPN, Role.HEADEND}
"""Roles whose own management sits in a VRF, apart from what they forward."""


def expand_hosts(
    ground: Ground, seats: Iterable[Seat], cables: Iterable[Cable], vrfs: Mapping[str, tuple[Vrf, ...]]
) -> dict[str, Host]:
    """Every host by name."""
    ports: dict[str, list[Port]] = {}
    for item in cables:
        for name, port in item.ports:
            ports.setdefault(name, []).append(port)
    return {seat.name: _host(seat, ground, tuple(ports.get(seat.name, ())), vrfs[seat.name]) for seat in seats}


def _host(seat: Seat, ground: Ground, ports: tuple[Port, ...], vrfs: tuple[Vrf, ...]) -> Host:
    number = ground.sites[seat.site].number
    ours = seat.role in APPLIANCES
    management = plan.site_address(ground.networks["mgmt"], number, seat.slot).ip
    return Host(
        name=seat.name,
        site=seat.site,
        role=seat.role,
        slot=seat.slot,
        networks=seat.networks,
        ports=ports,
        vrfs=vrfs,
        loopback=plan.loopback(number) if seat.role in ROUTERS else None,
        management=management if ours else None,
        management_vrf="mgmt" if seat.role in FORWARDERS else "",
        staging=plan.staging(number, seat.slot) if ours else None,
        platform=seat.platform,
    )


def expand_endpoints(intent: Intent, ground: Ground, halls: Mapping[str, Hall]) -> tuple[Endpoint, ...]:
    """The user of each site in each of its networks but mgmt: a PC, a hall's computer, or the router's own address."""
    hall_sites = {hall.site for hall in halls.values()}
    endpoints = []
    for written in written_sites(intent):
        site = ground.sites[written.code]
        if site.kind.outside:
            continue
        for name in site.networks:
            if name == "mgmt":
                continue
            host, vrf, slot = written.host, name, plan.SLOT_ROUTER
            if name == "gov" and site.code in hall_sites:
                host, vrf, slot = f"{site.code}-hall", "", plan.SLOT_USER
            elif site.kind in (SiteKind.SCHOOL, SiteKind.CLINIC, SiteKind.SUBSCRIBERS):
                vrf, slot = "", plan.SLOT_USER
            elif site.code in ground.switches:
                host, vrf, slot = users_name(site.code), "", plan.SLOT_USER
            elif written.section.name in REMOTE:
                vrf = ""
            address = plan.site_address(ground.networks[name], site.number, slot).ip
            endpoints.append(Endpoint(site.code, name, host, vrf, address))
    return tuple(endpoints)
