"""Which packets the county's policy lets pass: plans the pairs that ``verify`` then tries with real ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from itertools import cycle, islice

from inventory.model import NetworkModel, PolicyRule

CONTROL_PORT = 7077
"""TCP port that verify listens on where a pair needs a listener and no service is named."""

SSH_PORT = 22

PAIRS_PER_CROSSING = 6
"""Denied pairs tried for every ordered pair of networks (fewer only where there are fewer sources and targets)."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where packets start or end: an address of a host, in one of its VRFs, and the network it counts as."""

    site: str
    network: str
    host: str
    vrf: str
    address: IPv4Address

    def __str__(self) -> str:
        return f"{self.network}:{self.site}"


@dataclass(frozen=True, slots=True)
class Check:
    """One conversation to try."""

    source: Place
    target: Place
    protocol: str  # "tcp", "udp" or "icmp"
    port: int
    rule: str  # the policy rule that allows it, "" inside one network or when denied
    control: Place | None = None  # denied pairs: who reaches the very same listener, to show that it is there

    def __str__(self) -> str:
        return f"{self.source} -> {self.target} {self.protocol}/{self.port}"


def allows(rule: PolicyRule, source: Place, target: IPv4Address, network: str, protocol: str, port: int) -> bool:
    """True when the rule lets this conversation start."""
    return (
        rule.source_network == source.network
        and rule.target_network == network
        and any(source.address in prefix for prefix in rule.sources)
        and any(target in prefix for prefix in rule.targets)
        and rule.protocol in (protocol, "any")
        and (not rule.ports or any(low <= port <= high for low, high in rule.ports))
    )


def users(model: NetworkModel) -> dict[str, tuple[Place, ...]]:
    """Every place that packets may come from, by network; outside zones by their names."""
    places: dict[str, list[Place]] = {}
    for endpoint in model.endpoints:
        if endpoint.site not in model.revoked:
            places.setdefault(endpoint.network, []).append(
                Place(endpoint.site, endpoint.network, endpoint.host, endpoint.vrf, endpoint.address)
            )
    nms = model.hosts[model.nms]
    if nms.management is not None:
        manager = Place(nms.site, "mgmt", nms.name, nms.management_vrf, nms.management)
        others = [place for place in places.get("mgmt", []) if place.host != nms.name]
        places["mgmt"] = [manager, *others]
    for zone, place in outsiders(model):
        # A closed exit is judged by its own drill: its drops come before the policy and are counted apart.
        if zone != "internet" or not model.exit_closed:
            places.setdefault(zone, []).append(place)
    return {network: tuple(found) for network, found in places.items()}


def outsiders(model: NetworkModel) -> Iterator[tuple[str, Place]]:
    """One place in each outside zone: a host that owns an address of the zone's prefix, by the preferred carrier."""
    rank = {line.carrier: place for place, line in enumerate(model.exits)}
    hosts = sorted(model.hosts.values(), key=lambda host: rank.get(host.site, 0))
    for zone, prefix in model.outside.items():
        for host in hosts:
            owned = [port.address for port in host.ports if port.address and not port.vrf]
            owned += host.vrf("").loopbacks
            inside = [owner.ip for owner in owned if owner.ip in prefix]
            if inside and model.sites[host.site].kind.outside:
                yield zone, Place(host.site, zone, host.name, "", inside[0])
                break


def managed(model: NetworkModel) -> tuple[Place, ...]:
    """Management addresses of appliances that listen for the management host alone (sshd)."""
    return tuple(
        Place(host.site, "mgmt", host.name, host.management_vrf, host.management)
        for host in model.appliances()
        if host.management is not None and host.name != model.nms
    )


def allowed_checks(model: NetworkModel) -> tuple[Check, ...]:
    """Every user to a neighbour in its network and to all that policy opens to it; the controller to each switch."""
    everyone = users(model)
    checks = []
    for network, places in everyone.items():
        if network not in model.networks or network == "mgmt":
            continue
        for place, neighbour in zip(places, islice(cycle(places), 1, None), strict=False):
            if neighbour.host != place.host:
                checks.append(Check(place, neighbour, "tcp", CONTROL_PORT, ""))
    for places in everyone.values():
        for place in places:
            checks.extend(_opened(model, place, everyone))
    # A Linux appliance is heard by the collector; of a vendor's box only its SSH port shows that the controller has it.
    boxes = [place for place in managed(model) if not model.hosts[place.host].linux]
    checks += [Check(everyone["mgmt"][0], place, "tcp", SSH_PORT, "") for place in boxes]
    return tuple(checks)


