"""Huawei VRP8: candidate, commit, trial."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.twin.user import User, device, eventually


async def test_prompts_follow_the_candidate() -> None:
    user = User(device("huawei_vrp8"))
    assert (await user.greeting()).endswith("<sw>")
    said = await user.type("system-view")
    assert "Enter system view, return user view with return command." in said
    assert said.endswith("[~sw]")
    assert (await user.type("vlan batch 10 20")).endswith("[*sw]")
    assert (await user.type("interface GE1/0/1")).endswith("[*sw-GE1/0/1]")
    assert (await user.type("commit")).endswith("[~sw-GE1/0/1]")
    assert "vlan batch 10 20" in await user.type("screen-length 0 temporary", "display current-configuration")


async def test_nothing_runs_before_commit_and_clearing_forgets() -> None:
    on = device("huawei_vrp8")
    user, other = User(on), User(on)
    await user.type("system-view", "vlan batch 10", "interface GE1/0/1", "shutdown")
    assert on.running.get("vlan", "10") is None
    assert "10" not in await other.type("display current-configuration | include vlan batch")
    assert "+ vlan batch 10" in await user.type("display configuration candidate changes")
    assert (await user.type("clear configuration candidate")).endswith("[~sw-GE1/0/1]")
    await user.type("commit")
    assert on.running.get("vlan", "10") is None


async def test_a_line_that_changes_nothing_leaves_no_candidate() -> None:
    user = User(device("huawei_vrp8"))
    await user.type("system-view", "interface GE1/0/1", "description a", "commit")
    assert (await user.type("description a")).endswith("[~sw-GE1/0/1]")
    assert (await user.type("description b")).endswith("[*sw-GE1/0/1]")
    assert (await user.type("description a")).endswith("[~sw-GE1/0/1]")


@pytest.mark.parametrize(
    ("answer", "kept", "prompt"), [("y", True, "<sw>"), ("no", False, "<sw>"), ("c", False, "[*sw]")]
)
async def test_leaving_with_uncommitted_lines_asks(answer: str, kept: bool, prompt: str) -> None:
    on = device("huawei_vrp8")
    user = User(on)
    said = await user.type("system-view", "vlan batch 10", "quit")
    assert said.endswith("Are you sure to commit them before exiting? [Y(yes)/N(no)/C(cancel)]:")
    assert "Please choose 'YES', 'NO' or 'CANCEL'" in await user.type("what")
    assert (await user.type(answer)).endswith(prompt)
    assert (on.running.get("vlan", "10") is not None) is kept


async def test_trial_goes_back_by_itself() -> None:
    on = device("huawei_vrp8", second_s=0.005)
    user = User(on)
    said = await user.type("system-view", "vlan batch 10", "commit trial 60")
    assert "Info: The system enters the trial configuration mode." in said
    assert "is not confirmed in 60 seconds." in said
    assert said.endswith("[~sw]")
    assert on.running.get("vlan", "10") is not None
    assert "ACTIVE" in await user.type("display configuration trial status")
    await eventually(lambda: on.running.get("vlan", "10") is None)
    assert "INACTIVE" in await user.type("display configuration trial status")


async def test_trial_is_confirmed_by_commit_and_cancelled_by_abort() -> None:
    on = device("huawei_vrp8", second_s=0.005)
    user = User(on)
    await user.type("system-view", "vlan batch 10", "commit trial 60", "commit")
    await asyncio.sleep(0.4)
    assert on.running.get("vlan", "10") is not None
    said = await user.type("vlan batch 20", "commit trial 65535", "abort trial")
    assert said.endswith("Warning: The trial configuration will be rolled back. Continue? [Y/N]:")
    assert "Info: The trial configuration rollback succeeded." in await user.type("y")
    assert on.running.get("vlan", "20") is None
    assert on.running.get("vlan", "10") is not None


async def test_trial_belongs_to_its_session() -> None:
    on = device("huawei_vrp8")
    user, other = User(on), User(on)
    await user.type("system-view", "vlan batch 10", "commit trial 600")
    said = await other.type("system-view", "vlan batch 20", "commit")
    assert "Error: The system is in trial configuration mode." in said
    assert on.running.get("vlan", "20") is None
    await user.type("commit")
    await other.type("commit")
    assert {"10", "20"} <= {node.words[1] for node in on.running.starting("vlan")}


async def test_a_trial_with_a_persistence_id_is_confirmed_from_anywhere() -> None:
    on = device("huawei_vrp8", second_s=0.005)
    user = User(on)
    await user.type("system-view", "vlan batch 10", "commit trial 60 persist plan7")
    await user.leave()
    other = User(on)
    await other.type("system-view", "commit persist plan7")
    await asyncio.sleep(0.4)
    assert on.running.get("vlan", "10") is not None


@pytest.mark.parametrize("ends", [True, False])
async def test_a_lost_session_and_its_trial(ends: bool) -> None:
    on = device("huawei_vrp8", trial_ends_with_session=ends)
    user = User(on)
    await user.type("system-view", "vlan batch 10", "commit trial 600")
    await user.leave()
    assert (on.running.get("vlan", "10") is None) is ends
    assert (on.pending is None) is ends


async def test_uncommitted_lines_die_with_the_session() -> None:
    on = device("huawei_vrp8")
    user = User(on)
    await user.type("system-view", "vlan batch 10")
    await user.leave()
    assert on.running.get("vlan", "10") is None


async def test_two_candidates_are_merged_line_by_line() -> None:
    on = device("huawei_vrp8")
    one, two = User(on), User(on)
    await one.type("system-view", "interface GE1/0/1", "description one")
    await two.type("system-view", "interface GE1/0/2", "description two", "commit")
    await one.type("commit")
    shown = await one.type("screen-length 0 temporary", "display current-configuration")
    assert "description one" in shown
    assert "description two" in shown


async def test_commit_points_are_listed_and_rolled_back_to() -> None:
    on = device("huawei_vrp8")
    user = User(on)
    await user.type(
        "system-view", "vlan batch 10", "commit label plan1", "vlan batch 20", "commit description second try"
    )
    listed = await user.type("display configuration commit list")
    assert "1000000002" in listed
    assert "plan1" in listed
    assert "Description: second try" in await user.type("display configuration commit list verbose")
    assert "Error: The label already exists." in await user.type("vlan batch 30", "commit label plan1")
    await user.type("clear configuration candidate", "return")
    asked = await user.type("rollback configuration to commit-id 1000000001")
    assert asked.endswith("Continue? [Y/N]:")
    assert "Configuration rollback succeeded." in await user.type("y")
    assert on.running.get("vlan", "10") is not None
    assert on.running.get("vlan", "20") is None


async def test_only_what_was_saved_survives_a_power_cut(tmp_path: Path) -> None:
    state = tmp_path / "sw.json"
    user = User(device("huawei_vrp8", state=state))
    asked = await user.type("system-view", "vlan batch 10", "commit", "return", "save")
    assert asked.endswith("Warning: The current configuration will be written to the device. Continue? [Y/N]:")
    assert "Info: Save the configuration successfully." in await user.type("y")
    await user.type("system-view", "vlan batch 20", "commit")
    again = device("huawei_vrp8", state=state)
    assert again.running.get("vlan", "10") is not None
    assert again.running.get("vlan", "20") is None


async def test_reboot_drops_everybody() -> None:
    on = device("huawei_vrp8")
    user, other = User(on), User(on)
    await user.type("system-view", "vlan batch 10", "commit", "return", "reboot")
    await other.greeting()
    await user.type("y")
    await asyncio.wait_for(asyncio.gather(user.task, other.task), 5)
    assert on.running.get("vlan", "10") is None


async def test_immediate_view_has_no_candidate() -> None:
    on = device("huawei_vrp8")
    user = User(on)
    assert (await user.type("system-view immediately", "vlan batch 10")).endswith("[sw]")
    assert on.running.get("vlan", "10") is not None
