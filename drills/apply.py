"""``sanwang drill apply``: a real change goes over the whole county while its controller and its broker are killed.

The change is harmless and reaches every stage and every platform: sites get a longer English name (SNMP tells it),
every rule a longer name (a comment in the firewall), and a body joins a closed group (a VRF, overlays and routes on its
router and its centres, a VLAN and its ports on its switch).  It is put in, taken out, and so on, each time planned,
signed and applied as any other; after each kill every device must be as it was before or as it is after, by its own
timer or by ``apply --resume``.

In every stage the controller is killed and the broker is, in an order and at moments drawn from the seed; nobody is
killed in a stage again before everybody was killed in every stage as often.  The first kills of each wait until one
device of every platform of the stage that it never met is being changed, all at once; later ones aim at the platform
it met least.  Whether it is being changed is read while the controller is held still, right before the kill: a kill
that would come too late is not made, and made up for when the change goes over the county again.  Most kills are
followed by ``--resume`` at once; those of the controller that met a platform for the first time are left to the
devices' own timers, all of them at the same time.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from drills import change_lab
from drills.change_lab import ChangeLab
from drills.errors import Missing
from drills.flows import Flows
from drills.lab import Lab
from drills.policy import Place
from inventory.model import NetworkModel
from inventory.places import CHECKOUT
from provision.broker.wire import BrokerError
from provision.change.journal import Journal, in_flight
from provision.change.plan import Plan, Stage, state_fingerprint
from provision.change.runner import waits_s
from provision.change.undo import UNDO, timer_s
from twin import faults

Progress = Callable[[str], None]
KILLS = 20
TIMER_S = 20
"""What every device is given; one that cannot be so fast, or waits for others, is given more (``timers_s``)."""

RESTART_S = 15
"""A stand-in's restart takes seconds where the real device takes minutes."""

PROBE_MS = 200.0
_STAGE_S = 1.5  # a kill falls this long after the devices it waits for were begun with, at most
_ALL_S = 0.3  # ... when it waits for several platforms
_STAGE_WITHIN_S = 180.0
_QUIET_WITHIN_S = 150.0
_VICTIMS = ("controller", "broker")


@dataclass
class Found:
    """What the drill counted."""

    seed: int
    kills: int = 0
    in_between: list[str] = field(default_factory=list)
    lost_longer: list[str] = field(default_factory=list)
    worst_lost_s: float = 0.0
    timers_s: dict[str, int] = field(default_factory=dict)  # by platform, the longest that was set
    rows: list[dict[str, Any]] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)

    def met(self, platform: str, victim: str = "") -> int:
        """How many kills fell while a device of this platform was being changed."""
        return sum(platform in row["platforms"] and victim in ("", row["victim"]) for row in self.rows)

    def fell(self, stage: str, victim: str) -> int:
        """How many kills this one had in that stage."""
        return sum((row["stage"], row["victim"]) == (stage, victim) for row in self.rows)

    def left_alone(self) -> frozenset[str]:
        """Platforms whose devices were left to their own timers."""
        return frozenset(platform for row in self.rows if row["left_alone"] for platform in row["platforms"])

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        platforms = sorted({platform for row in self.rows for platform in row["platforms"]})
        return {
            "kills": self.kills,
            "devices_in_between": len(self.in_between),
            "sites_lost_longer_than_timer": len(self.lost_longer),
            "in_between": self.in_between,
            "lost_longer": self.lost_longer,
            "seed": self.seed,
            "timers_s": self.timers_s,
            "worst_lost_s": round(self.worst_lost_s, 1),
            "stages": sorted({row["stage"] for row in self.rows}),
            "platforms": {each: {who: self.met(each, who) for who in _VICTIMS} for each in platforms},
            "left_alone": sorted(self.left_alone()),
            "victims": {who: sum(row["victim"] == who for row in self.rows) for who in _VICTIMS},
            "outcomes": self.outcomes,
            "rows": self.rows,
        }


