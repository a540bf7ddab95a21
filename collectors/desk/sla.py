"""What was in service of a month, by site and by service: from the intervals in which a fault cut it off.

Planned work (faults within a maintenance window) is counted apart.  Overlapping faults count once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from collectors.desk import impacts
from collectors.desk.months import bounds
from collectors.desk.steps import Desk
from collectors.desk.view import Document, seconds
from collectors.faults.tables import FaultRow, faults_between

Interval = tuple[datetime, datetime]


@dataclass(slots=True)
class _Cut:
    """When something was cut off, and by which faults."""

    unplanned: list[Interval] = field(default_factory=list)
    planned: list[Interval] = field(default_factory=list)
    faults: list[int] = field(default_factory=list)


def union_s(intervals: Iterable[Interval]) -> float:
    """Seconds that are in at least one of the intervals."""
    total, reached = 0.0, None
    for start, end in sorted(intervals):
        if reached is not None:
            start = max(start, reached)
        if end > start:
            total += (end - start).total_seconds()
            reached = end
    return total


def availability(session: Session, desk: Desk, month: str) -> Document:
    """Every site and service of the county in that month, until now where it still runs.  Raises DeskError."""
    now = desk.now()
    start, end = bounds(month, now)
    end = min(end, now)
    faults = faults_between(session, start, end)
    sites = _cuts(faults, start, end, of="sites")
    services = _cuts(faults, start, end, of="services")
    length_s = (end - start).total_seconds()
    model, rules = desk.model, desk.rules
    return {
        "month": month,
        "from_at": seconds(start),
        "to_at": seconds(end),
        "sites": [
            {"site": code, **_line(site.zh, site.en, rules.site_target(site.kind.value), sites.get(code), length_s)}
            for code, site in model.sites.items()
            if not site.kind.outside
        ],
        "services": [
            {
                "service": name,
                **_line(service.zh, service.en, rules.service_target(name), services.get(name), length_s),
            }
            for name, service in model.services.items()
        ],
    }


def _cuts(faults: Sequence[FaultRow], start: datetime, end: datetime, *, of: str) -> dict[str, _Cut]:
    found: dict[str, _Cut] = {}
    for fault in faults:
        interval = max(fault.opened_at, start), min(fault.cleared_at or end, end)
        if of == "sites":
            names = impacts.sites_cut(fault.impact) | impacts.sites_partly(fault.impact)
        else:
            names = impacts.services_cut(fault.impact)
        for name in names:
            cut = found.setdefault(name, _Cut())
            (cut.planned if fault.window is not None else cut.unplanned).append(interval)
            cut.faults.append(fault.id)
    return found


def _line(zh: str, en: str, target: float, cut: _Cut | None, length_s: float) -> Document:
    cut = cut or _Cut()
    cut_s = union_s(cut.unplanned)
    share = 1 - cut_s / length_s if length_s > 0 else None
    return {
        "zh": zh,
        "en": en,
        "target": target,
        "availability": None if share is None else round(share, 7),
        "cut_s": round(cut_s, 1),
        "maintenance_s": round(union_s([*cut.unplanned, *cut.planned]) - cut_s, 1),
        "met": share is None or share >= target,
        "faults": cut.faults,
    }
