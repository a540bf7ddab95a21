"""``sanwang restore``: a device gets back what it was, from the county's git repository."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from drills.lab import Lab
from inventory.places import current_instance
from provision.backup.restore import CONFIRM_S, Restore
from provision.broker.masking import unified
from provision.change.checks import NotNow
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
