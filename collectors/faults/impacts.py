"""What each open fault means: ``inventory.impact`` asked for every fault, beside all others that are open.

A fault's impact is what would not be so without it: two cut fibres that together cut a site off both have it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from collectors.faults.book import Fault
from inventory.impact import Faults, ImpactMap, Meeting, document
from inventory.model import NetworkModel, Role
from inventory.whatif import together
from store.queries import booked_meetings

AHEAD = timedelta(hours=24)
"""Meetings that begin within this time are concerned too."""
_LOAD = re.compile(rb'^sanwang_link_bps\{[^}]*link="([^"]+)"[^}]*\} ([0-9.eE+-]+)', re.MULTILINE)
_TOGETHER = 12
_STUCK = frozenset({"zebra", "ospfd"})
_ANSWERS = frozenset({"nginx", "keepalived", "relay", "serve"})


def meetings(session: Session, now: datetime) -> tuple[Meeting, ...]:
    """Those that run, and those booked for the next hours."""
    return meetings_between(session, now, now + AHEAD)


def meetings_between(session: Session, start: datetime, end: datetime) -> tuple[Meeting, ...]:
    """Those that run or begin in a time."""
    return tuple(
        Meeting(str(found.id), found.title, found.halls, found.start_at.timestamp(), found.end_at.timestamp())
        for found in booked_meetings(session, start, end)
    )


def load_of_links(exposition: bytes) -> dict[str, float]:
    """Load of each link in bit/s, out of an exposition; the busier end or direction counts."""
    loads: dict[str, float] = {}
    for name, value in _LOAD.findall(exposition):
        with suppress(ValueError):
            loads[name.decode()] = max(loads.get(name.decode(), 0.0), float(value))
    return loads


def impact_faults(model: NetworkModel, fault: Fault) -> Faults:
    """A fault as ``inventory.impact`` takes it.

    Without staticd an access router has no way to its centres.  A centre without it still takes what its halls send to
    their relays (nobody's path moves, traced on the cables); what comes back to them goes by their sites' other homes.
    Without bgpd a centre knows no other.  Without bfdd adjacencies end, and come back by themselves.
    """
    links, hosts = frozenset(fault.links), frozenset(fault.hosts)
    if fault.kind == "link-degraded":
        return Faults(degraded=links)
    if fault.key.startswith("service:"):
        host, _, service = fault.subject.partition("/")
        centre = model.hosts[host].role is Role.CORE
        if service in _STUCK or (service == "staticd" and not centre):
            return Faults(stuck=frozenset({host}))
        if service == "bgpd":
            return Faults(apart=frozenset({host}))
        return Faults(mute=frozenset({host})) if service in _ANSWERS else Faults()
    return Faults(links, hosts)


def impacts(
    where: ImpactMap, faults: Sequence[Fault], booked: Sequence[Meeting], load_bps: Mapping[str, float] | None
) -> dict[int, dict[str, Any]]:
    """Fault number -> what it adds to all the others, as JSON types."""
    asked = {fault.id: impact_faults(where.model, fault) for fault in faults}
    everything = document(where.of(together(asked.values()), booked, load_bps))
    found = {}
    for number, own in asked.items():
        if len(asked) == 1:
            found[number] = everything
            continue
        if len(asked) > _TOGETHER:  # a disaster: each for itself, the map shows the whole
            found[number] = document(where.of(own, booked, load_bps))
            continue
        others = document(where.of(together(each for key, each in asked.items() if key != number), booked, load_bps))
        alone = document(where.of(own, booked, load_bps))
        found[number] = {
            name: [entry for entry in entries if entry not in others[name] or entry in alone[name]]
            for name, entries in everything.items()
        }
    return found
