"""``sanwang drill fault``: random faults, one after another; is each told once, in time, by its own name and meaning?

The injector alone judges.  What the watchers say is read where operations staff read it: Alertmanager on the management
host, and the fault book.  What a fault really does to the halls is measured by steady flows from each to its relay,
and by the paths that were traced before it.

A watcher cannot tell a box without power from its only cable, nor what ails a site that is seen through its tunnel
alone: such a fault names one, and the others among its ``alternatives``.  That is the one case in which another name
than the injector's counts as right.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from collectors.expected import expect
from drills.alerts import Alertmanager, Seen
from drills.errors import Missing
from drills.lab import Lab
from drills.paths import traced
from drills.pings import Pings
from inventory.model import NetworkModel
from inventory.probes import link_paths
from inventory.relays import is_node
from twin import faults

Progress = Callable[[str], None]

QUICK = ("cut", "silent", "flap", "kill-host", "stop-daemon")
SLOW = ("loss", "rate", "delay")
DETECTED_S, DEGRADED_S = 2.0, 10.0  # limits of the two p95
OUTAGE_MS = 1000.0  # a hall is cut off from here on
_TOLD_WITHIN_S = {**dict.fromkeys(QUICK, 12.0), **dict.fromkeys(SLOW, 25.0)}
_WATCHED_S = 5.0  # so long after the alert for another one to show itself
_QUIET_S = 180.0
_CALM_S = 4.0
_PARTS = ("hosts", "services", "ospf", "bgp", "bfd", "tunnels")
_FLOW_MS = 50.0
_FLAPS = 5
_WATCHERS = frozenset({"collect", "alertmanager"})  # who is to tell of them?


@dataclass(frozen=True, slots=True)
class Wanted:
    """A fault to be set: what, where, how bad (percent, bit/s, ms, or seconds of a flap's phases)."""

    kind: str
    target: str
    daemon: str = ""
    amount: float = 0.0

    @property
    def root(self) -> str:
        """Its name in the fault book."""
        if self.kind == "stop-daemon":
            return f"service:{self.target}/{self.daemon}"
        return f"host:{self.target}" if self.kind == "kill-host" else f"link:{self.target}"

    def __str__(self) -> str:
        amount = f" {self.amount:.3g}" if self.amount else ""
        return f"{self.kind} {self.target}{' ' + self.daemon if self.daemon else ''}{amount}"


@dataclass(slots=True)
class Told:
    """What came of one fault."""

    wanted: Wanted
    seconds: float | None = None  # until its alert was at Alertmanager
    alerts: list[Seen] = field(default_factory=list)  # every one that appeared
    root: str = ""
    root_right: bool = False
    cut: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))  # told, measured
    rerouted: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))  # told, traced

    def document(self) -> dict[str, Any]:
        """As JSON types."""
        return {
            "fault": str(self.wanted),
            "kind": self.wanted.kind,
            "seconds": None if self.seconds is None else round(self.seconds, 2),
            "alerts": [str(alert) for alert in self.alerts],
            "root": self.root,
            "root_right": self.root_right,
            "halls_cut": {"told": self.cut[0], "measured": self.cut[1]},
            "halls_rerouted": {"told": self.rerouted[0], "traced": self.rerouted[1]},
        }


