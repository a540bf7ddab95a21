"""``sanwang shots``: screenshots of every page from the running county."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from inventory.places import CHECKOUT, current_instance
from sanwang.cli import run_app
from sanwang.report import Lines, emit, guarded

app = typer.Typer(add_completion=False)


@app.command()
def shots(
    folder: Annotated[Path, typer.Argument(help="where to")] = CHECKOUT / "build" / "shots",
    docs: Annotated[bool, typer.Option("--docs", help="put those that the manual shows into docs/images")] = False,
    instance: Annotated[str, typer.Option(help="name of the instance")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")] = False,
) -> int:
    """Take screenshots of every page: two halls meet for them, and a fibre is cut and healed.

    Example: sanwang shots /tmp/pictures
    """

    def action() -> int:
        from drills import shots as album
        from drills.browser import BrowserMissing
        from drills.errors import Missing
        from drills.lab import Lab

        lines = Lines()
        lab = Lab.attach(instance or current_instance())
        try:
            taken = album.shots(lab, folder, lines.note)
        except BrowserMissing as lack:
            raise Missing(str(lack)) from lack
        kept = album.keep_shown(taken, CHECKOUT) if docs else []
        if as_json:
            emit({"pictures": [str(path) for path in taken], "kept": [str(path) for path in kept]})
        else:
            print(f"{len(taken)} pictures in {folder}")
        return 0

    return guarded(action)


def main(argv: list[str]) -> int:
    """Run the command; returns its exit code."""
    return run_app(app, argv, "sanwang shots")
