"""``sanwang status``: is everything there that the model expects?"""

from __future__ import annotations

from typing import Annotated

import typer

from drills import status as state
from drills.lab import Lab
from inventory.places import current_instance
from sanwang.cli import run_app
from sanwang.report import emit, guarded

app = typer.Typer(add_completion=False)


@app.command()
def status(
    instance: Annotated[str, typer.Option(help="name of the instance")] = "",
    sample: Annotated[float, typer.Option(help="seconds over which CPU is measured")] = 3.0,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")] = False,
) -> int:
    """Compare what the collector sees with what the model expects; exit code 1 when something is missing.

    Example: sanwang status --json
    """

    def action() -> int:
        seen = state.status(Lab.attach(instance or current_instance()), sample)
        if as_json:
            emit(seen)
        else:
            for name, part in seen.items():
                if isinstance(part, dict) and "expected" in part:
                    mark = "✓" if part["ok"] == part["expected"] else "✗"
                    print(f"{mark} {name:<9} {part['ok']} of {part['expected']}")
            print(f"  {seen['cpu_cores']} cores, {seen['memory_mb']} MB")
            for name, address in seen["doors"].items():
                print(f"  {name:<11} {address}")
            for switched in seen["switched"]:
                print(f"  {switched}")
            for problem in seen.get("problems", []):
                print(f"  {problem}")
        return 0 if seen["ready"] else 1

    return guarded(action)


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang status")
