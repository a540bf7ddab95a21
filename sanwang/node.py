"""``sanwang node``: a township's signalling process beside its relay.

Lean on purpose: argparse and the small server, no store and no model, because it runs on a small box.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import sys
from pathlib import Path

_EXAMPLE = """\
example:
  sanwang node --config /etc/sanwang/node.json

While the county is reached it passes its halls' pages through; when the county's heartbeat is lost it holds their
meetings itself, on the relay of its own site, and hands over afterwards what happened (docs/architecture.md)."""

_MISSING, _BAD = 3, 2


def main(argv: list[str]) -> int:
    """Until SIGTERM."""
    parser = argparse.ArgumentParser(
        prog="sanwang node",
        description="A tier's node: pages and signalling of its halls.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--config", type=Path, default=Path("/etc/sanwang/node.json"), help="JSON file")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s", stream=sys.stderr)
    from vconf.node import settings

    try:
        found = settings.read(options.config)
    except settings.Wrong as wrong:
        print(f"sanwang node: {wrong}", file=sys.stderr)
        return _BAD
    try:
        asyncio.run(_serve(found))
    except OSError as problem:
        print(f"sanwang node: {problem}; next step: run playbooks/site.yml for this box", file=sys.stderr)
        return _MISSING
    return 0


async def _serve(found: object) -> None:
    import uvicorn

    from dashboards.shield import Shield
    from vconf.bus.wire import NatsBus
    from vconf.cascade import Cascade
    from vconf.node.node import Node
    from vconf.node.settings import Settings
    from vconf.relay_client import RelayClient

    assert isinstance(found, Settings)
    name, host, port = found.relay

    def relay() -> Cascade:
        client = RelayClient.over_tls(
            name, (host, port), f"{name}.sanwang.internal", found.identity, side=f"node:{found.name}"
        )
        return Cascade({name: client})

    node = Node(found, NatsBus(*found.bus, found.identity), relay)
    config = uvicorn.Config(
        Shield(node.application(), found.also),
        host=found.listen[0],
        port=found.listen[1],
        ssl_certfile=str(found.identity.certificate),
        ssl_keyfile=str(found.identity.key),
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        ws_max_size=64 * 1024,
        ws_ping_interval=10.0,
        ws_ping_timeout=10.0,
        timeout_graceful_shutdown=3,
    )
    gc.freeze()  # what was imported stays
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
