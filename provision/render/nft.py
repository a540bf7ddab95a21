"""nftables rulesets: one file for each namespace of a host; ``/etc/nftables.conf`` is the device's own.

Every ruleset drops what it does not name, is replaced as a whole (``nft -f`` is one transaction) and is loaded before
anything forwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from inventory import relays
from inventory.guests import Guest
from inventory.model import ROUTERS, Host, Network, NetworkModel, PolicyRule, Role, SiteKind
from provision.environment import Environment
from provision.render.files import ConfigFile, fill
from provision.render.network import tunnel_device, wanted
from provision.render.qos import (
    CLASSES,
    OPUS_PAYLOAD_TYPE,
    SHARE_MASK,
    inner_ports,
    marks,
    shaped_ports,
    share_keys,
)
from provision.render.vpn import WIREGUARD_PORT

MANAGEMENT_PORTS = "22, 9100"
EXIT_FILE = "/etc/sanwang/exit.nft"  # part of the firewall's ruleset, with a life of its own: the switch of the exit


@dataclass(frozen=True, slots=True)
class Zone:
    """One side of the firewall: its ports, and the prefixes that may be sources behind them."""

    name: str
    ports: tuple[str, ...]
    prefixes: tuple[IPv4Network, ...]  # () = anybody but the county


def ruleset_path(vrf: str) -> str:
    """Where the ruleset of a VRF lies."""
    return f"/etc/nftables.d/{vrf}.nft" if vrf else "/etc/nftables.conf"


def nft_files(
    model: NetworkModel, host: Host, environment: Environment, networks: frozenset[str] | None
) -> Iterator[ConfigFile]:
    """The rulesets of a host."""
    for vrf in host.vrfs:
        if wanted(host, vrf.name, networks):
            yield ConfigFile(ruleset_path(vrf.name), "0600", _ruleset(model, host, vrf.name), "nft")
    if host.role is Role.FIREWALL:
        yield ConfigFile(EXIT_FILE, "0600", fill("nft-exit.j2", host=host, **_exit(model)), "exit")


def _exit(model: NetworkModel) -> dict[str, object]:
    """The carriers' ports and the VPN gateway's, and whether nothing but tunnels may pass between them."""
    by_name = {zone.name: zone.ports for zone in zones(model)}
    return {
        "closed": model.exit_closed is not None,
        "lines": by_name.get("internet", ()),
        "vpn": by_name.get("vpn", ()),
    }


def _ruleset(model: NetworkModel, host: Host, vrf: str) -> str:
    common = {
        "host": host,
        "vrf": vrf,
        "controllers": _addresses(model.controllers()),
        "management": model.networks["mgmt"].prefix,
        "managed_here": host.management_vrf == vrf,
        "management_ports": MANAGEMENT_PORTS,
    }
    if host.role is Role.FIREWALL and not vrf:
        return fill("nft-firewall.j2", **common, **_firewall(model))
    if host.role in ROUTERS and not vrf:
        return fill(
            "nft-underlay.j2",
            **common,
            ports=host.vrf("").ospf_interfaces,
            shaped=shaped_ports(model, host),
            classes=CLASSES,
        )
    if host.role in ROUTERS:
        found = marks(model, host, vrf)
        return fill(
            "nft-vrf.j2",
            **common,
            marks=found,
            opus=OPUS_PAYLOAD_TYPE,
            core=any(each.ospf_interfaces for each in host.vrfs if each.name == vrf),
        )
    return fill("nft-host.j2", **common, **_host(model, host, vrf))


def _addresses(addresses: Sequence[IPv4Address | IPv4Network]) -> str:
    """One address as it is, several as a set."""
    words = ", ".join(map(str, addresses))
    return words if len(addresses) == 1 else f"{{ {words} }}"


def zones(model: NetworkModel) -> tuple[Zone, ...]:
    """The firewall's zones: every network, the carriers' lines as one, city, province, the VPN gateway's outer port."""
    found: list[Zone] = []
    ports = [port for port in model.hosts[model.firewall].ports if not port.vrf and port.address]
    for network in model.networks.values():
        names = tuple(port.name for port in ports if port.address and port.address.ip in network.prefix)
        if names:
            found.append(Zone(network.name, names, (network.prefix,)))
    by_kind: dict[str, list[str]] = {}
    extra: dict[str, tuple[IPv4Network, ...]] = {}
    lines = {line.port for line in model.exits}
    for port in ports:
        kind = model.sites[model.hosts[port.peer_host].site].kind
        assert port.address
        if port.name in lines:
            by_kind.setdefault("internet", []).append(port.name)
        elif port.peer_host == model.vpn and not any(
            port.address.ip in each.prefix for each in model.networks.values()
        ):
            by_kind.setdefault("vpn", []).append(port.name)
            extra["vpn"] = (port.address.network,)
        elif kind in (SiteKind.CITY, SiteKind.PROVINCE):
            by_kind.setdefault(kind.value, []).append(port.name)
            extra[kind.value] = (port.address.network, model.outside[kind.value])
    found += (Zone(name, tuple(names), extra.get(name, ())) for name, names in by_kind.items())
    return tuple(found)


