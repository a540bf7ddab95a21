"""From what is written to the whole county: ordered, pure phases, each reporting all of its errors."""

from __future__ import annotations

from inventory.errors import Report
from inventory.expand import numbers
from inventory.expand.access import check_switches
from inventory.expand.alerting import expand_alerting
from inventory.expand.boxes import expand_boxes
from inventory.expand.exits import expand_exits, expand_outside
from inventory.expand.fibres import expand_ducts, expand_fibres
from inventory.expand.ground import check_boxes, expand_seats
from inventory.expand.guests import expand_guests, expand_pool
from inventory.expand.halls import expand_halls
from inventory.expand.hosts import expand_endpoints, expand_hosts
from inventory.expand.lines import expand_lines
from inventory.expand.networks import expand_networks
from inventory.expand.people import expand_people
from inventory.expand.policy import expand_policy
from inventory.expand.rooms import expand_rooms
from inventory.expand.routers import expand_routers
from inventory.expand.segments import service_networks
from inventory.expand.services import expand_services
from inventory.expand.sites import expand_sites
from inventory.expand.standby import taken_over
from inventory.expand.supervision import expand_supervision
from inventory.expand.switches import expand_revoked, expand_switch
from inventory.expand.vpn import expand_tunnels
from inventory.metrics import Metrics
from inventory.model import NetworkModel
from inventory.schema import Intent


def expand(intent: Intent, report: Report) -> NetworkModel:
    """The model of a county.  Raises CountyErrors at the end of the first phase that found mistakes."""
    intent = taken_over(intent, report)
    numbers.check(intent, report)
    report.settle("numbers")
    networks = expand_networks(intent, report)
    report.settle("networks")
    sites = expand_sites(intent, networks, report)
    report.settle("sites")
    switches = check_switches(intent, networks, sites, report)
    report.settle("access switches")
    ground = check_boxes(intent, networks, sites, switches, report)
    report.settle("boxes")
    ducts = expand_ducts(intent)
    fibres = expand_fibres(intent, sites, report)
    report.settle("fibres")
    services = expand_services(intent, ground, report)
    report.settle("services")
    halls = expand_halls(intent, ground, report)
    report.settle("halls")
    outside = expand_outside(intent, report)
    lines = expand_lines(intent, ground, report)
    report.settle("lines")
    policy = expand_policy(intent, ground, services, halls, outside, report)
    report.settle("policy")

    people = expand_people(intent, sites, report)
    report.settle("people")
    supervision = expand_supervision(intent, sites, services, people, report)
    report.settle("supervision")
    alerting = expand_alerting(intent, people, report)
    report.settle("alerting")

    cables = (*fibres, *expand_rooms(intent, ground, services, halls), *lines)
    exits = expand_exits(intent, lines, ground)
    tunnels = expand_tunnels(intent, ground, exits)
    guests = expand_guests(intent, ground, services, outside, report)
    report.settle("guests")
    revoked = expand_revoked(intent, tunnels, report)
    report.settle("switches")
    seats = expand_seats(intent, ground, services)
    vrfs = expand_routers(ground, cables, service_networks(services))
    vrfs |= expand_boxes(intent, ground, seats, cables, services, exits, outside)
    return NetworkModel(
        name=intent.county.name,
        zh=intent.county.zh,
        en=intent.county.en,
        networks=networks,
        sites=sites,
        ducts=ducts,
        links={item.link.name: item.link for item in cables},
        hosts=expand_hosts(ground, seats, cables, vrfs),
        endpoints=expand_endpoints(intent, ground, halls),
        tunnels=tunnels,
        services=services,
        policy=policy,
        halls=halls,
        exits=exits,
        people=people,
        firewall=ground.host(ground.firewall, "firewall"),
        vpn=ground.host(ground.vpn, "vpn") if ground.vpn else "",
        nms=ground.host(ground.nms, "nms"),
        outside=outside,
        guests=guests,
        travellers=expand_pool(intent, ground),
        exit_closed=expand_switch(intent.switches.exit_closed),
        revoked=revoked,
        standby=ground.host(ground.standby, "standby") if ground.standby else "",
        taken_over=expand_switch(intent.switches.management),
        fenced=expand_switch(intent.switches.fenced),
        alerting=alerting,
        metrics=Metrics(**intent.metrics.model_dump()),
        supervision=supervision,
    )
