"""``sanwang up``: one command brings the county to life."""

from __future__ import annotations

from typing import Annotated

import typer

from drills import sequence
from drills.sequence import PORTAL_PORT, Arrived
from inventory.places import Places, current_instance
from sanwang.cli import run_app
from sanwang.ops_link import link
from sanwang.report import Lines, emit, guarded

app = typer.Typer(add_completion=False)


@app.command()
def up(
    county: Annotated[str, typer.Argument(help="name of a county under inventory/counties, or a folder")] = "shili",
    instance: Annotated[str, typer.Option(help="name of this instance")] = "",
    port: Annotated[
        int, typer.Option(help="port on 127.0.0.1 for the pages, the next one to sign in by certificate; 0: none")
    ] = PORTAL_PORT,
    prove: Annotated[bool, typer.Option(help="try policy with real packets at the end")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")] = False,
) -> int:
    """Bring the county up: hosts, enrolment, playbooks, services, checks.

    Example: sanwang up shili --port 8443
    """
    places = Places(instance or current_instance())
    lines = Lines()

    def action() -> int:
        arrived = sequence.up(places, county, lines, port=port, prove=prove)
        if as_json:
            emit(_document(arrived))
        else:
            _summary(arrived)
        return 0 if arrived.good else 1

    return guarded(action)


def _document(arrived: Arrived) -> dict[str, object]:
    return {
        "instance": arrived.lab.places.instance,
        "seconds": arrived.seconds,
        "status": arrived.status,
        "verify": arrived.verdict.document() if arrived.verdict else None,
        "good": arrived.good,
    }


def _summary(arrived: Arrived) -> None:
    model = arrived.lab.model
    print(f"\n{model.zh} {model.en}: {len(model.hosts)} hosts, {len(model.sites)} sites, {len(model.links)} cables")
    for name, part in arrived.status.items():
        if isinstance(part, dict) and "expected" in part:
            print(f"  {_tick(part['ok'] == part['expected'])} {name:<9} {part['ok']} of {part['expected']}")
    if arrived.verdict:
        shown = arrived.verdict.document()
        for name in ("allowed", "denied", "sites"):
            part = shown[name]
            print(f"  {_tick(part['ok'] == part['expected'])} {name:<9} {part['ok']} of {part['expected']}")
        for failure in shown["failures"][:10]:
            print(f"      {failure['pair']}: {failure['why']}")
    for problem in arrived.status.get("problems", [])[:10]:
        print(f"      {problem}")
    print("  " + ", ".join(f"{name} {seconds} s" for name, seconds in arrived.seconds.items()))
    if arrived.port:
        print(f"\noperations page (one use):  {link(arrived.lab.places, arrived.port)}")
        print(f"sign in by certificate:     https://127.0.0.1:{arrived.port + 1}/?back={arrived.port}")
        print("county CA for your browser: " + str(arrived.lab.places.lib / "identity" / "ca.pem"))
    print("book a meeting:             sanwang meet book --help")
    print("cut a fibre:                sanwang fault cut ring-c1-c2")


def _tick(good: bool) -> str:
    return "✓" if good else "✗"


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang up")