def _firewall(model: NetworkModel) -> dict[str, object]:
    gateway = model.hosts.get(model.vpn)
    outer = None
    if gateway is not None:
        firewall_ports = {port.peer_host: port for port in gateway.ports if port.peer_host == model.firewall}
        port = firewall_ports.get(model.firewall)
        outer = port.address.ip if port and port.address else None
    return {
        "zones": zones(model),
        "rules": [(rule, _match(rule)) for rule in model.policy],
        "exits": list(enumerate(model.exits, 1)),
        "exit_file": EXIT_FILE,
        "inner": inner_ports(model),
        "shares": share_keys(),
        "share_mask": SHARE_MASK,
        "county": "10.0.0.0/8",
        "vpn_outer": outer,
        "vpn_ports": sorted(
            {tunnel.port for tunnel in model.tunnels.values()}
            | ({500, 4500} if _ipsec(model) else set())
            | ({WIREGUARD_PORT} if model.travellers else set())
        ),
    }


def _ipsec(model: NetworkModel) -> bool:
    kinds = {tunnel.kind for tunnel in model.tunnels.values()} | {guest.kind for guest in model.guests.values()}
    return "ipsec" in kinds


def _match(rule: PolicyRule) -> str:
    """The condition of one allowed crossing, without its zones."""
    words = []
    for direction, prefixes in (("saddr", rule.sources), ("daddr", rule.targets)):
        if prefixes and not any(prefix.prefixlen == 0 for prefix in prefixes):
            words.append(f"ip {direction} {{ {', '.join(map(str, sorted(prefixes)))} }}")
    ports = ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in rule.ports)
    if ports:
        words.append(f"{rule.protocol} dport {{ {ports} }}")
    elif rule.protocol != "any":
        words.append(f"meta l4proto {rule.protocol}")
    return " ".join(words)


def _guests(model: NetworkModel, legs: list[tuple[Network, str]]) -> list[tuple[Guest, str, str]]:
    """Each guest with the gateway's leg in the network that it visits, and its own addresses."""
    ports = {network.name: port for network, port in legs}
    return [(guest, ports[guest.network], _addresses(guest.prefixes)) for guest in model.guests.values()]


def _node(model: NetworkModel, host: Host) -> str:
    """Who may open the pages of this node: its site's LAN in gov, where its halls are; "" where there is no node."""
    if not relays.is_node(model, host):
        return ""
    address = relays.network_address(model, host, "gov")
    return f"ip saddr {IPv4Network((address, 24), strict=False)} ip daddr {address} tcp dport {relays.NODE_PORT}"


def _host(model: NetworkModel, host: Host, vrf: str) -> dict[str, object]:
    """What the ruleset of a box that is no router needs."""
    tunnels = list(tunnel_device(model, host).values()) if not vrf else []
    legs = []
    if host.role is Role.VPN and not vrf:
        legs = [
            (network, port.name)
            for network in model.networks.values()
            for port in host.ports
            if port.address and not port.vrf and port.address.ip in network.prefix
        ]
    web = sorted(
        {
            (str(each.address), each.protocol, each.port)
            for each in model.services.values()
            if each.kind == "web" and any(backend.host == host.name for backend in each.backends)
        }
    )
    return {
        "tunnels": tunnels,
        "gateways": sorted({str(each.gateway_outer) for each in model.tunnels.values() if each.host == host.name}),
        "legs": legs,
        "guests": _guests(model, legs) if host.role is Role.VPN and not vrf else [],
        "pool": model.travellers.prefix if model.travellers and host.role is Role.VPN and not vrf else None,
        "web": web if not vrf else [],
        "forwards": host.role in (Role.HEADEND, Role.VPN, Role.CPE, Role.PARTNER) and not vrf,
        "role": host.role.value,
        "lans": [bridge.name for bridge in host.vrf("").bridges] if not vrf else [],
        "remote": host.role in (Role.CPE, Role.PARTNER),
        "relay": relays.media(model, host)[1] if host.role is Role.RELAY else None,
        "node": _node(model, host),
        "nodes": _addresses([each.management for each in relays.nodes(model) if each.management])
        if host.role in (Role.NMS, Role.STANDBY) and relays.bus(model)
        else "",
        "nodes_ports": f"{relays.LEAF_PORT}, {relays.DOOR_PORT}",
        "is_nms": host.role is Role.NMS,
    }
