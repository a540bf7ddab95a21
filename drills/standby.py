"""``sanwang takeover``: the standby management host becomes the one that acts.

Everything happens on the standby itself, from the newest copy of Sanwang's backup that it keeps: the state is put back,
the county's model says who acts now, a broker starts, this host gets its services, and then every device lets only
this one in.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from drills.errors import Missing
from drills.lab import Lab
from drills.sequence import Progress
from inventory import switches
from inventory.load import load_model
from inventory.model import NetworkModel
from inventory.places import Places
from inventory.schema import SwitchIntent
from provision import play
from provision.backup.copies import FOLDER
from provision.backup.putback import put_back
from provision.backup.system import COUNTY, SUFFIX
from provision.broker.bootstrap import start_bootstrap_broker
from provision.broker.client import BrokerClient
from provision.broker.main import require_management_host
from provision.broker.sessions import answers
from provision.environment import load_environment, recorded
from store.audit import record
from store.engine import open_store

STILL_THERE_S = 5.0
SETTLES_S = 90.0


@dataclass
class TakenOver:
    """How it went; ``seconds`` from the command's start to the end of each step."""

    host: str
    instead_of: str
    backup: str
    made_at: str
    seconds: dict[str, float] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)  # devices that did not become as the model says now
    problems: list[str] = field(default_factory=list)  # what the collector here misses, but of the dead host

    @property
    def good(self) -> bool:
        """True when this host acts and every device but the dead one is as the model says."""
        return not self.failures and not self.problems


@dataclass
class _Here:
    """This host, as a starter of processes."""

    model: NetworkModel

    def argv(self, host: str, argv: Sequence[str], vrf: str = "") -> list[str]:
        """The command as it is."""
        return list(argv)


def newest_copy(places: Places) -> Path:
    """The copy of the backup to start from; Missing when the standby has none."""
    found = sorted(FOLDER.glob(f"sanwang-{places.instance}-*{SUFFIX}"))
    if not found:
        raise Missing(
            f"{FOLDER}: found no copy of a backup of {places.instance}",
            "`sanwang backup create --out FOLDER --standby` on the management host brings one; or name a file",
        )
    return found[-1]


def takeover(
    places: Places, backup: Path, key: bytes, *, who: str, why: str, force: bool, progress: Progress
) -> TakenOver:
    """Make this host the management host.  Missing when it is not the standby, or the other one still answers.

    Where a broker runs here already, a takeover that was cut off is gone on with.
    """
    began_s = time.monotonic()
    done = _begun(places)

    def ended(name: str) -> None:
        done.seconds[name] = round(time.monotonic() - began_s, 1)

    if not done.host:
        progress.stage(f"putting {backup.name} back")
        restored = put_back(places, backup, key, who=who, why=why, own_county=True)
        folder = Path(restored.county)
        before = load_model(folder)
        _require(before, force)
        model = _note(places, folder, before, who, why)
        done = TakenOver(model.nms, model.standby, str(backup), restored.made_at)
        ended("restored")
        progress.stage(f"as of {restored.made_at}; {model.nms} acts instead of {model.standby}")
        _start(places, model)
        ended("broker")
    else:
        model = load_model(places.lib / COUNTY)
    progress.stage("this host's own services")
    _play(places, done, model.nms, progress)
    ended("services")
    progress.stage("every device lets only this host in, and reports to it")
    _play(places, done, f"all:!{model.standby}", progress)
    ended("devices")
    progress.stage(f"everything that the model expects, but {model.standby}")
    done.problems = _missed(Lab.attach(places.instance), model.standby)
    ended("ready")
    return done


def _begun(places: Places) -> TakenOver:
    """A takeover that was cut off once its broker ran; without a host when there is none."""
    if not (places.lib / COUNTY).is_dir() or not BrokerClient(places.broker_socket, timeout_s=5.0).alive():
        return TakenOver("", "", "", "")
    model = load_model(places.lib / COUNTY)
    require_management_host(model.hosts[model.nms])
    return TakenOver(model.nms, model.standby, "", model.fenced.at if model.fenced else "")


def _start(places: Places, model: NetworkModel) -> None:
    """The first broker here; in production all that the management host runs."""
    if load_environment(recorded(places)).management == "systemd":
        subprocess.run(["systemctl", "start", f"sanwang@{places.instance}.target"], check=True)
        return
    places.run.mkdir(parents=True, exist_ok=True)
    start_bootstrap_broker(_Here(model), places)


def _require(before: NetworkModel, force: bool) -> None:
    """Missing unless this host is the standby and the other one is silent (or ``force``)."""
    if not before.standby:
        raise Missing(f"{before.name} has no standby: add the box `standby` to another centre than that of nms")
    require_management_host(before.hosts[before.standby])
    other = str(before.hosts[before.nms].management)
    if not force and asyncio.run(answers(other, within_s=STILL_THERE_S)):
        raise Missing(
            f"{before.nms} still answers on {other}: stop its services, or take its power, first",
            "or take over beside it with --force: devices then let only this host in",
        )


def _missed(lab: Lab, dead: str) -> list[str]:
    """What the collector here still misses after a while, but of the dead host."""
    end = time.monotonic() + SETTLES_S
    left = ["the collector here does not answer"]
    while left and time.monotonic() < end:
        with contextlib.suppress(Missing):
            left = [str(each) for each in lab.collected("/status")["problems"] if dead not in str(each)]
        if left:
            time.sleep(0.5)
    return left


def _play(places: Places, done: TakenOver, limit: str, progress: Progress) -> None:
    result = play.run("site.yml", places=places, limit=limit, progress=progress.step)
    done.failures += result.failures


def _note(places: Places, folder: Path, before: NetworkModel, who: str, why: str) -> NetworkModel:
    """Write down who acts now: audit first, then the county's intent."""
    written = switches.read(folder)
    now = SwitchIntent(who=who, why=why, at=datetime.now(UTC).isoformat("T", "seconds"))
    store = open_store(places.database)
    try:
        with store.session() as session:
            record(session, who, "takeover", why, {"host": before.standby, "instead_of": before.nms})
    finally:
        store.close()
    back = written.management is not None  # the one that was the standby takes its place again
    changed = written.model_copy(update={"management": None if back else now, "fenced": now})
    switches.write(folder, changed)
    return load_model(folder)


def release(lab: Lab, *, who: str, why: str, progress: Progress) -> list[str]:
    """The other host has become the standby (or was repaired): devices may let it in again.  What did not go well."""
    folder = Path((lab.places.lib / "county").read_text().strip())
    written = switches.read(folder)
    if written.fenced is None:
        return []
    made = play.run("site.yml", places=lab.places, limit=lab.model.standby, progress=progress.step)
    if not made.good:
        return made.failures
    store = open_store(lab.places.database)
    try:
        with store.session() as session:
            record(session, who, "takeover.release", why, {"host": lab.model.standby})
    finally:
        store.close()
    switches.write(folder, written.model_copy(update={"fenced": None}))
    return play.run("site.yml", places=lab.places, progress=progress.step).failures
