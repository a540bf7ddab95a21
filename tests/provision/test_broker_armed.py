"""The broker's journal of timers: what a killed broker, a torn line or a full disk leaves."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.broker.armed import Armed, replay
from provision.broker.wire import BrokerError


def names(path: Path) -> list[tuple[str, str]]:
    return sorted((each.host, each.change) for each in replay(path).values())


def test_what_is_armed_is_on_the_disk_before_anybody_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "broker" / "armed.jsonl"
    armed = Armed(path)
    armed.arm("t01-rt", "p1-1", "wang", "why", 60)
    armed.arm("c1-fw", "p1-2", "wang", "why", 30)
    assert names(path) == [("c1-fw", "p1-2"), ("t01-rt", "p1-1")]
    assert [each.host for each in armed.entries] == ["c1-fw", "t01-rt"]
    armed.settle("t01-rt", "another")
    armed.settle("c1-fw", "p1-2")
    assert names(path) == [("t01-rt", "p1-1")]
    armed.close()


def test_a_new_broker_knows_it_and_keeps_the_file_short(tmp_path: Path) -> None:
    path = tmp_path / "armed.jsonl"
    armed = Armed(path)
    for number in range(40):
        armed.arm("t01-rt", f"p{number}", "wang", "", 60)
        armed.settle("t01-rt", f"p{number}")
    armed.arm("c1-fw", "p40", "wang", "", 60)
    armed.close()
    again = Armed(path)
    again.open()
    assert [each.change for each in again.entries] == ["p40"]
    assert len(path.read_text().splitlines()) == 1
    again.close()
    third = Armed(path)
    third.settle("c1-fw", "p40")
    assert names(path) == []
    third.close()


@given(st.integers(0, 400), st.binary(max_size=40))
def test_a_torn_or_spoilt_end_never_hides_what_is_whole(
    tmp_path_factory: pytest.TempPathFactory, cut: int, tail: bytes
) -> None:
    path = tmp_path_factory.mktemp("armed") / "armed.jsonl"
    armed = Armed(path)
    armed.arm("a", "p1", "wang", "", 60)
    whole = path.stat().st_size
    armed.arm("b", "p2", "wang", "", 60)
    armed.close()
    path.write_bytes(path.read_bytes()[: max(whole, path.stat().st_size - cut)] + tail)
    assert ("a", "p1") in names(path)
    again = Armed(path)
    again.open()
    again.arm("c", "p3", "wang", "", 60)
    again.close()
    assert {("a", "p1"), ("c", "p3")} <= set(names(path))


def fill(armed: Armed) -> None:
    for number in range(200):
        armed.arm("b", f"p{number}", "wang", "x" * 400, 60)


@pytest.mark.twin
def test_a_full_disk_sends_nothing(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(tmp_path)], check=True)
    try:
        armed = Armed(tmp_path / "armed.jsonl")
        armed.arm("a", "p1", "wang", "", 60)
        handle = os.open(tmp_path / "ballast", os.O_WRONLY | os.O_CREAT)
        with contextlib.suppress(OSError):
            while os.write(handle, b"x" * 512):
                pass
        os.close(handle)
        with pytest.raises(BrokerError, match="nothing was sent"):
            fill(armed)
        assert ("a", "p1") in names(tmp_path / "armed.jsonl")
        armed.close()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