def drill(
    lab: Lab, progress: Progress, *, kills: int = KILLS, seed: int | None = None, stages: Collection[str] = ()
) -> dict[str, Any]:
    """Kill ``kills`` times over every stage (or only these) and platform; the county is as it was at the end."""
    seed = seed if seed is not None else random.SystemRandom().randrange(1 << 31)
    found = Found(seed)
    progress(f"seed {seed}")
    with change_lab.borrowed(lab) as changes:
        flows = Flows(lab, pairs(lab.model), interval_ms=PROBE_MS)
        try:
            if not flows.flowing(within_s=60):
                raise Missing("probes between sites do not flow", "look at: sanwang status, sanwang verify")
            run = Drill(lab, changes, flows, found, random.Random(seed), kills, progress, frozenset(stages))
            for turn in range(2 * (kills + 1)):  # each turn that puts the change in kills at least once
                if turn % 2 == 0 and found.kills >= kills:
                    break
                changes.write(marked=turn % 2 == 0)
                run.carry()
        finally:
            flows.close()
    return found.document()


def pairs(model: NetworkModel) -> list[tuple[Place, Place]]:
    """Every site's first user with the next site's in the same network."""
    by_network: dict[str, list[Place]] = {}
    seen = set()
    for endpoint in model.endpoints:
        if endpoint.site not in seen and endpoint.network in model.networks and endpoint.network != "mgmt":
            seen.add(endpoint.site)
            place = Place(endpoint.site, endpoint.network, endpoint.host, endpoint.vrf, endpoint.address)
            by_network.setdefault(endpoint.network, []).append(place)
    return [
        (place, places[index - 1])
        for places in by_network.values()
        for index, place in enumerate(places)
        if len(places) > 1 and place.host != places[index - 1].host
    ]


