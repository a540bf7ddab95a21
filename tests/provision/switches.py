"""A broker and the county's access switches of all five vendors: everything is real but the cables between them.

The switches are the twin's stand-ins, in a thread of this process, all addresses on loopback; their staging addresses
are 127.0.0.2, in band they answer on 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import asyncssh

from inventory.hardware import HARDWARE
from inventory.model import Host
from inventory.places import COUNTIES, Places
from provision.broker import devices as devices_module
from provision.broker import sessions as sessions_module
from provision.broker.county import County
from provision.broker.devices import Devices
from provision.broker.secrets import DeviceSecrets
from provision.broker.server import Request
from provision.broker.session import Address
from provision.broker.sessions import FACTORY_USER, Sessions
from provision.broker.trail import Trail
from provision.render import ConfigFile
from twin.standins.access import Configured, Way
from twin.standins.device import Device, Settings
from twin.standins.platforms import PLATFORMS
from twin.standins.server import listen

IN_BAND, STAGING = "127.0.0.1", "127.0.0.2"
SITES = {
    "huawei_vrp8": "b01",
    "h3c_comware": "b02",
    "ruijie_rgos": "b03",
    "huawei_vrp5": "t01",
    "zte_zxr10": "t02",
}


class Elsewhere(Places):
    """An instance whose files lie in a test's folder."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name)
        object.__setattr__(self, "_folder", folder)

    @property
    def lib(self) -> Path:
        return Path(object.__getattribute__(self, "_folder"))


def county(folder: Path) -> Path:
    """The small county with a switch of each vendor."""
    shutil.copytree(COUNTIES / "xiao", folder)
    path = folder / "sites.yml"
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        for platform, site in SITES.items():
            if line.startswith(f"  {site}: {{") and "switch:" not in line:
                lines[number] = line.removesuffix("}") + f", switch: {platform}}}"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@dataclass(frozen=True, slots=True)
class FromController(Configured):
    """In band everybody comes from the management host, as the switch sees it."""

    controller: str

    def admitted(self, way: Way) -> bool:
        return Configured.admitted(self, Way(way.local, self.controller))


class SwitchCounty(County):
    """The county, whose switches' texts a test may edit."""

    edit: Callable[[str], str] = staticmethod(str)

    def files(self, name: str, networks: frozenset[str] | None = None) -> tuple[ConfigFile, ...]:
        files = super().files(name, networks)
        return files if networks else tuple(replace(file, text=self.edit(file.text)) for file in files)


class Loopback(Sessions):
    """Sessions that find the switches on loopback."""

    ports: dict[str, int]

    def _where(self, host: Host, address: str, user: str) -> Address:
        return Address(host.name, STAGING if user == FACTORY_USER else IN_BAND, self.ports[host.name], user)


