"""``sanwang drift``: which devices are not what was applied to them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from inventory.places import Places, current_instance
from provision.broker.client import BrokerClient
from sanwang.cli import run_app
from sanwang.report import FAILED, Lines, emit, guarded

app = typer.Typer(add_completion=False)


@app.command()
def drift(
    hosts: Annotated[list[str] | None, typer.Argument(help="devices; default all", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON document as the last line")] = False,
) -> int:
    """Compare devices with what was last kept of them, files and running state.  Changes nothing.

    Exit code 0: none drifted; 1: some did, were never kept, or could not be read.

    example: sanwang drift t01-rt
    """
    return guarded(lambda: _drift(hosts, as_json))


def _drift(hosts: list[str] | None, as_json: bool) -> int:
    devices: dict[str, dict[str, Any]] = {}
    unread: dict[str, str] = {}
    lines = Lines()

    def tell(event: dict[str, Any]) -> None:
        if "error" in event:
            unread[event["host"]] = event["error"]["message"]
        else:
            devices[event["host"]] = event["result"]
        lines.step("devices read", len(devices) + len(unread), max(len(hosts or ()), len(devices) + len(unread)))

    places = Places(current_instance())
    parameters = {"hosts": hosts} if hosts else {}
    BrokerClient(places.broker_socket).call("many", why="drift", on_event=tell, method="drift", **parameters)
    for name in set(hosts or ()) - set(devices) - set(unread):
        unread[name] = "no appliance of this name: `sanwang county show` lists them"
    drifted = {name: each for name, each in sorted(devices.items()) if each["drifted"]}
    never = sorted(name for name, each in devices.items() if not each["kept"])
    if as_json:
        emit({"devices": len(devices), "drifted": drifted, "never_kept": never, "not_read": unread})
    else:
        for name, each in drifted.items():
            print(name)
            for file in each["files"]:
                print(f"  {file['path']} {file['is']}")
                print("".join(f"    {row}\n" for row in file["diff"].splitlines()[2:]), end="")
            for part, told in each["running"].items():
                print("".join(f"  running {part}: {row}\n" for row in told), end="")
        for name in never:
            print(f"{name}: never kept; 'sanwang backup take' does")
        for name, error in sorted(unread.items()):
            print(f"{name}: not read: {error}")
        print(f"{len(devices)} devices read, {len(drifted)} drifted")
    return FAILED if drifted or never or unread else 0


def main(argv: list[str]) -> int:
    """Run the command; returns its exit code."""
    return run_app(app, argv, "sanwang drift")
