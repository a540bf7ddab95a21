"""In which order devices are changed: the canary, one arm of the ring after the other, access, small sites, ourselves.

The canary is one device of each platform that changes.  A switch, and a relay outside the centres, comes after its
site's router, through which the controller reaches it: within a stage ``waves`` tells who is first.

Pure functions of the model.  Nothing that backs another thing up is ever in the same stage as it: neither the centre
routers of both homes of a site, nor two backends of one service.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inventory.impact import Faults, ImpactMap
from inventory.model import Host, NetworkModel, Role, SiteKind
from inventory.relays import is_node

ACCESS_KINDS = frozenset({SiteKind.TOWNSHIP, SiteKind.BODY, SiteKind.BUILDING})

Order = tuple[tuple[str, tuple[str, ...]], ...]
"""(name of the stage, its hosts in the county's order) ..."""


def order(impacts: ImpactMap, hosts: Iterable[str]) -> Order:
    """The stages for these devices, empty ones left out; every device in exactly one."""
    model, wanted = impacts.model, set(hosts)
    concerned = [host for host in model.hosts.values() if host.name in wanted]
    arms = _arms(model)
    stages: dict[str, list[str]] = {"canary": []}
    stages |= {f"arm-{arm}": [] for arm in range(1, max(arms.values(), default=0) + 1)}
    stages |= {f"inside-{arm}": [] for arm in range(1, max(arms.values(), default=0) + 1)}
    stages |= {"access": [], "small": [], "management": []}
    canary = _canary(impacts, concerned)
    for host in concerned:
        stages["canary" if host.name in canary else _stage(model, host, arms)].append(host.name)
    return tuple((name, tuple(members)) for name, members in stages.items() if members)


def backs_up(model: NetworkModel) -> frozenset[frozenset[str]]:
    """Pairs of centres that stand in for each other: both homes of some site, or two backends of some service."""
    groups: list[Sequence[str]] = [site.homes for site in model.sites.values() if site.dual_homed]
    groups += [[backend.centre for backend in service.backends] for service in model.services.values()]
    return frozenset(frozenset((one, other)) for group in groups for one in group for other in group if one != other)


def _arms(model: NetworkModel) -> dict[str, int]:
    """Centre -> number of its arm, from 1: as few arms as a first fit gives, no pair that backs up in one."""
    pairs = backs_up(model)
    arms: dict[str, int] = {}
    for site in model.sites.values():
        if site.kind is SiteKind.CENTRE:
            taken = {arm for other, arm in arms.items() if frozenset((site.code, other)) in pairs}
            arms[site.code] = next(arm for arm in range(1, len(model.sites) + 1) if arm not in taken)
    return arms


def _stage(model: NetworkModel, host: Host, arms: dict[str, int]) -> str:
    site = model.sites[host.site]
    if host.role is Role.NMS:  # it carries the change itself
        return "management"
    if site.kind is SiteKind.CENTRE:
        return f"{'arm' if host.role is Role.CORE else 'inside'}-{arms[site.code]}"
    return "access" if site.kind in ACCESS_KINDS else "small"


def waves(model: NetworkModel, hosts: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """The hosts of a stage, those that carry others' management first."""
    named = tuple(hosts)
    behind = tuple(host for host in named if model.hosts[host].role is Role.SWITCH or is_node(model, model.hosts[host]))
    return tuple(wave for wave in (tuple(host for host in named if host not in behind), behind) if wave)


def _canary(impacts: ImpactMap, concerned: Sequence[Host]) -> frozenset[str]:
    """Of each platform the access device whose failure hurts least, or else a small site's box.

    Nothing where one device is all there is.  A switch brings its router along, without which a new network's uplink
    stays dark.  Where that would leave no access device for later, the canary is the least harmful site alone.
    """
    model = impacts.model
    outer = [host for host in concerned if model.sites[host.site].kind is not SiteKind.CENTRE]
    access = [host for host in outer if model.sites[host.site].kind in ACCESS_KINDS and not is_node(model, host)]
    candidates = access or outer
    if len(concerned) < 2 or not candidates:
        return frozenset()

    def harm(host: Host) -> tuple[int, int]:
        impact = impacts.of(Faults(hosts=frozenset({host.name})))
        return len(impact.halls), len(impact.sites_cut)

    def least(hosts: Iterable[Host]) -> Host:
        """The first that hurts least; where one costs its own site alone, no other is asked."""
        best: tuple[tuple[int, int], Host] | None = None
        for host in hosts:
            found = harm(host)
            if best is None or found < best[0]:
                best = found, host
            if found <= (0, 1):
                break
        assert best is not None
        return best[1]

    platforms = dict.fromkeys(host.platform for host in candidates)
    first = [least(host for host in candidates if host.platform == platform) for platform in platforms]

    def with_routers(chosen: Iterable[Host]) -> frozenset[str]:
        sites = {host.site for host in chosen if not host.linux}
        routers = {host.name for host in access if host.linux and host.site in sites}
        return frozenset({host.name for host in chosen} | routers)

    each = with_routers(first)
    return each if len(each) < len(candidates) else with_routers([least(candidates)])
