"""The one sequence of ``up`` and ``down``: twin, enrolment, playbooks, portal, readiness, proof."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drills.errors import Missing
from drills.lab import Lab
from drills.verify import Verdict, verify
from identity.secrets import Secrets
from inventory.load import load_model
from inventory.places import COUNTIES, Places
from provision import play
from provision.broker.bootstrap import start_bootstrap_broker
from provision.change import applied
from store.engine import open_store
from twin import check, children, county, portal
from twin.county import Twin

READY_WITHIN_S = 120
PORTAL_PORT = 8443


class Progress:
    """Where the sequence tells what it does; the command line draws it."""

    def stage(self, name: str) -> None:
        """A new stage begins."""

    def step(self, what: str, done: int, total: int) -> None:
        """Something countable inside the stage moved on."""


@dataclass
class Arrived:
    """What ``up`` has to show at its end."""

    lab: Lab
    status: dict[str, Any]
    verdict: Verdict | None
    seconds: dict[str, float]
    port: int

    @property
    def good(self) -> bool:
        """True when everything that the model expects is there and policy holds."""
        return bool(self.status["ready"]) and (self.verdict is None or self.verdict.good)


def county_folder(county_name: str) -> Path:
    """The county's folder: a name under ``inventory/counties`` or a path."""
    named = COUNTIES / county_name
    return named if named.is_dir() else Path(county_name).resolve()


def require(port: int) -> None:
    """Raise ``Missing`` with every thing that this machine lacks, before anything is touched."""
    lacks = list(check.missing())
    if port and not _free(port):
        lacks.append(f"port {port} on 127.0.0.1 is taken: stop its owner, or give another with --port")
    if lacks:
        raise Missing(*lacks)


def _free(port: int) -> bool:
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def prepare(places: Places, folder: Path) -> str:
    """Make what an instance owns before its first host: folders, CA, vault, database; returns the bootstrap key."""
    places.run.mkdir(parents=True, exist_ok=True)
    places.lib.mkdir(parents=True, exist_ok=True)
    places.lib.chmod(0o700)
    (places.lib / "county").write_text(f"{folder}\n")
    open_store(places.database).close()
    return Secrets(places.lib / "identity").ssh_public("ssh/bootstrap")


def up(places: Places, county_name: str, progress: Progress, *, port: int = PORTAL_PORT, prove: bool = True) -> Arrived:
    """Bring a county up; on any failure or Ctrl-C everything that was made is taken down again."""
    county.require_down(places)
    require(port)
    seconds: dict[str, float] = {}
    folder = county_folder(county_name)
    model = load_model(folder)
    twin = Twin(model, places)
    try:
        with _timed(seconds, "twin", progress, f"{len(model.hosts)} hosts and {len(model.links)} cables"):
            key = prepare(places, folder)
            twin.up(progress.step, bootstrap_key=key)
        lab = Lab(places, model, twin)
        with _timed(seconds, "provision", progress, "enrolment and playbooks"):
            children.keep(start_bootstrap_broker(twin, places))
            _play(places, "site.yml", progress)
        with _timed(seconds, "ready", progress, "everything that the model expects"):
            if port:
                portal.start(places, port)
            status = wait_ready(lab, progress, but=frozenset({"targets"}))
        verdict = None
        if prove:
            with _timed(seconds, "verify", progress, "policy, with real packets"):
                verdict = asyncio.run(verify(lab, progress.step))
        with _timed(seconds, "watched", progress, "the collector has heard everything it watches"):
            status = wait_ready(lab, progress)
    except BaseException:
        progress.stage("taking down what was made")
        with contextlib.suppress(Exception):
            down(places)
        raise
    return Arrived(lab, status, verdict, seconds, port)


def _play(places: Places, playbook: str, progress: Progress) -> None:
    """Run a playbook; what failed on some hosts is tried once more on those alone, as an engineer would."""
    result = play.run(playbook, places=places, progress=progress.step)
    if failed := [name for name, host in result.hosts.items() if host.failed]:
        progress.stage(f"{playbook} once more for {', '.join(failed)}: {'; '.join(result.failures)[:300]}")
        result = play.run(playbook, places=places, limit=",".join(failed), progress=progress.step)
        if result.good:  # both runs together were whole
            applied.keep(places, Path((places.lib / "county").read_text().strip()))
    if not result.good:
        raise Missing(f"{playbook} failed", *result.failures)


def wait_ready(
    lab: Lab, progress: Progress, but: frozenset[str] = frozenset(), within_s: float = READY_WITHIN_S
) -> dict[str, Any]:
    """Ask the collector until it sees the whole county (``but`` these parts), or the time is over; its last answer."""
    end = time.monotonic() + within_s
    status: dict[str, Any] = {"ready": False, "problems": ["the collector has not answered yet"]}
    while time.monotonic() < end:
        with contextlib.suppress(Missing):
            status = lab.collected("/status")
            counted = {name: part for name, part in status.items() if isinstance(part, dict) and "expected" in part}
            progress.step(
                "seen",
                sum(part["ok"] for part in counted.values()),
                sum(part["expected"] for part in counted.values()),
            )
            if all(part["ok"] == part["expected"] for name, part in counted.items() if name not in but):
                break
        time.sleep(0.5)
    return status


def down(places: Places, *, wipe: bool = False) -> None:
    """Take an instance down from what it left on disk; fine twice, and after anything was killed."""
    county.down(places, wipe=wipe)
    if wipe:
        shutil.rmtree(places.lib, ignore_errors=True)


@contextlib.contextmanager
def _timed(seconds: dict[str, float], name: str, progress: Progress, what: str) -> Any:
    progress.stage(f"{name}: {what}")
    start = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - start, 1)
