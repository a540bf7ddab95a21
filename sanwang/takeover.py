"""``sanwang takeover``: the standby management host takes the dead one's place."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from drills import standby
from drills.lab import Lab
from inventory.places import Places, current_instance
from provision.backup.system import find_key
from provision.broker.client import operator
from sanwang.backup import told
from sanwang.cli import run_app
from sanwang.report import FAILED, Lines, emit

app = typer.Typer(add_completion=False)


@app.command()
def takeover(
    why: Annotated[str, typer.Option(help="the reason, for the audit log")],
    backup: Annotated[
        Path | None, typer.Argument(help="a backup; default: the newest copy on this host", show_default=False)
    ] = None,
    key: Annotated[Path | None, typer.Option(help="file with the recovery key", show_default=False)] = None,
    force: Annotated[bool, typer.Option("--force", help="although the other host still answers")] = False,
    release: Annotated[
        bool, typer.Option("--release", help="afterwards: make the other host the standby, let it in again")
    ] = False,
    instance: Annotated[str, typer.Option(help="name of the instance")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")] = False,
) -> int:
    """Run on the standby: it gets the newest backup's state, starts broker, collector and pages, and acts from now on.

    Devices then let only this host in: the other one, when it comes back, cannot act beside it. Once it is back,
    --release makes it the standby. The same command there, with a newer backup, changes places again.

    Exit code 0: this host acts; 1: it acts, and some devices did not follow; 2: no good backup; 3: not here.

    example: sanwang takeover --why "the machine room of c2 burnt"
    """

    def action() -> int:
        places, lines = Places(instance or current_instance()), Lines()
        if release:
            failures = standby.release(Lab.attach(places.instance), who=operator(), why=why, progress=lines)
            if as_json:
                emit({"released": not failures, "failures": failures})
            else:
                print("\n".join(failures) or "the other management host stands by")
            return FAILED if failures else 0
        found = find_key(places, key)
        done = standby.takeover(
            places, backup or standby.newest_copy(places), found, who=operator(), why=why, force=force, progress=lines
        )
        if as_json:
            emit(asdict(done))
        else:
            print(f"{done.host} acts instead of {done.instead_of}, with the state of {done.made_at}")
            print("  " + ", ".join(f"{name} after {seconds} s" for name, seconds in done.seconds.items()))
            for problem in done.failures + done.problems:
                print(f"  {problem}")
        return 0 if done.good else FAILED

    return told(action)


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang takeover")
