"""A fleet of VRP8 stand-ins for the measurement, the lines they are given, and the proof that they have them."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provision.broker.session import Address, SessionLog
from provision.vendor import Credentials, VendorSession

USER, PASSWORD = "bench", "Bench-2026!"
LINES = 100
PORTS = LINES // 4
PROCESSES = 2  # stand-ins share these; both sides meet the same ones
START_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Fleet:
    """Stand-ins that answer."""

    names: tuple[str, ...]
    ports: tuple[int, ...]
    host_key: str
    folder: Path

    def addresses(self) -> Iterator[Address]:
        """Where each answers."""
        return (Address(name, "127.0.0.1", port, USER) for name, port in zip(self.names, self.ports, strict=True))


def lines_of(tag: str) -> list[str]:
    """A hundred lines: 25 ports, each entered, described, given an MTU, left."""
    return [
        line
        for port in range(1, PORTS + 1)
        for line in (f"interface GE1/0/{port}", f"description {tag}-{port}", "mtu 9000", "quit")
    ]


@contextmanager
def fleet(count: int, delays: dict[str, float]) -> Iterator[Fleet]:
    """``count`` devices, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="sanwang-bench-") as text:
        folder = Path(text)
        (folder / "password").write_text(f"{PASSWORD}\n", encoding="utf-8")
        (folder / "delays.json").write_text(json.dumps(delays), encoding="utf-8")
        started = []
        try:
            for number in range(PROCESSES):
                share = count // PROCESSES + (number < count % PROCESSES)
                if share:
                    started.append(_start(folder, number, share))
            told = [_told(process) for process in started]
            yield Fleet(
                tuple(name for each in told for name in each["hostnames"]),
                tuple(port for each in told for port in each["ports"]),
                told[0]["host_key"],
                folder,
            )
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(30)


def _start(folder: Path, number: int, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "twin.standins", "--platform", "huawei_vrp8", "--listen", "127.0.0.1:0"]
    command += ["--hostname", f"sw{number}x" + "{n}", "--count", str(count), "--user", USER]
    command += ["--password-file", str(folder / "password"), "--host-key", str(folder / "host.key")]
    command += ["--ports", f"GE1/0/1-{PORTS}", "--delays", str(folder / "delays.json")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    if number == 0:  # the first makes the host key that all share
        while not (folder / "host.key").exists() and process.poll() is None:
            time.sleep(0.05)
    return process


def _told(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"stand-ins did not start: exit code {process.wait(START_TIMEOUT_S)}")
    told: dict[str, Any] = json.loads(line)
    return told


def wrong(fleet: Fleet, tag: str, threads: int) -> list[str]:
    """Devices that do not run, or would not start with, every line of this run."""
    wanted = [f"description {tag}-{port}" for port in range(1, PORTS + 1)]

    def look(where: Address) -> Sequence[str]:
        credentials = Credentials(password=PASSWORD)
        log = SessionLog(fleet.folder / "verify" / f"{where.host}.log")
        with VendorSession.open(where, "huawei_vrp8", credentials, log, pinned=fleet.host_key) as session:
            texts = {"running": session.running(), "saved": session.saved()}
        found = []
        for name, text in texts.items():
            lines = [line.strip() for line in text.splitlines()]
            missing = [line for line in wanted if line not in lines]
            if missing or lines.count("mtu 9000") != PORTS:
                found.append(f"{where.host}: {len(missing)} lines missing in what is {name}")
        return found

    with ThreadPoolExecutor(threads) as pool:
        return [line for found in pool.map(look, fleet.addresses()) for line in found]
