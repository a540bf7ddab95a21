"""Whom a change concerns: sites, halls, booked meetings, and which links have no protection right now.

Pure: the model, what the store knew, and the devices in; names out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from inventory.impact import Faults, HallState, ImpactMap
from inventory.model import LinkKind, NetworkModel
from provision.change.plan import DevicePlan, MeetingTouched, Stage, Touches, Unprotected
from provision.change.stages import Order
from store.queries import BookedMeeting, LinkState

FORWARDING = frozenset(
    {
        "network",
        "sysctl",
        "nft",
        "frr",
        "wireguard",
        "ipsec",
        "keepalived",
        "nginx",
        "relay",
        "services",
        "configuration",
    }
)
"""Groups whose loading may stop packets or services; the others (snmp, agent, chrony, nms, ssh) only tell or watch."""

OVERRUN = timedelta(minutes=30)
"""Halls join this long before a meeting's start, and may stay this long after its end."""


@dataclass(frozen=True, slots=True)
class Protection:
    """What the store knows of the backbone's fibres."""

    down: frozenset[str]  # ring and access fibres that are not up: down, or of unknown state
    unprotected: tuple[Unprotected, ...]
    age_s: int | None  # of the oldest state among them; None when the collector never saw one of them
    unseen: tuple[str, ...]  # fibres without any state


def forwards(device: DevicePlan) -> bool:
    """Whether the change may interrupt what the device carries."""
    return not FORWARDING.isdisjoint(device.groups)


def protection(model: NetworkModel, states: Mapping[str, LinkState], now: datetime) -> Protection:
    """Which ring and access fibres carry alone what two should carry; ``now`` is aware."""
    fibres = [link.name for link in model.links.values() if link.kind in (LinkKind.RING, LinkKind.ACCESS)]
    unseen = tuple(name for name in fibres if name not in states)
    down = frozenset(name for name in fibres if name in states and states[name].state != "up")
    ages = [(now - states[name].checked_at).total_seconds() for name in fibres if name in states]
    return Protection(
        down=down,
        unprotected=(*_ring_alone(model, states, down), *_arms_alone(model, states, down)),
        age_s=None if unseen or not ages else max(0, int(max(ages))),
        unseen=unseen,
    )


def _ring_alone(model: NetworkModel, states: Mapping[str, LinkState], down: frozenset[str]) -> Iterable[Unprotected]:
    """Ring fibres without which some centre would be apart, and which had a way around before the fault."""
    ring = {link.name: (link.a.host, link.b.host) for link in model.links.values() if link.kind is LinkKind.RING}
    lost = [name for name in ring if name in down]
    because = ", ".join(f"{name} is {_words(states[name])}" for name in lost)
    for name, (a, b) in ring.items():
        others = {other: ends for other, ends in ring.items() if other != name}
        alive = {other: ends for other, ends in others.items() if other not in down}
        if name not in down and _joined(a, b, others.values()) and not _joined(a, b, alive.values()):
            yield Unprotected(name, because)


def _arms_alone(model: NetworkModel, states: Mapping[str, LinkState], down: frozenset[str]) -> Iterable[Unprotected]:
    """The last arm of each site that was given two."""
    arms: dict[str, list[str]] = {}
    for link in model.links.values():
        if link.kind is LinkKind.ACCESS:
            for end in link.ends:
                site = model.sites[model.hosts[end.host].site]
                if site.dual_homed:
                    arms.setdefault(site.code, []).append(link.name)
    for site_code, names in arms.items():
        alive = [name for name in names if name not in down]
        if len(names) > 1 and len(alive) == 1:
            lost = ", ".join(f"{name} is {_words(states[name])}" for name in names if name in down)
            yield Unprotected(alive[0], f"{site_code}: {lost}")


def _joined(a: str, b: str, edges: Iterable[tuple[str, str]]) -> bool:
    """Whether ``a`` reaches ``b`` over these edges."""
    known = list(edges)
    seen, queue = {a}, [a]
    while queue:
        here = queue.pop()
        for ends in known:
            if here in ends:
                there = ends[1] if ends[0] == here else ends[0]
                if there not in seen:
                    seen.add(there)
                    queue.append(there)
    return b in seen


def _words(state: LinkState) -> str:
    return f"{state.state} ({state.reason})" if state.reason else state.state


@dataclass(frozen=True, slots=True)
class Effect:
    """What is lost should devices fail together, beyond what live faults have taken already."""

    sites_cut: tuple[str, ...]
    sites_unprotected: tuple[str, ...]
    halls: tuple[str, ...]  # whose way is cut, changed or left without protection
    halls_cut: tuple[str, ...]


def effect(impacts: ImpactMap, hosts: Iterable[str], down: frozenset[str] = frozenset()) -> Effect:
    """The worst that these devices, failing together while the links ``down`` are down, can do."""
    before = impacts.of(Faults(links=down))
    after = impacts.of(Faults(links=down, hosts=frozenset(hosts)))
    old = {hall.hall: hall.state for hall in before.halls}
    worse = [hall for hall in after.halls if old.get(hall.hall) != hall.state]
    return Effect(
        sites_cut=tuple(code for code in after.sites_cut if code not in before.sites_cut),
        sites_unprotected=tuple(code for code in after.sites_unprotected if code not in before.sites_unprotected),
        halls=tuple(hall.hall for hall in worse),
        halls_cut=tuple(hall.hall for hall in worse if hall.state is HallState.CUT),
    )


def weigh(
    impacts: ImpactMap,
    devices: Sequence[DevicePlan],
    order: Order,
    booked: Sequence[BookedMeeting],
    guard: Protection,
) -> tuple[tuple[Stage, ...], Touches]:
    """The stages with what each would lose should all of it fail, and whom the plan concerns altogether."""
    model = impacts.model
    risky = {device.host for device in devices if forwards(device)}
    stages, halls, cut = [], set[str](), set[str]()
    sites = {device.site for device in devices}
    for name, hosts in order:
        lost = effect(impacts, [host for host in hosts if host in risky], guard.down)
        stages.append(Stage(name, hosts, lost.sites_cut, lost.sites_unprotected, lost.halls_cut))
        sites |= {*lost.sites_cut, *lost.sites_unprotected}
        halls |= {*lost.halls}
        cut |= {*lost.halls_cut}
    meetings = [
        MeetingTouched(
            id=meeting.id,
            title=meeting.title,
            start=meeting.start_at.isoformat(),
            end=meeting.end_at.isoformat(),
            halls=tuple(hall for hall in meeting.halls if hall in halls),
            cut=tuple(hall for hall in meeting.halls if hall in cut),
        )
        for meeting in booked
        if not halls.isdisjoint(meeting.halls)
    ]
    return tuple(stages), Touches(
        sites=tuple(code for code in model.sites if code in sites),
        halls=tuple(code for code in model.halls if code in halls),
        meetings=tuple(meetings),
        unprotected=guard.unprotected,
        links_age_s=guard.age_s,
    )
