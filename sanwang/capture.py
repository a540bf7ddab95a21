"""``sanwang capture``: see the packets on a link, at the cable's middle."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

from inventory.places import Places, current_instance
from sanwang.cli import run_app
from twin import names, targets
from twin.county import attach
from twin.effects import enter
from twin.errors import TwinError

app = typer.Typer(add_completion=False)


@app.command()
def capture(
    link: Annotated[
        str, typer.Argument(metavar="LINK", help="a link (ring-c1-c2) or a pair of hosts or sites (c1-c2)")
    ],
    expression: Annotated[list[str] | None, typer.Argument(metavar="[-- FILTER]", help="as tcpdump's")] = None,
    write: Annotated[str, typer.Option("-w", "--write", help="write packets to this file (- is stdout)")] = "",
    count: Annotated[int, typer.Option("--count", help="stop after so many packets")] = 0,
    instance: Annotated[str, typer.Option(help="name of the instance")] = "",
) -> int:
    """Capture both directions of a link with tcpdump; no host notices.

    Examples: sanwang capture c1-c2; sanwang capture ring-c1-c2 --count 20 -- udp port 3784;
    sanwang capture t01-c1 -w t01.pcap -- not ospf
    """
    twin = attach(Places(instance or current_instance()))
    found = targets.links(twin.model, link)
    if len(found) > 1:
        raise TwinError(f"{link!r} names several links: {', '.join(one.name for one in found)}. Next: choose one", 2)
    dead = twin.state.dead()
    side = "b" if found[0].a.host in dead else "a"
    argv = [*enter(twin.places), "tcpdump", "-Z", "root", "-n", "-i", names.middle(found[0], side)]
    argv += ["-w", write] if write else ["-l"]
    argv += ["-c", str(count)] if count else []
    try:
        return subprocess.run([*argv, *(expression or [])], check=False).returncode
    except KeyboardInterrupt:  # tcpdump had it too, and has said its figures
        return 0


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    try:
        return run_app(app, argv, "sanwang capture")
    except TwinError as problem:
        print(f"sanwang capture: {problem}", file=sys.stderr)
        return problem.exit_code
