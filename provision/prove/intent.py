"""What the county means: who is there, in which class, and what policy opens between them.

Taken from the model alone (sites, services, policy); nothing rendered is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from inventory.model import NetworkModel, PolicyRule, Role
from provision.prove import sets
from provision.prove.sets import ADDRESSES, PORTS, PROTOCOLS, Box, Span
from provision.prove.world import Key, zone_of

INTERNET, VPN = "internet", "vpn"
TUNNEL_PORTS = {"wireguard": (51820,), "ipsec": (500, 4500)}
_NOT_PUBLIC = ("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
               "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/3")  # fmt: skip
"""IANA special-purpose addresses (RFC 6890): never beyond a carrier."""
_PLURAL = {
    "centre": "centres", "township": "townships", "body": "bodies", "building": "buildings", "school": "schools",
    "clinic": "clinics", "village": "villages", "unit": "units", "subscribers": "subscribers",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """An address where packets start or end."""

    name: str  # "t01", a host or a service
    network: str  # or an outside zone
    group: str  # "townships", "service:portal" ...
    key: Key
    span: Span  # one address, or an outside prefix
    lan: bool  # packets come from the LAN of an own router and not from the host itself
    source: bool = True
    target: bool = True
    reach: Span = ADDRESSES  # where its packets go: of a box on a broadband line only what its tunnel carries


@dataclass(frozen=True, slots=True)
class Group:
    """Places that policy treats alike: one class of sources or of destinations."""

    name: str  # "gov:townships", "service:portal", "internet", "edu:unused"
    network: str
    span: Span
    places: tuple[Place, ...] = ()


class Intent:
    """The county's intent as spans and boxes."""

    def __init__(self, model: NetworkModel) -> None:
        self.model = model
        self.places = tuple(self._places())
        self.sources = tuple(self._groups(source=True))
        self.targets = (*self._groups(source=False), *self._unused(), self._elsewhere())

    # Who is there -----------------------------------------------------------------------------------------

    def _places(self) -> Iterator[Place]:
        model = self.model
        mine = {host.name for host in model.appliances()}
        for end in model.endpoints:
            host = model.hosts[end.host]
            if host.appliance and end.host not in mine:
                continue  # a revoked site
            group = _PLURAL.get(model.sites[end.site].kind.value, "others")
            yield Place(end.site, end.network, group, (end.host, end.vrf), sets.of_address(end.address), host.appliance)
        taken = {int(end.address) for end in model.endpoints}
        for service in model.services.values():
            if int(service.address) not in taken:
                host = model.hosts[service.backends[0].host]
                key = (host.name, host.management_vrf if service.network == "mgmt" else "")
                if host.role is not Role.NMS:
                    taken.add(int(service.address))
                    yield Place(service.name, service.network, f"service:{service.name}", key,
                                sets.of_address(service.address), lan=False, source=False)  # fmt: skip
        yield from self._devices(taken)
        for zone, prefix in model.outside.items():
            for host in model.by_role(Role.OUTSIDE):
                if zone_of(model, host) == zone:
                    yield Place(host.name, zone, zone, (host.name, ""), sets.of_network(prefix), lan=False)
        gateway = self._gateway()
        if gateway is not None:
            for number, key in gateway:
                yield Place("vpn", VPN, VPN, key, sets.span(number), lan=False, source=False)

    def _devices(self, taken: set[int]) -> Iterator[Place]:
        model = self.model
        for host in model.appliances():
            if host.management is not None:
                taken.add(int(host.management))
                group = "nms" if host.name == model.nms else "devices"
                key = (host.name, host.management_vrf)
                span, reach = sets.of_address(host.management), self.reach(host.name)
                yield Place(host.name, "mgmt", group, key, span, lan=False, reach=reach)
            if host.role not in (Role.SERVER, Role.RELAY):
                continue
            for port in host.ports:
                network = self.network_of(int(port.address.ip)) if port.address else ""
                if port.address and network and int(port.address.ip) not in taken:
                    span = sets.of_address(port.address.ip)
                    yield Place(host.name, network, "servers", (host.name, ""), span, lan=False)

    def reach(self, host: str) -> Span:
        """Where packets of a box on a broadband or cable line go through its tunnel; everywhere for any other box."""
        remote = [prefix for each in self.model.tunnels.values() if each.host == host for prefix in each.remote]
        lines = [each.address.network for each in self.model.hosts[host].ports if each.address] if remote else []
        own = sets.normal(sets.of_network(prefix)[0] for prefix in lines)
        return sets.minus(sets.normal(sets.of_network(prefix)[0] for prefix in remote), own) or ADDRESSES

    def _gateway(self) -> list[tuple[int, Key]] | None:
        """Addresses under which the VPN gateway is called, from outside (translated) and from inside."""
        gateway = self.model.hosts.get(self.model.vpn)
        if gateway is None:
            return None
        towards = [each.address for each in gateway.ports if each.peer_host == self.model.firewall]
        outer = {int(each.ip) for each in towards if each and not self.network_of(int(each.ip))}
        calls = outer | {int(line.address.ip) for line in self.model.exits}
        return [(number, (gateway.name, "")) for number in sorted(calls)]

    def network_of(self, address: int) -> str:
        """The network whose prefix holds an address, or an outside zone; "" for neither."""
        for network in self.model.networks.values():
            if sets.within(address, sets.of_network(network.prefix)):
                return network.name
        for zone, prefix in self.model.outside.items():
            if sets.within(address, sets.of_network(prefix)):
                return zone
        return ""

    # Classes ----------------------------------------------------------------------------------------------

    def _groups(self, *, source: bool) -> Iterator[Group]:
        """Places of one network and kind which the same rules name."""
        found: dict[tuple[str, str, tuple[str, ...]], list[Place]] = {}
        for place in self.places:
            if place.source if source else place.target:
                named = tuple(rule.name for rule in self.model.policy if _names(rule, place, source=source))
                found.setdefault((place.network, place.group, named), []).append(place)
        kinds: dict[tuple[str, str], int] = {}
        for (network, kind, _), places in found.items():
            number = kinds[network, kind] = kinds.get((network, kind), 0) + 1
            name = kind if kind.startswith("service:") or kind == network else f"{network}:{kind}"
            span = sets.normal(interval for place in places for interval in place.span)
            yield Group(name if number == 1 else f"{name}-{number}", network, span, tuple(places))

    def _unused(self) -> Iterator[Group]:
        """Addresses of a network that nobody has: nothing may cross to them either."""
        used = sets.normal(interval for place in self.places for interval in place.span)
        for network in self.model.networks.values():
            yield Group(f"{network.name}:unused", network.name, sets.minus(sets.of_network(network.prefix), used))

    def _elsewhere(self) -> Group:
        """Every other address: beyond the carriers."""
        known = [sets.of_network(each.prefix)[0] for each in self.model.networks.values()]
        known += [interval for place in self.places for interval in place.span]
        special = [sets.of_network(IPv4Network(prefix))[0] for prefix in _NOT_PUBLIC]
        return Group("elsewhere", INTERNET, sets.minus(ADDRESSES, sets.normal((*known, *special))))

    # Policy -----------------------------------------------------------------------------------------------

    def opened(self, source: str, target: str) -> list[tuple[PolicyRule, Box]]:
        """What policy opens between two networks or zones, as packets are sent."""
        found = []
        for rule in self.model.policy:
            if (rule.source_network, rule.target_network) != (source, target) or self._closed(rule):
                continue
            src = sets.normal(interval for prefix in rule.sources for interval in sets.of_network(prefix))
            dst = sets.normal(interval for prefix in rule.targets for interval in sets.of_network(prefix))
            proto = PROTOCOLS if rule.protocol == "any" else sets.span(sets.PROTOCOL_NUMBERS[rule.protocol])
            dport = sets.span(*rule.ports) if rule.ports else PORTS
            if target == VPN:  # from outside the gateway is called under the exit's addresses, on its tunnels' ports
                kinds = {tunnel.kind for tunnel in self.model.tunnels.values()}
                kinds |= {guest.kind for guest in self.model.guests.values()}
                used = {port for kind in kinds for port in TUNNEL_PORTS[kind]}
                used |= set(TUNNEL_PORTS["wireguard"]) if self.model.travellers else set()
                dport = sets.meet(dport, sets.span(*used))
                if source == INTERNET:
                    dst = sets.span(*(int(line.address.ip) for line in self.model.exits))
            if dport:
                found.append((rule, Box(src, dst, proto, PORTS, dport)))
        return found

    def _closed(self, rule: PolicyRule) -> bool:
        """A closed exit lets nothing through but tunnels."""
        if self.model.exit_closed is None or VPN in (rule.source_network, rule.target_network):
            return False
        return INTERNET in (rule.source_network, rule.target_network)

    def wanted(self, source: Group, target: Group) -> list[Box]:
        """What must arrive: everything inside one network, else what policy opens."""
        pair = Box(src=source.span, dst=target.span)
        if source.network == target.network and source.network in self.model.networks:
            return [pair]
        return [both for _, box in self.opened(source.network, target.network) if (both := sets.cut(box, pair))]


def _names(rule: PolicyRule, place: Place, *, source: bool) -> bool:
    network = rule.source_network if source else rule.target_network
    prefixes = rule.sources if source else rule.targets
    return network == place.network and any(
        sets.meet(sets.of_network(prefix), place.span) == place.span for prefix in prefixes
    )