@dataclass
class Bench:
    """Switches that have power, and what a broker needs."""

    folder: Path
    like: Path | None = None  # the folder of a bench whose switches have been provisioned
    second_s: float = 1.0
    devices: dict[str, Device] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    servers: dict[str, asyncssh.SSHAcceptor] = field(default_factory=dict)
    brokers: list[Devices] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.like is None:
            self.folder.mkdir(parents=True)
            county(self.folder / "county")
            (self.folder / "lib").mkdir()
        else:
            shutil.copytree(self.like, self.folder)
        self.county = SwitchCounty(self.folder / "county")
        model = self.county.model
        self.controller = str(model.hosts[model.nms].management)
        self.places = Elsewhere("zbtest", self.folder / "lib")
        self.secrets = DeviceSecrets(self.places.lib / "identity")
        self.bootstrap = asyncssh.import_authorized_keys(self.secrets.value("ssh-pub/bootstrap"))
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()

    def inside(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something where the switches run."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def host(self, platform: str) -> Host:
        return self.county.host(f"{SITES[platform]}-sw")

    def power(self, platform: str, *, vtys: int = 5) -> Host:
        """Power on the county's switch of a platform: as it left the factory, or with what it has saved."""
        host = self.host(platform)
        disk = self.folder / host.name
        disk.mkdir(exist_ok=True)
        hardware = HARDWARE[platform]
        ports = [hardware.port(number) for number in range(1, hardware.count + 1)]
        key = disk / "host.key"
        if not key.exists():
            asyncssh.generate_private_key("ssh-ed25519").write_private_key(key)
        settings = Settings(
            hostname=host.name,
            state=disk / "startup.json",
            ports=";".join((*ports, *hardware.uplinks, hardware.oob)),
            second_s=self.second_s,
            vtys=vtys,
        )
        dialect, session = PLATFORMS[platform]

        async def start() -> None:
            device = self.devices[host.name] = Device(dialect, settings)
            await device.power_on()
            access = FromController(device, IPv4Address(STAGING), self.bootstrap, self.controller)
            port = self.ports.get(host.name, 0)
            server = self.servers[host.name] = await listen(device, session, access, "0.0.0.0", port, key)
            self.ports[host.name] = server.get_port()

        self.inside(start())
        return host

    def cut(self, host: Host) -> None:
        """Take its power: what was not saved is gone, and so is everybody who was logged in."""

        async def stop() -> None:
            device = self.devices.pop(host.name)
            device.disarm()
            device.cancel_restart()
            self.servers.pop(host.name).close()
            for connection in list(device.connections):
                connection.abort()

        self.inside(stop())

    async def until(self, holds: Callable[[], bool], within_s: float = 10.0) -> None:
        """Until the switches have come to something."""
        async with asyncio.timeout(within_s):
            while not holds():  # noqa: ASYNC110 - what is waited for happens in another thread
                await asyncio.sleep(0.02)

    def running(self, host: Host) -> str:
        """What runs on it, as its command line would show it."""
        device = self.devices[host.name]
        return str(device.dialect.text(device.running))

    def saved(self, host: Host) -> str:
        """What it would start with."""
        return self.devices[host.name].startup

    def broker(self) -> Broker:
        """A broker that has just started, with whatever the one before left in its folders."""
        secrets = DeviceSecrets(self.places.lib / "identity")
        sessions = Loopback(self.places.lib / "sessions", secrets.value, "root")
        sessions.ports = self.ports
        trail = Trail(f"sqlite:///{self.folder}/audit.db")
        made = Devices(self.places, self.county, secrets, sessions, trail)
        made.may_write.set()
        self.brokers.append(made)
        return Broker(made)

    async def answers(self, address: str, *, within_s: float) -> bool:
        """Whether a switch answers there: in band once its running configuration has the address."""
        for host in (self.host(platform) for platform in SITES):
            device = self.devices.get(host.name)
            if device is not None and address == str(host.management):
                return address in self.running(host)
            if device is not None and host.staging is not None and address == str(host.staging.ip):
                return True
        return False

    def close(self) -> None:
        for made in self.brokers:
            with suppress(RuntimeError):
                made.sessions.close()
            made.changes.close()
            made.trail.close()
        for name in list(self.devices):
            self.cut(self.county.host(name))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


@dataclass
class Broker:
    """Asks a broker's methods as its socket would."""

    devices: Devices

    async def ask(self, method: str, host: Host, **params: Any) -> Any:
        async def emit(event: dict[str, Any]) -> None: ...

        methods: dict[str, Callable[[Request], Any]] = self.devices.methods()
        return await methods[method](Request({"host": host.name, **params}, "wang", "a test", emit))

    async def provision(self, host: Host) -> None:
        """As the playbooks do it: enrol, in band, everything."""
        await self.ask("enrol", host)
        await self.ask("in_band", host, wait_s=5)
        await self.ask("apply", host)

    def kill(self) -> None:
        """Its process is gone: no word to any device."""
        for session in list(self.devices.sessions._open.values()):
            session._dialogue.connection.remote_conn_pre.close()  # type: ignore[union-attr]
        self.devices.sessions._open.clear()
        self.devices.changes.close()


def patch(monkeypatch: Any, bench: Bench) -> None:
    """No waiting for what a test knows."""
    monkeypatch.setattr(devices_module, "answers", bench.answers)
    monkeypatch.setattr(sessions_module, "BUSY_WAIT_S", 0.05)
