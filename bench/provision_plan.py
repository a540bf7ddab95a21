"""A plan of 180 devices, as ``sanwang plan`` makes it: county, broker, stand-ins of five vendors, stages, meetings.

Every switch is as the county's files say; then a file of the county changes one line on each of them.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import asyncssh
import yaml

from inventory.hardware import HARDWARE
from inventory.model import Host, NetworkModel, Role, SiteKind
from inventory.places import COUNTIES, Places
from provision.broker.client import BrokerClient
from provision.broker.county import County
from provision.broker.devices import Devices
from provision.broker.masking import PLACEHOLDER
from provision.broker.secrets import DeviceSecrets
from provision.broker.server import Server
from provision.broker.session import Address
from provision.broker.sessions import Sessions
from provision.broker.trail import Trail
from provision.change import planner
from provision.change.plan import Plan, county_fingerprint
from provision.render.switch import render_switch
from store.engine import open_store

PASSWORD = "Bench-2026!"
PROCESSES = 2
FIRST_SITE, FIRST_FIBRE = 1200, 1200
"""Numbers of the sites and fibres that only the measurement has."""


def county(folder: Path, switches: int) -> Path:
    """shili with so many bodies, each with a switch, the vendors by turns."""
    shutil.copytree(COUNTIES / "shili", folder)
    with _edited(folder / "bodies.yml") as bodies, _edited(folder / "fibres.yml") as plant:
        for number in range(len(bodies["bodies"]) + 1, switches + 1):
            homes = [f"c{number % 3 + 1}", f"c{(number + 1) % 3 + 1}"]
            body = {"number": FIRST_SITE + number, "zh": f"机关{number}", "en": f"Body {number}", "at": [0.5, 1.5]}
            bodies["bodies"][f"b{number}"] = body | {"homes": homes}
            for place, home in enumerate(homes):
                fibre = {"number": FIRST_FIBRE + 2 * number + place, "ends": [f"b{number}", home], "km": 3.0}
                plant["fibres"][f"b{number}-{home}"] = fibre | {"ducts": [f"st{home}"]}
        for body, platform in zip(bodies["bodies"].values(), cycle(HARDWARE), strict=False):
            body["switch"] = platform
    return folder


@contextmanager
def _edited(path: Path) -> Iterator[dict[str, Any]]:
    """The document of a county's file; what is done to it is written."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    yield document
    path.write_text(
        yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=200, default_flow_style=None),
        encoding="utf-8",
    )


class NotPlanned(RuntimeError):
    """The plan is not the one that was timed for."""


class _Loopback(Sessions):
    """Sessions that find the switches on loopback."""

    ports: dict[str, int]

    def _where(self, host: Host, address: str, user: str) -> Address:
        return Address(host.name, "127.0.0.1", self.ports[host.name], user)


@contextmanager
def switches(model: NetworkModel, folder: Path) -> Iterator[tuple[dict[str, int], str]]:
    """The county's switches as its files say: (port by name, host key)."""
    hosts = list(model.by_role(Role.SWITCH))
    started = []
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(folder / "host.key")
    try:
        for number in range(PROCESSES):
            share = [
                {"name": host.name, "platform": host.platform, "text": _filled(render_switch(model, host))}
                for host in hosts[number::PROCESSES]
            ]
            (folder / f"switches-{number}.json").write_text(json.dumps(share), encoding="utf-8")
            command = [sys.executable, "-m", "bench.provision_switches", str(folder), str(number), PASSWORD]
            started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        told: dict[str, int] = {}
        for process in started:
            assert process.stdout is not None
            told |= json.loads(process.stdout.readline())
        yield told, key.export_public_key().decode().strip()
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(30)


def _filled(text: str) -> str:
    return PLACEHOLDER.sub(PASSWORD, text)


