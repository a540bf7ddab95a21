"""The signalling with relays of two tiers, one of them a process of its own that is killed."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from store.engine import open_store
from tests.vconf.cascades import Relays, run
from tests.vconf.engines import ENGINES
from tests.vconf.test_engine import ONE, RECEIVER, sending, until
from tests.vconf.test_signalling import county
from vconf import meetings
from vconf.cascade import Cascade
from vconf.links import Seat
from vconf.relay_client import RelayClient
from vconf.rooms.peers import Outbox, Peer, Room
from vconf.rooms.rooms import Rooms
from vconf.rooms.stored import Stored


@contextmanager
def process(path: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A relay as it runs on its box."""
    command = [sys.executable, "-m", "sanwang.relay", "--media", f"127.0.0.1:{port}", "--unix", str(path)]
    with subprocess.Popen([*command, "--name", "t01"], stdout=subprocess.DEVNULL) as relay:
        try:
            yield relay
        finally:
            relay.kill()


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


class Page:
    """A hall's page, as the rooms see it."""

    def __init__(self, rooms: Rooms, hall: str) -> None:
        self.rooms, self.hall, self.outbox = rooms, hall, Outbox()
        self.room: Room
        self.peer: Peer

    async def join(self, meeting: int) -> Page:
        self.room, self.peer = await self.rooms.join(Seat(self.hall, meeting), self.outbox)
        return self

    async def ask(self, request: str, /, **data: Any) -> Any:
        return await self.rooms.request(self.room, self.peer, request, data)

    async def hear(self, kind: str) -> dict[str, Any]:
        while True:
            message = await self.outbox.get()
            assert message is not None
            if message["type"] == kind:
                return dict(message["data"])


def port_of(transport: dict[str, Any]) -> int:
    return int(transport["iceCandidates"][0]["port"])


def test_halls_of_a_killed_relay_are_back_on_their_centres_and_keep_their_place(tmp_path: Path) -> None:
    Relays.make = staticmethod(ENGINES[-1])
    store, model, port = open_store(f"sqlite:///{tmp_path}/store.db"), county(), free_port()
    with store.session() as session:
        meeting = meetings.book(
            session,
            title="会",
            start_at=datetime.now(UTC),
            duration=timedelta(hours=1),
            halls=("t01", "t02"),
            who="test",
            known_halls=model.halls,
        ).id

    async def body() -> None:
        centre = Relays(tmp_path, "c1")
        await centre.begin("c1")
        clients = {name: RelayClient.over_unix(name, tmp_path / name) for name in ("c1", "t01")}
        cascade = Cascade(clients, {"t01": "c1"}, {"t01": "t01", "t02": "c1"})
        rooms = Rooms(Stored(store, model), cascade)
        await rooms.start()
        try:
            with process(tmp_path / "t01", port) as relay:
                await until(lambda: clients["t01"].up and clients["c1"].up, 10)
                one, two = await Page(rooms, "t01").join(meeting), await Page(rooms, "t02").join(meeting)
                up, down = await one.ask("createTransport"), await two.ask("createTransport")
                assert (port_of(up), port_of(down)) == (port, centre.engines["c1"].address[1])
                camera = await one.ask("produce", transport=up["id"], kind="video", rtpParameters=sending(ONE))
                await two.ask("consume", transport=down["id"], producer=camera["id"], rtpCapabilities=RECEIVER)
                assert set((await cascade.request("status"))["t01"]["pipes"]) == {"c1"}

                began = time.monotonic()
                relay.send_signal(signal.SIGKILL)
                assert (await one.hear("relay")) == {"up": False}
                noticed = time.monotonic() - began
                assert (await one.hear("mediaReset"))["reason"] == "relay t01 is gone"
                assert (await two.hear("producerClosed"))["producer"] == camera["id"]
                up = await one.ask("createTransport")
                assert port_of(up) == port_of(down)
                camera = await one.ask("produce", transport=up["id"], kind="video", rtpParameters=sending(ONE))
                await two.ask("consume", transport=down["id"], producer=camera["id"], rtpCapabilities=RECEIVER)
                print(f"noticed after {noticed:.2f} s, in again after {time.monotonic() - began:.2f} s")
                assert noticed < 1
                assert time.monotonic() - began < 5
                assert rooms.rooms[meeting].of("t01") is one.peer
                conference = rooms.conferences.get(meeting)
                assert conference is not None
                assert conference.there("t01")
            with process(tmp_path / "t01", port):
                await until(lambda: clients["t01"].up, 10)
                again = await Page(rooms, "t01").join(meeting)
                assert port_of(await again.ask("createTransport")) == port
        finally:
            await rooms.close()
            await centre.end("c1")

    run(body, 60)
    store.close()
