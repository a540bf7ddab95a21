"""Whether the controller still reaches every device after each stage: walked through the model before a line is sent.

The county's files say how each device will be; how it is now is read from the configuration that it has
(``network.json`` and ``frr.conf``): a stage in which one end has changed and the other has not is seen as it will be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

from inventory.model import ROUTERS, Bridge, Host, NetworkModel, Port, StaticRoute, Vrf, Vxlan
from inventory.walk import County, Flow

NETWORK = "/etc/sanwang/network.json"
FRR = "/etc/frr/frr.conf"
_ROUTE = re.compile(r" ip route (?P<prefix>\S+) (?P<via>[\d.]+)(?: tag (?P<metric>\d+))?")


def lost(
    model: NetworkModel, running: Mapping[str, Mapping[str, str]], stages: Iterable[tuple[str, Iterable[str]]]
) -> dict[str, tuple[str, ...]]:
    """Stage -> devices that the controller reaches before the plan and would no longer reach after that stage.

    Args:
        model: The county as planned.
        running: Host -> {path: text} of the files that the plan replaces, as they are on the device now.
        stages: (name, hosts) in the order of applying.
    """
    hosts = dict(model.hosts)
    for name, files in running.items():
        hosts[name] = as_running(model.hosts[name], files)
    before = reached(replace(model, hosts=hosts))
    found = {}
    for name, members in stages:
        for member in members:
            hosts[member] = model.hosts[member]
        gone = before - reached(replace(model, hosts=dict(hosts)))
        if gone:
            found[name] = tuple(each for each in model.hosts if each in gone)
    return found


def reached(model: NetworkModel) -> frozenset[str]:
    """Appliances whose SSH the management host reaches in band, there and back."""
    county = County(model)
    nms = model.hosts[model.nms]
    assert nms.management is not None
    found = set()
    for host in model.appliances():
        if host.management is None:
            continue
        flow = Flow(nms.name, nms.management_vrf, nms.management, host.management, "tcp", 22)
        there, back = county.round_trip(flow)
        if there.verdict == "delivered" and back is not None and back.verdict == "delivered":
            found.add(host.name)
    return frozenset(found)


def as_running(host: Host, files: Mapping[str, str]) -> Host:
    """The host as its present files have it; what they do not tell is as in the model.  A file of another shape than
    ours tells nothing."""
    if NETWORK in files:
        try:
            spaces: Mapping[str, Any] = json.loads(files[NETWORK])["namespaces"]
            host = _with_network(host, spaces)
        except (ValueError, KeyError, TypeError, AttributeError):
            return host
    return _with_frr(host, files[FRR]) if FRR in files else host


def _with_network(host: Host, spaces: Mapping[str, Any]) -> Host:
    home = {device: (vrf, link) for vrf, space in spaces.items() for device, link in space["links"].items()}
    ports = tuple(_port(port, home) for port in host.ports)
    vrfs = []
    for name, space in spaces.items():
        model = next((vrf for vrf in host.vrfs if vrf.name == name), Vrf(name))
        vrfs.append(_vrf(model, space, keep_routes=host.role in ROUTERS))
    return replace(host, ports=tuple(port for port in ports if port is not None), vrfs=tuple(vrfs))


def _port(port: Port, home: Mapping[str, tuple[str, Any]]) -> Port | None:
    if port.name not in home:
        return replace(port, address=None, bridge="", ospf=False)  # a spare port, shut
    vrf, link = home[port.name]
    address = IPv4Interface(link["addresses"][0]) if link["addresses"] else None
    return replace(port, vrf=vrf, bridge=link["master"], address=address, mtu=link["mtu"])


def _vrf(model: Vrf, space: Mapping[str, Any], *, keep_routes: bool) -> Vrf:
    links: Mapping[str, Any] = space["links"]
    members = {link["master"]: name for name, link in links.items() if link["kind"] == "vxlan" and link["master"]}
    routes = model.routes
    if not keep_routes:
        ruled = tuple(route for route in model.routes if route.source is not None)
        rows = [row for row in space["routes"] if row.get("table", "main") == "main" and "via" in row]
        routes = ruled + tuple(
            StaticRoute(IPv4Network(row["prefix"]), IPv4Address(row["via"]), int(row.get("metric", 0))) for row in rows
        )
    return replace(
        model,
        bridges=tuple(
            Bridge(name, IPv4Interface(link["addresses"][0]), members.get(name, ""))
            for name, link in links.items()
            if link["kind"] == "bridge" and link["addresses"]
        ),
        vxlans=tuple(_vxlan(name, link) for name, link in links.items() if link["kind"] == "vxlan"),
        routes=routes,
        loopbacks=tuple(IPv4Interface(each) for each in links.get("lo", {}).get("addresses", [])),
        anycast_vteps=tuple(
            (IPv4Interface(address), int(name.removeprefix("any")))
            for name, link in links.items()
            if re.fullmatch(r"any\d+", name)
            for address in link["addresses"]
        ),
    )


def _vxlan(name: str, link: Mapping[str, Any]) -> Vxlan:
    return Vxlan(
        name=name,
        vni=link["id"],
        local=IPv4Address(link["local"]),
        mac=link["mac"],
        address=IPv4Interface(link["addresses"][0]) if link["addresses"] else None,
        fdb=tuple((mac, IPv4Address(vtep)) for mac, vtep in link["fdb"]),
        neighbours=tuple((IPv4Address(address), mac) for address, mac in link["neighbours"]),
        learning=link["learning"],
    )


def _with_frr(host: Host, text: str) -> Host:
    """Static routes of the VRFs, and on which ports OSPF runs at what cost."""
    routes: dict[str, list[StaticRoute]] = {}
    costs: dict[str, int] = {}
    running: set[str] = set()
    kind, name = "", ""
    for line in text.splitlines():
        words = line.split()
        if line[:1].strip() and words[0] in ("vrf", "interface") and len(words) == 2:
            kind, name = words
        elif line[:1].strip():
            kind = name = ""
        elif kind == "vrf" and (route := _ROUTE.fullmatch(line)):
            row = StaticRoute(IPv4Network(route["prefix"]), IPv4Address(route["via"]), int(route["metric"] or 0))
            routes.setdefault(name, []).append(row)
        elif kind == "interface" and words[:3] == ["ip", "ospf", "cost"] and words[3:4] and words[3].isdigit():
            costs[name] = int(words[3])
        elif kind == "interface" and words[:3] == ["ip", "ospf", "area"]:
            running.add(name)
    ports = tuple(
        replace(port, ospf=port.name in running, ospf_cost=costs.get(port.name, port.ospf_cost))
        if port.vrf == ""
        else port
        for port in host.ports
    )
    vrfs = tuple(replace(vrf, routes=tuple(routes.get(vrf.name, ()))) if vrf.name else vrf for vrf in host.vrfs)
    return replace(host, ports=ports, vrfs=vrfs)