def choose(model: NetworkModel, seen: dict[str, set[str]], count: int, draw: random.Random) -> list[Wanted]:
    """``count`` faults, every kind in turn, each on something that a watcher can see at all.

    ``seen``: names of the links and hosts that the collector knows to be up.
    """
    expected = expect(model)
    fibres = [link.name for link in model.links.values() if any(
        (end.host, end.port) in expected.fibre_bfd for end in link.ends)]  # fmt: skip
    probed = [path.link for path in link_paths(model)]
    links = [name for name in model.links if name in seen["links"]]
    hosts = [name for name in model.hosts if name in seen["hosts"] and name != model.nms]
    daemons = sorted(
        (host, name) for host, name in expected.services
        if host in seen["hosts"] and not (host == model.nms and name in _WATCHERS)
    )  # fmt: skip
    kinds = [kind for _ in range(count // 8 + 1) for kind in draw.sample(QUICK + SLOW, 8)][:count]
    found = []
    for kind in kinds:
        if kind in ("cut", "flap"):
            found.append(Wanted(kind, draw.choice(links), amount=draw.uniform(1.1, 1.6) if kind == "flap" else 0.0))
        elif kind == "silent":
            found.append(Wanted(kind, draw.choice(fibres)))
        elif kind == "kill-host":
            found.append(Wanted(kind, draw.choice(hosts)))
        elif kind == "stop-daemon":
            found.append(Wanted(kind, *draw.choice(daemons)))
        else:
            amount = {"loss": draw.uniform(10, 40), "rate": draw.uniform(2, 40), "delay": draw.uniform(5, 80)}[kind]
            found.append(Wanted(kind, draw.choice(probed), amount=amount))
    return found


def fault(lab: Lab, progress: Progress, count: int = 20, seed: int | None = None) -> dict[str, Any]:
    """Set ``count`` faults, heal each, and wait for quiet before the next; everything is healed at the end."""
    seed = secrets.randbelow(1 << 31) if seed is None else seed
    halls = sorted(lab.model.halls)
    alerts = Alertmanager(lab)
    rows: list[Told] = []
    try:
        _quiet(lab, alerts)
        seen = {part: {name for name, row in lab.collected(f"/{part}").items() if row["state"] == "up"}
                for part in ("links", "hosts")}  # fmt: skip
        wanted = choose(lab.model, seen, count, random.Random(seed))
        progress(f"seed {seed}: {count} faults on {len(seen['links'])} links and {len(seen['hosts'])} hosts watched")
        for number, each in enumerate(wanted, 1):
            told = _one(lab, alerts, halls, each)
            rows.append(told)
            progress(f"{number}/{count} {_line(told)}")
    finally:
        alerts.close()
    return _document(lab, seed, rows)


def _one(lab: Lab, alerts: Alertmanager, halls: list[str], wanted: Wanted) -> Told:
    flows = Pings(lab, halls, _FLOW_MS)
    try:
        if not flows.flowing(within_s=20):
            raise Missing("the halls do not reach their relays", "look at: sanwang status, sanwang verify")
        return _set_and_heal(lab, flows, alerts, halls, wanted)
    finally:
        flows.close()


def _set_and_heal(lab: Lab, flows: Pings, alerts: Alertmanager, halls: list[str], wanted: Wanted) -> Told:
    before = traced(lab, halls)
    known = {alert.id for alert in alerts.active()}
    told = Told(wanted)
    mark = flows.mark()
    began = time.monotonic()
    injection = _Injection(lab, wanted)
    try:
        first = alerts.wait(known, _TOLD_WITHIN_S[wanted.kind])
        if first is not None:
            told.seconds = first.at - began
        time.sleep(_WATCHED_S)
        told.alerts = [alert for alert in alerts.ever(since=began) if alert.id not in known]
        _judge(lab, told)
        lost = flows.lost_each_ms(mark)
        told.cut = (told.cut[0], [code for code, ms in zip(halls, lost.values(), strict=True) if ms >= OUTAGE_MS])
        moved = _moved(lab, halls, wanted, before, set(told.rerouted[0]))
        told.rerouted = (told.rerouted[0], sorted(moved - set(told.cut[1])))
    finally:
        injection.heal()
    _quiet(lab, alerts)
    told.alerts = [alert for alert in alerts.ever(since=began) if alert.id not in known]
    return told


def _judge(lab: Lab, told: Told) -> None:
    """Read the book: what is the root, and what does it say of the halls?"""
    book = lab.collected("/faults")["faults"]
    numbers = {alert.fault for alert in told.alerts}
    row = next((row for row in book if str(row["id"]) in numbers), None)
    if row is None:
        return
    wanted = told.wanted
    told.root = f"{row['key']} ({row['kind']})"
    same = row["key"] == wanted.root
    alternative = wanted.root.partition(":")[2] in row["detail"].get("alternatives", ())
    told.root_right = (same or alternative) and len(book) == 1
    states = {hall["hall"]: hall["state"] for hall in row["impact"].get("halls", ())}
    # Measured is the way to the county: what a township's own relay still does for its hall rides no line.
    told.cut = (sorted(code for code, state in states.items() if state in ("cut", "alone")), [])
    moved = (code for code, state in states.items() if state == "rerouted" and not _own_relay(lab.model, wanted, code))
    told.rerouted = (sorted(moved), [])


def _own_relay(model: NetworkModel, wanted: Wanted, hall: str) -> bool:
    """Whether the fault took the relay of the hall's own site: nothing of that is seen on the way to the county's."""
    relay = model.hosts[model.halls[hall].relay]
    return is_node(model, relay) and wanted.target in {relay.name, *(port.link for port in relay.ports)}


def _moved(lab: Lab, halls: list[str], wanted: Wanted, before: dict[str, tuple[str, ...]], told: set[str]) -> set[str]:
    """Halls whose path the fault has moved.

    Of a cable or box: those whose path crossed it.  What a daemon's stop does to paths is nobody's to know
    beforehand: they are traced again.  A cable that is merely bad loses its BFD session now and then and paths leave
    it for seconds: whoever crossed it may be told as moved, or not.
    """
    if wanted.kind == "stop-daemon":
        now = traced(lab, halls)
        return {code for code in halls if now[code] and now[code] != before.get(code, ())}
    crossed = {code for code in halls if _crosses(lab.model, wanted, before.get(code, ()))}
    return crossed if wanted.kind in QUICK else crossed & told


def _crosses(model: NetworkModel, wanted: Wanted, path: tuple[str, ...]) -> bool:
    """Whether a path rode what was broken."""
    if wanted.kind != "kill-host":
        return wanted.target in path
    return any(end.host == wanted.target for name in path for end in model.links[name].ends)


class _Injection:
    """A fault being set; flapping goes on beside us."""

    def __init__(self, lab: Lab, wanted: Wanted) -> None:
        self._lab = lab
        self._fault: faults.Fault | None = None
        self._thread: threading.Thread | None = None
        twin, target = lab.twin, wanted.target
        match wanted.kind:
            case "flap":
                self._thread = threading.Thread(
                    target=faults.flap, args=(twin, target, _FLAPS, wanted.amount), daemon=True
                )
                self._thread.start()
            case "cut":
                self._fault = faults.cut(twin, target)
            case "silent":
                self._fault = faults.silent(twin, target)
            case "kill-host":
                self._fault = faults.kill_host(twin, target)
            case "stop-daemon":
                self._fault = faults.stop_daemon(twin, target, wanted.daemon)
            case "loss":
                self._fault = faults.loss(twin, target, wanted.amount)
            case "rate":
                self._fault = faults.rate(twin, target, wanted.amount * 1e6)
            case "delay":
                self._fault = faults.delay(twin, target, wanted.amount)

    def heal(self) -> None:
        """Take it away; of a flap, wait for its end."""
        if self._thread is not None:
            self._thread.join()
        if self._fault is not None:
            faults.heal(self._lab.twin, self._fault)


def _quiet(lab: Lab, alerts: Alertmanager) -> None:
    """Wait until no fault is open, no alert fires, and everything that faults are told of has been back for a while."""
    end = time.monotonic() + _QUIET_S
    since: float | None = None
    while time.monotonic() < end:
        status = lab.collected("/status")
        whole = all(status[part]["ok"] == status[part]["expected"] for part in _PARTS)
        if whole and not lab.collected("/faults")["faults"] and not alerts.active():
            since = since or time.monotonic()
            if time.monotonic() - since >= _CALM_S:
                return
        else:
            since = None
        time.sleep(0.5)
    left = [row["key"] for row in lab.collected("/faults")["faults"]] + [str(alert) for alert in alerts.active()]
    raise Missing(f"the county does not become quiet: {', '.join(left) or 'daemons or adjacencies are missing'}",
                  "look at: sanwang status, sanwang alert list")  # fmt: skip


def _line(told: Told) -> str:
    seconds = "never told" if told.seconds is None else f"told after {told.seconds:.2f} s"
    wrong = [
        *(["root"] if not told.root_right else []),
        *([f"{len(told.alerts)} alerts"] if len(told.alerts) != 1 else []),
        *([f"cut: told {told.cut[0]}, measured {told.cut[1]}"] if told.cut[0] != told.cut[1] else []),
        *([f"rerouted: told {told.rerouted[0]}, traced {told.rerouted[1]}"] if _differ(told) else []),
    ]
    return f"{told.wanted}: {seconds}, {told.root or 'no root'}{'; WRONG ' + ', '.join(wrong) if wrong else ''}"


def _differ(told: Told) -> bool:
    return told.rerouted[0] != told.rerouted[1]


def _document(lab: Lab, seed: int, rows: list[Told]) -> dict[str, Any]:
    quick = [row.seconds for row in rows if row.wanted.kind in QUICK]
    slow = [row.seconds for row in rows if row.wanted.kind in SLOW]
    return {
        "seed": seed,
        "faults": len(rows),
        "root_right": sum(row.root_right for row in rows),
        "alerts": sum(len(row.alerts) == 1 for row in rows),
        "detected_p95_s": _p95(quick),
        "degraded_p95_s": _p95(slow),
        "halls_cut_right": sum(row.cut[0] == row.cut[1] for row in rows),
        "halls_rerouted_right": sum(not _differ(row) for row in rows),
        "halls": len(lab.model.halls),
        "rows": [row.document() for row in rows],
    }


def _p95(seconds: list[float | None]) -> float | None:
    """The 95th percentile (nearest rank); None when one was never told, or there was none."""
    known = sorted(each for each in seconds if each is not None)
    if not known or len(known) < len(seconds):
        return None
    return round(known[-(-len(known) * 95 // 100) - 1], 2)


def misses(found: dict[str, Any]) -> list[str]:
    """What missed its bound, in words."""
    count = found["faults"]
    wrong = [
        f"{name}: {found[name]} of {count}"
        for name in ("root_right", "alerts", "halls_cut_right", "halls_rerouted_right")
        if found[name] != count
    ]
    kinds = {row["kind"] for row in found["rows"]}
    for name, limit, of in (("detected_p95_s", DETECTED_S, QUICK), ("degraded_p95_s", DEGRADED_S, SLOW)):
        if kinds.intersection(of) and (found[name] is None or found[name] > limit):
            wrong.append(f"{name}: {found[name]}, limit {limit}")
    return wrong
