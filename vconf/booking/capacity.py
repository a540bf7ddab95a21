"""Whether the network carries a meeting: on the ways of now, and on those after the cut of any one cable.  Pure.

    found = check(impacts, ["t01", "t07"], others=[["t02", "t07"]], sure={...})
    found.ok, found.shortages, found.words(model)

Of a cable that is shared by class, meetings have what is sure to voice and video together, whatever else it carries;
of any other, its rate less the load that was measured.  What other meetings at that time take is taken off both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inventory.impact import Faults, ImpactMap
from inventory.model import LinkKind, NetworkModel
from vconf.booking.need import LAYERS_BPS, Direction, Way, demand, hall_needs

_FULL = len(LAYERS_BPS) - 1
_SIZES = {1: ("640×360", "640x360"), 0: ("320×180", "320x180")}
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Shortage:
    """A cable that carries less than the meeting needs of it."""

    link: str
    site: str  # the site that hangs on it
    way: str  # "up" from the site, "down" to it
    need_bps: int
    have_bps: int
    cut: str  # after the cut of this cable; "": now
    halls: tuple[str, ...]  # whose ways it is on

    def words(self, model: NetworkModel) -> tuple[str, str]:
        """Chinese and English."""
        site = model.sites[self.site]
        need, have = _mbit(self.need_bps, up=True), _mbit(self.have_bps, up=False)
        zh = f"本次会议在{site.zh}（{self.link}）需要 {need} Mbit/s，可用 {have} Mbit/s"
        en = f"this meeting needs {need} Mbit/s at {site.en} ({self.link}), which has {have}"
        if self.cut:
            zh, en = f"{self.cut} 中断后，{zh}", f"after a cut of {self.cut}, {en}"
        return zh, en


@dataclass(frozen=True, slots=True)
class Fit:
    """What would fit: a smaller picture, else fewer halls; both () and None: nothing was found."""

    top: int | None = None  # the largest camera size, index into LAYERS_BPS
    halls: tuple[str, ...] = ()

    def words(self, model: NetworkModel, everybody: Sequence[str]) -> tuple[str, str]:
        """Chinese and English."""
        if self.top is not None:
            zh, en = _SIZES[self.top]
            return (
                f"画面降到 {zh} 即可，线路不足的会场会自动降低",
                f"it fits with pictures of {en}; halls on a short line get these by themselves",
            )
        if self.halls:
            out = [code for code in everybody if code not in self.halls]
            named = "、".join(model.halls[code].zh for code in out[:_SHOWN])
            return (
                f"{len(self.halls)} 个会场可以开，去掉：{named}",
                f"it fits with {len(self.halls)} halls, without: {', '.join(out[:_SHOWN])}",
            )
        return "没有可行的缩减方案，请改期或扩容", "nothing smaller fits: another time, or a faster line"


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a check found; ``lost`` are halls without any way now, ``single`` those that one cut leaves without."""

    halls: tuple[str, ...]
    up_bps: int  # of one hall
    down_bps: int
    shortages: tuple[Shortage, ...]  # now first, the shortest first
    lost: tuple[str, ...]
    single: Mapping[str, tuple[str, ...]]  # cable -> halls
    fit: Fit | None  # None: it fits as it is

    @property
    def ok(self) -> bool:
        """It is carried now; after a cut it may be carried badly."""
        return not self.lost and all(each.cut for each in self.shortages)

    def words(self, model: NetworkModel) -> list[tuple[str, str]]:
        """All there is to say, the worst first; [] when there is nothing."""
        said = []
        if self.lost:
            names = "、".join(model.halls[code].zh for code in self.lost[:_SHOWN])
            said.append((f"没有通路：{names}", f"no way to {', '.join(self.lost[:_SHOWN])}"))
        said += [each.words(model) for each in self.shortages[:_SHOWN]]
        if self.fit is not None:
            said.append(self.fit.words(model, self.halls))
        return said

    def document(self, model: NetworkModel) -> dict[str, Any]:
        """JSON for API, command line and store."""
        return {
            "ok": self.ok,
            "halls": len(self.halls),
            "hall_up_bps": self.up_bps,
            "hall_down_bps": self.down_bps,
            "lost": list(self.lost),
            "shortages": [
                {
                    "link": each.link, "site": each.site, "way": each.way, "need_bps": each.need_bps,
                    "have_bps": each.have_bps, "cut": each.cut, "halls": list(each.halls),
                }
                for each in self.shortages
            ],
            "single": {cut: list(halls) for cut, halls in self.single.items()},
            "words": [{"zh": zh, "en": en} for zh, en in self.words(model)],
        }  # fmt: skip


