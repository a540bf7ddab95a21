"""``sanwang restore``: a device gets back what it was, from git; Sanwang itself what it was, from a sealed backup."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from drills.lab import Lab
from inventory.places import Places, current_instance
from provision.backup.putback import check as check_backup
from provision.backup.putback import put_back
from provision.backup.restore import CONFIRM_S, Restore
from provision.backup.system import find_key
from provision.broker.client import operator
from provision.broker.masking import unified
from provision.change.checks import NotNow
from sanwang.backup import told
from sanwang.cli import run_app
from sanwang.report import FAILED, Lines, emit, guarded
from store.engine import open_store

app = typer.Typer(
    help="Bring back what was kept.\n\nexample: sanwang restore device t01-rt --why 'its disk was swapped'",
    no_args_is_help=True,
    add_completion=False,
)
Instance = Annotated[str, typer.Option(help="name of the instance")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")]


@app.callback()
def group() -> None:
    """Bring back what was kept."""


@app.command()
def device(
    host: Annotated[str, typer.Argument(help="the device, by its name in the county")],
    why: Annotated[str, typer.Option(help="the reason, for the audit log and the history")],
    commit: Annotated[str, typer.Option(help="a commit of its history; default: the newest")] = "",
    check: Annotated[
        bool, typer.Option("--check", help="show what would change, and whether it may; send nothing")
    ] = False,
    confirm_s: Annotated[
        int, typer.Option(help="the device undoes it unless it is confirmed so soon", min=5)
    ] = CONFIRM_S,
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Give a device the configuration that it had at a commit: texts from git, secrets from the vault.

    A device that answers keeps what it has until it and its neighbours are verified, and brings that back by itself
    when it is not confirmed in time. A new, empty box takes all of it over its staging port. Secrets that were rotated
    since are today's; one that is gone is refused. Where the county's files say something else, the next run of the
    playbooks brings that again: `sanwang plan` shows it.

    Exit code 0: it is so; 1: not now, or taken back; 2: no such device or commit, or a secret is gone; 3: no broker.

    example: sanwang restore device t01-rt --commit 65baf3c --why "back before the carrier's works"
    """

    def action() -> int:
        lab, lines = Lab.attach(instance or current_instance()), Lines()
        store = open_store(lab.places.database)
        try:
            asked = Restore(lab.broker(), lab.model, store, host, commit, why=why, tell=lines.note)
            if not as_json:
                _show(asked)
            if check:
                reasons = asked.reasons()
                _say(asked, {"outcome": "check", "reasons": reasons}, as_json)
                return FAILED if reasons else 0
            try:
                done = asked.run(confirm_s=confirm_s)
            except NotNow as refused:
                _say(asked, {"outcome": "refused", "reasons": list(refused.reasons)}, as_json)
                return FAILED
            _say(asked, asdict(done), as_json)
            return 0 if done.good else FAILED
        finally:
            store.close()

    return guarded(action)


@app.command()
def system(
    file: Annotated[Path, typer.Argument(help="a backup that `sanwang backup create` made")],
    why: Annotated[str, typer.Option(help="the reason, for the audit log")] = "restored",
    key: Annotated[Path | None, typer.Option(help="file with the recovery key", show_default=False)] = None,
    check: Annotated[bool, typer.Option("--check", help="prove the backup; change nothing")] = False,
    instance: Instance = "",
    as_json: AsJson = False,
) -> int:
    """Make Sanwang itself what a backup holds: whole, or not at all.

    It is unpacked beside the old state and proved (seal, every file, the audit's chain, vault, county, repository);
    then the two change places, and the old one stays until somebody removes it. No broker may run meanwhile.

    Exit code 0: it is so; 2: the backup is not whole, was made by somebody else, or the key is wrong; 3: not here.

    example: sanwang restore system sanwang-shili-20270501T010000Z.swb --key /media/stick/recovery.key
    """

    def action() -> int:
        places = Places(instance or current_instance())
        found = find_key(places, key)
        if check:
            manifest = check_backup(file, found)
            if as_json:
                emit({"path": str(file), "instance": manifest.instance, "made_at": manifest.made_at, "whole": True})
            else:
                print(f"{file}: whole; {manifest.instance} of {manifest.made_at}")
            return 0
        done = put_back(places, file, found, who=operator(), why=why)
        if as_json:
            emit(asdict(done))
        else:
            print(f"{done.instance} is as of {done.made_at}: {done.files} files, {done.audit_entries} audit entries")
            print(f"the county's files: {done.county}")
            if done.before:
                print(f"what was there before: {done.before} (it holds secrets: remove it when it is not needed)")
        return 0

    return told(action)


def _show(asked: Restore) -> None:
    found = asked.found
    print(f"{asked.host} as of {found['at']}, commit {found['commit'][:12]}: {found['who']}, {found['why']}")
    for each in found["diff"]:
        if not found["new"]:
            print(unified(each["path"], each["before"], each["after"]), end="")
    for line in found["running"]:
        print(f"running {line}")
    print(found["msg"])
    if found["renewed"]:
        print(f"with today's secrets in {', '.join(found['renewed'])}")


def _say(asked: Restore, document: dict[str, object], as_json: bool) -> None:
    found = asked.found
    if as_json:
        kept = {
            key: found[key] for key in ("commit", "at", "who", "why", "new", "changed", "renewed", "diff", "running")
        }
        emit({"host": asked.host, **kept, **document})
        return
    words = {"check": "may be restored now", "refused": "not now"}.get(str(document["outcome"]), document["outcome"])
    reasons = document["reasons"]
    assert isinstance(reasons, list)
    print(f"{asked.host}: {'not now' if reasons and document['outcome'] == 'check' else words}")
    for reason in reasons:
        print(f"  {reason}")


def main(argv: list[str]) -> int:
    """Run the command; returns its exit code."""
    return run_app(app, argv, "sanwang restore")
