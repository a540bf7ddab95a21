"""``sanwang replace``: a dead box's successor becomes its equal in one command."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from drills.lab import Lab
from drills.replace import other_vendor, replace
from inventory.hardware import HARDWARE
from inventory.places import current_instance
from sanwang.cli import run_app
from sanwang.report import Lines, emit, guarded

app = typer.Typer(add_completion=False)


@app.command(
    epilog="examples: sanwang replace t01-rt;  sanwang replace b01-sw --platform h3c_comware --why 'lightning'"
)
def command(
    host: Annotated[str, typer.Argument(help="the box, by its name in the county")],
    platform: Annotated[
        str, typer.Option(help=f"a switch's new vendor: {', '.join(HARDWARE)}; the county's files are changed")
    ] = "",
    why: Annotated[str, typer.Option(help="the reason; it stays in the audit")] = "",
    instance: Annotated[str, typer.Option(help="name of the instance")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")] = False,
) -> int:
    """Make a new box what the dead one was: enrolled over its staging port, then everything the model says of it.

    The new box is cabled as the old one was and still has its first configuration. Keys and certificates of the old
    one are given to the new one; a box that was stolen is revoked instead. With --platform a dead access switch is
    replaced by one of another vendor: the county's file says so first (nothing else in it changes, the audit has it);
    in the twin, such a box is put in its place.

    Exit code 0: the box is what the model says; 1: it is not yet; 2: it cannot be replaced so; 3: no broker answers.
    """

    def action() -> int:
        lab = Lab.attach(instance or current_instance())
        if platform:
            lab = other_vendor(lab, host, platform, why)
        done = replace(lab, host, Lines().step)
        if as_json:
            emit(asdict(done))
        else:
            part = done.checked
            print(
                f"{host} ({done.platform}): {part['ok']} of {part['expected']} as the model says, {done.seconds:.0f} s"
            )
            for problem in done.problems:
                print(f"  {problem}")
        return 0 if done.good else 1

    return guarded(action)


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang replace")
