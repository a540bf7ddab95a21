"""network.json: links, VRFs, addresses, overlays and kernel routes of one host (shape: platforms/linux/network.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from inventory.model import ROUTERS, Host, NetworkModel, Port, Role, StaticRoute, Vrf
from provision.render.files import ConfigFile, program
from provision.render.qos import port_shape

MTU = 1500
CORE_READY = "/run/sanwang-core.ready"  # on a centre: the other centres have told their routes
_TUNNEL_MTU = {"wg0": 1420, "ipsec0": 1400}
SOURCE_TABLES = 1000  # + the network's number: routes for packets from one network only
NAT_DAYS = 190  # the cybersecurity law (article 21) asks for no less than six months
CARRIER_TABLES = 1100  # + the line's place: back out by the line it came in

_SYSCTLS = {
    # Order counts: off for "all" and "default" before links are made.
    "net/ipv6/conf/all/disable_ipv6": "1",
    "net/ipv6/conf/default/disable_ipv6": "1",
    # Spoofing is stopped by nftables where the prefix is known; reverse path filters would stop the overlay's ways.
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv4/conf/all/send_redirects": "0",
    "net/ipv4/conf/default/send_redirects": "0",
    "net/ipv4/conf/all/accept_redirects": "0",
    "net/ipv4/conf/default/accept_redirects": "0",
    "net/ipv4/conf/all/ignore_routes_with_linkdown": "1",
    "net/ipv4/conf/default/ignore_routes_with_linkdown": "1",
    "net/ipv4/conf/all/arp_ignore": "1",
    "net/ipv4/conf/default/arp_ignore": "1",
}
_ROLE_SYSCTLS = {
    # ospfd joins AllSPFRouters on every link with one socket, and the kernel's 20 are fewer than a centre's fibres.
    Role.CORE: {"net/ipv4/igmp_max_memberships": "1024"},
    Role.ACCESS: {"net/ipv4/igmp_max_memberships": "1024"},
    Role.SERVER: {"net/ipv4/ip_nonlocal_bind": "1"},
}
_FORWARDERS = ROUTERS | {Role.FIREWALL, Role.VPN, Role.HEADEND, Role.CPE, Role.PARTNER}


def network_json(model: NetworkModel, host: Host, networks: frozenset[str] | None) -> str:
    """The file's text; with ``networks`` only the underlay and those VRFs (enrolment)."""
    spaces: dict[str, Any] = {}
    for vrf in host.vrfs:
        if wanted(host, vrf.name, networks):
            spaces[vrf.name] = _namespace(model, host, vrf, networks)
    document = {"namespaces": spaces}
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def wanted(host: Host, vrf: str, networks: frozenset[str] | None) -> bool:
    """True when the VRF is part of what is rendered."""
    return networks is None or vrf == "" or vrf in networks


def port_wanted(host: Host, port: Port, networks: frozenset[str] | None) -> bool:
    """At enrolment: the underlay of a router, a box's own management port, the whole of a box behind a tunnel."""
    if not wanted(host, port.vrf, networks):
        return False
    if networks is None or port.vrf or host.role in ROUTERS or host.role in (Role.CPE, Role.PARTNER):
        return True
    return port.address is not None and port.address.ip == host.management


def tunnel_device(model: NetworkModel, host: Host) -> dict[str, str]:
    """Kind of tunnel -> device of it on this host."""
    kinds = {each.kind for each in model.tunnels.values() if host.name in (each.host, each.gateway)}
    if host.name == model.vpn:
        kinds |= {each.kind for each in model.guests.values()} | ({"wireguard"} if model.travellers else set())
    return {kind: device for kind, device in (("wireguard", "wg0"), ("ipsec", "ipsec0")) if kind in kinds}


def _namespace(model: NetworkModel, host: Host, vrf: Vrf, networks: frozenset[str] | None) -> dict[str, Any]:
    links: dict[str, Any] = {"lo": {"kind": "loopback", "addresses": [str(each) for each in vrf.loopbacks]}}
    ports = [port for port in host.ports if port.vrf == vrf.name and port_wanted(host, port, networks)]
    for port in ports:
        addresses = [str(port.address)] if port.address else []
        links[port.name] = {"kind": "port", "mtu": port.mtu, "master": port.bridge, "addresses": addresses}
        if shaped := port_shape(model, host, port):
            links[port.name]["shape"] = shaped
        floating = [
            f"{service.address}/32"
            for service in model.services.values()
            if any(
                port.address and backend.host == host.name and backend.address == port.address.ip
                for backend in service.backends
            )
        ]
        if floating and host.role is Role.SERVER:
            links[port.name]["floating"] = floating
    for bridge in vrf.bridges:
        links[bridge.name] = {"kind": "bridge", "mtu": MTU, "master": "", "addresses": [str(bridge.address)]}
    for vxlan in vrf.vxlans:
        links[vxlan.name] = {
            "kind": "vxlan",
            "mtu": MTU,
            "master": next((bridge.name for bridge in vrf.bridges if bridge.vxlan == vxlan.name), ""),
            "addresses": [str(vxlan.address)] if vxlan.address else [],
            "id": vxlan.vni,
            "local": str(vxlan.local),
            "mac": vxlan.mac,
            "learning": vxlan.learning,
            "tos": "inherit",  # the outer header carries the packet's mark
            "fdb": [[mac, str(vtep)] for mac, vtep in vxlan.fdb],
            "neighbours": [[str(address), mac] for address, mac in vxlan.neighbours],
        }
    for address, metric in vrf.anycast_vteps:
        # Nobody is drawn to a centre before it knows the way on.
        blank = {"kind": "dummy", "mtu": MTU, "master": "", "addresses": [], "when": CORE_READY}
        device = links.setdefault(f"any{metric}", blank)
        device["addresses"].append(str(address))
    routes: list[dict[str, str]] = []
    rules: list[dict[str, str]] = []
    if host.role not in ROUTERS:
        reachable = [port.address.network for port in ports if port.address] + [
            each.address.network for each in vrf.bridges
        ]
        for route in vrf.routes:
            if any(route.via in prefix for prefix in reachable):
                _route(model, host, route, routes, rules)
        if vrf.name == "":
            _tunnels(model, host, links, routes)
            if host.role is Role.FIREWALL and networks is None:
                _carriers(model, routes, rules)
    forward = host.role in _FORWARDERS and not (vrf.name and host.role not in ROUTERS)
    return {
        "links": links,
        "routes": routes,
        "rules": rules,
        "forward": forward,
        "sysctl": _SYSCTLS | _ROLE_SYSCTLS.get(host.role, {}),
    }


