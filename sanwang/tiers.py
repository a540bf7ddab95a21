"""The county's signalling as the tier above its townships' nodes: the bus, and the door that nodes come in by."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from inventory import relays
from inventory.model import NetworkModel
from store.engine import Store
from vconf.bus.bus import Bus
from vconf.bus.wire import NatsBus
from vconf.lines import Identity
from vconf.node.county import County
from vconf.node.parent import Parent
from vconf.rooms.rooms import Rooms

_WEBSOCKET_BYTES = 64 * 1024
_GRACE_S = 3


def county_bus(model: NetworkModel, tls: Path) -> Bus | None:
    """To the nats-server of this host; None in a county without nodes."""
    if not relays.bus(model):
        return None
    return NatsBus(f"tls://127.0.0.1:{relays.BUS_PORT}", f"{model.nms}.sanwang.internal", host_identity(tls))


def host_identity(tls: Path) -> Identity:
    """This host's own certificate."""
    return Identity(tls / "host.crt", tls / "host.key", tls / "ca.crt")


def children(model: NetworkModel) -> dict[str, frozenset[str]]:
    """Site of each node -> the halls that it serves."""
    return {
        node.site: frozenset(hall.code for hall in model.halls.values() if hall.relay == node.name)
        for node in relays.nodes(model)
    }


def origins(model: NetworkModel) -> list[str]:
    """Where pages come from that may ask the county itself while their node is silent."""
    found = (relays.node_address(model, hall) for hall in model.halls.values())
    return sorted({origin for origin in found if origin})


@contextlib.asynccontextmanager
async def telling(model: NetworkModel, store: Store, rooms: Rooms, bus: Bus) -> AsyncIterator[Parent]:
    """Nodes hear of every meeting, and hand over what happened while they were alone."""
    parent = Parent(bus, model.name, children(model), County(store, rooms))
    rooms.on_change = parent.changed
    await bus.start()
    await parent.start()
    try:
        yield parent
    finally:
        await parent.close()
        await bus.close()


class NodeDoor(uvicorn.Server):
    """The same application for nodes: whoever comes in shows a certificate of this county.

    The application's lifespan is the pages' server's affair, and so are signals.
    """

    def __init__(self, application: ASGIApp, identity: Identity) -> None:
        config = uvicorn.Config(
            application,
            lifespan="off",
            access_log=False,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            ws_max_size=_WEBSOCKET_BYTES,
            ws_ping_interval=10.0,
            ws_ping_timeout=10.0,
            timeout_graceful_shutdown=_GRACE_S,
        )
        config.load()
        config.ssl = self.context(identity)
        super().__init__(config)

    @staticmethod
    def context(identity: Identity) -> ssl.SSLContext:
        """Mutual TLS 1.3, HTTP/1.1."""
        found = identity.server()
        found.set_alpn_protocols(["http/1.1"])
        return found

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None: the pages' server ends this one."""
        yield

    async def end(self, serving: asyncio.Task[None]) -> None:
        """Stop answering."""
        self.should_exit = True
        await asyncio.gather(serving, return_exceptions=True)
