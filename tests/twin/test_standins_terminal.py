"""Terminal, pager, ports and delays of stand-ins; and that nothing typed brings one down."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.twin.user import User, device, eventually
from twin.standins.device import Delays
from twin.standins.dialect import GRAMMARS
from twin.standins.grammar import load
from twin.standins.kinds import numbers, ranges
from twin.standins.platforms import PLATFORMS
from twin.standins.ports import PortDriver, expand_ports

MORE = {
    "huawei_vrp8": ("display current-configuration", "  ---- More ----"),
    "huawei_vrp5": ("display current-configuration", "  ---- More ----"),
    "h3c_comware": ("display current-configuration", "---- More ----"),
    "ruijie_rgos": ("show running-config", " --More-- "),
    "zte_zxr10": ("show running-config", " --More--"),
}
OFF = {
    "huawei_vrp8": "screen-length 0 temporary",
    "huawei_vrp5": "screen-length 0 temporary",
    "h3c_comware": "screen-length disable",
    "ruijie_rgos": "terminal length 0",
    "zte_zxr10": "terminal length 0",
}


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_long_output_comes_in_pages(platform: str) -> None:
    command, more = MORE[platform]
    user = User(device(platform))
    first = await user.type(command)
    assert first.endswith(more)
    assert first.count("\n") == 24  # the echoed command, and a page of 23 lines
    line = await user.press(b"\n")
    assert line.count("\n") == 1
    assert line.endswith(more)
    assert (await user.press(b" ")).count("\n") == 23
    assert not (await user.press(b"q")).endswith(more)
    whole = await user.type(OFF[platform], command)
    assert more not in whole
    assert whole.count("\n") > 60


@pytest.mark.parametrize("ending", [b"\r", b"\n", b"\r\n"])
async def test_a_line_ends_once_however_it_ends(ending: bytes) -> None:
    user = User(device("huawei_vrp5"))
    said = await user.press(b"system-view" + ending + b"vlan 10" + ending)
    assert said.endswith("[sw-vlan10]")
    assert said.count("[sw") == 2


async def test_keys_edit_the_line() -> None:
    user = User(device("huawei_vrp5"))
    assert (await user.press(b"systemx\x7f-vuew\x08\x08\x08iew\r")).endswith("[sw]")
    assert (await user.press(b"garbage\x15vlan 10\r")).endswith("[sw-vlan10]")
    assert (await user.press(b"garbage\x03")).endswith("[sw-vlan10]")
    assert (await user.press(b"descr\x1b[D\t")).endswith("description ")
    assert "\n  TEXT\n" in await user.press(b"?")


async def test_help_lists_what_may_follow() -> None:
    user = User(device("ruijie_rgos"))
    assert "  terminal\n" in await user.press(b"configure ?")


async def test_output_is_filtered() -> None:
    user = User(device("huawei_vrp5"))
    said = await user.type("display current-configuration | include ^aaa|sysname")
    assert said.split("\n")[1:-1] == ["sysname sw", "aaa"]
    assert "sysname" not in (await user.type("display current-configuration | begin user-interface")).split("\n", 1)[1]
    assert "Total lines: 1." in await user.type("display current-configuration | count ^aaa")
    assert (await user.type("display current-configuration | include [")).endswith(">")


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_every_vty_is_used_only_once(platform: str) -> None:
    on = device(platform, vtys=2)
    one, two = User(on), User(on)
    assert on.vty() is None
    await one.leave()
    assert on.vty() == 0
    assert {two.session.vty} == set(on.sessions)


async def test_commands_take_as_long_as_the_table_says() -> None:
    on = device("huawei_vrp8", delays=Delays({"commit": 0.2, "line": 0.01}))
    user = User(on)
    await user.type("system-view")
    start = time.monotonic()
    await user.type(*[f"vlan {number}" for number in range(10, 20)])
    assert 0.1 <= time.monotonic() - start < 0.2
    start = time.monotonic()
    await user.type("commit")
    assert time.monotonic() - start >= 0.2


def test_the_longest_beginning_counts() -> None:
    delays = Delays({"display": 1.0, "display version": 2.0, "line": 3.0})
    assert delays.of("display version", "") == 2.0
    assert delays.of("display versions", "") == 1.0
    assert delays.of("vlan 10", "line") == 3.0
    assert delays.of("vlan 10", "") == 0.0


async def test_a_flash_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    user = User(device("h3c_comware", state=tmp_path / "nowhere" / "sw.json"))
    said = await user.type("save force")
    assert "Error: No such file or directory." in said
    assert said.endswith("<sw>")


def test_a_state_that_is_none_is_named(tmp_path: Path) -> None:
    state = tmp_path / "sw.json"
    state.write_text('{"startup": 1}')
    with pytest.raises(ValueError, match=r"sw\.json: expected a JSON object with startup and files"):
        device("h3c_comware", state=state)


# --- ports


def hook(folder: Path) -> tuple[tuple[str, ...], Path]:
    """A command that writes down what it is called with."""
    log = folder / "log"
    script = folder / "hook.sh"
    script.write_text(f'#!/bin/sh\necho "$*" >> {log}\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return (str(script),), log


async def test_shutting_a_port_is_done_when_the_prompt_comes(tmp_path: Path) -> None:
    command, log = hook(tmp_path)
    on = device("huawei_vrp8", driver=PortDriver(hook=command))
    user = User(on)
    await user.type("system-view", "interface GE1/0/1", "shutdown")
    assert not log.exists()
    await user.type("commit")
    assert log.read_text() == "GE1/0/1 down\n"
    await user.type("undo shutdown", "commit trial 600", "abort trial", "y")
    assert log.read_text() == "GE1/0/1 down\nGE1/0/1 up\nGE1/0/1 down\n"


async def test_a_timer_opens_the_port_again(tmp_path: Path) -> None:
    command, log = hook(tmp_path)
    on = device("h3c_comware", driver=PortDriver(hook=command), second_s=0.005)
    user = User(on)
    await user.type("system-view", "configuration commit delay 1", "interface g1/0/1", "shutdown")
    await eventually(lambda: log.read_text().count("\n") == 2)
    assert log.read_text() == "GigabitEthernet1/0/1 down\nGigabitEthernet1/0/1 up\n"


async def test_power_on_brings_ports_to_what_was_saved(tmp_path: Path) -> None:
    command, log = hook(tmp_path)
    config = "interface GigabitEthernet0/0/2\n shutdown\n#\n"
    on = device("huawei_vrp5", driver=PortDriver(hook=command), config=config)
    await on.power_on()
    assert "GigabitEthernet0/0/2 down" in log.read_text().split("\n")
    assert "GigabitEthernet0/0/1 up" in log.read_text().split("\n")


async def test_a_hook_that_fails_is_said_and_counted(capfd: pytest.CaptureFixture[str]) -> None:
    driver = PortDriver(hook=("/nowhere/hook",))
    on = device("huawei_vrp5", driver=driver)
    user = User(on)
    assert (await user.type("system-view", "interface GigabitEthernet0/0/1", "shutdown")).endswith("0/0/1]")
    assert driver.failures == 1
    assert "standins: /nowhere/hook GigabitEthernet0/0/1 down: " in capfd.readouterr().err


@pytest.mark.twin
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
async def test_shutdown_cuts_a_linux_interface() -> None:
    name = f"si{os.getpid() % 100000}"
    made = await asyncio.create_subprocess_exec("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}p")
    assert await made.wait() == 0
    try:
        on = device("ruijie_rgos", driver=PortDriver({"gi0/1": name}))
        await on.power_on()
        flags = Path(f"/sys/class/net/{name}/flags")
        assert int(flags.read_text(), 16) & 1
        user = User(on)
        await user.type("conf t", "interface gi 0/1", "shutdown")
        assert not int(flags.read_text(), 16) & 1
        await user.type("no shutdown")
        assert int(flags.read_text(), 16) & 1
    finally:
        gone = await asyncio.create_subprocess_exec("ip", "link", "del", name)
        await gone.wait()


def test_port_lists() -> None:
    assert expand_ports("GE1/0/1-3;MEth0/0/0") == ["GE1/0/1", "GE1/0/2", "GE1/0/3", "MEth0/0/0"]
    on = device("huawei_vrp5", driver=PortDriver({"g0/0/30": "eth3"}))
    assert "GigabitEthernet0/0/30" in on.ports
    assert on.driver.links == {"GigabitEthernet0/0/30": "eth3"}


# --- nothing brings one down


VOCABULARY = """
    system-view interface GE1/0/1 GigabitEthernet0/0/1 undo no vlan 10 20 to batch shutdown commit trial 60 abort y n c
    quit return exit end display show this current-configuration running-config configure terminal acl 3000 rule permit
    ip tcp source 10.0.0.1 0 any description port link-type trunk allow-pass all bgp 65001 peer as-number ospf 1 area
    network router neighbor save write force configuration delay replace file | include ? interface: {^} {0} % ^@ "x
    switchport mode access ip vrf forwarding binding vpn-instance A address 255.255.255.0 enable local-user password
    cipher username secret user-interface line vty reboot reload length screen-length temporary aaa
