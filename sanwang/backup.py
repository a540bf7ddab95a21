"""``sanwang backup``: read devices and keep their configurations in the county's git repository."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from inventory.places import Places, current_instance
from provision.backup.archive import place
from provision.broker.client import BrokerClient
from sanwang.cli import run_app
from sanwang.report import FAILED, Lines, emit, guarded

app = typer.Typer(
    help="Keep devices' configurations.\n\nexample: sanwang backup take --why 'before the carrier works'",
    no_args_is_help=True,
    add_completion=False,
)


@app.callback()
def group() -> None:
    """Keep devices' configurations."""


@app.command()
def take(
    hosts: Annotated[list[str] | None, typer.Argument(help="devices; default all", show_default=False)] = None,
    why: Annotated[str, typer.Option(help="the reason, kept beside the texts")] = "by hand",
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")] = False,
) -> int:
    """Read devices now and commit what changed; secrets stay out.  Exit code 1 when a device could not be read.

    The broker does the same by itself after every change.

    example: sanwang backup take t01-rt c1-fw --why "before the carrier works"
    """
    return guarded(lambda: _take(hosts, why, as_json))


def _take(hosts: list[str] | None, why: str, as_json: bool) -> int:
    places, lines, missing = Places(current_instance()), Lines(), []

    def tell(event: dict[str, Any]) -> None:
        if "error" in event:
            missing.append(event["host"])
            lines.note(f"{event['host']}: {event['error']}")

    client = BrokerClient(places.broker_socket)
    answer = client.call("backup", why=why, on_event=tell, **({"hosts": hosts} if hosts else {}))
    if as_json:
        emit({**answer, "repository": str(place(places)), "not_read": missing})
    else:
        kept = f"commit {answer['commit'][:12]}" if answer["commit"] else "nothing had changed"
        print(f"{answer['hosts']} devices read, {answer['missing']} not; {kept} in {place(places)}")
    return FAILED if missing else 0


def main(argv: list[str]) -> int:
    """Run the command; returns its exit code."""
    return run_app(app, argv, "sanwang backup")
