"""A restart that is planned: the one way back that some platforms have when a change cuts off who made it."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.twin.user import User, device, eventually
from twin.standins.restarts import delay_s, hours_minutes, until_s

PLAN = {
    "huawei_vrp5": ("schedule reboot delay 10", "n", "y"),
    "huawei_vrp8": ("schedule reboot delay 0:10", "n", "y"),
    "h3c_comware": ("scheduler reboot delay 00:10", "y"),
    "ruijie_rgos": ("reload in 10 change of the gov uplink", "yes"),
    "zte_zxr10": ("reload system in 10", "yes"),
}
SHOW = {
    "huawei_vrp5": "display schedule reboot",
    "huawei_vrp8": "display schedule reboot",
    "h3c_comware": "display scheduler reboot",
    "ruijie_rgos": "show reload",
    "zte_zxr10": "show reload",
}
CANCEL = {
    "huawei_vrp5": "undo schedule reboot",
    "huawei_vrp8": "undo schedule reboot",
    "h3c_comware": "undo scheduler reboot",
    "ruijie_rgos": "reload cancel",
    "zte_zxr10": "reload cancel",
}
CHANGE = {
    "huawei_vrp5": ("system-view", "sysname other", "return"),
    "huawei_vrp8": ("system-view", "sysname other", "commit", "return"),
    "h3c_comware": ("system-view", "sysname other", "return"),
    "ruijie_rgos": ("configure", "hostname other", "end"),
    "zte_zxr10": ("configure", "hostname other", "end"),
}


@pytest.mark.parametrize("platform", PLAN)
async def test_a_planned_restart_takes_back_what_was_not_saved(platform: str) -> None:
    on = device(platform, second_s=0.0005)
    user, other = User(on), User(on)
    await user.type(*PLAN[platform])
    await user.type(*CHANGE[platform])
    assert on.dialect.host(on.running) == "other"
    await eventually(lambda: on.dialect.host(on.running) == "sw")
    await eventually(lambda: user.task.done() and other.task.done())
    assert on.restart is None


@pytest.mark.parametrize("platform", PLAN)
async def test_a_planned_restart_is_shown_and_taken_back(platform: str) -> None:
    on = device(platform)
    user = User(on)
    *most, last = PLAN[platform]
    question = await user.type(*most)
    assert "(in 0 hours" in question
    assert "10 minutes)" in question
    assert on.restart is None, "nothing is planned before the question is answered"
    await user.type(last)
    shown = await user.type(SHOW[platform])
    assert "in 0 hours" in shown
    assert "10 minutes" in shown
    await user.type(PLAN[platform][0].replace("10", "20", 1), *PLAN[platform][1:])
    assert "20 minutes" in await user.type(SHOW[platform]), "the new plan takes the old one's place"
    await user.type(CANCEL[platform])
    assert "minutes" not in await user.type(SHOW[platform])
    assert on.restart is None


@pytest.mark.parametrize("platform", PLAN)
async def test_a_planned_restart_that_is_not_confirmed_is_none(platform: str) -> None:
    on = device(platform)
    user = User(on)
    await user.type(*PLAN[platform][:-1], "n")
    assert on.restart is None


async def test_vrp_offers_to_save_before_it_plans() -> None:
    on = device("huawei_vrp5")
    user = User(on)
    await user.type("system-view", "sysname kept", "return")
    assert "Continue ? [Y/N]:" in await user.type("schedule reboot delay 10")
    assert "confirm?[Y/N]:" in await user.type("y")
    assert "sysname kept" in on.startup
    await user.type("n")
    assert "saved" not in await user.type("schedule reboot delay 10"), "nothing is left to save"
    await user.type("n")
    await user.type("schedule reboot delay 10 force")
    assert on.restart is not None


@pytest.mark.parametrize(
    ("platform", "line"),
    [
        ("huawei_vrp5", "schedule reboot delay 0"),
        ("huawei_vrp5", "schedule reboot delay 721:00"),
        ("huawei_vrp5", "schedule reboot at 25:00"),
        ("huawei_vrp5", "schedule reboot at 10:00 2001/01/01"),
        ("h3c_comware", "scheduler reboot delay soon"),
        ("ruijie_rgos", "reload in 1:99"),
        ("ruijie_rgos", "reload at 7"),
        ("zte_zxr10", "reload system in -1"),
    ],
)
async def test_a_time_that_is_none_is_refused(platform: str, line: str) -> None:
    on = device(platform)
    user = User(on)
    assert "^" in await user.type(line)
    assert on.restart is None


def test_times() -> None:
    now = datetime(2026, 11, 22, 23, 50, 30)
    assert delay_s("90") == delay_s("1:30") == delay_s("01:30") == 5400
    assert delay_s("720:00") == 30 * 86400
    assert [delay_s(text) for text in ("", "0", "0:00", "1:60", "720:01", "x", "-5", "1:2:3")] == [None] * 8
    assert until_s("23:51", "", now) == 30
    assert until_s("23:50", "", now) == 86400 - 30
    assert until_s("23:51", "2026/11/23", now) == 86400 + 30
    assert until_s("23:50", "2026/11/22", now) is None
    assert until_s("00:00", "2026/12/23", now) is None
    assert hours_minutes(3601) == (1, 1)
    assert hours_minutes(600) == (0, 10)