"""
WORDS = st.sampled_from(VOCABULARY.split())
LINES = st.lists(WORDS, max_size=7).map(" ".join)


@pytest.mark.parametrize("platform", PLATFORMS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(LINES, max_size=12))
def test_no_words_bring_it_down(platform: str, lines: list[str]) -> None:
    asyncio.run(_survives(platform, "".join(f"{line}\n" for line in lines).encode()))


@pytest.mark.parametrize("platform", PLATFORMS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys=st.binary(max_size=300))
def test_no_bytes_bring_it_down(platform: str, keys: bytes) -> None:
    asyncio.run(_survives(platform, b"system-view\nconfigure\n" + keys))


async def _survives(platform: str, keys: bytes) -> None:
    on = device(platform)
    user = User(on)
    if keys:
        await user.press(keys)
    await user.leave()
    user.task.result()
    other = User(on)
    assert (await other.greeting()).rstrip()[-1] in ">#"
    await other.leave()
    # Whatever was made of the configuration, the device can start with it.
    text = on.dialect.text(on.running)
    again = device(platform, config=text)
    assert again.dialect.render(again.running)[-1] == on.dialect.render(on.running)[-1]


@given(values=st.frozensets(st.integers(1, 4094), min_size=1))
def test_vlan_lists_read_back(values: frozenset[int]) -> None:
    assert numbers(ranges(values, to=" to ", between=" ")) == values
    assert numbers(ranges(values, to="-", between=",")) == values


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_negation_of_a_grammar_can_be_typed(platform: str) -> None:
    dialect = PLATFORMS[platform][0]
    grammar = load(GRAMMARS / dialect.grammar_file, dialect.tags)
    assert sum(len(view.rules) for view in grammar.views.values()) > 200


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("view system\n  a { b\n", "1: "),
        ("view system\n  a > nowhere\n", "opens view 'nowhere'"),
        ("view system\n  a :: sortd\n", "unknown 'sortd'"),
        ("a\n", "a command before the first view"),
    ],
)
def test_a_mistake_in_a_grammar_is_named(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "x.grammar"
    file.write_text(text)
    with pytest.raises(ValueError, match=said if said != "1: " else "x.grammar:2: '{' is not closed"):
        load(file)