@contextmanager
def broker(places: Places, folder: Path, ports: dict[str, int], host_key: str) -> Iterator[BrokerClient]:
    """A broker in a thread, on its socket; it answers for these switches."""
    ready, loop = threading.Event(), asyncio.new_event_loop()
    devices: list[Devices] = []

    async def serve() -> None:
        secrets = DeviceSecrets(folder / "identity")
        for name in ports:
            secrets.value(f"switch/{name}/password")  # made at enrolment, long ago

        def value(name: str) -> str:
            if name.startswith("host-key/"):
                return host_key
            return PASSWORD if name.startswith("switch/") else secrets.value(name)

        sessions = _Loopback(folder / "sessions", value, "root")
        sessions.ports = ports
        made = Devices(places, County(folder / "files"), secrets, sessions, Trail(places.database))
        devices.append(made)

        async def on_ready() -> None:
            made.may_write.set()
            ready.set()

        await Server(folder / "broker.sock", made.methods()).serve(on_ready)

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    client = BrokerClient(folder / "broker.sock", who="bench")
    try:
        if not ready.wait(60):
            raise RuntimeError("the broker did not come up")
        yield client
    finally:
        client.call("shutdown")
        thread.join()
        devices[0].sessions.close()
        devices[0].changes.close()
        devices[0].trail.close()


@dataclass(frozen=True)
class _Here(Places):
    """An instance whose files lie in a folder of the measurement."""

    folder: Path = Path()

    @property
    def lib(self) -> Path:
        """That folder."""
        return self.folder


def plan(count: int) -> tuple[float, float, Plan]:
    """Seconds that a plan of so many switches takes, logins included; CPU seconds of planner and broker; the plan.

    The broker has been up for a while: it has seen a device of each platform before, though none of these.
    """
    with tempfile.TemporaryDirectory(prefix="sanwang-bench-") as text:
        folder = Path(text)
        county(folder / "files", count + len(HARDWARE))
        (folder / "county").write_text(str(folder / "files"), encoding="utf-8")
        places = _Here("bench", folder)
        open_store(places.database).close()
        model = County(folder / "files").model
        ours = (host for host in model.by_role(Role.SWITCH) if model.sites[host.site].kind is SiteKind.BODY)
        names = [host.name for host in ours]
        with switches(model, folder) as (ports, host_key), broker(places, folder, ports, host_key) as client:
            planner.look(client, County(folder / "files"), names[count:])
            with _edited(folder / "files" / "bodies.yml") as bodies:
                for body in bodies["bodies"].values():
                    body["en"] += " (new)"  # it stands on the switch: one line of each
            wall, cpu = time.monotonic(), time.process_time()
            made = _plan(folder / "files", names[:count], places, client)
            return time.monotonic() - wall, time.process_time() - cpu, made


def _plan(folder: Path, names: list[str], places: Places, client: BrokerClient) -> Plan:
    read = County(folder)
    before = county_fingerprint(folder)
    looked = planner.look(client, read, names)
    planner.require_all(looked)
    store = open_store(places.database)
    now = datetime.now(UTC)
    window = planner.Window(now, now + timedelta(hours=1))
    try:
        return planner.make_plan(
            looked, read, places, store, author="bench", why="a measurement", window=window, before=before
        )
    finally:
        store.close()


def measure(count: int = 180) -> dict[str, Any]:
    """Part of the JSON document; NotPlanned unless every device is in the plan with its one line."""
    taken, cpu, made = plan(count)
    wrong = [each.host for each in made.devices if len(each.commands) > 3]
    if len(made.devices) != count or wrong:
        raise NotPlanned(f"{len(made.devices)} of {count} devices in the plan; more than a line on {wrong[:3]}")
    print(f"  plan of {count} devices of {len(HARDWARE)} platforms: {taken:.2f} s, {cpu:.2f} s of our CPU", flush=True)
    figures = {"plan_devices": count, "plan_s": round(taken, 2), "plan_cpu_s": round(cpu, 2)}
    return figures | {f"plan_{count}_s": figures["plan_s"]}
