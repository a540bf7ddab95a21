"""``sanwang commission``: a county on real machines: how its management begins, what a box's installer needs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from drills.sequence import prepare
from identity.secrets import Secrets
from inventory.hardware import HARDWARE
from inventory.load import load_model
from inventory.model import Host, NetworkModel
from inventory.places import Places, current_instance
from provision.broker.client import operator
from provision.environment import EnvironmentProblem, load_environment
from sanwang.cli import run_app
from sanwang.report import BAD_INPUT, MISSING, emit, guarded
from store.audit import record
from store.engine import open_store

app = typer.Typer(
    help="Begin a county on real machines; docs/production.md goes through it.\n\n"
    "Example: sanwang commission sheet t01-rt",
    add_completion=False,
    no_args_is_help=True,
)
_Instance = Annotated[str, typer.Option(help="name of the instance; default SANWANG_INSTANCE, else shili")]


@app.command(epilog="example: sanwang commission init /srv/sanwang/shili --why 'first county'")
def init(
    folder: Annotated[Path, typer.Argument(help="folder of the county's files; it stays there")],
    why: Annotated[str, typer.Option(help="the reason, kept in the audit log")] = "",
    environment: Annotated[str, typer.Option(help="where the devices stand")] = "production",
    instance: _Instance = "",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document as the last line")] = False,
) -> int:
    """Make what the county's management owns: authority, vault, database. Safe to repeat; nothing is made anew."""

    def action() -> int:
        places = Places(instance or current_instance())
        path = folder.resolve()
        try:
            load_environment(environment)
        except EnvironmentProblem as problem:
            return _bad(str(problem))
        model = load_model(path)
        known = places.lib / "county"
        if known.exists() and Path(known.read_text(encoding="utf-8").strip()) != path:
            return _bad(
                f"instance {places.instance!r} is the county in {known.read_text(encoding='utf-8').strip()};"
                " next step: another --instance"
            )
        first = not known.exists()
        key = prepare(places, path)
        (places.lib / "environment").write_text(f"{environment}\n", encoding="utf-8")
        store = open_store(places.database)
        try:
            with store.session() as session:
                detail = {"county": model.name, "folder": str(path), "environment": environment}
                record(session, operator(), "commission.init", why, detail)
        finally:
            store.close()
        document = {"instance": places.instance, "county": model.name, "first": first, "bootstrap_key": key}
        if as_json:
            emit(document)
            return 0
        print(f"county {model.name}, instance {places.instance}: {'begun' if first else 'was begun before'}")
        print(f"bootstrap key: {key}")
        print(f"next: sanwang commission sheet {model.nms}, then as root: systemctl enable --now", end=" ")
        print(f"sanwang@{places.instance}.target")
        return 0

    return guarded(action)


@app.command(epilog="example: sanwang commission sheet t01-rt >t01-rt.json")
def sheet(
    host: Annotated[str, typer.Argument(help="a box or a switch of the county")],
    instance: _Instance = "",
) -> int:
    """Print, as one JSON document, what the installer needs at a box (``sanwang-appliance install``) or types on a
    switch's console. It holds no secret."""

    def action() -> int:
        places = Places(instance or current_instance())
        known = places.lib / "county"
        if not known.exists():
            print(
                f"sanwang commission: no instance {places.instance!r} here; next step: commission init", file=sys.stderr
            )
            return MISSING
        model = load_model(known.read_text(encoding="utf-8").strip())
        box = model.hosts.get(host)
        if box is None or not box.appliance:
            return _bad(
                f"{host}: expected a box of the county, one of {', '.join(each.name for each in model.appliances())}"
            )
        key = Secrets(places.lib / "identity").ssh_public("ssh/bootstrap")
        emit(box_sheet(model, box, key) if box.linux else switch_sheet(box, key))
        return 0

    return guarded(action)


def box_sheet(model: NetworkModel, box: Host, bootstrap_key: str) -> dict[str, object]:
    """The sheet of one box: its name, its address on the staging network, and where each port's cable goes."""
    ports = {}
    for port in box.ports:
        link = model.links[port.link]
        length = f", {link.length_km:g} km of fibre" if link.fibre else ""
        ports[port.name] = f"{link.name}: to {port.peer_host} {port.peer_port}, {link.rate_bps // 10**6} Mbit/s{length}"
    return {
        "host": box.name,
        "staging": str(box.staging),
        "management_host": box.name == model.nms,
        "bootstrap_key": bootstrap_key.strip(),
        "ports": ports,
    }


def switch_sheet(switch: Host, bootstrap_key: str) -> dict[str, object]:
    """The sheet of a vendor's switch: its out-of-band port, that port's address, and whom it lets in there."""
    return {
        "host": switch.name,
        "platform": switch.platform,
        "port": HARDWARE[switch.platform].oob,
        "address": str(switch.staging),
        "user": "admin",
        "bootstrap_key": bootstrap_key.strip(),
        "cables": {port.label: f"to {port.peer_host} {port.peer_port}" for port in switch.ports},
    }


def _bad(text: str) -> int:
    print(f"sanwang commission: {text}", file=sys.stderr)
    return BAD_INPUT


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang commission")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
