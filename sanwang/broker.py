"""``sanwang broker``: the device broker, a service of the management host."""

from __future__ import annotations

import asyncio
import logging
import sys

import typer

from inventory.places import Places, current_instance
from sanwang.cli import run_app

app = typer.Typer(add_completion=False)


@app.command(epilog="example: sanwang broker --instance shili")
def serve(
    instance: str = typer.Option("", help="the instance; default SANWANG_INSTANCE, else shili"),
    stop: bool = typer.Option(False, "--stop", help="ask the running broker to finish and leave"),
    ping: bool = typer.Option(False, "--ping", help="ask whether a broker answers, print who it is"),
) -> None:
    """Own every session to the county's devices; listens on a unix socket until it is told to leave.

    A broker that runs already is asked to finish its work and leave; no request is lost.
    """
    from provision.broker.client import BrokerClient
    from provision.broker.main import run
    from provision.broker.server import ask_shutdown
    from provision.broker.wire import BrokerError

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    places = Places(instance or current_instance())
    try:
        if ping:
            print(BrokerClient(places.broker_socket).call("ping"))
        elif stop:
            if not ask_shutdown(places.broker_socket):
                print(f"no device broker listens on {places.broker_socket}")
        else:
            asyncio.run(run(places))
    except BrokerError as error:
        print(f"sanwang broker: {error.message}", file=sys.stderr)
        raise typer.Exit({"absent": 3, "county": 2}.get(error.kind, 1)) from None


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang broker")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
