"""``sanwang shell``: a shell, or one command, on a host of the twin."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Annotated

import typer

from inventory.places import Places, current_instance
from sanwang.cli import run_app
from twin import targets
from twin.county import attach
from twin.errors import TwinError

app = typer.Typer(add_completion=False)

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@app.command()
def shell(
    host: Annotated[str, typer.Argument(metavar="HOST", help="a host, such as t01-rt")],
    command: Annotated[list[str] | None, typer.Argument(metavar="[-- CMD...]", help="run this instead")] = None,
    vrf: Annotated[str, typer.Option(help="in this network's VRF of the host")] = "",
    instance: Annotated[str, typer.Option(help="name of the instance")] = "",
) -> int:
    """Open a shell on a host, in all its namespaces; or run one command and return its exit code.

    Examples: sanwang shell t01-rt; sanwang shell c1-core -- vtysh -c "show bfd peers brief";
    sanwang shell t01-rt --vrf gov -- ping -c3 10.8.0.101
    """
    twin = attach(Places(instance or current_instance()))
    found = targets.host(twin.model, host)
    known = [row.name for row in found.vrfs if row.name]
    if vrf and vrf not in known:
        raise TwinError(f"{host} has no VRF {vrf!r}; it has: {', '.join(known) or 'none'}", 2)
    if vrf and not twin.namespace(host, vrf).exists():
        raise TwinError(f"{host} has not made its VRF {vrf!r} yet. Next: provision it, `sanwang playbook site.yml`")
    prompt = f"{host}{':' + vrf if vrf else ''}"
    environment = {
        "HOME": "/root" if found.appliance else os.environ.get("HOME", "/"),
        "LANG": "C.UTF-8",
        "PATH": _PATH,
        "PS1": f"{prompt}# ",
        "SVDIR": "/etc/sanwang/sv",
        "TERM": os.environ.get("TERM", "dumb"),
    }
    argv = twin.argv(host, command or ["bash", "--norc", "--noprofile"], vrf)
    return subprocess.run(argv, env=environment, check=False).returncode


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    try:
        return run_app(app, argv, "sanwang shell")
    except TwinError as problem:
        print(f"sanwang shell: {problem}", file=sys.stderr)
        return problem.exit_code
