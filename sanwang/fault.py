"""``sanwang fault``: break something in the twin, see what is broken, heal it."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Annotated

import typer

from identity.secrets import Secrets
from inventory.places import Places, current_instance
from sanwang.cli import run_app
from twin import faults
from twin.county import Twin, attach
from twin.errors import TwinError
from twin.faults import Fault

_LINK_HELP = "a link (ring-c1-c2), a pair of hosts or sites (c1-c2), or a duct with all its links"

app = typer.Typer(
    add_completion=False,
    help="Break something in the running twin and heal it again. Every fault is reversible and logged.\n\n"
    "Example: sanwang fault cut ring-c1-c2; sanwang fault list; sanwang fault heal --all",
)

Target = Annotated[str, typer.Argument(metavar="LINK", help=_LINK_HELP)]
HostName = Annotated[str, typer.Argument(metavar="HOST", help="a host, such as c1-core")]
Json = Annotated[bool, typer.Option("--json", help="one JSON document as the last line")]
Instance = Annotated[str, typer.Option(help="name of the instance")]


def _twin(instance: str) -> Twin:
    return attach(Places(instance or current_instance()))


def _tell(fault: Fault, as_json: bool) -> None:
    """Say what was set and how to heal it."""
    if as_json:
        print(json.dumps(dataclasses.asdict(fault), ensure_ascii=False))
    else:
        print(f"fault {fault.id}: {fault.words}\nheal it with: sanwang fault heal {fault.id}")


@app.command()
def cut(link: Target, as_json: Json = False, instance: Instance = "") -> None:
    """Cut a fibre: both ends lose carrier.

    Example: sanwang fault cut c1-c2
    """
    _tell(faults.cut(_twin(instance), link), as_json)


@app.command()
def silent(link: Target, as_json: Json = False, instance: Instance = "") -> None:
    """Drop everything on a link while both ends keep their carrier.

    Example: sanwang fault silent ring-c1-c2
    """
    _tell(faults.silent(_twin(instance), link), as_json)


@app.command()
def flap(
    link: Target,
    times: Annotated[int, typer.Option(help="how often")] = 5,
    interval: Annotated[float, typer.Option(help="seconds down, and seconds up")] = 1.0,
    as_json: Json = False,
    instance: Instance = "",
) -> None:
    """Cut and heal a link again and again, then leave it healed.

    Example: sanwang fault flap t01-c1 --times 10 --interval 0.5
    """

    def tell(done: int, total: int) -> None:
        print(f"{link}: flapped {done}/{total}", file=sys.stderr, flush=True)

    fault = faults.flap(_twin(instance), link, times, interval, tell)
    print(json.dumps(dataclasses.asdict(fault), ensure_ascii=False) if as_json else f"{fault.words}: done and healed")


@app.command()
def loss(
    link: Target,
    percent: Annotated[float, typer.Argument(help="share of frames lost, in percent")],
    as_json: Json = False,
    instance: Instance = "",
) -> None:
    """Lose frames at random, in each direction.

    Example: sanwang fault loss t01-c1 5
    """
    _tell(faults.loss(_twin(instance), link, percent), as_json)


@app.command()
def rate(
    link: Target,
    mbps: Annotated[float, typer.Argument(help="Mbit/s in each direction")],
    as_json: Json = False,
    instance: Instance = "",
) -> None:
    """Slow a link down.

    Example: sanwang fault rate t01-c1 2
    """
    _tell(faults.rate(_twin(instance), link, mbps * 1e6), as_json)


@app.command()
def delay(
    link: Target,
    ms: Annotated[float, typer.Argument(help="milliseconds added to each direction")],
    as_json: Json = False,
    instance: Instance = "",
) -> None:
    """Add delay to a link.

    Example: sanwang fault delay t01-c1 40
    """
    _tell(faults.delay(_twin(instance), link, ms), as_json)


@app.command("kill-host")
def kill_host(host: HostName, as_json: Json = False, instance: Instance = "") -> None:
    """Take a host's power; healing boots it again from its own disk.

    Example: sanwang fault kill-host c1-core
    """
    _tell(faults.kill_host(_twin(instance), host), as_json)


@app.command("stop-daemon")
def stop_daemon(
    host: HostName,
    daemon: Annotated[str, typer.Argument(help="a service of the host, such as ospfd")],
    as_json: Json = False,
    instance: Instance = "",
) -> None:
    """Stop one service of a host.

    Example: sanwang fault stop-daemon t01-rt ospfd
    """
    _tell(faults.stop_daemon(_twin(instance), host, daemon), as_json)


@app.command("restart-host")
def restart_host(host: HostName, instance: Instance = "") -> None:
    """Power-cycle a host: it comes back from its own disk.

    Example: sanwang fault restart-host t01-rt
    """
    faults.restart_host(_twin(instance), host)
    print(f"{host} has power again")


@app.command("swap-host")
def swap_host(host: HostName, instance: Instance = "") -> None:
    """Put a new, empty box where a host stood; `sanwang replace HOST` then makes it the old one's equal.

    Example: sanwang fault swap-host t01-rt
    """
    twin = _twin(instance)
    faults.swap_host(twin, host, Secrets(twin.places.lib / "identity").ssh_public("ssh/bootstrap"))
    print(f"{host} is a new box. Next: `sanwang replace {host}`")


@app.command("list")
def list_faults(as_json: Json = False, instance: Instance = "") -> None:
    """Every fault that is set.

    Example: sanwang fault list --json
    """
    places = _twin(instance).places
    rows = faults.active(places)
    if as_json:
        print(json.dumps({"faults": [dataclasses.asdict(row) for row in rows]}, ensure_ascii=False))
        return
    for row in rows:
        print(f"{row.id:4}  {row.words}  (since {row.since}, by {row.who})")
    if not rows:
        print("no fault is set")


@app.command()
def heal(
    number: Annotated[int | None, typer.Argument(metavar="[ID]", help="number of the fault")] = None,
    everything: Annotated[bool, typer.Option("--all", help="heal every fault")] = False,
    as_json: Json = False,
    instance: Instance = "",
) -> None:
    """Heal one fault, or all.

    Example: sanwang fault heal 3
    """
    if (number is None) == (not everything):
        raise TwinError("say which: a fault's number, or --all. Next: `sanwang fault list`", 2)
    twin = _twin(instance)
    healed = faults.heal_all(twin) if number is None else [faults.heal(twin, number)]
    if as_json:
        print(json.dumps({"healed": [dataclasses.asdict(row) for row in healed]}, ensure_ascii=False))
        return
    for row in healed:
        print(f"healed fault {row.id}: {row.words}")
    if not healed:
        print("no fault is set")


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    try:
        return run_app(app, argv, "sanwang fault")
    except TwinError as problem:
        print(f"sanwang fault: {problem}", file=sys.stderr)
        return problem.exit_code
