"""A county's signalling with one township below it: what ``sanwang serve`` assembles, for this room's tests.

``python -m tests.vconf.tier_county FOLDER ADDRESS TOWNSHIP_ADDRESS``
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import FastAPI

from identity.secrets import Secrets
from identity.tokens import Tokens
from inventory.load import load_model
from inventory.relays import BUS_PORT, CONTROL_PORT, DOOR_PORT
from sanwang.serve import listener, server
from sanwang.tiers import NodeDoor
from store.engine import open_store
from vconf import links
from vconf.bus.wire import NatsBus
from vconf.cascade import Cascade
from vconf.lines import Identity
from vconf.node.county import County
from vconf.node.parent import Parent
from vconf.relay_client import RelayClient
from vconf.signalling import Signalling

OURS = ("t01", "t02")
"""Halls of the township."""


async def serve(folder: Path, address: str, township: str) -> None:
    """Until SIGTERM."""
    own = folder / "c2-nms"
    identity = Identity(own / "host.crt", own / "host.key", own / "ca.crt")
    store, tokens = open_store(f"sqlite:///{folder}/store.db"), Tokens(Secrets(folder / "identity").resolve(links.KEY))
    relays = {
        name: RelayClient.over_tls(name, (host, CONTROL_PORT), f"{name}.sanwang.internal", identity)
        for name, host in (("c1-relay", address), ("t01-relay", township))
    }
    cascade = Cascade(relays, {"t01-relay": "c1-relay"}, {**dict.fromkeys(OURS, "t01-relay"), "t03": "c1-relay"})
    signalling = Signalling(store, tokens, load_model("shili"), cascade)
    bus = NatsBus(f"tls://127.0.0.1:{BUS_PORT}", "c2-nms.sanwang.internal", identity)
    parent = Parent(bus, "shili", {"t01": OURS}, County(store, signalling.rooms))
    signalling.rooms.on_change = parent.changed

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await bus.start()
        await parent.start()
        yield
        await parent.close()
        await bus.close()

    application = FastAPI(lifespan=lifespan)
    application.include_router(signalling.router)
    door = NodeDoor(application, identity)
    beside = asyncio.create_task(door.serve([listener(address, DOOR_PORT)]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity.certificate, identity.key)
    await server(application, context).serve([listener(address, 443)])
    beside.cancel()
    await asyncio.gather(beside, return_exceptions=True)
    store.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2], sys.argv[3]))