def check(
    impacts: ImpactMap,
    halls: Sequence[str],
    *,
    others: Sequence[Sequence[str]] = (),
    sure: Mapping[str, int],
    load_bps: Mapping[str, float] | None = None,
    faults: Faults | None = None,
) -> Capacity:
    """Check one meeting.

    Args:
        impacts: The county's ways.
        halls: Of the meeting.
        others: Halls of every other meeting at the same time.
        sure: Cable shared by class -> bit/s that voice and video have there whatever happens
            (``provision.render.qos.sure_bps``).
        load_bps: Measured load of cables by what is no meeting.
        faults: What is broken already.
    """
    model, already = impacts.model, faults or Faults()
    asked = tuple(dict.fromkeys(code for code in halls if code in model.halls))
    now = impacts.paths(already)
    lost = tuple(code for code in asked if now.get(code) is None)
    used = {name: None for code in asked for name in now.get(code) or () if model.links[name].kind is not LinkKind.LAN}
    ways: dict[str, Mapping[str, Way | None]] = {"": now}
    for name in used:
        ways[name] = impacts.paths(_also_cut(already, name))
    single = {
        name: gone
        for name, found in ways.items()
        if name and (gone := tuple(code for code in asked if code not in lost and _gone(now, found, code)))
    }
    room = _Room(model, sure, load_bps or {}, {name: _sum(model, found, others) for name, found in ways.items()})
    shortages = room.shortages(ways, asked, _FULL)
    needs = hall_needs(len(asked))
    fit = _fit(room, ways, asked, shortages) if shortages else None
    return Capacity(asked, needs.up, needs.down, shortages, lost, single, fit)


@dataclass(frozen=True, slots=True)
class _Room:
    """What is left of each cable."""

    model: NetworkModel
    sure: Mapping[str, int]
    load_bps: Mapping[str, float]
    taken: Mapping[str, Mapping[Direction, int]]  # by cut: what other meetings take

    def have(self, cut: str, direction: Direction) -> int:
        name = direction[0]
        whole = self.sure.get(name, self.model.links[name].rate_bps - self.load_bps.get(name, 0.0))
        return max(0, round(whole - self.taken[cut].get(direction, 0)))

    def shortages(
        self, ways: Mapping[str, Mapping[str, Way | None]], halls: Sequence[str], top: int
    ) -> tuple[Shortage, ...]:
        """Now, and after each cut what is not short anyway."""
        found: list[Shortage] = []
        short: set[Direction] = set()
        for cut, paths in ways.items():
            for direction, need in demand(self.model, paths, halls, top).items():
                have = self.have(cut, direction)
                if need <= have or (cut and direction in short):
                    continue
                short.add(direction) if not cut else None
                site, way = _site_of(self.model, direction)
                behind = tuple(code for code in halls if direction[0] in (paths.get(code) or ()))
                found.append(Shortage(direction[0], site, way, need, have, cut, behind))
        worst: dict[tuple[str, str], Shortage] = {}  # one cut for a cable: the worst
        for each in sorted(found, key=lambda each: (bool(each.cut), each.have_bps - each.need_bps)):
            worst.setdefault((each.link, "" if not each.cut else "cut"), each)
        return tuple(worst.values())


def _fit(
    room: _Room, ways: Mapping[str, Mapping[str, Way | None]], halls: Sequence[str], shortages: Sequence[Shortage]
) -> Fit:
    """The largest picture that fits; where none does, the meeting without the last halls behind the shortest cable."""
    for top in range(_FULL - 1, -1, -1):
        if not room.shortages(ways, halls, top):
            return Fit(top=top)
    left, wanting = list(halls), tuple(shortages)
    while wanting and len(left) > 2:
        behind = [code for code in left[1:] if code in wanting[0].halls]  # never the main venue
        left.remove(behind[-1] if behind else left[-1])
        wanting = room.shortages(ways, left, _FULL)
    return Fit() if wanting else Fit(halls=tuple(left))


def _sum(
    model: NetworkModel, ways: Mapping[str, Way | None], meetings: Sequence[Sequence[str]]
) -> dict[Direction, int]:
    found: dict[Direction, int] = {}
    for halls in meetings:
        for direction, bps in demand(model, ways, halls).items():
            found[direction] = found.get(direction, 0) + bps
    return found


def _also_cut(faults: Faults, link: str) -> Faults:
    return Faults(faults.links | {link}, faults.hosts, faults.stuck, faults.apart, faults.mute, faults.degraded)


def _gone(now: Mapping[str, Way | None], after: Mapping[str, Way | None], code: str) -> bool:
    """No way is left, or only the one to its own site's relay."""
    before, found = now.get(code) or (), after.get(code)
    return found is None or (len(found) < len(before) and found == before[: len(found)])


def _site_of(model: NetworkModel, direction: Direction) -> tuple[str, str]:
    """The site that a cable leads to, seen from the centres, and whether this direction leaves it."""
    link = model.links[direction[0]]
    a, b = (model.hosts[end.host].site for end in link.ends)
    site = b if model.sites[b].homes and (a in model.sites[b].homes or not model.sites[a].homes) else a
    return site, "up" if model.hosts[direction[1]].site == site else "down"


def _mbit(bps: int, *, up: bool) -> str:
    """Rounded so that what is needed never looks smaller, and what there is never larger, than it is."""
    tenths = -(-bps // 100_000) if up else bps // 100_000
    return f"{tenths / 10:g}"


def background(
    impacts: ImpactMap, load_bps: Mapping[str, float], running: Sequence[Sequence[str]], faults: Faults | None = None
) -> dict[str, float]:
    """Measured load without what the meetings that run now take of it."""
    own = _sum(impacts.model, impacts.paths(faults or Faults()), running)
    busiest: dict[str, int] = {}
    for (name, _), bps in own.items():
        busiest[name] = max(busiest.get(name, 0), bps)
    return {name: max(0.0, load - busiest.get(name, 0)) for name, load in load_bps.items()}
