"""A server with nothing but the pages and the meetings: what ``sanwang serve`` mounts, for this room's tests."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.staticfiles import StaticFiles
from starlette.middleware.cors import CORSMiddleware

from dashboards.shield import Shield
from identity.secrets import Secrets
from identity.tokens import Tokens
from inventory.load import load_model
from inventory.turn_schema import TurnIntent
from store.engine import open_store
from tests.vconf.lab import NODE
from vconf import links
from vconf.cascade import Cascade
from vconf.lines import Identity
from vconf.recording import library, sealed
from vconf.recording.keeper import Keeper
from vconf.relay_client import RelayClient
from vconf.rest import Caller, Rest
from vconf.signalling import Signalling
from vconf.turn import SECRET, Turn
from vconf.whip.door import StreamDoor


def nobody(request: Request) -> Caller:
    """Nobody signs in here: a chair's token it is."""
    raise HTTPException(401, "not signed in")


def seen(folder: Path) -> dict[str, Any]:
    """What the operations pages would have seen of the network: as the test wrote it down."""
    found = folder / "seen.json"
    return json.loads(found.read_text()) if found.exists() else {"sources": {"collector": "ok"}}


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--bind", required=True)
    parser.add_argument("--relay", required=True)
    parser.add_argument("--dist", type=Path, required=True)
    options = parser.parse_args(argv)
    folder: Path = options.folder
    host, _, port = options.relay.rpartition(":")
    relay = RelayClient.over_tls(
        "relay",
        (host, int(port)),
        "relay.sanwang.internal",
        Identity(folder / "nms.crt", folder / "nms.key", folder / "ca.pem"),
    )
    store, model = open_store(f"sqlite:///{folder}/store.db"), load_model("shili")
    tokens = Tokens(Secrets(folder / "identity").resolve(links.KEY))
    section = folder / "turn.json"
    turn = None
    if section.exists():
        secret = Secrets(folder / "identity").resolve(SECRET)
        turn = Turn(TurnIntent.model_validate_json(section.read_text()), secret)
    signalling = Signalling(store, tokens, model, Cascade({"relay": relay}), turn=turn)
    app = FastAPI()
    app.include_router(signalling.router)
    app.include_router(StreamDoor(store, signalling.rooms, turn).router)
    app.include_router(
        Rest(store, tokens, model, signalling.rooms, nobody, lambda: seen(folder), signalling.halls.ask_tests).router
    )
    secrets = Secrets(folder / "identity")
    keeper = Keeper(
        *(store, signalling.rooms.conferences, tokens, secrets.resolve(sealed.KEY), folder / library.FOLDER),
        *(library.Limits(free_bytes=1), f"wss://{options.bind}/meet/ws", secrets.ca.certificate_pem),
    )
    app.include_router(keeper.router())

    @app.post("/again")
    async def again() -> None:
        """As a township's node does when the county is back: pages come again, to somebody who knows none."""
        for room in list(signalling.rooms.rooms.values()):
            for peer in room.peers.values():
                peer.resume_key = "of another server"
                if peer.outbox is not None:
                    peer.outbox.close(1012)

    app.add_middleware(CORSMiddleware, allow_origins=[f"https://{NODE}"], allow_methods=["POST"], allow_headers=["*"])
    app.mount("/", StaticFiles(directory=options.dist, html=True))
    uvicorn.run(
        Shield(app),
        host=options.bind,
        port=443,
        ssl_certfile=str(folder / "nms.crt"),
        ssl_keyfile=str(folder / "nms.key"),
        log_level="info",
    )


if __name__ == "__main__":
    main(sys.argv[1:])
