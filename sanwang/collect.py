"""``sanwang collect``: the collector, a service of the management host."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inventory.places import Places, current_instance
from sanwang.cli import run_app

if TYPE_CHECKING:
    from collectors.collect import Collect

_SWITCHES_EVERY_S = 2.0

app = typer.Typer(add_completion=False)


@app.command(
    epilog="example: sanwang collect --instance shili   (exit codes: 0 stopped, 2 bad county, 3 a port or file missing)"
)
def collect(
    instance: Annotated[str, typer.Option(help="which instance's county; default SANWANG_INSTANCE, else shili")] = "",
    county: Annotated[
        Path | None, typer.Option(help="folder of the county; default what sanwang up wrote down")
    ] = None,
    listen: Annotated[str, typer.Option(help="address for the agents; default the management host's own")] = "",
    shard: Annotated[int, typer.Option(help="only ask devices of this share; the collector starts these itself")] = 0,
) -> None:
    """Listen to the agents, poll SNMP, judge links and hosts, record events; answer on the instance's collect.sock and
    on 127.0.0.1:9811: /status /links /hosts /probes /events /metrics /snmp?target=HOST."""
    from ipaddress import IPv4Address

    from collectors.collect import HTTP_PORT, Collect
    from collectors.shards import commands, run_shard
    from collectors.snmp.usm import User
    from dashboards.desk.grant import granting
    from identity.secrets import Secrets
    from identity.tls import server_context
    from inventory.errors import CountyErrors
    from inventory.load import load_model
    from store.engine import open_store

    logging.basicConfig(level=os.environ.get("SANWANG_LOG", "INFO"), format="%(levelname)s %(name)s: %(message)s")
    places = Places(instance or current_instance())
    try:
        folder = county or Path((places.lib / "county").read_text(encoding="utf-8").strip())
        model = load_model(folder)
    except OSError as problem:
        typer.echo(
            f"sanwang collect: {places.lib / 'county'}: {problem.strerror}; run sanwang up, or --county", err=True
        )
        raise typer.Exit(3) from None
    except CountyErrors as problem:
        typer.echo(str(problem), err=True)
        raise typer.Exit(2) from None
    secrets = Secrets(places.lib / "identity")
    user = User("sanwang", secrets.resolve("snmp/auth"), secrets.resolve("snmp/priv"))
    if shard:
        asyncio.run(run_shard(model, user, shard, HTTP_PORT + shard, sys.stdout))
        return
    management = model.hosts[model.nms].management
    assert management is not None  # every appliance has one
    store = open_store(places.database)
    try:
        service = Collect(
            model,
            user,
            store,
            listen=IPv4Address(listen) if listen else management,
            unix_socket=places.collect_socket,
            spool=places.lib / "spool",
            community=secrets.resolve("snmp/community"),
            tls=server_context(secrets, "collect", ips=[str(management)]),
            secret=secrets.vault.find,
            grant=granting(model),
            shards=list(commands(model.metrics.collectors, sys.orig_argv)),
        )
        asyncio.run(_run(service, folder, frozenset(model.revoked)))
    except OSError as problem:
        typer.echo(f"sanwang collect: {problem}", err=True)
        raise typer.Exit(3) from None
    finally:
        store.close()


async def _run(service: Collect, folder: Path, revoked: frozenset[str]) -> None:
    """Collect until told to leave, or until another site's box is to be watched: the supervisor then starts afresh."""
    from pydantic import ValidationError

    from inventory import switches

    async def watch() -> None:
        while True:
            await asyncio.sleep(_SWITCHES_EVERY_S)
            try:
                now = frozenset((await asyncio.to_thread(switches.read, folder)).revoked)
            except ValidationError:
                continue  # spoilt by hand: whoever loads the county next says so
            if now != revoked:
                signal.raise_signal(signal.SIGTERM)
                return

    watching = asyncio.create_task(watch())
    try:
        await service.run()
    finally:
        watching.cancel()


def main(argv: list[str]) -> int:
    """Entry of the command table."""
    return run_app(app, argv, "sanwang collect")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
