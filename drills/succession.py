"""``sanwang drill standby``: the management host dies, the standby takes over, the dead one comes back."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

from drills.errors import Missing
from drills.lab import Lab, inside
from drills.replace import choose
from inventory.model import Role
from inventory.places import CHECKOUT
from provision.backup.system import create
from provision.broker.wire import BrokerError
from twin import faults

Progress = Callable[[str], None]
COMMAND_S = 900.0
BACK_S = 60.0


def drill(lab: Lab, progress: Progress) -> dict[str, Any]:
    """Kill the management host, take over on the standby, ask there; bring the dead one back and let it try.

    The county is left in the standby's hands, as it would be; ``sanwang down`` and ``up`` start as before.
    """
    model = lab.model
    if not model.standby:
        raise Missing(f"{model.name} has no standby: add the box `standby` to another centre than that of nms")
    with tempfile.TemporaryDirectory(prefix=".drill-", dir=lab.places.lib) as folder:
        made = create(lab.places, Path(folder), who="drill", why="drill standby")
        lab.broker().call("copy", why="drill standby", path=made.path)
    progress(f"{model.standby} has a copy, {made.bytes} bytes")
    faults.kill_host(lab.twin, model.nms)
    progress(f"{model.nms} is dead")
    began_s = time.monotonic()
    taken = _command(lab, "takeover", "--why", "drill standby")
    seconds = round(time.monotonic() - began_s, 1)
    progress(f"{model.standby} acts after {seconds:.0f} s: {taken['seconds']}")
    status = _command(lab, "status")
    found: dict[str, Any] = {
        "dead": model.nms,
        "host": model.standby,
        "backup_bytes": made.bytes,
        "seconds": seconds,
        "steps": taken["seconds"],
        "failures": taken["failures"],
        "problems": taken["problems"],
        "status_hosts": status["hosts"],
        "plan_changed": _command(lab, "plan", "--limit", f"all:!{model.nms}")["changed"],
        "page": _page(lab),
    }
    faults.heal_all(lab.twin)
    progress(f"{model.nms} is back")
    found["old_acted_on"] = _old_acts(lab, progress)
    released = _command(lab, "takeover", "--release", "--why", "drill standby")
    found["release_failures"] = released["failures"]
    services = lab.twin.run(model.nms, ["ls", "/etc/sanwang/sv"]).stdout.split()
    found["old_services"] = sorted({"broker", "collect", "serve"} & set(services))
    found["ready"] = bool(_ready(lab))
    return found


def _command(lab: Lab, *arguments: str) -> dict[str, Any]:
    """What a command of ours says on the standby itself; a check that failed is told, an error is Missing."""
    argv = [sys.executable, "-m", "sanwang", *arguments, "--json"]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "SANWANG_INSTANCE": lab.places.instance,
        "PYTHONPATH": str(CHECKOUT),
    }
    done = subprocess.run(
        lab.twin.argv(lab.model.standby, argv),
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout.strip().rpartition("\n")[2])
    except ValueError:
        said = (done.stderr or done.stdout).strip()[-600:]
        raise Missing(f"sanwang {arguments[0]} on {lab.model.standby} ended with {done.returncode}: {said}") from None
    return answer


def _page(lab: Lab) -> int:
    """How the operations page answers on the standby (HTTP status): 401 or 403 asks a stranger who he is."""
    trust = ssl.create_default_context(cafile=str(lab.places.lib / "identity" / "ca.pem"))
    host = f"{lab.model.standby}.sanwang.internal"
    with inside(lab.namespace(lab.model.standby)):
        connection = HTTPSConnection(str(lab.model.hosts[lab.model.standby].management), timeout=10, context=trust)
        with closing(connection):
            connection.request("GET", "/ops/", headers={"Host": host})
            return connection.getresponse().status


def _old_acts(lab: Lab, progress: Progress) -> list[str]:
    """Devices on which the old controller could still do something."""
    broker = lab.broker()
    end = time.monotonic() + BACK_S
    while not broker.alive():
        if time.monotonic() > end:
            raise Missing(f"the broker of {lab.model.nms} did not come back within {BACK_S:.0f} s")
        time.sleep(0.5)
    model = lab.model
    core = f"{model.hosts[model.nms].site}-core"
    switch = [host.name for host in model.by_role(Role.SWITCH)][:1]
    acted = []
    for host in (choose(model), model.firewall, core, *switch):
        kind, text = ("shell", "true") if model.hosts[host].linux else ("cli", "display version")
        try:
            broker.call("command", host=host, kind=kind, text=text, why="drill standby: the old controller tries")
            acted.append(host)
        except BrokerError as error:
            progress(f"the old controller, on {host}: {error.message[:120]}")
    return acted


def _ready(lab: Lab) -> bool:
    end = time.monotonic() + BACK_S
    while not (ready := _command(lab, "status")["ready"]) and time.monotonic() < end:
        time.sleep(2.0)
    return bool(ready)


def misses(found: dict[str, Any]) -> list[str]:
    """What is not as it should be, in words."""
    words = [str(each) for each in (*found["failures"], *found["problems"], *found["release_failures"])]
    if found["plan_changed"]:
        words.append(f"a plan from {found['host']} would still change devices")
    if found["page"] not in (200, 401, 403):
        words.append(f"the operations page answers {found['page']} on {found['host']}")
    if found["old_acted_on"]:
        words.append(f"{found['dead']} came back and could still act on {', '.join(found['old_acted_on'])}")
    if found["old_services"]:
        words.append(f"{found['dead']} still runs {', '.join(found['old_services'])} as the standby")
    if not found["ready"]:
        words.append(f"{found['host']} does not see the whole county")
    return words
