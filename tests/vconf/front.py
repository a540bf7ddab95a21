"""A township's node as its halls' pages see it while the county is there: it passes, under an address of its own."""

from __future__ import annotations

import argparse
import ssl
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket

from dashboards.shield import Shield
from vconf.conversation import PROTOCOL
from vconf.node.passing import Passing, Place


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--bind", required=True)
    parser.add_argument("--county", required=True)
    parser.add_argument("--dist", type=Path, required=True)
    options = parser.parse_args(argv)
    folder: Path = options.folder
    also = [f"https://{options.county}"]
    trust = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    passing = Passing([Place("nms.sanwang.internal", options.county, 443)], trust, also)

    async def post(request: Request) -> Response:
        return await passing.request(request)

    async def socket(page: WebSocket) -> None:
        await page.accept(subprotocol=PROTOCOL)
        await passing.serve(page)

    app = Starlette(
        routes=[
            WebSocketRoute("/meet/ws", socket),
            Route("/meet/{path:path}", post, methods=["POST"]),
            Mount("/", StaticFiles(directory=options.dist, html=True)),
        ]
    )
    uvicorn.run(
        Shield(app, also),
        host=options.bind,
        port=443,
        ssl_certfile=str(folder / "node.crt"),
        ssl_keyfile=str(folder / "node.key"),
        log_level="info",
    )


if __name__ == "__main__":
    main(sys.argv[1:])