@dataclass
class Drill:
    """One drill under way."""

    lab: Lab
    changes: ChangeLab
    flows: Flows
    found: Found
    dice: random.Random
    kills: int
    progress: Progress
    stages: frozenset[str] = frozenset()
    known: set[str] = field(default_factory=set)  # stages to be killed in, of every plan so far
    late: int = 0  # kills that came too late

    def carry(self) -> None:
        """One change from planning to the end, killed at every stage of it."""
        plan, path = self._plan()
        for attempt in range(len(plan.stages) * 3 + 3):
            journal, mark = Journal(self.lab.places, plan.id), self.flows.mark()
            with _running(self.lab, path, resume=bool(journal.current) and not journal.ended) as run:
                killed = self._kill_in(plan, run, len(journal.steps))
                code = None if killed and killed["victim"] == "controller" else run.wait()
            if killed and killed["left_alone"]:
                self._leave_alone(plan, killed)
            ended = code is not None
            self._judge(plan, mark, quiet=ended or bool(killed and killed["left_alone"]))
            if ended:
                outcome = Journal(self.lab.places, plan.id).ended or f"exit {code}"
                self.found.outcomes.append(outcome)
                if outcome == "applied":
                    return
                self.progress(f"attempt {attempt + 1} ended: {outcome}")
                plan, path = self._plan()
        raise Missing(f"plan {plan.id} did not come to its end", f"look at {journal.path} and the broker's log")

    def _plan(self) -> tuple[Plan, Path]:
        plan, path = self.changes.plan()
        self.known |= {stage.name for stage in plan.stages if not self.stages or stage.name in self.stages}
        return plan, path

    def _kill_in(self, plan: Plan, run: subprocess.Popen[bytes], since: int) -> dict[str, Any] | None:
        """Kill wherever it is due, until the controller is dead; the last row.  ``since``: steps before this run."""
        last = None
        for stage in plan.stages:
            while due := self._due(stage.name):
                victim = self.dice.choice(due)
                aimed = self._aim(plan, stage, victim)
                if not self._reached(plan, run, stage.name, aimed, since):
                    break
                # When it waited for all at once, the stage is nearly over.
                longest_s = _STAGE_S if len(aimed) == 1 else _ALL_S
                after_s = self.dice.uniform(0.0, longest_s / (1 + self.late))
                time.sleep(after_s)
                with _held(run):
                    met = self._changing(plan, stage.name, since)
                    if run.poll() is not None or not aimed <= met:
                        self.late += 1
                        continue
                    last = self._kill(plan, stage, run, victim, met, after_s)
                if victim == "controller":
                    return last
        return last

    def _due(self, stage: str) -> list[str]:
        """Who may be killed in this stage: those who were killed there as rarely as anybody anywhere."""
        if self.found.kills >= self.kills or stage not in self.known:
            return []
        fewest = min(self.found.fell(name, who) for name in self.known for who in _VICTIMS)
        return [who for who in _VICTIMS if self.found.fell(stage, who) == fewest]

    def _aim(self, plan: Plan, stage: Stage, victim: str) -> frozenset[str]:
        """The platforms of the stage that this victim never met, or else the one it met least."""
        met = {platform: self.found.met(platform, victim) for platform in map(_platform(plan), stage.hosts)}
        unmet = frozenset(platform for platform, times in met.items() if not times)
        return unmet or frozenset({min(sorted(met), key=lambda each: (met[each], self.dice.random()))})

    def _changing(self, plan: Plan, stage: str, since: int) -> frozenset[str]:
        """Platforms of the devices that this run has sent the stage to, and that are not confirmed yet."""
        steps = Journal(self.lab.places, plan.id).steps[since:]
        return frozenset(map(_platform(plan), in_flight(step for step in steps if step.stage == stage)))

    def _reached(self, plan: Plan, run: subprocess.Popen[bytes], stage: str, aimed: frozenset[str], since: int) -> bool:
        """Wait until all these platforms are being changed; False when the run ends, or has passed the stage."""
        end = time.monotonic() + _STAGE_WITHIN_S
        while time.monotonic() < end and run.poll() is None:
            if aimed <= self._changing(plan, stage, since):
                return True
            steps = Journal(self.lab.places, plan.id).current
            if any(step.what in ("passed", "back") and step.stage in (stage, "") for step in steps):
                return False
            time.sleep(0.05)
        return False

    def _kill(
        self, plan: Plan, stage: Stage, run: subprocess.Popen[bytes], victim: str, met: frozenset[str], after_s: float
    ) -> dict[str, Any]:
        """kill -9; its row."""
        alone = victim == "controller" and bool(met - self.found.left_alone())
        row = {"plan": plan.id, "stage": stage.name, "victim": victim, "platforms": sorted(met), "left_alone": alone}
        row |= {"after_s": round(after_s, 2)}
        if victim == "controller":
            run.send_signal(signal.SIGKILL)
            run.wait()
        if victim == "broker" or alone:
            _kill_broker(self.lab)
        self.found.kills += 1
        self.found.rows.append(row)
        self.progress(
            f"kill {self.found.kills}: {victim}, {after_s:.1f} s into {', '.join(sorted(met))} ({stage.name})"
        )
        return row

    def _leave_alone(self, plan: Plan, row: dict[str, Any]) -> None:
        """Neither controller nor broker comes back until every timer has had its time."""
        stage = next(stage for stage in plan.stages if stage.name == row["stage"])
        timers = self._timers(plan, (stage,))
        self.progress(f"left to their own timers: {len(timers)} devices, up to {max(timers.values()):.0f} s")
        fault = faults.stop_daemon(self.lab.twin, self.lab.model.nms, "broker")
        try:
            time.sleep(max(timers.values()))
        finally:
            faults.heal(self.lab.twin, fault)

    def _judge(self, plan: Plan, mark: list[int], *, quiet: bool) -> None:
        """Every device of the plan is before or after, once its time is over or the run has ended (``quiet``)."""
        if quiet:
            for host, words in in_between(self.lab, plan).items():
                self.found.in_between.append(f"{host}: {words}")
        timers = self._timers(plan, plan.stages)
        by_site: dict[str, float] = {}
        for host, seconds in timers.items():
            site, platform = self.lab.model.hosts[host].site, plan.device(host).platform
            by_site[site] = max(by_site.get(site, TIMER_S), seconds)
            self.found.timers_s[platform] = max(self.found.timers_s.get(platform, 0), round(seconds))
        sites = {f"{one} -> {other}": (one.site, other.site) for one, other in pairs(self.lab.model)}
        for name, lost_ms in self.flows.lost_each_ms(mark).items():
            self.found.worst_lost_s = max(self.found.worst_lost_s, lost_ms / 1000)
            allowed_s = max(by_site.get(site, TIMER_S) for site in sites[name])
            if lost_ms > allowed_s * 1000:
                self.found.lost_longer.append(f"{name}: {lost_ms / 1000:.1f} s of {allowed_s:.0f} s")

    def _timers(self, plan: Plan, stages: Collection[Stage]) -> dict[str, float]:
        """Seconds until each device of these stages is back by itself."""
        model = self.lab.model
        timers = {}
        for stage in stages:
            for host in stage.hosts:
                platform = plan.device(host).platform
                armed_s = timer_s(platform, waits_s(model, host, stage.hosts, TIMER_S))
                timers[host] = armed_s + (RESTART_S if UNDO[platform].restart else 0.0)
        return timers


