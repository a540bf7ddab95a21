"""``sanwang ops-link``: a one-time link to the operations pages. It needs the county's token key, hence root."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from inventory.load import load_model
from inventory.places import Places, current_instance
from sanwang.cli import run_app

app = typer.Typer(add_completion=False)

KEY = "token/ops"
"""Name of the key that signs links and sessions of the operations pages."""


def link(places: Places, port: int, host: str = "127.0.0.1", subject: str = "") -> str:
    """A link that opens the operations pages once, within a quarter of an hour.

    The token stands behind ``#``: browsers keep it to themselves, so it is in no server's log.
    """
    from dashboards.access import ops_token
    from identity.directory import CONSOLE
    from identity.secrets import Secrets
    from identity.tokens import Tokens

    tokens = Tokens(Secrets(places.lib / "identity").resolve(KEY))
    where = host if port == 443 else f"{host}:{port}"
    return f"https://{where}/ops/#token={ops_token(tokens, subject or CONSOLE)}"


@app.command(epilog="example: sanwang ops-link --as zhao --port 8443")
def ops_link(
    instance: Annotated[str, typer.Option(help="the instance; default SANWANG_INSTANCE, else shili")] = "",
    host: Annotated[str, typer.Option(help="address of the pages, as the browser reaches it")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="port of the pages there")] = 8443,
    person: Annotated[
        str, typer.Option("--as", "--person", help="login of the person it is for, as in the county's people.yml")
    ] = "",
) -> int:
    """Print a link that opens the operations pages: good once, for 15 minutes."""
    places = Places(instance or current_instance())
    if not (places.lib / "identity").is_dir():
        print(f"sanwang ops-link: no instance {places.instance!r} here; next step: sanwang up", file=sys.stderr)
        return 3
    if person and (refusal := _refusal(places, person)):
        print(f"sanwang ops-link: {refusal}", file=sys.stderr)
        return 2
    print(link(places, port, host, person))
    return 0


def _refusal(places: Places, login: str) -> str:
    """Why this person gets no link; empty when the county knows the person."""
    people = load_model(Path((places.lib / "county").read_text().strip())).people
    if login not in people:
        return f"--as {login!r}: expected one of {', '.join(people)} (people.yml)"
    return ""


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang ops-link")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
