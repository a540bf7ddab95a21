"""Meetings on the network: the way of each hall, what protects it, how it is now, and whether the meeting can be held.

Pure: what is measured and what is broken are arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collectors.probe.mos import mos
from inventory.impact import Faults, ImpactMap
from inventory.model import Hall, LinkKind, NetworkModel, Role, SiteKind
from inventory.relays import above
from vconf.booking.need import hall_needs

Document = dict[str, Any]
Way = tuple[str, ...]

MAX_LOSS_RATIO = 0.02
MAX_JITTER_MS = 30.0
LEAST_MOS = 3.5
"""Below it users complain (ITU-T G.107 annex B: "some users dissatisfied" ends at 3.6)."""

GOOD, WEAK, BAD = "good", "weak", "bad"


@dataclass(frozen=True, slots=True)
class Booked:
    """A meeting that runs or will."""

    id: str
    title: str
    starts_at: float  # seconds UTC
    ends_at: float
    halls: tuple[str, ...]
    present: tuple[str, ...] = ()


class Ways:
    """Ways of halls under the faults of now, and the second way that each would take."""

    def __init__(self, impacts: ImpactMap, faults: Faults) -> None:
        self._impacts, self._faults = impacts, faults
        self.now = impacts.paths(faults)
        self._second: dict[str, dict[str, Way | None]] = {}

    def second(self, hall: str) -> Way | None:
        """The way it takes when the first cable that could fail outside its own room does; None: there is none."""
        way = self.now.get(hall)
        model = self._impacts.model
        outside = next((name for name in way or () if model.links[name].kind is not LinkKind.LAN), None)
        if outside is None:
            return None
        if outside not in self._second:
            self._second[outside] = self._impacts.paths(Faults(self._faults.links | {outside}, self._faults.hosts))
        return self._second[outside].get(hall)


def need_bps(halls: int) -> int:
    """What one hall sends or receives at most in a meeting of so many, bit/s."""
    needs = hall_needs(halls)
    return max(needs.up, needs.down)


def meetings_document(
    model: NetworkModel, booked: Sequence[Booked], ways: Ways, probes: Mapping[str, Any], load_bps: Mapping[str, float]
) -> list[Document]:
    """One row a meeting with one of each of its halls; ``verdict`` is the worst of them."""
    rows = []
    for meeting in booked:
        halls = []
        for code in meeting.halls:
            hall = model.halls.get(code)
            if hall is None:
                continue
            clash = any(
                other.id != meeting.id
                and code in other.halls
                and other.starts_at < meeting.ends_at
                and meeting.starts_at < other.ends_at
                for other in booked
            )
            halls.append(_hall(model, hall, meeting, clash, ways, probes, load_bps))
        rows.append(
            {
                "id": meeting.id,
                "title": meeting.title,
                "starts_at": meeting.starts_at,
                "ends_at": meeting.ends_at,
                "need_bps": need_bps(len(meeting.halls)),
                "halls": halls,
                "verdict": max((hall["verdict"] for hall in halls), key=(GOOD, WEAK, BAD).index, default=BAD),
            }
        )
    return rows


def _hall(
    model: NetworkModel,
    hall: Hall,
    meeting: Booked,
    clash: bool,
    ways: Ways,
    probes: Mapping[str, Any],
    load_bps: Mapping[str, float],
) -> Document:
    way, second = ways.now.get(hall.code), ways.second(hall.code)
    figures = figures_of(model, hall, way, probes)
    spare = None
    if way and load_bps:
        spare = int(max(0.0, min(model.links[name].rate_bps - load_bps.get(name, 0.0) for name in way)))
    why = list(_reasons(way, second, clash, figures, spare, need_bps(len(meeting.halls))))
    bad = {"no-way", "full", "loss", "clash"}
    return {
        "code": hall.code,
        "site": hall.site,
        "present": hall.code in meeting.present,
        "way": list(way) if way is not None else None,
        "second": list(second) if second is not None else None,
        "spare_bps": spare,
        "figures": figures,
        "why": why,
        "verdict": BAD if bad.intersection(why) else WEAK if why else GOOD,
    }


def _reasons(
    way: Way | None, second: Way | None, clash: bool, figures: Document | None, spare: int | None, need: int
) -> Sequence[str]:
    """What speaks against it, the worst first."""
    found = []
    if way is None:
        return ["no-way"]
    if spare is not None and spare < need:
        found.append("full")
    if figures is not None and (figures["loss_ratio"] or 0.0) > MAX_LOSS_RATIO:
        found.append("loss")
    if clash:
        found.append("clash")
    if figures is not None and (figures["jitter_ms"] or 0.0) > MAX_JITTER_MS:
        found.append("jitter")
    if figures is not None and figures["mos"] is not None and figures["mos"] < LEAST_MOS:
        found.append("voice")
    if second is None:
        found.append("unprotected")
    if figures is None:
        found.append("not-measured")
    return found


def figures_of(model: NetworkModel, hall: Hall, way: Way | None, probes: Mapping[str, Any]) -> Document | None:
    """Loss, jitter, round trip and MOS of a hall's way: of its own probe where it has one, else of its lines together.

    None when nobody measures it now.
    """
    if way is None:
        return None
    own = probes.get(f"{_relay_core(model, hall)}-{_router(model, hall)}")
    if isinstance(own, Mapping) and own.get("fresh") is True:
        return _document(own, "path")
    lines = [probes.get(f"link:{name}") for name in way]
    measured = [each for each in lines if isinstance(each, Mapping) and each.get("fresh") is True]
    if not measured:
        return None
    passed, rtt, jitter = 1.0, 0.0, 0.0
    for each in measured:
        passed *= 1.0 - _number(each, "loss_ratio", 1.0)
        rtt += _number(each, "rtt_ms", 0.0)
        jitter += max(_number(each, "forward_jitter_ms", 0.0), _number(each, "backward_jitter_ms", 0.0))
    loss = 1.0 - passed
    return {
        "source": "lines",
        "loss_ratio": round(loss, 4),
        "rtt_ms": round(rtt, 3),
        "jitter_ms": round(jitter, 3),
        "mos": round(mos(rtt / 2, jitter, loss), 2),
    }


def _document(figures: Mapping[str, Any], source: str) -> Document:
    loss, rtt = figures.get("loss_ratio"), figures.get("rtt_ms")
    jitter = max(_number(figures, "forward_jitter_ms", 0.0), _number(figures, "backward_jitter_ms", 0.0))
    voice = figures.get("mos")
    if voice is None and rtt is not None and loss is not None:
        voice = mos(rtt / 2, jitter, loss)
    return {
        "source": source,
        "loss_ratio": loss,
        "rtt_ms": rtt,
        "jitter_ms": round(jitter, 3),
        "mos": None if voice is None else round(voice, 2),
    }


def _number(figures: Mapping[str, Any], key: str, missing: float) -> float:
    value = figures.get(key)
    return float(value) if isinstance(value, (int, float)) else missing


def _router(model: NetworkModel, hall: Hall) -> str:
    """The router of the hall's own site."""
    roles = (Role.CORE, Role.ACCESS)
    return next((host.name for host in model.site_hosts(hall.site) if host.role in roles), "")


def _relay_core(model: NetworkModel, hall: Hall) -> str:
    site = model.sites[above(model, hall).site]
    if site.kind is not SiteKind.CENTRE:
        return ""
    return next((host.name for host in model.site_hosts(site.code) if host.role is Role.CORE), "")
