"""The device tool keeps what there was before a change, and brings it back by itself: real tool, real clock."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.provision.box import TOOL, Box, ruleset

pytestmark = pytest.mark.twin
SLOW_NFT = '#!/bin/sh\n[ -e /run/slow ] && [ "$1" = -f ] && : >/run/reached && sleep 30\nexec /usr/sbin/nft "$@"\n'


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    made = Box(tmp_path / "disk")
    made.start()
    try:
        answer = made.device("apply", bundle=made.bundle("first"))
        assert (answer["changed"], answer["errors"]) == (True, [])
        assert made.has() == "first"
        yield made
    finally:
        with contextlib.suppress(AssertionError):
            made.cut()


def eventually(what: Callable[[], bool], within_s: float = 60.0) -> float:
    begun = time.monotonic()
    while not what():
        assert time.monotonic() < begun + within_s, "it never came"
        time.sleep(0.05)
    return time.monotonic() - begun


def test_a_confirmed_change_stays(box: Box) -> None:
    begun = time.monotonic()
    answer = box.device("apply", "--confirm", "5", "a1", bundle=box.bundle("second"))
    assert answer["pending"]["id"] == "a1"
    assert box.device("state")["pending"]["phase"] == "armed"
    assert box.device("confirm", "a1")["outcome"] == "confirmed"
    assert box.device("confirm", "a1")["outcome"] == "confirmed already"
    time.sleep(max(0.0, begun + 5.5 - time.monotonic()))
    assert box.has() == "second"
    state = box.device("state")
    assert state["pending"] is None
    assert state["last"]["outcome"] == "confirmed"


def test_an_unconfirmed_change_is_undone_by_the_device_after_its_session_has_died(box: Box) -> None:
    before = box.device("state")
    process = box.begin(TOOL, "apply", "--confirm", "5", "a1", data=json.dumps(box.bundle("second", extra="x\n")))
    eventually(lambda: box.has() == "second")
    box.kill(process)
    eventually(lambda: box.has() == "first")
    eventually(lambda: box.device("state")["last"] is not None)
    after = box.device("state")
    assert after["last"]["outcome"] == "reverted"
    assert (after["files"], after["running"]) == (before["files"], before["running"])
    assert box.run("test", "-e", "/etc/sanwang/extra").returncode == 1
    assert "was reverted (not confirmed in time)" in box.device("confirm", "a1")["errors"][0]


def test_another_change_is_refused_while_one_is_pending_and_the_same_goes_on(box: Box) -> None:
    box.device("apply", "--confirm", "30", "a1", bundle=box.bundle("second"))
    for words in (("apply",), ("apply", "--confirm", "30", "b2")):
        answer = box.device(*words, bundle=box.bundle("third"))
        assert answer["refused"]
        assert "change a1 waits for its confirmation" in answer["errors"][0]
    assert box.has() == "second"
    time.sleep(1)
    again = box.device("apply", "--confirm", "60", "a1", bundle=box.bundle("second"))
    assert not again["changed"]
    assert again["pending"]["left_s"] > 55
    assert box.device("revert", "a1")["outcome"] == "reverted"
    assert box.device("revert", "a1")["outcome"] == "not pending"
    assert box.has() == "first"


def test_a_power_cycle_keeps_the_time_of_a_pending_change(box: Box) -> None:
    box.device("apply", "--confirm", "8", "a1", bundle=box.bundle("second"))
    box.cut()
    box.start()
    box.boot()
    assert box.has() == "second"
    assert box.device("state")["pending"]["id"] == "a1"
    eventually(lambda: box.has() == "first")


def test_a_change_whose_time_ran_out_without_power_is_undone_before_the_network_comes_up(box: Box) -> None:
    box.device("apply", "--confirm", "1", "a1", bundle=box.bundle("second"))
    box.cut()
    time.sleep(1.1)
    box.start()
    box.boot()
    assert box.has() == "first"
    assert box.device("state")["last"]["why"] == "the device restarted before it was confirmed"


def hang(box: Box, bundle: dict[str, Any], *confirm: str) -> subprocess.Popen[str]:
    """A change hangs in the middle, its file there and its ruleset not loaded."""
    box.run("sh", "-c", "cat >/usr/local/sbin/nft; chmod 755 /usr/local/sbin/nft; : >/run/slow", data=SLOW_NFT)
    process = box.begin(TOOL, "apply", *confirm, data=json.dumps(bundle))
    eventually(lambda: box.run("test", "-e", "/run/reached").returncode == 0)
    assert box.has() == "second / first"
    return process


def slow(box: Box, *confirm: str) -> None:
    """Such a change, and then its process is lost."""
    process = hang(box, box.bundle("second"), *confirm)
    box.kill(process)
    box.run("rm", "/run/slow", "/run/reached")


def test_a_change_that_hangs_is_killed_and_undone_by_its_timer(box: Box) -> None:
    bundle = box.bundle("first")
    undo = next(each for each in bundle["files"] if each["path"].endswith("/undo.py"))
    undo["text"] = undo["text"].replace("_STUCK_S = 60.0", "_STUCK_S = 1.0")
    box.device("apply", bundle=bundle)
    next(each for each in bundle["files"] if each["group"] == "nft")["text"] = ruleset("second")
    process = hang(box, bundle, "--confirm", "1", "a1")
    box.run("rm", "/run/slow", "/run/reached")
    eventually(lambda: box.has() == "first")
    assert process.wait(60) != 0


@pytest.mark.parametrize("confirm", [(), ("--confirm", "60", "a1")])
def test_a_change_killed_half_way_is_undone_by_the_next_call(box: Box, confirm: tuple[str, ...]) -> None:
    slow(box, *confirm)
    assert box.device("state")["pending"] is None
    assert box.has() == "first"


def test_a_change_killed_half_way_is_undone_by_its_timer(box: Box) -> None:
    slow(box, "--confirm", "6", "a1")
    eventually(lambda: box.has() == "first")


@pytest.mark.parametrize("confirm", [(), ("--confirm", "600", "a1")])
def test_a_change_cut_half_way_by_a_power_cut_is_undone_at_the_start(box: Box, confirm: tuple[str, ...]) -> None:
    slow(box, *confirm)
    box.cut()
    box.start()
    box.boot()
    assert box.has() == "first"


def test_a_timer_that_was_killed_is_started_again_by_the_next_look(box: Box) -> None:
    box.device("apply", "--confirm", "8", "a1", bundle=box.bundle("second"))
    box.run("sh", "-c", "kill -9 $(grep -lz '^watch$' /proc/[0-9]*/cmdline | cut -d/ -f3)")
    assert box.device("state")["pending"]["id"] == "a1"
    eventually(lambda: box.has() == "first")


def test_a_confirmed_change_is_rolled_back_as_a_change_of_its_own(box: Box) -> None:
    before = box.device("state")
    box.device("apply", "--confirm", "30", "a1", bundle=box.bundle("second", extra="x\n"))
    box.device("confirm", "a1")
    answer = box.device("rollback", "a1", "--confirm", "30", "r1")
    assert answer["pending"]["id"] == "r1"
    box.device("confirm", "r1")
    assert box.has() == "first"
    after = box.device("state")
    assert (after["files"], after["running"]) == (before["files"], before["running"])
    box.device("rollback", "r1", "--confirm", "30", "r2")
    box.device("confirm", "r2")
    assert box.has() == "second"


def test_a_rollback_never_undoes_a_later_change(box: Box) -> None:
    for name, comment in (("a1", "second"), ("a2", "third")):
        box.device("apply", "--confirm", "30", name, bundle=box.bundle(comment))
        box.device("confirm", name)
    answer = box.device("rollback", "a1", "--confirm", "30", "r1")
    assert "/etc/nftables.conf was changed again after a1" in answer["errors"][0]
    assert "is not kept here" in box.device("rollback", "zz", "--confirm", "30", "r1")["errors"][0]
    assert box.has() == "third"


def test_a_refused_ruleset_leaves_everything_as_it_was(box: Box) -> None:
    bundle = box.bundle("second", extra="x\n")
    next(each for each in bundle["files"] if each["group"] == "nft")["text"] += "nonsense\n"
    answer = box.device("apply", "--confirm", "30", "a1", bundle=bundle)
    assert answer["rolled_back"]
    assert "nonsense" in answer["errors"][0]
    assert box.has() == "first"
    assert box.device("state")["pending"] is None


@pytest.mark.parametrize("where", ["/var/lib/sanwang-device", "/etc/sanwang/full"])
def test_a_full_disk_changes_nothing(box: Box, where: str) -> None:
    script = f"mkdir -p {where}; cp -r {where} /run/kept; mount -t tmpfs -o size=128k tmpfs {where};"
    script += f" cp -r /run/kept/. {where}; head -c 200k /dev/zero >{where}/ballast"
    box.run("sh", "-c", script)
    bundle = box.bundle("second")
    bundle["files"].insert(0, {"path": "/etc/sanwang/full/f", "mode": "0644", "text": "x" * 9000, "group": "sysctl"})
    answer = box.device("apply", "--confirm", "30", "a1", bundle=bundle)
    assert answer["errors"] == [f"nothing was changed: [Errno 28] {answer['errors'][0].rpartition('[Errno 28] ')[2]}"]
    assert box.has() == "first"
    box.run("rm", f"{where}/ballast")
    assert box.device("state")["pending"] is None
    assert not box.device("apply", bundle=box.bundle("first"))["changed"]


def test_a_full_disk_while_a_change_goes_on_leaves_what_was_sent_of_it_to_its_timer(box: Box) -> None:
    box.device("apply", "--confirm", "30", "a1", bundle=box.bundle("second"))
    script = "mkdir -p /etc/sanwang/full; mount -t tmpfs -o size=16k tmpfs /etc/sanwang/full;"
    box.run("sh", "-c", script + " head -c 64k /dev/zero >/etc/sanwang/full/ballast")
    bundle = box.bundle("third")
    bundle["files"].append({"path": "/etc/sanwang/full/f", "mode": "0644", "text": "x" * 9000, "group": "sysctl"})
    assert "nothing was changed" in box.device("apply", "--confirm", "30", "a1", bundle=bundle)["errors"][0]
    assert box.has() == "second"
    assert box.device("state")["pending"]["phase"] == "armed"
    box.device("revert", "a1")
    assert box.has() == "first"
