"""``sanwang replace``: a dead box's successor becomes its equal in one command."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from drills.lab import Lab
from drills.replace import replace
from inventory.places import current_instance
from sanwang.cli import run_app
from sanwang.report import Lines, emit, guarded

app = typer.Typer(add_completion=False)


@app.command()
def command(
    host: Annotated[str, typer.Argument(help="the box, by its name in the county")],
    instance: Annotated[str, typer.Option(help="name of the instance")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")] = False,
) -> int:
    """Make a new box what the dead one was: enrolled over its staging port, then everything the model says of it.

    The new box is cabled as the old one was and still has its first configuration. Keys and certificates of the old
    one are given to the new one; a box that was stolen is revoked instead.

    Example: sanwang replace t01-rt
    """

    def action() -> int:
        done = replace(Lab.attach(instance or current_instance()), host, Lines().step)
        if as_json:
            emit(asdict(done))
        else:
            part = done.checked
            print(f"{host}: {part['ok']} of {part['expected']} as the model says, after {done.seconds:.0f} s")
            for problem in done.problems:
                print(f"  {problem}")
        return 0 if done.good else 1

    return guarded(action)


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang replace")
