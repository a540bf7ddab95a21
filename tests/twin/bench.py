"""A small county on the bench: brought up for a test, its two routers provisioned by a few lines of shell."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from inventory.places import Places
from tests.twin.small import small_model
from twin import county
from twin.county import Twin

_ROUTERS = {
    "c1-core": (
        "10.8.3.1/24 dev p1",
        "172.20.0.4/31 dev p2",
        "198.18.0.18/30 dev p4",
        "10.8.4.0/24 via 172.20.0.5",
    ),
    "c2-core": ("172.20.0.5/31 dev p2", "10.8.4.1/24 dev p3", "0.0.0.0/0 via 172.20.0.4"),
}
FAR_PC = "10.8.4.10"


@contextlib.contextmanager
def county_up(instance: str, folder: Path) -> Iterator[Twin]:
    """The small county under that name, both routers forwarding; gone at the end, whatever happens."""
    places = Places(instance)
    county.down(places)
    key = folder / f"{instance}-key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    twin = Twin(small_model(), places)
    try:
        twin.up(bootstrap_key=key.with_suffix(".pub").read_text())
        (places.lib / "bootstrap-key").write_bytes(key.read_bytes())
        (places.lib / "bootstrap-key").chmod(0o600)
        for router in _ROUTERS:
            provision(twin, router)
        wait_until(lambda: reaches(twin, "s1-pc"), "the two PCs reach each other")
        yield twin
    finally:
        county.down(places)
        (places.lib / "bootstrap-key").unlink(missing_ok=True)
        (places.lib / "faults.log").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            places.lib.rmdir()


def provision(twin: Twin, router: str) -> None:
    """Give a router a service on its own disk that configures it at every boot."""
    lines = ["#!/bin/sh", "sysctl -qw net.ipv4.ip_forward=1"]
    for words in _ROUTERS[router]:
        kind = "route" if " via " in words else "address"
        device = words.rpartition(" dev ")[2]
        lines += [f"ip link set {device} up"] if kind == "address" else []
        lines.append(f"ip {kind} replace {words}")
    script = "\n".join([*lines, "exec sleep infinity", ""])
    folder = "/etc/sanwang/sv/network"
    command = f"mkdir {folder}.new && cat >{folder}.new/run && chmod +x {folder}.new/run && mv {folder}.new {folder}"
    assert twin.run(router, ["sh", "-c", command], input=script).returncode == 0


def reaches(twin: Twin, host: str, target: str = FAR_PC, count: int = 1) -> bool:
    """True when at least one of ``count`` pings is answered."""
    return twin.run(host, ["ping", "-q", "-c", str(count), "-i", "0.1", "-W", "1", target]).returncode == 0


def carrier(twin: Twin, host: str, port: str) -> bool:
    """True when the host sees light on its port."""
    return "LOWER_UP" in twin.run(host, ["ip", "-br", "link", "show", port]).stdout


def wait_until(true: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Wait for something that is on its way; fails with its words when it does not come."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"never came: {what}"
        time.sleep(0.05)
