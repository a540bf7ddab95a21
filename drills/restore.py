"""``sanwang drill restore``: a device spoilt by hand, and then an empty one in its place, both restored from git."""

from __future__ import annotations

import asyncio
import json
import random
import shlex
from collections.abc import Callable
from typing import Any

from drills.errors import Missing
from drills.lab import Lab
from drills.replace import choose
from drills.sequence import Progress as Quiet
from drills.sequence import wait_ready
from drills.verify import verify
from identity.secrets import Secrets
from provision.backup.archive import Archive, place
from provision.backup.restore import Restore
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
    """Spoil a router's files and routing, restore it; put an empty box in its place, restore that; prove both."""
    host = host or choose(lab.model)
    seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
    progress(f"{host}, seed {seed}")
    answer = lab.broker().call("backup", why="drill restore", hosts=[host])
    if answer["missing"]:
        raise Missing(f"{host} could not be read", "`sanwang status` tells whether it is there")
    archive = Archive(place(lab.places))
    commit = archive.history(host, last=1)[0].commit
    spoilt = _spoil(lab, host, archive, commit, random.Random(seed))
    missed = lab.broker().call("verify", why="drill restore", host=host)["problems"]
    progress(
        f"{host} is spoilt: {', '.join(spoilt['files'])}; OSPF left {spoilt['port']}; {len(missed)} things are missed"
    )
    damaged = {**spoilt, "missed": len(missed), **_restored(lab, host, commit, progress)}
    faults.kill_host(lab.twin, host)
    faults.swap_host(lab.twin, host, Secrets(lab.places.lib / "identity").ssh_public("ssh/bootstrap"))
    progress(f"{host} is a new, empty box")
    swapped = _restored(lab, host, commit, progress)
    ready = wait_ready(lab, Quiet())["ready"]
    return {"host": host, "seed": seed, "commit": commit, "damaged": damaged, "swapped": swapped, "ready": ready}


def _spoil(lab: Lab, host: str, archive: Archive, commit: str, dice: random.Random) -> dict[str, Any]:
    """Lines of some files are lost, and OSPF leaves one of two uplinks: the device still answers by the other."""
    snapshot = archive.snapshot(host, commit)
    assert snapshot is not None
    texts = {path: kept.text.splitlines() for path, kept in snapshot.files.items() if not path.startswith(_NEVER)}
    chosen = dice.sample(sorted(path for path, lines in texts.items() if len(lines) > 2), SPOILT_FILES)
    gone = {path: dice.sample(range(len(texts[path])), max(1, len(texts[path]) // 3)) for path in chosen}
    port = dice.choice([port.name for port in lab.model.hosts[host].ports if port.ospf])
    lines = ["vtysh", "-c", "configure", "-c", f"interface {port}", "-c", "no ip ospf area 0"]
    for words in (["python3", "-c", _SPOIL, json.dumps(gone)], lines):
        done = lab.twin.run(host, words)
        if done.returncode:
            raise Missing(f"{host} could not be spoilt: {shlex.join(words)[:80]}: {done.stderr.strip()[-200:]}")
    return {"files": chosen, "port": port}


def _restored(lab: Lab, host: str, commit: str, progress: Progress) -> dict[str, Any]:
    """Restore it, then prove the whole county with packets."""
    store = open_store(lab.places.database)
    try:
        asked = Restore(lab.broker(), lab.model, store, host, commit, why="drill restore", tell=progress)
        done = asked.run()
    finally:
        store.close()
    verdict = asyncio.run(verify(lab, lambda *_: None))
    progress(f"{host}: {done.outcome} in {done.seconds:.1f} s; verify {'good' if verdict.good else 'NOT good'}")
    return {
        "outcome": done.outcome,
        "new": done.new,
        "restored_files": len(done.files),
        "seconds": done.seconds,
        "problems": done.reasons,
        "verify": verdict.document(),
    }


def misses(found: dict[str, Any]) -> list[str]:
    """What is not as it should be, in words."""
    words = []
    if not found["damaged"]["missed"]:
        words.append("nothing was missed while the device was spoilt: the drill proves nothing")
    for name, new in (("damaged", False), ("swapped", True)):
        part = found[name]
        if part["outcome"] != "restored" or part["new"] is not new:
            words.append(f"{name}: {part['outcome']}, {'an empty' if part['new'] else 'a known'} box")
        words += [f"{name}: {problem}" for problem in part["problems"]]
        words += [
            f"{name}: verify {key}: {part['verify'][key]['ok']} of {part['verify'][key]['expected']}"
            for key in ("allowed", "denied", "sites")
            if part["verify"][key]["ok"] != part["verify"][key]["expected"]
        ]
    if not found["ready"]:
        words.append("the collector does not see the whole county again: `sanwang status`")
    return words
