"""Phase 6, services: hosted systems with their VRRP addresses and backends; signalling and media at their hosts."""

from __future__ import annotations

from inventory import plan
from inventory.errors import Report
from inventory.expand.ground import Ground
from inventory.model import Backend, Service
from inventory.schema import Intent, ServiceIntent

PRIORITIES = (150, 100, 50)
BOX = {"web": "server", "meet": "nms", "watch": "nms", "media": "relay"}


def expand_services(intent: Intent, ground: Ground, report: Report) -> dict[str, Service]:
    """Every service by name; its backends in the written order, highest priority first."""
    for name, written in intent.services.items():
        _check(name, written, intent, ground, report)
    if report.errors:
        return {}
    return {name: _service(name, written, ground) for name, written in intent.services.items()}


def _check(name: str, written: ServiceIntent, intent: Intent, ground: Ground, report: Report) -> None:
    box = BOX[written.kind]
    if written.network not in ground.networks:
        report.error(
            ("services", name, "network"), written.network, f"one of {', '.join(ground.networks)}", "correct it"
        )
    elif written.kind == "web" and written.network == "mgmt":
        report.error(("services", name, "network"), "mgmt", "a network of users", "host it in gov or edu")
    elif written.kind in ("meet", "watch") and written.network != "mgmt":
        report.error(("services", name, "network"), written.network, "mgmt, where the management host is", "correct it")
    elif written.kind == "media" and written.network != "gov":
        report.error(("services", name, "network"), written.network, "gov, where the relays are", "correct it")
    if written.kind != "web" and len(written.backends) > 1:
        report.error(("services", name, "backends"), f"{len(written.backends)} backends", "one", "keep the first")
    for index, centre in enumerate(written.backends):
        key = ("services", name, "backends", index)
        if centre not in intent.centres:
            report.error(key, centre, f"a centre: {', '.join(intent.centres)}", "correct the code")
        elif box not in intent.centres[centre].boxes:
            report.error(key, centre, f"a centre with the box {box}", f"add {box} to centres.{centre}.boxes")
        elif centre in written.backends[:index]:
            report.error(key, f"{centre} again", "each centre once", "remove it")


def _service(name: str, written: ServiceIntent, ground: Ground) -> Service:
    network = ground.networks[written.network]
    box = BOX[written.kind]
    backends = []
    for centre, priority in zip(written.backends, PRIORITIES, strict=False):
        number = ground.sites[centre].number
        if written.kind == "web":
            address = plan.service_server(network, number).ip
        else:
            slot = plan.SLOT_RELAY if box == "relay" else plan.SLOT_NMS
            address = plan.site_address(network, number, slot).ip
        backends.append(Backend(centre, ground.host(centre, box), address, priority))
    return Service(
        name=name,
        number=written.number,
        zh=written.zh,
        en=written.en,
        network=written.network,
        protocol=written.protocol,
        port=written.port,
        address=plan.service_vip(network, written.number) if written.kind == "web" else backends[0].address,
        traffic_class=written.traffic_class,
        backends=tuple(backends),
        kind=written.kind,
    )
