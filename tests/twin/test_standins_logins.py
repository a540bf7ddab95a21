"""Who may log in to a device: the users its configuration shows, by passwords it hides, from where its lists say."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.twin.user import User, device
from twin.standins.device import Device
from twin.standins.platforms import PLATFORMS

TYPED = {
    "huawei_vrp5": ("system-view", "aaa", "local-user ops password irreversible-cipher {0}",
                    "local-user ops service-type ssh", "quit", "ssh user ops authentication-type password", "return"),
    "huawei_vrp8": ("system-view", "aaa", "local-user ops password cipher {0}", "local-user ops service-type ssh",
                    "quit", "ssh user ops authentication-type password", "commit", "return"),
    "h3c_comware": ("system-view", "local-user ops class manage", "password simple {0}", "service-type ssh", "return"),
    "ruijie_rgos": ("configure", "username ops privilege 15 secret {0}", "end"),
    "zte_zxr10": ("configure", "system-user", "user-name ops", "password {0}", "end"),
}  # fmt: skip
CLOSED = {
    "huawei_vrp5": ("system-view", "undo stelnet server enable", "return"),
    "huawei_vrp8": ("system-view", "undo ssh user ops authentication-type", "commit", "return"),
    "h3c_comware": ("system-view", "local-user ops class manage", "undo service-type ssh", "return"),
    "ruijie_rgos": ("configure", "no enable service ssh-server", "end"),
    "zte_zxr10": ("configure", "no ssh server enable", "end"),
}
LISTED = {
    "huawei_vrp5": ("system-view", "acl 2001", "rule 10 deny source 10.32.2.0 0.0.0.127",
                    "rule 5 permit source 10.32.2.6 0", "rule 20 permit source 10.32.2.0 0.0.0.255",
                    "user-interface vty 0 4", "acl 2001 inbound", "return"),
    "h3c_comware": ("system-view", "acl basic 2001", "rule 10 deny source 10.32.2.0 0.0.0.127",
                    "rule 5 permit source 10.32.2.6 0", "rule 20 permit source 10.32.2.0 0.0.0.255", "quit",
                    "ssh server acl 2001", "return"),
    "ruijie_rgos": ("configure", "ip access-list standard ours", "20 deny 10.32.2.0 0.0.0.127",
                    "10 permit host 10.32.2.6", "30 permit 10.32.2.0 0.0.0.255", "exit",
                    "line vty 0 4", "access-class ours in", "end"),
    "zte_zxr10": ("configure", "ipv4-access-list ours", "rule 20 deny 10.32.2.0 0.0.0.127",
                  "rule 10 permit 10.32.2.6 0.0.0.0", "rule 30 permit 10.32.2.0 0.0.0.255", "exit",
                  "ssh server access-class ipv4 ours", "end"),
}  # fmt: skip
LISTED["huawei_vrp8"] = (*LISTED["huawei_vrp5"][:-1], "commit", "return")


def opens(on: Device, user: str, password: str) -> bool:
    shown = on.dialect.passwords(on.running).get(user)
    return shown is not None and on.dialect.fits(shown, password)


@pytest.mark.parametrize("platform", PLATFORMS)
@settings(max_examples=15, deadline=None)
@given(
    password=st.text(st.sampled_from(sorted({*map(chr, range(33, 127))} - {*'"?$!%'})), min_size=8, max_size=32),
    other=st.text(max_size=40),
)  # fmt: skip
def test_a_password_opens_and_nothing_else_does(platform: str, password: str, other: str) -> None:
    async def go() -> None:
        on = device(platform)
        user = User(on)
        await user.type(*[line.format(password) for line in TYPED[platform]])
        shown = on.dialect.text(on.running)
        assert password not in shown
        assert opens(on, "ops", password)
        assert opens(on, "ops", other) == (other == password)
        assert not opens(on, "nobody", password)
        again = device(platform, config=shown)  # after a restart it is still known, though nobody typed it
        assert opens(again, "ops", password)
        assert not opens(again, "ops", password + "x")
        await user.leave()

    asyncio.run(go())


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_who_is_not_served_does_not_get_in(platform: str) -> None:
    on = device(platform)
    user = User(on)
    await user.type(*[line.format("Field-2026-night") for line in TYPED[platform]])
    assert opens(on, "ops", "Field-2026-night")
    await user.type(*CLOSED[platform])
    assert not opens(on, "ops", "Field-2026-night")


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_lists_are_read_in_their_order_and_end_with_a_no(platform: str) -> None:
    on = device(platform)
    anywhere = IPv4Address("192.0.2.1")
    assert on.dialect.admits(on.running, anywhere)
    await User(on).type(*LISTED[platform])
    expected = {"10.32.2.6": True, "10.32.2.7": False, "10.32.2.127": False, "10.32.2.128": True, "192.0.2.1": False}
    assert {source: on.dialect.admits(on.running, IPv4Address(source)) for source in expected} == expected


async def test_a_list_that_has_no_rule_bars_nobody() -> None:
    on = device("huawei_vrp5")
    await User(on).type("system-view", "acl 2001", "quit", "user-interface vty 0 4", "acl 2001 inbound")
    assert on.dialect.admits(on.running, IPv4Address("192.0.2.1"))


async def test_a_ruijie_user_of_low_level_must_enable() -> None:
    on = device("ruijie_rgos")
    user = User(on)
    await user.type("configure", "username low password plain-one", "end")
    low = User(on, "low")
    assert (await low.type("configure")).rstrip().endswith("sw>")
    assert "% No password set" in await low.type("enable")
    await user.type("configure", "enable secret Field-2026-night", "end")
    assert "Access denied" in await low.type("enable", "wrong", "wrong", "wrong")
    assert (await low.type("enable", "Field-2026-night")).endswith("sw#")
