"""Stand-ins of vendors' devices for tests of sessions: one process per platform, a fresh device per test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from provision.broker.session import Address, SessionLog
from provision.vendor import Credentials, VendorSession

PASSWORD = "Sec.ret-1234"
ENABLE = "En.able-1234"


@dataclass(frozen=True)
class Speech:
    """How a platform says the same things."""

    ports: str  # for the stand-in
    port: str  # "interface ..." is this
    other: str
    up: str
    describe: str = "description"
    rename: str = "sysname"


SPEECHES = {
    "huawei_vrp8": Speech("GE1/0/1-8", "interface GE1/0/1", "interface GE1/0/2", "quit"),
    "huawei_vrp5": Speech(
        "GigabitEthernet0/0/1-8", "interface GigabitEthernet0/0/1", "interface GigabitEthernet0/0/2", "quit"
    ),
    "h3c_comware": Speech(
        "GigabitEthernet1/0/1-8", "interface GigabitEthernet1/0/1", "interface GigabitEthernet1/0/2", "quit"
    ),
    "ruijie_rgos": Speech(
        "GigabitEthernet 0/1-8",
        "interface GigabitEthernet 0/1",
        "interface GigabitEthernet 0/2",
        "exit",
        rename="hostname",
    ),
    "zte_zxr10": Speech("gei-0/1/1/1-8", "interface gei-0/1/1/1", "interface gei-0/1/1/2", "exit", rename="hostname"),
}


@dataclass
class Box:
    """Devices of one platform."""

    platform: str
    ports: list[int]
    pin: str
    folder: Path
    used: Iterator[int] = field(default_factory=lambda: iter(range(1000)))

    @property
    def speech(self) -> Speech:
        return SPEECHES[self.platform]

    def fresh(self) -> int:
        """The port of a device that no test has touched."""
        return self.ports[next(self.used)]

    def open(
        self, port: int, *, password: str = PASSWORD, pin: str | None = None, enable: str = ENABLE
    ) -> VendorSession:
        credentials = Credentials(password=password, enable=enable)
        where = Address("b01-sw", "127.0.0.1", port, "admin")
        log = SessionLog(self.log)
        return VendorSession.open(where, self.platform, credentials, log, pinned=self.pin if pin is None else pin)

    @property
    def log(self) -> Path:
        return self.folder / "session.log"


def start(platform: str, folder: Path, count: int, *more: str) -> tuple[Box, subprocess.Popen[str]]:
    """A process of stand-ins and its box."""
    (folder / "password").write_text(f"{PASSWORD}\n")
    (folder / "enable").write_text(f"{ENABLE}\n")
    command = [sys.executable, "-m", "twin.standins", "--platform", platform, "--listen", "127.0.0.1:0"]
    command += ["--hostname", "dev{n}", "--count", str(count), "--password-file", str(folder / "password")]
    command += ["--enable-password-file", str(folder / "enable"), "--host-key", str(folder / "host.key"), "--vtys", "3"]
    command += ["--ports", SPEECHES[platform].ports, *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = json.loads(process.stdout.readline())
    return Box(platform, told["ports"], told["host_key"], folder), process
