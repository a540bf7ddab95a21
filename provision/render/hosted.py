"""Hosted systems and helpers: sshd, nginx and keepalived, chrony, the relay, the management host's Prometheus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time

from identity.ca import dns_name
from inventory import relays
from inventory.model import Host, NetworkModel, Port, Role, Service
from inventory.workdays import CHINA
from provision.environment import Environment
from provision.render.bus import hub_config, leaf_config
from provision.render.files import ConfigFile, fill
from provision.render.node import node_files
from provision.render.rules import county_rules

VRRP_ADVERT_S = 0.2
BUS_FILE = "/etc/sanwang/bus.conf"


def ssh_files(host: Host) -> Iterator[ConfigFile]:
    """sshd on the management address only: keys only, root by the broker's key."""
    yield ConfigFile("/etc/ssh/sshd_config", "0600", fill("sshd_config.j2", host=host), "ssh")
    yield ConfigFile("/etc/sanwang/ssh/host_key", "0600", f"@secret:ssh/host/{host.name}@\n", "ssh")
    yield ConfigFile("/etc/sanwang/ssh/authorized_keys", "0600", "@secret:ssh-pub/broker@\n", "ssh")


def tls_files(host: Host, group: str) -> Iterator[ConfigFile]:
    """The host's certificate of the county's authority, its key and the root."""
    yield ConfigFile("/etc/sanwang/tls/host.crt", "0644", f"@secret:cert/{host.name}@\n", group)
    yield ConfigFile("/etc/sanwang/tls/host.key", "0600", f"@secret:key/{host.name}@\n", group)
    yield ConfigFile("/etc/sanwang/tls/ca.crt", "0644", "@secret:ca@\n", group)


def web_services(model: NetworkModel, host: Host) -> list[tuple[Service, int, Port]]:
    """Services that this server answers for, with its priority and its port in the service segment."""
    found = []
    for service in model.services.values():
        for backend in service.backends:
            if service.kind == "web" and backend.host == host.name:
                port = next(each for each in host.ports if each.address and each.address.ip == backend.address)
                found.append((service, backend.priority, port))
    return found


def server_files(model: NetworkModel, host: Host) -> Iterator[ConfigFile]:
    """nginx and keepalived of a centre's server."""
    services = web_services(model, host)
    site = model.sites[host.site]
    yield from tls_files(host, "nginx")
    text = fill("nginx.conf.j2", host=host, site=site, services=services)
    yield ConfigFile("/etc/nginx/nginx.conf", "0644", text, "nginx")
    text = fill("keepalived.conf.j2", host=host, services=services, advert_s=VRRP_ADVERT_S)
    yield ConfigFile("/etc/keepalived/keepalived.conf", "0644", text, "keepalived")


def chrony_files(model: NetworkModel, host: Host, environment: Environment) -> Iterator[ConfigFile]:
    """Time, authenticated: the centres and the management host serve it, every other appliance takes it from them.

    Key 1 (AES-CMAC, RFC 8573) is the appliances'; key 2 is for switches, whose only common algorithm is MD5 (RFC 5905),
    and nothing else takes a time signed with it.
    """
    serves = host.role in (Role.NMS, Role.CORE)
    clocks = [each for each in model.by_role(Role.NMS, Role.CORE) if each.name != host.name]
    homes = model.sites[host.site].homes
    near = [each for each in clocks if each.role is Role.NMS or each.site in homes]
    text = fill(
        "chrony.conf.j2",
        host=host,
        serves=serves,
        servers=[each.management for each in (near if not serves and len(near) > 1 else clocks)],
        networks=model.networks,
        sets_clock=environment.clock == "own",
    )
    yield ConfigFile("/etc/chrony/chrony.conf", "0644", text, "chrony")
    keys = "1 AES128 ASCII:@secret:ntp/county@\n"
    if serves:
        keys += "2 MD5 ASCII:@secret:ntp/switches@\n"
    yield ConfigFile("/etc/chrony/chrony.keys", "0640", keys, "chrony")


def relay_files(model: NetworkModel, host: Host, environment: Environment) -> Iterator[ConfigFile]:
    """One media worker: its media address in gov, its control address in mgmt; outside the centres the node too."""
    address, port = relays.media(model, host)
    drivers = [*relays.managers(model), *((host,) if relays.is_node(model, host) else ())]
    document = {
        "name": host.name,
        "media": f"{address}:{port}",
        "control": f"{host.management}:{relays.CONTROL_PORT}",
        "certificate": "/etc/sanwang/tls/host.crt",
        "key": "/etc/sanwang/tls/host.key",
        "ca": "/etc/sanwang/tls/ca.crt",
        "clients": sorted(dns_name(driver.name) for driver in drivers),
    }
    yield from tls_files(host, "relay")
    if relays.is_node(model, host):
        yield from node_files(model, host, environment)
        yield ConfigFile(BUS_FILE, "0644", leaf_config(model, host), "relay")
    yield ConfigFile("/etc/sanwang/relay.json", "0644", json.dumps(document, indent=1) + "\n", "relay")


def nms_files(model: NetworkModel, host: Host, environment: Environment) -> Iterator[ConfigFile]:
    """Prometheus and Alertmanager on the management host, and its certificate."""
    yield from tls_files(host, "nms")
    if relays.bus(model):
        yield ConfigFile(BUS_FILE, "0644", hub_config(model, host), "nms")
    text = fill("prometheus.yml.j2", model=model, rules=environment.rules)
    yield ConfigFile("/etc/prometheus/prometheus.yml", "0644", text, "nms")
    yield ConfigFile("/etc/prometheus/county.rules.yml", "0644", county_rules(model, environment), "nms")
    alerting = model.alerting
    text = fill(
        "alertmanager.yml.j2",
        model=model,
        webhooks=alerting.webhooks if alerting else (),
        quiet=list(_in_utc(*alerting.quiet)) if alerting and alerting.quiet else (),
    )
    yield ConfigFile("/etc/prometheus/alertmanager.yml", "0644", text, "nms")


def _in_utc(begin: time, end: time) -> Iterator[tuple[str, str]]:
    """A span of local time as the spans of one UTC day that it is made of: one does not go over midnight."""
    first, last = (
        datetime.combine(date(2026, 1, 2), moment, CHINA).astimezone(UTC).strftime("%H:%M") for moment in (begin, end)
    )
    for start, stop in ((first, last),) if first < last else ((first, "24:00"), ("00:00", last)):
        if start != stop:
            yield start, stop
