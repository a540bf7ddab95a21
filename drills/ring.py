"""``sanwang drill ring``: every ring fibre cut, loudly and silently, and every centre router killed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from drills.errors import Missing
from drills.flows import Flows
from drills.lab import Lab
from drills.policy import Place
from inventory.model import Link, LinkKind, NetworkModel, Role
from twin import faults

Progress = Callable[[str], None]
SETTLE_S = 1.5
LIMITS_MS = {"carrier_ms": 150.0, "silent_ms": 600.0, "node_ms": 1000.0, "heal_ms": 0.0}
_WORST_OF = {"carrier": "carrier_ms", "silent": "silent_ms", "node": "node_ms", "heal": "heal_ms"}


def pairs_across(model: NetworkModel) -> list[tuple[Place, Place]]:
    """A pair of dual-homed sites for every pair of first homes, both ends in the first network they share.

    >>> # c1 with c2, c2 with c3, c1 with c3: each ring fibre and each centre router carries at least one of them
    """
    first: dict[str, list[str]] = {}
    for site in model.sites.values():
        if site.dual_homed:
            first.setdefault(site.homes[0], []).append(site.code)
    homes = sorted(first)
    pairs = []
    for index, home in enumerate(homes):
        for other in homes[index + 1 :]:
            near = first[home][0]
            far = next(code for code in first[other] if set(model.sites[code].homes) != {home})
            shared = next(net for net in model.sites[near].networks if net in model.sites[far].networks)
            ends = [model.endpoint(code, shared) for code in (near, far)]
            pairs.append(
                (
                    Place(ends[0].site, shared, ends[0].host, ends[0].vrf, ends[0].address),
                    Place(ends[1].site, shared, ends[1].host, ends[1].vrf, ends[1].address),
                )
            )
    return pairs


def ring(lab: Lab, progress: Progress) -> dict[str, Any]:
    """Cut, heal, kill and restart one thing after another while probes run; everything is healed at the end."""
    flows = Flows(lab, pairs_across(lab.model))
    rows: list[dict[str, Any]] = []
    try:
        if not flows.flowing(within_s=10):
            raise Missing("probes between dual-homed sites do not flow", "look at: sanwang status, sanwang verify")
        for link in (link for link in lab.model.links.values() if link.kind is LinkKind.RING):
            for kind in ("carrier", "silent"):
                rows += _cut_and_heal(lab, flows, link, kind, progress)
        for router in lab.model.by_role(Role.CORE):
            rows.append(_kill(lab, flows, router.name, progress))
    finally:
        flows.close()
    worst = {
        name: max((row["lost_ms"] for row in rows if row["kind"] == kind), default=0.0)
        for kind, name in _WORST_OF.items()
    }
    return {"links": rows, "worst": worst}


def _cut_and_heal(lab: Lab, flows: Flows, link: Link, kind: str, progress: Progress) -> list[dict[str, Any]]:
    mark = flows.mark()
    cut = faults.cut if kind == "carrier" else faults.silent
    fault = cut(lab.twin, link.name)
    time.sleep(SETTLE_S)
    lost = flows.lost_ms(mark)
    progress(f"{link.name} {kind}: {lost:.0f} ms lost")
    back = flows.flowing(within_s=10)
    mark = flows.mark()
    faults.heal(lab.twin, fault)
    settled(lab)
    healed = flows.lost_ms(mark)
    progress(f"{link.name} heal: {healed:.0f} ms lost")
    rows = [
        {"link": link.name, "kind": kind, "lost_ms": lost, "recovered": back},
        {"link": link.name, "kind": "heal", "lost_ms": healed, "recovered": True},
    ]
    return rows


def _kill(lab: Lab, flows: Flows, router: str, progress: Progress) -> dict[str, Any]:
    mark = flows.mark()
    fault = faults.kill_host(lab.twin, router)
    time.sleep(SETTLE_S)
    lost = flows.lost_ms(mark)
    progress(f"{router} node: {lost:.0f} ms lost")
    back = flows.flowing(within_s=10)
    faults.heal(lab.twin, fault)
    settled(lab)
    return {"link": router, "kind": "node", "lost_ms": lost, "recovered": back}


def settled(lab: Lab, within_s: float = 60.0) -> bool:
    """Wait until the collector sees every adjacency, BFD session and daemon that the model expects."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        time.sleep(0.5)
        status = lab.collected("/status")
        if all(status[key]["ok"] == status[key]["expected"] for key in ("ospf", "bfd", "services")):
            return True
    return False


def misses(found: dict[str, Any]) -> list[str]:
    """What went over its limit, in words."""
    over = [
        f"{name}: {found['worst'][name]:.0f} ms, limit {limit:.0f} ms"
        for name, limit in LIMITS_MS.items()
        if found["worst"][name] > limit
    ]
    return over + [f"{row['link']} {row['kind']}: did not recover" for row in found["links"] if not row["recovered"]]
