"""``sanwang replace`` and its drill: a new box takes a dead one's place, and is its equal when it is done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from drills.lab import Lab
from drills.sequence import Progress as Quiet
from drills.sequence import wait_ready
from drills.verify import verify
from identity.secrets import Secrets
from inventory.model import NetworkModel, Role
from provision import play
from provision.broker.wire import BrokerError
from twin import faults

Progress = Callable[[str], None]
Step = Callable[[str, int, int], None]
PLAYBOOK = "site.yml"


@dataclass(frozen=True)
class Replaced:
    """How it went: ``checked`` is what the broker asked the new box in band afterwards."""

    host: str
    seconds: float
    changed: bool
    checked: dict[str, int]  # {"expected", "ok"}
    problems: tuple[str, ...]

    @property
    def good(self) -> bool:
        """True when the box is what the model says."""
        return not self.problems and self.checked["expected"] == self.checked["ok"]


def replace(lab: Lab, host: str, step: Step) -> Replaced:
    """Enrol the new box over its staging port and make it what the model says; nothing else is touched.

    PlayError for a host that cannot be replaced so, or that answers as the old one did.
    """
    if host not in {each.name for each in lab.model.appliances()}:
        raise play.PlayError(f"{host}: expected one of the county's own boxes; `sanwang county show SITE` names them")
    if host == lab.model.nms:
        raise play.PlayError(f"{host} is the management host, which would replace itself: restore it from its backup")
    if _answers(lab, host):
        raise play.PlayError(f"{host} answers in band: there is no new box; `sanwang playbook run site.yml` mends it")
    began_s = time.monotonic()
    result = play.run(PLAYBOOK, places=lab.places, limit=host, progress=step)
    checked = {"expected": 0, "ok": 0}
    problems = list(result.failures)
    if result.good:
        answer = lab.broker().call("verify", why=f"replace {host}", host=host, wait_s=60)
        checked, problems = answer["checked"], list(answer["problems"])
    return Replaced(host, round(time.monotonic() - began_s, 1), host in result.changed, checked, tuple(problems))


def _answers(lab: Lab, host: str) -> bool:
    """True when the broker reaches the host in band; a box that nobody enrolled does not let it in."""
    try:
        answer = lab.broker().call("in_band", why=f"replace {host}", host=host, check=True)
    except BrokerError as error:
        if error.kind == "unreachable":
            return False
        raise
    return bool(answer["in_band"])


def choose(model: NetworkModel) -> str:
    """The router of a township: the box whose death hurts most people at once."""
    return next(host.name for host in model.by_role(Role.ACCESS) if host.site.startswith("t"))


def drill(lab: Lab, progress: Progress, host: str = "") -> dict[str, Any]:
    """Kill a box, put an empty one in its place, replace it, and prove the whole county."""
    host = host or choose(lab.model)
    faults.kill_host(lab.twin, host)
    progress(f"{host} is dead")
    faults.swap_host(lab.twin, host, Secrets(lab.places.lib / "identity").ssh_public("ssh/bootstrap"))
    progress(f"{host} is a new, empty box")
    replaced = replace(lab, host, lambda *_: None)
    progress(f"{host}: {replaced.checked['ok']} of {replaced.checked['expected']} in {replaced.seconds:.0f} s")
    verdict = asyncio.run(verify(lab, lambda *_: None))
    return asdict(replaced) | {"verify": verdict.document(), "ready": wait_ready(lab, Quiet())["ready"]}


def misses(found: dict[str, Any]) -> list[str]:
    """What is not as it should be, in words."""
    words = [str(problem) for problem in found["problems"]]
    if not found["ready"]:
        words.append("the collector does not see the whole county again: `sanwang status`")
    for name in ("allowed", "denied", "sites"):
        part = found["verify"][name]
        if part["ok"] != part["expected"]:
            words.append(f"verify {name}: {part['ok']} of {part['expected']}")
    return words
