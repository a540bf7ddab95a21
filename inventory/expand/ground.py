"""Phase 5, boxes: which centre holds the firewall, the VPN gateway, the servers ...; the ground for all cabling."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network

from inventory import plan
from inventory.errors import Report
from inventory.expand.access import switch_seats
from inventory.expand.cable import Seat
from inventory.expand.fibres import router_name
from inventory.expand.relays import relay_sites
from inventory.expand.segments import service_networks
from inventory.expand.sites import box_centre
from inventory.expand.written import written_sites
from inventory.model import Network, Role, Service, Site, SiteKind
from inventory.schema import AccessIntent, CentreIntent, Intent

BOXES = {
    "firewall": ("fw", Role.FIREWALL, plan.SLOT_FIREWALL),
    "vpn": ("vpn", Role.VPN, plan.SLOT_VPN),
    "server": ("srv", Role.SERVER, plan.SLOT_SERVER),
    "relay": ("relay", Role.RELAY, plan.SLOT_RELAY),
    "nms": ("nms", Role.NMS, plan.SLOT_NMS),
    "standby": ("nms", Role.STANDBY, plan.SLOT_NMS),  # the same name and address, whoever of the two acts
    "headend": ("headend", Role.HEADEND, plan.SLOT_HEADEND),
}


@dataclass(frozen=True, slots=True)
class Ground:
    """Networks and sites, and the centres (by code) that hold the county's single boxes; "" for none."""

    networks: dict[str, Network]
    sites: dict[str, Site]
    firewall: str
    vpn: str
    nms: str
    standby: str
    headend: str
    relays: tuple[str, ...]  # codes of sites, centres first
    vpn_networks: tuple[str, ...]  # mgmt included
    switches: dict[str, str]  # platform of each access switch, by its site
    visitors: dict[str, tuple[IPv4Network, ...]]  # prefixes of guests, by the network that they visit

    @property
    def centres(self) -> tuple[Site, ...]:
        """The centres, in the county's order."""
        return tuple(site for site in self.sites.values() if site.kind is SiteKind.CENTRE)

    def host(self, centre: str, box: str) -> str:
        """Name of a box's host at a centre."""
        return f"{centre}-{BOXES[box][0]}"

    def router(self, site: str) -> str:
        """Name of the site's router."""
        return router_name(self.sites[site])


def check_boxes(
    intent: Intent, networks: dict[str, Network], sites: dict[str, Site], switches: dict[str, str], report: Report
) -> Ground:
    """Every county has one firewall and one management host; remote sites need a VPN gateway beside the firewall."""
    for box in ("firewall", "nms", "standby", "vpn", "headend"):
        places = [code for code, centre in intent.centres.items() if box in centre.boxes]
        if not places and box in ("firewall", "nms"):
            report.error(("centres",), f"no {box}", f"one centre with the box {box}", f"add {box} to a centre's boxes")
        for code in places[1:]:
            report.error(
                ("centres", code, "boxes"), f"a second {box}", f"one {box} in the county ({places[0]})", "remove one"
            )
    for code, centre in intent.centres.items():
        for index, box in enumerate(centre.boxes):
            if box in centre.boxes[:index]:
                report.error(("centres", code, "boxes", index), f"{box} again", "each box once", "remove it")
    for code, centre in intent.centres.items():
        if {"nms", "standby"} <= {*centre.boxes}:
            report.error(
                ("centres", code, "boxes"), "nms and standby", "them at two centres: one may burn", "move the standby"
            )
    firewall, vpn = box_centre(intent, "firewall"), box_centre(intent, "vpn")
    remote = [(section, code) for section in ("villages", "units", "partners") for code in getattr(intent, section)]
    if vpn and firewall and vpn != firewall:
        report.error(("centres", vpn, "boxes"), "the VPN gateway", f"it beside the firewall ({firewall})", "move it")
    if vpn and intent.vpn is None:
        report.error(("vpn",), "nothing", "`vpn: {networks: [...]}` beside the box vpn", "write it")
    if remote and not vpn:
        report.error(remote[0], "a site behind the VPN", "a VPN gateway", f"add vpn to the boxes of {firewall}")
    legs = set(intent.vpn.networks) if intent.vpn else set()
    for index, name in enumerate(intent.vpn.networks if intent.vpn else ()):
        if name not in networks:
            report.error(("vpn", "networks", index), name, f"one of {', '.join(networks)}", "correct it")
    for section, code in remote:
        for name in sites[code].networks:
            if vpn and name != "mgmt" and name not in legs:
                legs_text = ", ".join(sorted(legs))
                report.error(
                    (section, code, "networks"), name, f"one of the gateway's: {legs_text}", "add it to vpn.networks"
                )
    visitors: dict[str, tuple[IPv4Network, ...]] = {}
    for code, third in intent.third_parties.items():
        if third.network not in networks:
            report.error(
                ("third_parties", code, "network"), third.network, f"one of {', '.join(networks)}", "correct it"
            )
        visitors[third.network] = (*visitors.get(third.network, ()), *third.prefixes)
    if intent.travellers and intent.travellers.network in networks:
        pool = plan.site_prefix(networks[intent.travellers.network], intent.travellers.number)
        visitors[intent.travellers.network] = (*visitors.get(intent.travellers.network, ()), pool)
    return Ground(
        networks=networks,
        sites=sites,
        firewall=firewall,
        vpn=vpn,
        nms=box_centre(intent, "nms"),
        standby=box_centre(intent, "standby"),
        headend=box_centre(intent, "headend"),
        relays=relay_sites(intent, sites, report),
        vpn_networks=tuple(name for name in networks if name in legs | {"mgmt"}) if vpn else (),
        switches=switches,
        visitors=visitors,
    )


def expand_seats(intent: Intent, ground: Ground, services: Mapping[str, Service]) -> tuple[Seat, ...]:
    """Every host of the county, sites in order, the site's own host first; users' computers at the end of theirs."""
    halls = {hall.site for hall in intent.halls.values()}
    seats = []
    for written in written_sites(intent):
        site, section = ground.sites[written.code], written.section
        seats.append(Seat(written.host, site.code, section.role, section.slot, site.networks))
        boxes = written.intent.boxes if isinstance(written.intent, CentreIntent | AccessIntent) else ()
        for box in boxes:
            suffix, role, slot = BOXES[box]
            networks = _box_networks(box, site.code, ground, services)
            seats.append(Seat(f"{site.code}-{suffix}", site.code, role, slot, networks))
        if site.code in ground.switches:
            seats += switch_seats(site, ground.switches[site.code], site.code in halls)
        if site.code in halls:
            seats.append(Seat(f"{site.code}-hall", site.code, Role.LEAF, plan.SLOT_USER, ("gov",)))
    return tuple(seats)


def _box_networks(box: str, centre: str, ground: Ground, services: Mapping[str, Service]) -> tuple[str, ...]:
    match box:
        case "firewall":
            return tuple(ground.networks)
        case "vpn":
            return ground.vpn_networks
        case "headend":
            return ("tv", "mgmt")
        case "server":
            return (*service_networks(services, centre), "mgmt")
        case "nms" | "standby":
            return ("mgmt",)
        case _:
            return ("gov", "mgmt")