@contextmanager
def _running(lab: Lab, path: Path, *, resume: bool) -> Iterator[subprocess.Popen[bytes]]:
    """``sanwang apply`` as people run it."""
    words = [sys.executable, "-m", "sanwang", "apply", str(path), "--confirm-s", str(TIMER_S), "--json"]
    log = lab.places.lib / "drill-apply.log"
    with log.open("ab") as out:
        run = subprocess.Popen(
            words + ["--resume"] * resume,
            cwd=CHECKOUT,
            env=os.environ | {"SANWANG_INSTANCE": lab.places.instance, "SANWANG_WHO": change_lab.AUTHOR},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
        try:
            yield run
        finally:
            if run.poll() is None:
                run.kill()
                run.wait()


@contextmanager
def _held(run: subprocess.Popen[bytes]) -> Iterator[None]:
    """The run stands still in the block."""
    run.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        run.send_signal(signal.SIGCONT)


def _platform(plan: Plan) -> Callable[[str], str]:
    return lambda host: plan.device(host).platform


def _kill_broker(lab: Lab) -> None:
    """kill -9; its supervisor starts another."""
    try:
        pid = lab.broker().call("ping")["pid"]
    except BrokerError:
        return  # it is down still, from the kill before
    lab.twin.run(lab.model.nms, ["kill", "-9", str(pid)])


def in_between(lab: Lab, plan: Plan) -> dict[str, str]:
    """Devices of the plan that are neither as before nor as after it once every timer has had its time."""
    end = time.monotonic() + _QUIET_WITHIN_S
    odd = dict.fromkeys(plan.hosts, "not asked yet")
    while True:
        odd = _odd(lab, plan, tuple(odd))
        if not odd or time.monotonic() > end:
            return odd
        time.sleep(2.0)


def _odd(lab: Lab, plan: Plan, hosts: tuple[str, ...]) -> dict[str, str]:
    answers: dict[str, dict[str, dict[str, Any]]] = {"state": {}, "diff": {}}
    for method, held in answers.items():

        def take(event: dict[str, Any], held: dict[str, dict[str, Any]] = held) -> None:
            held[event["host"]] = event.get("result") or {"error": event["error"]["message"]}

        try:
            lab.broker().call("many", method=method, hosts=list(hosts), on_event=take)
        except BrokerError as error:
            return dict.fromkeys(hosts, error.message)
    odd = {}
    for host in hosts:
        state, diff = answers["state"].get(host, {}), answers["diff"].get(host, {})
        if "error" in state or "error" in diff or not state or not diff:
            odd[host] = str(state.get("error") or diff.get("error") or "no answer")
        elif state["pending"] is not None:
            odd[host] = f"still waits for a confirmation: {json.dumps(state['pending'])}"
        elif diff["changed"] and state_fingerprint(state) != plan.device(host).base:
            odd[host] = "neither before nor after"
    return odd


def misses(found: dict[str, Any], kills: int = KILLS) -> list[str]:
    """What a county would not accept, one line each."""
    lines = [f"in between: {line}" for line in found["in_between"]]
    lines += [f"lost longer than its timer: {line}" for line in found["lost_longer"]]
    if found["kills"] < kills:
        lines.append(f"only {found['kills']} of {kills} kills")
    return lines
