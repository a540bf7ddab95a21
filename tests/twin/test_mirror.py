"""The mirror of carriers: each end of a switch's cable sees what becomes of the other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from twin import mirror, namespaces

ROOM = f"zwmir{os.getpid() % 10000}"
DEEDS = ("link set pa up", "link set pa down", "link set pb up", "link set pb down", "cut", "heal")


@given(st.binary(max_size=300))
def test_whatever_comes_from_the_socket_is_read_to_its_end(data: bytes) -> None:
    assert all(isinstance(name, str) for name in mirror.names_in(data))


@pytest.fixture(scope="module")
def cable() -> Iterator[None]:
    """A cable as in the plant, its ports beside it, and the mirror at work."""
    namespaces.create({ROOM: {}})
    worker = None
    try:
        lines = ["link add b9000 up type bridge mcast_snooping 0 stp_state 0"]
        lines += [f"link add m9000{side} up master b9000 type veth peer name p{side}" for side in "ab"]
        namespaces.ip_batch(lines, ROOM)
        worker = subprocess.Popen(
            ["nsenter", f"--net=/run/netns/{ROOM}", "--", sys.executable, "-I", mirror.__file__, "8192"],
            stdout=subprocess.PIPE,
        )
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"ready\n"
        yield
        assert worker.poll() is None
    finally:
        if worker is not None:
            worker.kill()
            worker.wait()
            worker.stdout.close()  # type: ignore[union-attr]
        namespaces.delete([ROOM])


def flags() -> dict[str, set[str]]:
    done = subprocess.run(["ip", "-n", ROOM, "-j", "link"], capture_output=True, text=True, check=True)
    return {row["ifname"]: set(row["flags"]) for row in json.loads(done.stdout)}


def as_it_should(cut: bool) -> bool:
    """Has each port that is up light exactly when the other one is up too, and the fibre whole?"""
    seen = flags()
    up = {port: "UP" in seen[port] for port in ("pa", "pb")}
    lit = {port: "LOWER_UP" in seen[port] for port in ("pa", "pb")}
    return all(not up[port] or lit[port] == (up[other] and not cut) for port, other in (("pa", "pb"), ("pb", "pa")))


@pytest.mark.twin
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.usefixtures("cable")
@settings(max_examples=4, deadline=None)
@example(deeds=["link set pb up", "cut", "heal"])  # the middle without light comes up first
@example(deeds=["link set pa up", "cut", "heal"])
@given(deeds=st.lists(st.sampled_from(DEEDS), min_size=6, max_size=12))
def test_both_ends_see_the_same_light(deeds: list[str]) -> None:
    namespaces.ip_batch([f"link set p{side} down" for side in "ab"], ROOM)
    namespaces.ip_batch([f"link set m9000{side} up" for side in "ab"], ROOM)
    cut = False
    for deed in deeds:
        if deed in ("cut", "heal"):
            cut = deed == "cut"
            namespaces.ip_batch([f"link set m9000{side} {'down' if cut else 'up'}" for side in "ab"], ROOM)
        else:
            namespaces.ip_batch([deed], ROOM)
        deadline = time.monotonic() + 30
        while not as_it_should(cut) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert as_it_should(cut), (deed, flags())


def test_the_mirror_needs_nothing_of_ours() -> None:
    """It runs with ``python -I``, where no package of the checkout is found."""
    text = Path(mirror.__file__).read_text()
    assert "from twin" not in text
    assert "from inventory" not in text