def _opened(model: NetworkModel, place: Place, everyone: dict[str, tuple[Place, ...]]) -> Iterator[Check]:
    """One check for each rule that opens something to this place, to the rule's first target."""
    for rule in model.policy:
        if rule.source_network != place.network or not any(place.address in prefix for prefix in rule.sources):
            continue
        protocol = "tcp" if rule.protocol == "any" else rule.protocol
        port = rule.ports[0][0] if rule.ports else CONTROL_PORT
        target = _target(model, rule, everyone)
        if target is not None and target.host != place.host:
            yield Check(place, target, protocol, 0 if protocol == "icmp" else port, rule.name)


def _target(model: NetworkModel, rule: PolicyRule, everyone: dict[str, tuple[Place, ...]]) -> Place | None:
    """Somewhere that the rule opens: a service's address first, then a management address, then a user.

    None for the relays' media, which answers invited halls alone: ``sanwang prove`` speaks for that rule.
    """
    port = rule.ports[0][0] if rule.ports else 0
    for service in model.services.values():
        fits = service.network == rule.target_network and any(service.address in prefix for prefix in rule.targets)
        if fits and rule.protocol in (service.protocol, "any") and port in (0, service.port):
            if service.kind == "media":
                return None
            backend = service.backends[0]
            vrf = model.hosts[backend.host].management_vrf if service.network == "mgmt" else ""
            return Place(backend.centre, service.network, backend.host, vrf, service.address)
    candidates = (*everyone.get(rule.target_network, ()), *(managed(model) if rule.target_network == "mgmt" else ()))
    return next((place for place in candidates if any(place.address in prefix for prefix in rule.targets)), None)


def denied_checks(model: NetworkModel) -> tuple[Check, ...]:
    """Pairs that policy denies, for every ordered pair of networks and from and to each outside zone.

    A source outside counts only where it has a route: what is not routed was not denied.
    """
    everyone = users(model)
    checks: list[Check] = []
    for source_network, sources in everyone.items():
        for target_network in everyone:
            if source_network != target_network:
                targets, port = _listeners(model, target_network, everyone)
                checks.extend(_denied(model, sources, targets, port))
                boxes = tuple(each for each in targets if not model.hosts[each[0].host].linux)
                checks.extend(islice(_denied(model, sources, boxes, port), 1))  # a vendor's box at least once
    return tuple(dict.fromkeys(checks))


_Controlled = tuple[Place, Place]  # a target, and who may talk to it


def _listeners(
    model: NetworkModel, network: str, everyone: dict[str, tuple[Place, ...]]
) -> tuple[tuple[_Controlled, ...], int]:
    """Targets in a network with their controls, and the TCP port they are tried on."""
    members = everyone[network]
    if network == "mgmt":
        return tuple((place, members[0]) for place in managed(model)), SSH_PORT
    if network in model.networks:
        pairs = zip(members, islice(cycle(members), 1, None), strict=False)
        return tuple((place, other) for place, other in pairs if place.host != other.host), CONTROL_PORT
    for rule in model.policy:
        if rule.target_network == network and rule.protocol in ("tcp", "any") and rule.ports:
            port = rule.ports[0][0]
            for place in everyone.get(rule.source_network, ()):
                if allows(rule, place, members[0].address, network, "tcp", port):
                    return ((members[0], place),), port
    return (), CONTROL_PORT


def _routed(model: NetworkModel, source: Place, target: Place) -> bool:
    """Whether a source outside has a route that leads here; everything inside has."""
    if not model.sites[source.site].kind.outside:
        return True
    return any(target.address in route.prefix for route in model.hosts[source.host].vrf("").routes)


def _denied(
    model: NetworkModel, sources: tuple[Place, ...], targets: tuple[_Controlled, ...], port: int
) -> Iterator[Check]:
    """Pairs spread over sources and targets; those that a rule allows, or that share a box, are left out."""
    if not sources or not targets:
        return
    wanted = min(PAIRS_PER_CROSSING, len(sources) * len(targets))
    step_source = max(1, len(sources) // wanted)
    step_target = max(1, len(targets) // wanted)
    seen = set()
    for index in range(4 * wanted):
        source = sources[index * step_source % len(sources)]
        target, control = targets[(index * step_target + index // len(targets)) % len(targets)]
        if (source, target) in seen or source.host == target.host or not _routed(model, source, target):
            continue
        seen.add((source, target))
        if any(allows(rule, source, target.address, target.network, "tcp", port) for rule in model.policy):
            continue
        yield Check(source, target, "tcp", port, "", control)
        wanted -= 1
        if not wanted:
            return
