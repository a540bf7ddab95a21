"""What one cut, one dead box or one dug-up duct would cost, before it happens: single points of failure.  Pure.

for risk in risks(ImpactMap(model)):
    risk.kind, risk.name, risk.sites_cut
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from inventory.impact import Faults, HallState, Impact, ImpactMap
from inventory.model import LinkKind, NetworkModel, Role

_BOXES = (Role.CORE, Role.ACCESS, Role.SWITCH, Role.FIREWALL, Role.VPN, Role.HEADEND, Role.RELAY, Role.SERVER)
_LINES = (LinkKind.RING, LinkKind.ACCESS, LinkKind.SPUR, LinkKind.UPLINK, LinkKind.BROADBAND, LinkKind.CABLE)


@dataclass(frozen=True, slots=True)
class Risk:
    """One thing that can fail by itself, and what goes with it; the site that a box stands at is not counted."""

    kind: str  # "duct", "link", "host"
    name: str
    links: tuple[str, ...]
    sites_cut: tuple[str, ...]
    sites_unprotected: tuple[str, ...]
    halls_cut: tuple[str, ...]
    services_lost: tuple[str, ...]  # no backend is left
    centres_apart: tuple[str, ...]

    @property
    def weight(self) -> tuple[int, ...]:
        """What to look at first: centres, then halls, sites, services, and what the next fault would cut."""
        lost = (self.centres_apart, self.halls_cut, self.sites_cut, self.services_lost, self.sites_unprotected)
        return tuple(len(part) for part in lost)


@dataclass(frozen=True, slots=True)
class SharedDuct:
    """A site whose arms lie in one trench: its second home protects it from nothing that digs there."""

    site: str
    duct: str
    links: tuple[str, ...]


def risks(where: ImpactMap) -> tuple[Risk, ...]:
    """Every single failure that cuts a site, a hall or a service off, worst first."""
    found = [risk for risk in _all(where) if any(risk.weight[:-1])]
    return tuple(sorted(found, key=lambda risk: (risk.weight, risk.kind == "duct", risk.name), reverse=True))


def shared_ducts(model: NetworkModel) -> tuple[SharedDuct, ...]:
    """Sites and centres two of whose fibres share a duct."""
    found = []
    for code in model.sites:
        by_duct: dict[str, set[str]] = {}
        for host in model.site_hosts(code):
            for port in host.ports:
                link = model.links[port.link]
                if link.kind in (LinkKind.RING, LinkKind.ACCESS) and (code in _arms(model, link.name)):
                    for duct in link.ducts:
                        by_duct.setdefault(duct, set()).add(link.name)
        for duct, links in by_duct.items():
            if len(links) > 1:
                found.append(SharedDuct(code, duct, tuple(sorted(links))))
    return tuple(found)


def _arms(model: NetworkModel, link: str) -> tuple[str, ...]:
    """Sites that a fibre protects: a ring fibre both its centres, an access fibre the site and not the centre."""
    found = model.links[link]
    a, b = (model.hosts[end.host].site for end in found.ends)
    if found.kind is LinkKind.RING:
        return (a, b)
    return (a,) if b in model.sites[a].homes else (b,)


def _all(where: ImpactMap) -> Iterator[Risk]:
    model = where.model
    for duct in model.ducts:
        links = tuple(link.name for link in model.links.values() if duct in link.ducts)
        if len(links) > 1:
            yield _risk("duct", duct, links, where.of(Faults(links=frozenset(links))))
    for link in model.links.values():
        if link.kind in _LINES:
            yield _risk("link", link.name, (link.name,), where.of(Faults(links=frozenset({link.name}))))
    for host in model.by_role(*_BOXES):
        yield _risk("host", host.name, (), where.of(Faults(hosts=frozenset({host.name}))), own=host.site)


def _risk(kind: str, name: str, links: tuple[str, ...], impact: Impact, own: str = "") -> Risk:
    return Risk(
        kind,
        name,
        links,
        tuple(code for code in impact.sites_cut if code != own),
        impact.sites_unprotected,
        tuple(hall.hall for hall in impact.halls if hall.state is HallState.CUT and hall.hall != own),
        tuple(service.service for service in impact.services if not service.backend),
        impact.centres_apart,
    )
