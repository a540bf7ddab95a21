"""Which of the things that are down is the cause, and which only follows from it. Pure."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import asdict, dataclass

from inventory.impact import Faults, Impact, ImpactMap
from inventory.model import Role, SiteKind

_CARRIERS = frozenset({Role.CORE, Role.ACCESS, Role.SWITCH, Role.FIREWALL, Role.VPN, Role.HEADEND, Role.OUTSIDE})


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that failed by itself."""

    kind: str  # "site": its router is dead or out of reach by its own lines; "host"; "link"
    name: str
    site: str  # site code; of a link, end a's
    links: tuple[str, ...] = ()  # lines that went down with it


def causes(impacts: ImpactMap, links: Set[str], hosts: Set[str]) -> tuple[Cause, ...]:
    """Centres first, then sites, hosts and links; what a listed cause explains is not listed itself."""
    model = impacts.model
    centres = {code for code, site in model.sites.items() if site.kind is SiteKind.CENTRE}
    at_centres = frozenset(host for host in hosts if model.hosts[host].site in centres)
    carrying = frozenset(host for host in hosts if model.hosts[host].role in _CARRIERS)
    by_centres = set(impacts.of(Faults(hosts=at_centres)).sites_cut)
    by_carriers = set(impacts.of(Faults(frozenset(links), carrying)).sites_cut)

    found: list[Cause] = []
    folded: set[str] = set()  # links that a dead host explains
    dark: set[str] = set()  # sites whose router is down, listed or explained
    for code in sorted(model.sites, key=lambda code: code not in centres):
        router = next((h for h in model.site_hosts(code) if h.role in (Role.CORE, Role.ACCESS)), None)
        if router is None or router.name not in hosts:
            continue
        dark.add(code)
        lines = tuple(port.link for port in router.ports if port.link in links)
        folded.update(lines)
        if code in centres or code not in by_centres:
            found.append(Cause("site", code, code, lines))
    for name in (name for name in model.hosts if name in hosts):
        host = model.hosts[name]
        folded.update(port.link for port in host.ports if port.link in links)
        explained = host.role not in _CARRIERS and host.site in by_carriers
        if host.site not in dark and not explained:
            found.append(Cause("host", name, host.site))
    for name, link in model.links.items():
        if name in links and name not in folded:
            found.append(Cause("link", name, model.hosts[link.a.host].site))
    return tuple(found)


def impact_document(impact: Impact, why: tuple[Cause, ...]) -> dict[str, object]:
    """The impact and its causes as JSON types."""
    return {"causes": [asdict(cause) for cause in why], **asdict(impact)}
