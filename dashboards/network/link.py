"""One link: light at both ends, probes over it, what rides it, what its cut would mean, its ducts and its past."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from collectors.faults.tables import FaultRow, faults_between
from dashboards.causes import impact_document, named
from inventory.impact import Faults, ImpactMap
from inventory.model import NetworkModel
from inventory.whatif import WhatIf
from store.engine import Store

Document = dict[str, Any]

HISTORY = timedelta(days=90)
_MOST = 100


def cut_document(model: NetworkModel, name: str, found: WhatIf) -> Document:
    """The impact of this cut on top of what is broken now; ``before`` says what is out of service without it."""
    return {
        "cut": name,
        "links_cut": sorted(found.cut.links),
        "hosts_cut": sorted(found.cut.hosts),
        "before": {"sites_cut": found.now.sites_cut, "sites_unprotected": found.now.sites_unprotected},
        "impact": impact_document(found.then, named(model, found.together.links, found.together.hosts)),
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
