"""``sanwang path``: which routers and fibres a flow rides now, asked of the running hosts."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from collectors.path import ends, traced
from drills.lab import Lab
from drills.paths import asker
from inventory.places import current_instance
from inventory.walk import Flow
from sanwang.cli import run_app
from sanwang.report import BAD_INPUT, emit, guarded

app = typer.Typer(
    help="Which routers and fibres a flow rides now.\n\nExample: sanwang path t01 c1-relay",
    add_completion=False,
)


@app.command()
def path(
    source: Annotated[str, typer.Argument(metavar="FROM", help="a site, hall, host or address")],
    target: Annotated[str, typer.Argument(metavar="TO", help="a site, hall, service, host or address")],
    network: Annotated[str, typer.Option(help="network in which sites and hosts are meant")] = "gov",
    protocol: Annotated[str, typer.Option(help="tcp, udp or icmp")] = "udp",
    port: Annotated[int, typer.Option(help="port at TO")] = 3478,
    instance: Annotated[str, typer.Option(help="name of the instance")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document as the last line")] = False,
) -> int:
    """Walk hop by hop: each host on the way is asked for its own route, also for the overlay's outer packets.

    Exit code 1 when the flow does not arrive.

    Example: sanwang path t01 portal --protocol tcp --port 443
    """

    def action() -> int:
        lab = Lab.attach(instance or current_instance())
        try:
            host, vrf, address = ends(lab.model, source, network)
            *_, goal = ends(lab.model, target, network)
        except LookupError as problem:
            print(f"sanwang path: {problem}. Next: sanwang county show", file=sys.stderr)
            return BAD_INPUT

        document = traced(lab.model, asker(lab), Flow(host, vrf, address, goal, protocol, port))
        if as_json:
            emit(document)
        else:
            _show(document)
        return 0 if document["verdict"] == "delivered" else 1

    return guarded(action)


def _show(document: dict[str, Any]) -> None:
    print(f"{document['from']} -> {document['to']}: {document['verdict']}")
    hops = [hop["host"] + (f" ({hop['vrf']})" if hop["vrf"] else "") for hop in document["hops"]]
    print(f"routers: {' -> '.join(hops)}")
    print(f"cables:  {', '.join(document['links']) or 'none'}")
    for each in document["decisions"]:
        print(f"  {each['host']}{' ' + each['vrf'] if each['vrf'] else ''}: {each['to']} by {each['answer']}")


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang path")
