"""``sanwang verify``: prove with real packets what is allowed and what is denied."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from drills.lab import Lab
from drills.verify import verify as prove
from inventory.places import current_instance
from sanwang.cli import run_app
from sanwang.report import Lines, emit, guarded

app = typer.Typer(add_completion=False)


@app.command()
def verify(
    instance: Annotated[str, typer.Option(help="name of the instance")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")] = False,
) -> int:
    """Try every allowed pair and denied pairs of every crossing; exit code 1 names each pair that misbehaved.

    Example: sanwang verify --json
    """

    def action() -> int:
        verdict = asyncio.run(prove(Lab.attach(instance or current_instance()), Lines().step))
        document = verdict.document()
        if as_json:
            emit(document)
        else:
            for name in ("allowed", "denied", "sites"):
                print(f"{name:<8} {document[name]['ok']} of {document[name]['expected']}")
            for failure in verdict.failures:
                print(f"  {failure['pair']}: {failure['why']}" + (f" (rule {failure['rule']})" * bool(failure["rule"])))
        return 0 if verdict.good else 1

    return guarded(action)


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang verify")
