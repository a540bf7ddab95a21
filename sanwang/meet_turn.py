"""``sanwang meet turn``: what a TURN server at the county's edge needs, for guests whose network lets no UDP out."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from identity.secrets import Secrets
from inventory import relays
from inventory.errors import CountyErrors
from inventory.load import load
from inventory.model import Role
from inventory.places import Places, current_instance
from inventory.turn_schema import TurnIntent
from provision.render import turn as rendered
from sanwang.meeting import BAD, fail
from sanwang.report import emit
from vconf import turn as credentials


def turn(
    into: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write; /etc/turnserver on that machine.")],
    at: Annotated[str, typer.Option(help="The folder's name there, when it is another.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document as the last line.")] = False,
) -> None:
    """Write coturn's configuration, certificate and key; they hold secrets.

    example: sanwang meet turn build/turn --at /etc/turnserver
    """
    places = Places(current_instance())
    pointer = places.lib / "county"
    try:
        county = load(Path(pointer.read_text().strip()) if pointer.exists() else "shili")
    except CountyErrors as errors:
        fail(BAD, str(errors))
    intent, model = county.intent.turn, county.model
    if intent is None:
        fail(BAD, f"county {model.name}: no section turn:; add one to exit.yml (docs/engineer.md, TURN)")
    peers = [relays.media(model, host)[0] for host in model.by_role(Role.RELAY)]
    secrets = Secrets(places.lib / "identity")
    key, certificate, ours = _certificate(secrets, intent)
    files = {
        "turnserver.conf": rendered.turnserver(
            intent, peers, model.name, secrets.resolve(credentials.SECRET), Path(at) if at else into.resolve()
        ),
        rendered.CERTIFICATE: certificate,
        rendered.KEY: key,
    }
    into.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, text in files.items():
        path = into / name
        path.touch(mode=0o600)
        path.chmod(0o600)
        path.write_text(text)
    if as_json:
        emit({"folder": str(into), "files": sorted(files), "relays": [str(each) for each in peers], "certified": ours})
    else:
        if not ours:
            print(f"{intent.host}: not for our authority to sign: put a public certificate into turn.crt and turn.key")
        print(f"{into}: {', '.join(sorted(files))}\nrun: turnserver -c {at or into}/turnserver.conf")


def _certificate(secrets: Secrets, intent: TurnIntent) -> tuple[str, str, bool]:
    """(key, certificate, whether it names the server as people outside call it)."""
    listen = str(intent.listen)
    try:
        ip_address(intent.host)
        dns, ips = [], [intent.host, listen]
    except ValueError:
        dns, ips = [intent.host], [listen]
    try:
        return *secrets.ca.issue_server("turn", dns, ips), True
    except ValueError:
        return *secrets.ca.issue_server("turn", ips=[listen]), False
