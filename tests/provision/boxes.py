"""A broker in front of boxes: everything of ours is real but the SSH between them and what ``verify`` finds."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from inventory.places import Places
from provision.broker.client import BrokerClient
from provision.broker.county import County
from provision.broker.devices import Devices
from provision.broker.secrets import DeviceSecrets
from provision.broker.server import Request, Server
from provision.broker.session import Ran
from provision.broker.sessions import Sessions
from provision.broker.trail import Trail
from provision.change import approval, planner
from provision.change.plan import Plan, county_fingerprint
from provision.render.files import ConfigFile
from store.engine import Store
from tests.provision import plans
from tests.provision.box import Box, ruleset


class BoxCounty(County):
    """The small county, in which a device has no more than the tool and a ruleset with a comment of ours."""

    comment = "first"

    def files(self, name: str, networks: frozenset[str] | None = None) -> tuple[ConfigFile, ...]:
        tool = [ConfigFile(path, mode, text, "network") for path, (mode, text) in Box.tool().items()]
        return (*tool, ConfigFile("/etc/nftables.conf", "0600", ruleset(self.comment), "nft"))


class BoxSessions(Sessions):
    """Sessions that run a command inside a box."""

    def __init__(self, boxes: dict[str, Box]) -> None:
        self.boxes = boxes
        self.silent: set[str] = set()
        self._pool = ThreadPoolExecutor(8)
        self._open: dict[Any, Any] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def _use(self, host: Any, work: Callable[[Any], Any], staging: bool) -> Any:
        from provision.broker.wire import BrokerError

        if host.name in self.silent:
            raise BrokerError("unreachable", f"{host.name} does not answer")

        def run(command: str, data: bytes = b"", *, timeout_s: float = 60.0) -> Ran:
            done = subprocess.run(
                self.boxes[host.name].argv(*shlex.split(command)), input=data, capture_output=True, check=False, cwd="/"
            )
            return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

        return work(SimpleNamespace(run=run, where=SimpleNamespace(host=host.name), alive=True))


class Bench:
    """The boxes, their broker, and whom ``verify`` finds ill."""

    def __init__(self, folder: Path, boxes: dict[str, Box], store: Store, places: Places) -> None:
        self.county = BoxCounty(plans.county(folder).folder)
        self.boxes, self.store, self.places = boxes, store, places
        self.ill: set[str] = set()
        self.verified: list[str] = []
        self.unproved: list[str] = []  # what the proof of a plan says
        (places.lib / "county").write_text(f"{self.county.folder}\n")
        self.sessions = BoxSessions(boxes)

    @contextmanager
    def broker(self) -> Iterator[BrokerClient]:
        """A broker that has just started; it knows what its journal tells."""
        trail = Trail(self.places.database)
        devices = Devices(self.places, self.county, DeviceSecrets(self.places.lib / "identity"), self.sessions, trail)

        async def verify(request: Request) -> dict[str, Any]:
            host = request.params["host"]
            self.verified.append(host)
            return {"failed": host in self.ill, "problems": [f"{host} is ill"] if host in self.ill else []}

        ready = threading.Event()

        async def on_ready() -> None:
            devices.may_write.set()
            ready.set()

        path = self.places.lib / "b.sock"
        server = Server(path, {**devices.methods(), "verify": verify})
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(on_ready)))
        thread.start()
        client = BrokerClient(path, who="wang")
        try:
            assert ready.wait(60)
            yield client
        finally:
            client.call("shutdown")
            thread.join()
            devices.changes.close()
            trail.close()

    def plan(self, client: BrokerClient, comment: str) -> Plan:
        """wang's plan to give every box another comment, approved by chen."""
        self.county.comment = comment
        now = datetime.now(UTC)
        before = county_fingerprint(self.county.folder)
        looked = planner.look(client, self.county, list(self.boxes))
        planner.require_all(looked)
        window = planner.Window(now - timedelta(minutes=1), now + timedelta(hours=1))
        made = planner.make_plan(
            looked, self.county, self.places, self.store, author="wang", why="a test", window=window, before=before
        )
        return approval.approve(
            made, self.county.model, "chen", plans.KEYS["chen"], fingerprint=before, account="chen", now=now
        )

    def has(self) -> dict[str, str]:
        """What each box has, on its disk and running."""
        return {name: box.has() for name, box in self.boxes.items()}
