"""Reading a fault's stored impact (see ``inventory.impact``): whom it cuts off, and what a site feels of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from collectors.faults.tables import FaultRow
from inventory.model import NetworkModel

_SAME_PLACE, _WEAKENED, _PARTLY, _CUT = 1, 2, 3, 4


def sites_cut(impact: Mapping[str, Any]) -> frozenset[str]:
    """Sites that are cut off altogether."""
    return frozenset(impact.get("sites_cut", ()))


def sites_partly(impact: Mapping[str, Any]) -> frozenset[str]:
    """Sites whose users lost some network and not all."""
    return frozenset(each["site"] for each in impact.get("networks_cut", ()))


def services_cut(impact: Mapping[str, Any]) -> frozenset[str]:
    """Services that no backend answers for any more."""
    return frozenset(each["service"] for each in impact.get("services", ()) if not each["backend"])


def cuts(impact: Mapping[str, Any]) -> bool:
    """True when somebody lost something: a site, a network of it, or a service."""
    return bool(sites_cut(impact) or sites_partly(impact) or services_cut(impact))


def felt_at(model: NetworkModel, fault: FaultRow, site: str) -> int:
    """How much a site feels of a fault: 0 nothing; the more, the worse."""
    impact = fault.impact
    if site in sites_cut(impact):
        return _CUT
    if site in sites_partly(impact) or services_cut(impact):
        return _PARTLY
    if site in impact.get("sites_unprotected", ()):
        return _WEAKENED
    link = model.links.get(fault.subject)
    ends = {model.hosts[end.host].site for end in link.ends} if link else {fault.site}
    return _SAME_PLACE if site in ends else 0


def words(impact: Mapping[str, Any]) -> tuple[str, str]:
    """What it cost, in (zh, en); the rest is in the fault itself."""
    cut, partly, services = sites_cut(impact), sites_partly(impact), services_cut(impact)
    zh = [
        f"{name} {len(found)}：{'、'.join(sorted(found)[:8])}"
        for name, found in (("中断单位", cut), ("部分中断", partly), ("中断业务", services))
        if found
    ]
    en = [
        f"{len(found)} {name}: {', '.join(sorted(found)[:8])}"
        for name, found in (("sites cut off", cut), ("cut off in part", partly), ("services down", services))
        if found
    ]
    return "；".join(zh) or "无人中断", "; ".join(en) or "nobody is cut off"
