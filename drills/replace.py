"""``sanwang replace`` and its drill: a new box takes a dead one's place, and is its equal when it is done.

A dead access switch may be replaced by one of another vendor: then the county's files say so first.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from drills import change_lab
from drills.lab import Lab
from drills.sequence import Progress as Quiet
from drills.sequence import wait_ready
from drills.verify import verify
from identity.secrets import Secrets
from inventory.hardware import HARDWARE
from inventory.intake import edit, put
from inventory.intake.merge import Change, Merged
from inventory.load import read
from inventory.model import NetworkModel, Role
from provision import play
from provision.broker.client import operator
from provision.broker.wire import BrokerError
from provision.change import applied
from store.audit import record
from store.engine import open_store
from twin import faults

Progress = Callable[[str], None]
Step = Callable[[str, int, int], None]
PLAYBOOK = "site.yml"


@dataclass(frozen=True)
class Replaced:
    """How it went: ``checked`` is what the broker asked the new box in band afterwards."""

    host: str
    platform: str
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
    require_dead(lab, host)
    began_s = time.monotonic()
    result = play.run(PLAYBOOK, places=lab.places, limit=host, progress=step)
    checked = {"expected": 0, "ok": 0}
    problems = list(result.failures)
    if result.good:
        answer = lab.broker().call("verify", why=f"replace {host}", host=host, wait_s=60)
        checked, problems = answer["checked"], list(answer["problems"])
    took_s, platform = round(time.monotonic() - began_s, 1), lab.model.hosts[host].platform
    return Replaced(host, platform, took_s, host in result.changed, checked, tuple(problems))


def require_dead(lab: Lab, host: str) -> None:
    """PlayError unless the host is one that can be replaced and does not answer as the old one did."""
    if host not in {each.name for each in lab.model.appliances()}:
        raise play.PlayError(f"{host}: expected one of the county's own boxes; `sanwang county show SITE` names them")
    if host == lab.model.nms:
        raise play.PlayError(
            f"{host} is the management host: `sanwang takeover` on the standby, or `sanwang restore system`"
        )
    if _answers(lab, host):
        raise play.PlayError(f"{host} answers in band: there is no new box; `sanwang playbook run site.yml` mends it")


def _answers(lab: Lab, host: str) -> bool:
    """True when the broker reaches the host in band; a box that nobody enrolled does not let it in."""
    try:
        answer = lab.broker().call("in_band", why=f"replace {host}", host=host, check=True)
    except BrokerError as error:
        if error.kind == "unreachable":
            return False
        raise
    return bool(answer["in_band"])


def other_vendor(lab: Lab, host: str, platform: str, why: str = "") -> Lab:
    """Write another vendor's platform for a dead switch into the county's files; in the twin, put such a box there.

    The files keep their comments and layout; the change is audited first.  Returns the county as it is then.

    Raises PlayError for a host that is no switch, an unknown platform, or a switch that answers; CountyErrors where the
    site's networks have no ports on that platform; OSError when a file cannot be written.
    """
    found = lab.model.hosts.get(host)
    if found is None or found.role is not Role.SWITCH:
        known = ", ".join(each.name for each in lab.model.by_role(Role.SWITCH)) or "none in this county"
        raise play.PlayError(f"--platform: found {host}, which is no access switch; expected one of {known}")
    if platform not in HARDWARE:
        raise play.PlayError(f"--platform: found {platform!r}; expected one of {', '.join(HARDWARE)}; correct it")
    require_dead(lab, host)
    folder = Path((lab.places.lib / "county").read_text().strip())
    texts = _with_platform(folder, found.site, platform)
    model = put.checked(folder, texts).model
    _audit(lab, host, found.platform, platform, why, sorted(texts))
    put.put(folder, texts)
    last = applied.folder(lab.places)
    if last.is_dir():  # a rehearsal starts from what the devices have
        put.put(last, _with_platform(last, found.site, platform))
    if lab.twin.state.up:
        lab.twin.state.keep(model)
        lab = Lab.attach(lab.places.instance)
        faults.swap_host(lab.twin, host, Secrets(lab.places.lib / "identity").ssh_public("ssh/bootstrap"))
    lab.broker().call("reload_model")
    return lab


def _with_platform(folder: Path, site: str, platform: str) -> dict[str, str]:
    """The files that change, by name, with their new texts."""
    data = read(folder).data
    sections = [name for name in ("townships", "bodies", "buildings") if site in (data.get(name) or {})]
    changes = [Change(name, site, "switch", data[name][site].get("switch"), platform) for name in sections]
    return edit.texts_of(folder, Merged(changes=changes))


def _audit(lab: Lab, host: str, before: str, after: str, why: str, files: list[str]) -> None:
    store = open_store(lab.places.database)
    try:
        with store.session() as session:
            detail = {"host": host, "before": before, "platform": after, "files": files}
            record(session, operator(), "replace", why or f"{host} is dead", detail)
    finally:
        store.close()


def choose(model: NetworkModel) -> str:
    """The router of a township: the box whose death hurts most people at once."""
    return next(host.name for host in model.by_role(Role.ACCESS) if host.site.startswith("t"))


def choose_switch(model: NetworkModel) -> tuple[str, str]:
    """A body's switch, and another vendor's platform for it; ("", "") in a county without any."""
    switches = sorted(model.by_role(Role.SWITCH), key=lambda host: host.site.startswith("t"))
    for host in switches:
        others = [each.platform for each in switches if each.platform != host.platform] or [*HARDWARE]
        return host.name, next(platform for platform in others if platform != host.platform)
    return "", ""


def drill(lab: Lab, progress: Progress, host: str = "") -> dict[str, Any]:
    """Kill a box, put an empty one in its place, replace it, prove the county; then a switch by another vendor's."""
    rounds = [_same(lab, host or choose(lab.model), progress)]
    switch, platform = choose_switch(lab.model)
    if switch and not host:
        own = lab.model.hosts[switch].platform
        with change_lab.borrowed(lab) as changes:  # the county's own files keep their vendor, and get its box back
            lab = Lab.attach(changes.lab.places.instance)
            for wanted in (platform, own):
                lab = _vendor(lab, switch, wanted, progress, rounds)
        lab = Lab.attach(lab.places.instance)
    return {"replaced": rounds, "ready": wait_ready(lab, Quiet())["ready"]}


