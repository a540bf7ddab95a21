"""One link: light at both ends, probes over it, what rides it, what its cut would mean, its ducts and its past."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from collectors.faults.tables import FaultRow, faults_between
from dashboards.causes import impact_document, named
from inventory.impact import Faults, ImpactMap, Meeting
from inventory.model import NetworkModel
from store.engine import Store

Document = dict[str, Any]

HISTORY = timedelta(days=90)
_MOST = 100


class UnknownTarget(LookupError):
    """What is asked to be cut is no link, duct, host or site of the county."""


def cut_of(model: NetworkModel, name: str) -> Faults:
    """What fails when this is cut: a link, every link of a duct, a host, every host of a site.

    Raises:
        UnknownTarget: there is no such thing.
    """
    if name in model.links:
        return Faults(links=frozenset({name}))
    if name in model.ducts:
        return Faults(links=frozenset(link.name for link in model.links.values() if name in link.ducts))
    if name in model.hosts:
        return Faults(hosts=frozenset({name}))
    if name in model.sites:
        return Faults(hosts=frozenset(host.name for host in model.site_hosts(name)))
    raise UnknownTarget(f"{name!r}: expected a link, duct, device or site of the county")


def what_if(
    impacts: ImpactMap,
    name: str,
    now: Faults,
    meetings: Sequence[Meeting] = (),
    load_bps: Mapping[str, float] | None = None,
) -> Document:
    """The impact of this cut on top of what is broken now; ``before`` says what is out of service without it."""
    cut = cut_of(impacts.model, name)
    together = Faults(now.links | cut.links, now.hosts | cut.hosts)
    impact = impacts.of(together, meetings, load_bps)
    found = impact_document(impact, named(impacts.model, together.links, together.hosts))
    before = impacts.of(now)
    return {
        "cut": name,
        "links_cut": sorted(cut.links),
        "hosts_cut": sorted(cut.hosts),
        "before": {"sites_cut": before.sites_cut, "sites_unprotected": before.sites_unprotected},
        "impact": found,
    }


def link_document(impacts: ImpactMap, name: str, now: Faults, probes: Mapping[str, Any]) -> Document:
    """The part of the page that needs neither database nor Prometheus; ``name`` is a link of the model."""
    model = impacts.model
    link = model.links[name]
    figures = probes.get(f"link:{name}")
    alone = impacts.of(Faults(links=frozenset({name})))
    riding = [hall for hall, way in impacts.paths(now).items() if way is not None and name in way]
    return {
        "name": name,
        "planned_km": link.length_km,
        "probe": dict(figures) if isinstance(figures, Mapping) else None,
        "halls": riding,
        "services": [each.service for each in alone.services],
        "sites_cut": alone.sites_cut,
        "sites_unprotected": alone.sites_unprotected,
        "mates": [
            {
                "name": duct.name,
                "zh": duct.zh,
                "en": duct.en,
                "links": [each.name for each in model.links.values() if duct.name in each.ducts],
            }
            for duct in model.ducts.values()
            if duct.name in link.ducts
        ],
    }


def faults_of(store: Store, wanted: Iterable[str], now: datetime) -> list[Document]:
    """Faults of the last ninety days that concern one of ``wanted`` (links, hosts, ducts, sites), newest first."""
    names = set(wanted)
    with store.reading() as session:
        rows = [row for row in faults_between(session, now - HISTORY, now) if names & _subjects(row)]
        return [
            {
                "id": row.id,
                "kind": row.kind,
                "subject": row.subject,
                "severity": row.severity,
                "opened_at": row.opened_at.timestamp(),
                "cleared_at": row.cleared_at.timestamp() if row.cleared_at else None,
                "acknowledged_by": row.acknowledged_by,
                "acknowledged_why": row.acknowledged_why,
            }
            for row in reversed(rows[-_MOST:])
        ]


def _subjects(row: FaultRow) -> set[str]:
    children = row.detail.get("children", ())
    followed = {str(child.get("subject", "")) for child in children if isinstance(child, Mapping)}
    return {row.subject, row.subject.partition("/")[0], row.site, *followed}
