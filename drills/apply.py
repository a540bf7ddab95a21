"""``sanwang drill apply``: a real change goes over the whole county while its controller and its broker are killed.

The change is harmless and reaches every stage: sites get a longer English name (SNMP tells it), every rule a longer
name (a comment in the firewall), and a body joins a closed group (a VRF, overlays and routes on its router and its
centres).  It is put in, taken out, and so on, each time planned, signed and applied as any other; after each kill every
device must be as it was before or as it is after, by its own timer or by ``apply --resume``.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
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
from provision.change.journal import Journal
from provision.change.plan import Plan, state_fingerprint

Progress = Callable[[str], None]
KILLS = 20
TIMER_S = 20
PROBE_MS = 200.0
_STAGE_S = 1.5  # a kill falls this long after a stage began, at most
_STAGE_WITHIN_S = 180.0
_QUIET_WITHIN_S = 150.0


@dataclass
class Found:
    """What the drill counted."""

    seed: int
    kills: int = 0
    in_between: list[str] = field(default_factory=list)
    lost_longer: list[str] = field(default_factory=list)
    worst_lost_s: float = 0.0
    rows: list[dict[str, Any]] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "kills": self.kills,
            "devices_in_between": len(self.in_between),
            "sites_lost_longer_than_timer": len(self.lost_longer),
            "in_between": self.in_between,
            "lost_longer": self.lost_longer,
            "seed": self.seed,
            "timer_s": TIMER_S,
            "worst_lost_s": round(self.worst_lost_s, 1),
            "stages": sorted({row["stage"] for row in self.rows}),
            "victims": {who: sum(row["victim"] == who for row in self.rows) for who in ("controller", "broker")},
            "outcomes": self.outcomes,
            "rows": self.rows,
        }


def drill(lab: Lab, progress: Progress, *, kills: int = KILLS, seed: int | None = None) -> dict[str, Any]:
    """Kill ``kills`` times over every stage; the county is as it was at the end."""
    seed = seed if seed is not None else random.SystemRandom().randrange(1 << 31)
    found = Found(seed)
    progress(f"seed {seed}")
    dice = random.Random(seed)
    with change_lab.borrowed(lab) as changes:
        flows = Flows(lab, pairs(lab.model), interval_ms=PROBE_MS)
        try:
            if not flows.flowing(within_s=20):
                raise Missing("probes between sites do not flow", "look at: sanwang status, sanwang verify")
            marked = False
            while found.kills < kills or marked:
                marked = not marked
                changes.write(marked=marked)
                _carry(lab, changes, flows, found, dice, kills, progress)
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


def _carry(
    lab: Lab, changes: ChangeLab, flows: Flows, found: Found, dice: random.Random, kills: int, progress: Progress
) -> None:
    """One change from planning to the end, killed at every stage of it."""
    plan, path = changes.plan()

    def journal_of() -> Journal:
        return Journal(lab.places, plan.id)

    for attempt in range(len(plan.stages) * 3 + 3):
        mark = flows.mark()
        with _running(lab, path, resume=bool(journal_of().current) and not journal_of().ended) as run:
            killed = ""
            for stage in plan.stages:
                if any(row["stage"] == stage.name and row["plan"] == plan.id for row in found.rows):
                    continue
                if found.kills >= kills or not _reached(run, journal_of, stage.name):
                    continue
                victim = dice.choice(("controller", "broker"))
                after_s = dice.uniform(0.0, _STAGE_S)
                time.sleep(after_s)
                if run.poll() is not None:
                    break
                killed = victim
                _kill(lab, run, victim)
                found.kills += 1
                row = {"plan": plan.id, "stage": stage.name, "victim": victim, "after_s": round(after_s, 2)}
                found.rows.append(row)
                progress(f"kill {found.kills}: {victim}, {after_s:.1f} s into stage {stage.name}")
                if victim == "controller":
                    break
            code = run.wait() if killed != "controller" else None
        waited = dice.random() < 0.5
        _judge(lab, plan, found, flows, mark, quiet=killed == "controller" and waited, ended=code is not None)
        if code is not None:
            found.outcomes.append(journal_of().ended or f"exit {code}")
            if journal_of().ended == "applied":
                return
            progress(f"attempt {attempt + 1} ended: {found.outcomes[-1]}")
            plan, path = changes.plan()
    raise Missing(f"plan {plan.id} did not come to its end", f"look at {journal_of().path} and the broker's log")


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


def _reached(run: subprocess.Popen[bytes], journal_of: Callable[[], Journal], stage: str) -> bool:
    """Wait until the run begins this stage; False when it ends, or has passed it already."""
    end = time.monotonic() + _STAGE_WITHIN_S
    while time.monotonic() < end:
        steps = journal_of().current
        if any(step.what in ("passed", "back") and step.stage in (stage, "") for step in steps):
            return False
        if any(step.what == "stage" and step.stage == stage for step in steps):
            return True
        if run.poll() is not None:
            return False
        time.sleep(0.05)
    return False


def _kill(lab: Lab, run: subprocess.Popen[bytes], victim: str) -> None:
    """kill -9."""
    if victim == "controller":
        run.send_signal(signal.SIGKILL)
        run.wait()
        return
    try:
        pid = lab.broker().call("ping")["pid"]
    except BrokerError:
        return  # it is down still, from the kill before
    lab.twin.run(lab.model.nms, ["kill", "-9", str(pid)])


def _judge(lab: Lab, plan: Plan, found: Found, flows: Flows, mark: list[int], *, quiet: bool, ended: bool) -> None:
    """Every device of the plan is before or after, once its time is over (``quiet``) or the run has ended."""
    if quiet or ended:
        for host, words in in_between(lab, plan).items():
            found.in_between.append(f"{host}: {words}")
    for name, lost_ms in flows.lost_each_ms(mark).items():
        found.worst_lost_s = max(found.worst_lost_s, lost_ms / 1000)
        if lost_ms > TIMER_S * 1000:
            found.lost_longer.append(f"{name}: {lost_ms / 1000:.1f} s")


def in_between(lab: Lab, plan: Plan) -> dict[str, str]:
    """Devices of the plan that are neither as before nor as after it once every timer has had its time."""
    end = time.monotonic() + _QUIET_WITHIN_S
    while True:
        odd = _odd(lab, plan)
        if not odd or time.monotonic() > end:
            return odd
        time.sleep(2.0)


def _odd(lab: Lab, plan: Plan) -> dict[str, str]:
    answers: dict[str, dict[str, dict[str, Any]]] = {"state": {}, "diff": {}}
    for method, held in answers.items():

        def take(event: dict[str, Any], held: dict[str, dict[str, Any]] = held) -> None:
            held[event["host"]] = event.get("result") or {"error": event["error"]["message"]}

        try:
            lab.broker().call("many", method=method, hosts=list(plan.hosts), on_event=take)
        except BrokerError as error:
            return {"broker": error.message}
    odd = {}
    for host in plan.hosts:
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