def _route(
    model: NetworkModel, host: Host, route: StaticRoute, routes: list[dict[str, str]], rules: list[dict[str, str]]
) -> None:
    """One kernel route; one with a source goes into the table of the source's network, with rules that lead there."""
    row = {"prefix": str(route.prefix), "via": str(route.via), "table": "main"}
    if route.metric:
        row["metric"] = str(route.metric)
    if route.source is None:
        routes.append(row)
        return
    network = next(each for each in model.networks.values() if route.via in each.prefix)
    row["table"] = str(SOURCE_TABLES + network.number)
    if row not in routes:
        routes.append(row)
    rule = {"priority": row["table"], "from": str(route.source), "table": row["table"]}
    if host.role is not Role.VPN:
        # What is on the leg's own wire is reached directly.
        near = next(port.address.network for port in host.ports if port.address and route.via in port.address.network)
        device = next(port.name for port in host.ports if port.address and route.via in port.address.network)
        direct = {"prefix": str(near), "dev": device, "table": row["table"]}
        routes += [direct] if direct not in routes else []
        rules.append(rule)
        return
    # Only what comes OUT of a tunnel: what comes in by a leg goes into the tunnel by the main table.
    rules += [{**rule, "iif": device} for device in tunnel_device(model, host).values()]


def _tunnels(model: NetworkModel, host: Host, links: dict[str, Any], routes: list[dict[str, str]]) -> None:
    """The tunnels' devices and what is reached through them."""
    devices = tunnel_device(model, host)
    for device in devices.values():
        links[device] = {"kind": "tunnel", "mtu": _TUNNEL_MTU[device], "master": "", "addresses": []}
    for tunnel in model.tunnels.values():
        device = devices.get(tunnel.kind, "")
        if device and tunnel.gateway == host.name:
            routes += [{"prefix": str(prefix), "dev": device, "table": "main"} for prefix in tunnel.inner]
        elif device and tunnel.host == host.name:
            source = str(host.management)
            routes += [{"prefix": str(each), "dev": device, "table": "main", "src": source} for each in tunnel.remote]
    if host.name == model.vpn:
        # All travellers as one: a new one changes no route.
        visiting = [(each, "ipsec") for guest in model.guests.values() if guest.host for each in guest.prefixes]
        visiting += [(model.travellers.prefix, "wireguard")] if model.travellers else []
        routes += [{"prefix": str(prefix), "dev": devices[kind], "table": "main"} for prefix, kind in visiting]


def _carriers(model: NetworkModel, routes: list[dict[str, str]], rules: list[dict[str, str]]) -> None:
    """An answer leaves by the carrier's line that the question came in by (the mark is set by nftables)."""
    for place, line in enumerate(model.exits, 1):
        table = str(CARRIER_TABLES + place)
        routes.append({"prefix": "0.0.0.0/0", "via": str(line.gateway), "table": table})
        rules.append({"priority": table, "fwmark": str(place), "table": table})


def line_files(model: NetworkModel) -> Iterator[ConfigFile]:
    """What watches the carriers' lines (shape: platforms/linux/lines.py)."""
    lines = [
        {
            "carrier": line.carrier,
            "port": line.port,
            "gateway": str(line.gateway),
            "probe": str(line.probe or line.gateway),
            "metric": line.metric,
        }
        for line in model.exits
    ]
    yield ConfigFile("/etc/sanwang/lines.json", "0644", json.dumps({"lines": lines}, indent=1) + "\n", "lines")
    yield ConfigFile("/etc/sanwang/bin/lines", "0755", program("lines.py"), "lines")


def natlog_files(model: NetworkModel) -> Iterator[ConfigFile]:
    """What keeps the translations of the exit (shape: platforms/linux/natlog.py)."""
    document = {
        "addresses": [str(line.address.ip) for line in model.exits],
        "folder": "/var/log/nat",
        "days": NAT_DAYS,
    }
    yield ConfigFile("/etc/sanwang/natlog.json", "0644", json.dumps(document, indent=1) + "\n", "natlog")
    yield ConfigFile("/etc/sanwang/bin/natlog", "0755", program("natlog.py"), "natlog")
