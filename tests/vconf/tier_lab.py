"""A county and one township of it in two namespaces, every process a real one, and a line between that can be cut.

County: nats-server, relay, signalling. Township: nats-server as a leaf, relay, node.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from identity.secrets import Secrets
from identity.tokens import Tokens
from inventory.load import load_model
from inventory.relays import BUS_PORT, CONTROL_PORT, DOOR_PORT, LEAF_PORT, MEDIA_PORT, NODE_PORT
from provision.render import bus
from store.engine import Store, open_store
from tests.vconf.tier_county import OURS
from twin.namespaces import in_namespace
from vconf import links, meetings
from vconf.load.way import Way

ROOT = Path(__file__).resolve().parents[2]
COUNTY, TOWN = "10.98.0.1", "10.98.0.2"
_HOSTS = {"c2-nms": COUNTY, "c1-relay": COUNTY, "t01-relay": TOWN}


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class TierLab:
    """Everything is gone after the ``with`` block; logs are in the folder."""

    def __init__(self, folder: Path, prefix: str = "vn") -> None:
        self.folder = folder
        self.county, self.town = f"{prefix}-county", f"{prefix}-town"
        self.secrets = Secrets(folder / "identity")
        self.tokens = Tokens(self.secrets.resolve(links.KEY))
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> TierLab:
        self._destroy()
        try:
            self._network()
            self._files()
            for name in ("hub", "c1-relay", "leaf", "t01-relay", "county", "node"):
                self.start(name)
            for namespace, address in ((self.county, COUNTY), (self.town, TOWN)):
                self._wait(namespace, address)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self._processes):
            self.stop(name)
        self._destroy()

    def start(self, name: str) -> None:
        """Start one of the processes."""
        python = [sys.executable, "-m"]
        command, namespace, cwd = {
            "hub": (["/usr/sbin/nats-server", "-c", "bus.conf"], self.county, self.folder / "c2-nms"),
            "leaf": (["/usr/sbin/nats-server", "-c", "bus.conf"], self.town, self.folder / "t01-relay"),
            "c1-relay": ([*python, "sanwang.relay", "--config", str(self.folder / "c1-relay.json")], self.county, ROOT),
            "t01-relay": ([*python, "sanwang.relay", "--config", str(self.folder / "t01-relay.json")], self.town, ROOT),
            "county": ([*python, "tests.vconf.tier_county", str(self.folder), COUNTY, TOWN], self.county, ROOT),
            "node": ([*python, "sanwang.node", "--config", str(self.folder / "node.json")], self.town, ROOT),
        }[name]
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                ["ip", "netns", "exec", namespace, *command], cwd=cwd, stdout=log, stderr=log
            )

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """End it; SIGKILL plays the crash."""
        process = self._processes.pop(name)
        process.send_signal(number)
        try:
            process.wait(8)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def memory_kib(self, name: str) -> int:
        """What the system counts for a process."""
        text = Path(f"/proc/{self._processes[name].pid}/status").read_text()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS:"))

    @contextlib.contextmanager
    def cut(self) -> Iterator[None]:
        """Nothing passes between county and township, silently, while the block runs."""
        self._port("0")  # disabled: carrier stays
        try:
            yield
        finally:
            self._port("3")  # forwarding

    def store(self) -> Store:
        """The county's."""
        return open_store(f"sqlite:///{self.folder}/store.db")

    def book(self, *halls: str, chair: str = "", main: str = "") -> meetings.Meeting:
        """A meeting that goes on now."""
        with contextlib.closing(self.store()) as store, store.session() as session:
            return meetings.book(
                session,
                title="防汛会商",
                start_at=datetime.now(UTC),
                duration=timedelta(hours=1),
                halls=halls,
                who="test",
                known_halls=load_model("shili").halls,
                chair=chair,
                main=main,
            )

    def way(self, meeting: meetings.Meeting) -> Way:
        """To the node for the township's halls, to the county for the others."""

        def address(hall: str) -> str:
            return f"wss://{TOWN if hall in OURS else COUNTY}/meet/ws"

        def token(hall: str) -> str:
            return links.join_token(self.tokens, links.Seat(hall, meeting.id))

        def place(hall: str, make: Callable[[], None]) -> None:
            in_namespace(self.town if hall in OURS else self.county, make)

        trust = ssl.create_default_context(cadata=self.secrets.ca.certificate_pem)
        return Way(address, token, trust, place)

    def post(self, path: str, **body: object) -> tuple[int, dict[str, Any]]:
        """What a hall of the township is answered by its node: status and JSON."""
        found: list[tuple[int, dict[str, Any]]] = []

        def ask() -> None:
            trust = ssl.create_default_context(cadata=self.secrets.ca.certificate_pem)
            connection = http.client.HTTPSConnection(TOWN, NODE_PORT, timeout=10, context=trust)
            try:
                connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
                answer = connection.getresponse()
                found.append((answer.status, json.loads(answer.read())))
            finally:
                connection.close()

        in_namespace(self.town, ask)
        return found[0]

    def _network(self) -> None:
        for name in (self.county, self.town):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", self.county, "link", "add", "br0", "type", "bridge")
        _ip("-n", self.county, "address", "add", f"{COUNTY}/24", "dev", "br0")
        _ip("-n", self.county, "link", "set", "br0", "up")
        _ip("-n", self.county, "link", "add", "town", "type", "veth", "peer", "name", "eth0", "netns", self.town)
        _ip("-n", self.county, "link", "set", "town", "master", "br0", "up")
        _ip("-n", self.town, "address", "add", f"{TOWN}/24", "dev", "eth0")
        _ip("-n", self.town, "link", "set", "eth0", "up")

    def _files(self) -> None:
        for host, address in _HOSTS.items():
            own = self.folder / host
            own.mkdir()
            key, certificate = self.secrets.ca.issue_device(host, ips=[address])
            (own / "host.key").write_text(key)
            (own / "host.crt").write_text(certificate)
            (own / "ca.crt").write_text(self.secrets.ca.certificate_pem)
        hub = bus.hub("c2-nms", "shili", users=["c2-nms"], children={"t01": "t01-relay"}, leafs=f"{COUNTY}:{LEAF_PORT}")
        (self.folder / "c2-nms" / "bus.conf").write_text(hub)
        leaf = bus.leaf("t01-relay", "t01", [f"{COUNTY}:{LEAF_PORT}"])
        (self.folder / "t01-relay" / "bus.conf").write_text(leaf)
        for host, clients in (("c1-relay", ["c2-nms"]), ("t01-relay", ["c2-nms", "t01-relay"])):
            self._write(
                f"{host}.json",
                self._identity(host)
                | {
                    "name": host,
                    "media": f"{_HOSTS[host]}:{MEDIA_PORT}",
                    "control": f"{_HOSTS[host]}:{CONTROL_PORT}",
                    "clients": [f"{client}.sanwang.internal" for client in clients],
                },
            )
        (self.folder / "meet.pub").write_text(self.secrets.resolve("token-pub/meet"))
        self._write(
            "node.json",
            self._identity("t01-relay")
            | {
                "name": "t01",
                "parent": "shili",
                "listen": f"{TOWN}:{NODE_PORT}",
                "county": [{"name": "c2-nms.sanwang.internal", "address": f"{COUNTY}:{DOOR_PORT}"}],
                "county_names": {"zh": "示例县", "en": "Shili"},
                "bus": {"server": f"tls://127.0.0.1:{BUS_PORT}", "name": "t01-relay.sanwang.internal"},
                "relay": {"name": "t01-relay", "control": f"{TOWN}:{CONTROL_PORT}"},
                "token_key": str(self.folder / "meet.pub"),
                "pages": str(ROOT / "web" / "hall"),
                "lib": str(self.folder / "node"),
                "halls": {code: {"zh": code, "en": code} for code in OURS},
                "duty": None,
                "also": [f"https://{COUNTY}"],
            },
        )

    def _identity(self, host: str) -> dict[str, object]:
        own = self.folder / host
        return {"certificate": str(own / "host.crt"), "key": str(own / "host.key"), "ca": str(own / "ca.crt")}

    def _write(self, name: str, found: dict[str, object]) -> None:
        (self.folder / name).write_text(json.dumps(found, ensure_ascii=False))

    def _wait(self, namespace: str, address: str) -> None:
        probe = f"import socket; socket.create_connection(('{address}', 443), 1)"
        deadline = time.monotonic() + 60
        while self._run(namespace, [sys.executable, "-c", probe]).returncode:
            if time.monotonic() > deadline:
                raise TimeoutError("\n".join(log.read_text()[-1500:] for log in self.folder.glob("*.log")))
            time.sleep(0.1)

    def _port(self, state: str) -> None:
        command: Sequence[str] = ["bridge", "link", "set", "dev", "town", "state", state]
        self._run(self.county, command).check_returncode()

    def _run(self, namespace: str, command: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["ip", "netns", "exec", namespace, *command], capture_output=True, check=False)

    def _destroy(self) -> None:
        for name in (self.county, self.town):
            pids = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True).stdout.split()
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
