"""``sanwang rehearse``: a twin takes a plan, policy and drills are tried on it, the plan keeps the evidence.

The twin comes up from the county's files as they were last applied; then it is given the plan's files and carries the
plan out as ``sanwang apply`` does, stage by stage with confirm timers. The bytes are compared with the plan's: what was
rehearsed is what will be sent. A plan that adds or removes hosts has no way from one to the other on a twin that
runs: then the twin comes up from the new files, and the evidence says so.

A plan of a production county is compared byte by byte as production renders it, and carried out as the twin renders it:
the same model, on the twin's own kernel.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from drills import ring, sequence
from drills.lab import Lab
from drills.verify import verify
from inventory.load import load_model
from inventory.model import NetworkModel
from inventory.places import Places
from provision.broker.client import BrokerClient
from provision.broker.county import County, county_folder
from provision.change import applied, planner
from provision.change.plan import Evidence, Plan, PlanError, county_fingerprint
from provision.change.runner import Runner
from store.engine import open_store
from twin import rewire
from twin.county import require_down

Progress = Callable[[str], None]
WINDOW = timedelta(hours=2)
_WORK = "rehearsed"  # the twin's county; also the mark of an instance that is a rehearsal's own


@dataclass(frozen=True)
class Stage:
    """A place for the rehearsal: instance, the county's files before and after, and whether the twin can change."""

    places: Places
    before: Path
    after: Path
    moves: bool  # the same hosts and cables before and after: the plan itself is carried out


def prepare(plan: Plan, running: Places, instance: str) -> Stage:
    """Check that the plan is of this county, and find where to start from.  PlanError when it cannot be rehearsed."""
    if instance == running.instance:
        raise PlanError(f"--as: found {instance!r}, the running county's own name; expected another, as reh")
    try:
        places = Places(instance)
    except ValueError as wrong:
        raise PlanError(f"--as: {wrong}") from None
    require_down(places)
    if places.lib.exists() and not (places.lib / _WORK).is_dir():
        raise PlanError(
            f"--as: found {instance!r}, whose keys and data lie in {places.lib}; expected a name that is free, because"
            " a rehearsal wipes its own when it ends: choose another"
        )
    county = county_folder(running)
    if (found := county_fingerprint(county)) != plan.fingerprint:
        raise PlanError(
            f"{county}: the county's files: found {found[:16]}...; expected {plan.fingerprint[:16]}... of the plan;"
            " they changed since it was made: make the plan again"
        )
    before = applied.folder(running)
    moves = before.is_dir() and _same_plant(load_model(before), load_model(county))
    return Stage(places, before if moves else county, county, moves)


def _same_plant(one: NetworkModel, other: NetworkModel) -> bool:
    """True when both counties have the same boxes: cables can be plugged while a twin runs."""
    boxes = [[(name, host.role, host.platform) for name, host in each.hosts.items()] for each in (one, other)]
    cables = [{name: (link.number, link.a, link.b) for name, link in each.links.items()} for each in (one, other)]
    kept = cables[0].keys() & cables[1].keys()
    return boxes[0] == boxes[1] and all(cables[0][name] == cables[1][name] for name in kept)


def rehearse(plan: Plan, stage: Stage, progress: Progress, lines: sequence.Progress) -> Evidence:
    """Bring a twin up, carry the plan out, prove policy and cut the ring; the twin is gone afterwards."""
    work = stage.places.lib / _WORK
    after = County(stage.after, plan.environment)  # what will be sent
    other = [host for host in plan.hosts if planner.wanted(after, host) != plan.device(host).wanted]
    problems = [f"{host}: the twin would get other bytes than the plan has" for host in other]
    figures: dict[str, Any] = {
        "environment": {"planned": plan.environment, "rehearsed": "twin"},
        "transition": "stage by stage" if stage.moves else "from the new files at once",
        "devices": {"planned": len(plan.hosts), "rehearsed": 0, "other_bytes": len(other)},
    }
    shutil.rmtree(work, ignore_errors=True)
    applied.put(stage.before, work)
    try:
        arrived = sequence.up(stage.places, str(work), lines, port=0, prove=False)
        figures["up"] = arrived.seconds
        lab = arrived.lab
        if stage.moves and not problems:
            applied.put(stage.after, work)
            rewire.plug(lab.twin, load_model(work))
            progress("the twin takes the plan")
            problems += _carry_out(plan, lab, work, figures, progress)
            lab = Lab.attach(stage.places.instance)
        problems += _prove(lab, figures, progress)
    finally:
        sequence.down(stage.places, wipe=True)
    how = "carried out" if figures["devices"]["rehearsed"] else "nothing to carry out, the twin had it from the start"
    words = "; ".join(problems) or f"{how}; policy holds, every ring fibre and centre router may fail"
    return Evidence("rehearsal", datetime.now(UTC).isoformat(timespec="seconds"), not problems, words, figures)


def _carry_out(plan: Plan, lab: Lab, folder: Path, figures: dict[str, Any], progress: Progress) -> list[str]:
    """Apply the plan to the twin; what went wrong, in words."""
    county, client = County(folder), BrokerClient(lab.places.broker_socket)
    before = county_fingerprint(folder)
    looked = planner.look(client, county, plan.hosts)
    planner.require_all(looked)
    figures["devices"]["rehearsed"] = len(looked.devices)
    if not looked.devices:  # devices that only drifted from their files have nothing to take on a twin that never did
        return []
    store = open_store(lab.places.database)
    try:
        now = datetime.now(UTC)
        window = planner.Window(now, now + WINDOW)
        mine = planner.make_plan(
            looked, county, lab.places, store, author=plan.author, why=plan.why, window=window, before=before
        )
        outcome = Runner(mine, client, county, lab.places, store, tell=progress).apply()
    finally:
        store.close()
    figures["apply"] = outcome.as_json()
    return [] if outcome.outcome == "applied" else [f"the plan was {outcome.outcome}: {'; '.join(outcome.reasons)}"]


def _prove(lab: Lab, figures: dict[str, Any], progress: Progress) -> list[str]:
    """Policy with real packets, then the ring cut piece by piece; what fails, in words."""
    status = sequence.wait_ready(lab, sequence.Progress())
    problems = [] if status["ready"] else [f"not ready: {'; '.join(status.get('problems', [])[:5])}"]
    progress("policy, with real packets")
    verdict = asyncio.run(verify(lab, lambda *_: None))
    figures["verify"] = {key: part for key, part in verdict.document().items() if key != "failures"}
    problems += [f"{row['pair']}: {row['why']}" for row in verdict.document()["failures"][:10]]
    progress("every ring fibre and centre router")
    cut = ring.ring(lab, progress)
    figures["ring"] = cut["worst"]
    return problems + ring.misses(cut)
