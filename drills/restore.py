"""``sanwang drill restore``: a router and a switch spoilt by hand, then replaced by empty ones; from git each time."""

from __future__ import annotations

import asyncio
import io
import json
import random
import shlex
from collections.abc import Callable
from typing import Any

from drills.errors import Missing
from drills.lab import Lab, inside
from drills.replace import choose
from drills.sequence import Progress as Quiet
from drills.sequence import wait_ready
from drills.verify import verify
from identity.secrets import Secrets
from inventory.model import Host, Role
from provision.backup.archive import Archive, place
from provision.backup.restore import Restore
from provision.broker.session import Address
from provision.broker.sessions import SSH_PORT, SWITCH_USER
from provision.vendor import Credentials, VendorError, VendorSession
from store.engine import open_store
from twin import faults

Progress = Callable[[str], None]
SPOILT_FILES = 3
_NEVER = ("/etc/sanwang/bin/", "/etc/ssh/")  # the device tool, and the way in that an engineer would still have

# Leaves out lines of files on the disk, as a hand that slips does; what runs does not change by that.
_SPOIL = (
    "import json,sys\n"
    "for path, gone in json.loads(sys.argv[1]).items():\n"
    "    lines = open(path).read().splitlines(True)\n"
    "    open(path, 'w').writelines(l for n, l in enumerate(lines) if n not in gone)\n"
)


def drill(lab: Lab, progress: Progress, host: str = "", seed: int | None = None) -> dict[str, Any]:
    """Each device: spoilt by hand, restored; killed, an empty one in its place, restored; the county proved each time.

    ``host``: this one alone; else a township's router, and one of the county's access switches if it has any.
    """
    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    dice = random.Random(seed)
    switches = [each.name for each in lab.model.by_role(Role.SWITCH)]
    hosts = [host] if host else [choose(lab.model), *dice.sample(switches, min(1, len(switches)))]
    progress(f"{', '.join(hosts)}, seed {seed}")
    devices = [_device(lab, progress, lab.model.hosts[name], dice) for name in hosts]
    return {"seed": seed, "devices": devices, "ready": wait_ready(lab, Quiet())["ready"]}


def _device(lab: Lab, progress: Progress, host: Host, dice: random.Random) -> dict[str, Any]:
    answer = lab.broker().call("backup", why="drill restore", hosts=[host.name])
    if answer["missing"]:
        raise Missing(f"{host.name} could not be read", "`sanwang status` tells whether it is there")
    archive = Archive(place(lab.places))
    commit = archive.history(host.name, last=1)[0].commit
    spoilt = _spoil(lab, host, archive, commit, dice) if host.linux else _shut(lab, host, dice)
    missed = lab.broker().call("verify", why="drill restore", host=host.name)["problems"]
    progress(f"{host.name} is spoilt: {', '.join(spoilt)}; {len(missed)} things are missed")
    damaged = {"spoilt": spoilt, "missed": len(missed), **_restored(lab, host.name, commit, progress)}
    faults.kill_host(lab.twin, host.name)
    faults.swap_host(lab.twin, host.name, Secrets(lab.places.lib / "identity").ssh_public("ssh/bootstrap"))
    progress(f"{host.name} is a new, empty box")
    swapped = _restored(lab, host.name, commit, progress)
    return {"host": host.name, "platform": host.platform, "commit": commit, "damaged": damaged, "swapped": swapped}


def _spoil(lab: Lab, host: Host, archive: Archive, commit: str, dice: random.Random) -> list[str]:
    """Lines of some files are lost, and OSPF leaves one of two uplinks: the router still answers by the other."""
    snapshot = archive.snapshot(host.name, commit)
    assert snapshot is not None
    texts = {path: kept.text.splitlines() for path, kept in snapshot.files.items() if not path.startswith(_NEVER)}
    chosen = dice.sample(sorted(path for path, lines in texts.items() if len(lines) > 2), SPOILT_FILES)
    gone = {path: dice.sample(range(len(texts[path])), max(1, len(texts[path]) // 3)) for path in chosen}
    port = dice.choice([port.name for port in host.ports if port.ospf])
    lines = ["vtysh", "-c", "configure", "-c", f"interface {port}", "-c", "no ip ospf area 0"]
    for words in (["python3", "-c", _SPOIL, json.dumps(gone)], lines):
        done = lab.twin.run(host.name, words)
        if done.returncode:
            raise Missing(f"{host.name} could not be spoilt: {shlex.join(words)[:80]}: {done.stderr.strip()[-200:]}")
    return [*chosen, f"OSPF on {port}"]


def _shut(lab: Lab, host: Host, dice: random.Random) -> list[str]:
    """Somebody who knows the password shuts a port of users, as a person does it, and saves it."""
    ends = {port.label: lab.model.hosts[port.peer_host].role for port in host.ports if port.label}
    port = dice.choice([label for label, role in ends.items() if role is Role.LEAF])
    password = Secrets(lab.places.lib / "identity").resolve(f"switch/{host.name}/password")
    where = Address(host.name, str(host.management), SSH_PORT, SWITCH_USER)
    try:
        with (
            inside(lab.namespace(lab.model.nms)),
            VendorSession.open(where, host.platform, Credentials(password, enable=password), io.BytesIO()) as session,
        ):
            session.configure([f"interface {port}", " shutdown"])
            session.save()
    except VendorError as error:
        raise Missing(f"{host.name} could not be spoilt: {error.message}") from None
    return [f"{port} shut"]


def _restored(lab: Lab, host: str, commit: str, progress: Progress) -> dict[str, Any]:
    """Restore it, then prove the whole county with packets."""
    store = open_store(lab.places.database)
    try:
        done = Restore(lab.broker(), lab.model, store, host, commit, why="drill restore", tell=progress).run()
    finally:
        store.close()
    verdict = asyncio.run(verify(lab, lambda *_: None))
    progress(f"{host}: {done.outcome} in {done.seconds:.1f} s; verify {'good' if verdict.good else 'NOT good'}")
    return {
        "outcome": done.outcome,
        "new": done.new,
        "files": len(done.files),
        "seconds": done.seconds,
        "problems": done.reasons,
        "verify": verdict.document(),
    }


def misses(found: dict[str, Any]) -> list[str]:
    """What is not as it should be, in words."""
    words = []
    for device in found["devices"]:
        host = device["host"]
        if not device["damaged"]["missed"]:
            words.append(f"{host}: nothing was missed while it was spoilt: the drill proves nothing")
        for name, new in (("damaged", False), ("swapped", True)):
            part = device[name]
            if part["outcome"] != "restored" or part["new"] is not new:
                words.append(f"{host} {name}: {part['outcome']}, {'an empty' if part['new'] else 'a known'} box")
            words += [f"{host} {name}: {problem}" for problem in part["problems"]]
            words += [
                f"{host} {name}: verify {key}: {part['verify'][key]['ok']} of {part['verify'][key]['expected']}"
                for key in ("allowed", "denied", "sites")
                if part["verify"][key]["ok"] != part["verify"][key]["expected"]
            ]
    if not found["ready"]:
        words.append("the collector does not see the whole county again: `sanwang status`")
    return words