def _same(lab: Lab, host: str, progress: Progress) -> dict[str, Any]:
    faults.kill_host(lab.twin, host)
    progress(f"{host} is dead")
    faults.swap_host(lab.twin, host, Secrets(lab.places.lib / "identity").ssh_public("ssh/bootstrap"))
    progress(f"{host} is a new, empty box")
    return _proved(lab, host, progress)


def _vendor(lab: Lab, switch: str, platform: str, progress: Progress, rounds: list[dict[str, Any]]) -> Lab:
    faults.kill_host(lab.twin, switch)
    progress(f"{switch} ({lab.model.hosts[switch].platform}) is dead")
    lab = other_vendor(lab, switch, platform, "drill")
    progress(f"{switch} is a new box, {platform}")
    rounds.append(_proved(lab, switch, progress))
    return lab


def _proved(lab: Lab, host: str, progress: Progress) -> dict[str, Any]:
    replaced = replace(lab, host, lambda *_: None)
    progress(f"{host}: {replaced.checked['ok']} of {replaced.checked['expected']} in {replaced.seconds:.0f} s")
    verdict = asyncio.run(verify(lab, lambda *_: None))
    progress("verify is green" if verdict.good else f"verify: {len(verdict.failures)} failures")
    return asdict(replaced) | {"verify": "green" if verdict.good else "red", "proof": verdict.document()}


def misses(found: dict[str, Any]) -> list[str]:
    """What is not as it should be, in words."""
    words = []
    for each in found["replaced"]:
        words += [f"{each['host']}: {problem}" for problem in each["problems"]]
        for name in ("allowed", "denied", "sites"):
            part = each["proof"][name]
            if part["ok"] != part["expected"]:
                shown = f"{name}: {part['ok']} of {part['expected']}"
                words.append(f"verify after {each['host']} ({each['platform']}): {shown}")
    if not found["ready"]:
        words.append("the collector does not see the whole county again: `sanwang status`")
    return words
