"""Somebody at a TURN server over TCP or TLS (aioice): ``python -m tests.vconf.outsider``, what to try as JSON on stdin.

``{"server": [ip, port], "tls": bool, "tries": [[username, password, peer]]}`` is answered with a word for each try:
"relayed", "refused CODE" (no allocation), "peer refused CODE".  A process of its own, for it runs in a namespace.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from aioice import stun, turn


async def attempt(server: tuple[str, int], tls: bool, username: str, password: str, peer: str) -> str:
    """Allocate, then bind a channel to the peer's media port."""
    try:
        transport, _ = await turn.create_turn_endpoint(
            asyncio.DatagramProtocol, server, username=username, password=password, transport="tcp", ssl=tls
        )
    except stun.TransactionFailed as failed:
        return f"refused {code(failed)}"
    try:
        inner: Any = transport.__dict__["_TurnTransport__inner_protocol"]
        await inner.channel_bind(0x4000, (peer, 3478))
    except stun.TransactionFailed as failed:
        return f"peer refused {code(failed)}"
    finally:
        transport.close()
    return "relayed"


def code(failed: stun.TransactionFailed) -> int:
    """RFC 8489 section 14.8."""
    return int(failed.response.attributes["ERROR-CODE"][0])


async def main() -> None:
    """All tries, one after the other."""
    asked = json.load(sys.stdin)
    server, tls = tuple(asked["server"]), bool(asked["tls"])
    print(json.dumps([await attempt(server, tls, *one) for one in asked["tries"]]))


if __name__ == "__main__":
    asyncio.run(main())
