"""``sanwang down``: nothing of ours is left on the machine."""

from __future__ import annotations

from typing import Annotated

import typer

from drills import sequence
from inventory.places import Places, current_instance
from sanwang.cli import run_app
from sanwang.report import guarded

app = typer.Typer(add_completion=False)


@app.command()
def down(
    instance: Annotated[str, typer.Option(help="name of the instance")] = "",
    wipe: Annotated[bool, typer.Option(help="also forget its CA, secrets, meetings and measurements")] = False,
) -> int:
    """Take the county down; fine twice in a row, and after anything of it was killed.

    Example: sanwang down --wipe
    """
    places = Places(instance or current_instance())

    def action() -> int:
        sequence.down(places, wipe=wipe)
        print(f"{places.instance} is down")
        return 0

    return guarded(action)


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang down")
