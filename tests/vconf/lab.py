"""A meeting's smallest world: a centre and two halls in namespaces of their own, joined by a bridge.

The centre runs a real relay (mutual TLS control) and the pages over HTTPS; certificates come from a fresh
county CA.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

from identity.secrets import Secrets
from identity.tokens import Tokens
from inventory.load import load_model
from store.engine import open_store
from vconf import links, meetings

ROOT = Path(__file__).resolve().parents[2]
CENTRE = "10.99.0.1"
NODE = "10.99.0.2"
HALLS = ("t01", "t02")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


class Lab:
    """Namespaces, relay and pages; everything is gone after the ``with`` block.

    Args:
        folder: For keys, logs and the store.
        prefix: Of the namespaces' names.
        places: What stands around the centre: halls, a chair's desk.
    """

    def __init__(self, folder: Path, prefix: str = "vc", places: Sequence[str] = HALLS) -> None:
        self.folder = folder
        self.places = {place: f"10.99.0.{11 + number}" for number, place in enumerate(places)}
        self.centre = f"{prefix}-centre"
        self.meeting = 0  # booked last
        self._prefix = prefix
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def netns(self, hall: str) -> str:
        """The hall's namespace."""
        return f"{self._prefix}-{hall}"

    def argv(self, hall: str) -> list[str]:
        """What a command is prefixed with to run in the hall."""
        return ["ip", "netns", "exec", self.netns(hall)]

    def __enter__(self) -> Lab:
        self._destroy()
        try:
            self._network()
            self._identity()
            self.start("relay")
            self.start("pages")
            self.wait_pages()
        except BaseException:
            self._destroy()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self._processes):
            self.stop(name)
        self._destroy()

    def _network(self) -> None:
        _ip("netns", "add", self.centre)
        _ip("-n", self.centre, "link", "set", "lo", "up")
        _ip("-n", self.centre, "link", "add", "br0", "type", "bridge")
        _ip("-n", self.centre, "address", "add", f"{CENTRE}/24", "dev", "br0")
        _ip("-n", self.centre, "address", "add", f"{NODE}/24", "dev", "br0")
        _ip("-n", self.centre, "link", "set", "br0", "up")
        for hall, address in self.places.items():
            name = self.netns(hall)
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", self.centre, "link", "add", hall, "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("-n", self.centre, "link", "set", hall, "master", "br0", "up")
            _ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")

    def _identity(self) -> None:
        self.secrets = Secrets(self.folder / "identity")
        (self.folder / "ca.pem").write_text(self.secrets.ca.certificate_pem)
        for name, address in (("relay", CENTRE), ("nms", CENTRE), ("node", NODE)):
            key, certificate = self.secrets.ca.issue_device(name, ips=[address])
            (self.folder / f"{name}.key").write_text(key)
            (self.folder / f"{name}.crt").write_text(certificate)
        (self.folder / "relay.json").write_text(
            json.dumps(
                {
                    "name": "relay",
                    "media": f"{CENTRE}:3478",
                    "control": f"{CENTRE}:9820",
                    "certificate": str(self.folder / "relay.crt"),
                    "key": str(self.folder / "relay.key"),
                    "ca": str(self.folder / "ca.pem"),
                    "clients": ["nms.sanwang.internal"],
                }
            )
        )

    def start(self, name: str) -> None:
        """Start "relay", "pages" or, before the pages, a township's "node"."""
        command = {
            "relay": ["-m", "sanwang.relay", "--config", str(self.folder / "relay.json")],
            "pages": [
                *("-m", "tests.vconf.pages", "--folder", str(self.folder), "--bind", CENTRE),
                *("--relay", f"{CENTRE}:9820", "--dist", str(ROOT / "web" / "dist")),
            ],
            "node": [
                *("-m", "tests.vconf.front", "--folder", str(self.folder), "--bind", NODE),
                *("--county", CENTRE, "--dist", str(ROOT / "web" / "dist")),
            ],
        }[name]
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                ["ip", "netns", "exec", self.centre, sys.executable, *command], cwd=ROOT, stdout=log, stderr=log
            )

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop a process; SIGKILL plays the crash."""
        process = self._processes.pop(name)
        process.send_signal(number)
        try:
            process.wait(8)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def pid(self, name: str) -> int:
        """Process id ("ip netns exec" replaces itself by the command)."""
        return self._processes[name].pid

    def wait_pages(self, address: str = CENTRE, timeout_s: float = 60.0) -> None:
        """Until the centre, or the node, answers HTTPS."""
        deadline = time.monotonic() + timeout_s
        probe = f"import socket; socket.create_connection(('{address}', 443), 1)"
        while subprocess.run([*self.argv("centre"), sys.executable, "-c", probe], capture_output=True).returncode:
            if time.monotonic() > deadline:
                raise TimeoutError((self.folder / "pages.log").read_text()[-2000:])
            time.sleep(0.1)

    def book(self, *halls: str, chair: str = "") -> dict[str, str]:
        """Book a meeting that goes on now; hall -> link, and under "" the chair's when one is named ("@li")."""
        store = open_store(f"sqlite:///{self.folder}/store.db")
        with store.session() as session:
            meeting = meetings.book(
                session,
                title="防汛会商",
                start_at=datetime.now(UTC),
                duration=timedelta(hours=1),
                halls=halls,
                who="test",
                known_halls=load_model("shili").halls,
                chair=chair,
            )
        store.close()
        self.meeting = meeting.id
        tokens, base, now = Tokens(self.secrets.resolve(links.KEY)), f"https://{CENTRE}", datetime.now(UTC)
        found = {hall: links.link(tokens, base, meeting, hall, now) for hall in halls}
        return found | ({"": links.chair_link(tokens, base, meeting, chair[1:], now)} if chair else {})

    def guests(self) -> tuple[str, str]:
        """Guests' link and PIN of the meeting that was booked last."""
        store = open_store(f"sqlite:///{self.folder}/store.db")
        with store.session() as session:
            meeting = meetings.ask_guests(session, self.meeting, "test", on=True)
        store.close()
        tokens = Tokens(self.secrets.resolve(links.KEY))
        return links.guest_link(tokens, f"https://{CENTRE}", meeting, datetime.now(UTC)), str(meeting.guest_pin)

    @contextlib.contextmanager
    def outage(self, hall: str) -> Iterator[None]:
        """Drop everything between the hall and the centre, silently, while the block runs."""
        self._bridge_port(hall, "0")  # disabled: nothing passes, and carrier stays
        try:
            yield
        finally:
            self._bridge_port(hall, "3")  # forwarding

    @contextlib.contextmanager
    def asleep(self, hall: str) -> Iterator[None]:
        """Nothing in the hall runs while the block does, as when its computer sleeps."""
        pids = self._pids(self.netns(hall))
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _bridge_port(self, hall: str, state: str) -> None:
        command = ["ip", "netns", "exec", self.centre, "bridge", "link", "set", "dev", hall, "state", state]
        subprocess.run(command, check=True, capture_output=True)

    def _destroy(self) -> None:
        for name in [self.centre, *map(self.netns, self.places)]:
            for pid in self._pids(name):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", name], capture_output=True)

    def _pids(self, namespace: str) -> list[int]:
        found = subprocess.run(["ip", "netns", "pids", namespace], capture_output=True, text=True)
        return [int(pid) for pid in found.stdout.split()]
