"""Stand-ins over SSH, driven with plain netmiko as anybody would."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import pytest
from netmiko import BaseConnection, ConnectHandler
from netmiko.exceptions import NetmikoAuthenticationException

from tests.twin.user import device
from twin.standins.access import OneUser
from twin.standins.platforms import PLATFORMS
from twin.standins.server import listen

TYPES = {
    "huawei_vrp8": "huawei_vrpv8",
    "huawei_vrp5": "huawei",
    "h3c_comware": "hp_comware",
    "ruijie_rgos": "ruijie_os",
    "zte_zxr10": "zte_zxros",
}
LINES = {
    "huawei_vrp8": ["vlan batch 10 20", "interface GE1/0/1", "description to t01", "shutdown"],
    "huawei_vrp5": ["vlan batch 10 20", "interface GigabitEthernet0/0/1", "description to t01", "shutdown"],
    "h3c_comware": ["vlan 10 20", "interface GigabitEthernet1/0/1", "description to t01", "shutdown"],
    "ruijie_rgos": ["vlan range 10,20", "interface GigabitEthernet 0/1", "description to t01", "shutdown"],
    "zte_zxr10": ["interface gei-0/1/1/1", "description to t01", "shutdown"],
}
SHOW = dict.fromkeys(("ruijie_rgos", "zte_zxr10"), "show running-config")


@dataclass(frozen=True, slots=True)
class Farm:
    """One device of each platform on loopback, and a key for them."""

    ports: dict[str, int]
    key: Path

    def connect(self, platform: str, **more: object) -> BaseConnection:
        login = {"use_keys": True, "key_file": str(self.key)} if "password" not in more else {}
        return ConnectHandler(
            device_type=TYPES[platform], host="127.0.0.1", port=self.ports[platform], username="admin", **login, **more
        )


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    folder = tmp_path_factory.mktemp("standins")
    for name in ("host", "user"):
        asyncssh.generate_private_key("ssh-ed25519").write_private_key(folder / name)
    public = asyncssh.read_private_key(folder / "user").export_public_key().decode()
    (folder / "user.pub").write_text(public)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    access = OneUser("admin", "right", asyncssh.import_authorized_keys(public))
    ports: dict[str, int] = {}
    servers: list[asyncssh.SSHAcceptor] = []

    async def start(platform: str) -> asyncssh.SSHAcceptor:
        on = device(platform, vtys=2)
        return await listen(on, PLATFORMS[platform][1], access, "127.0.0.1", 0, folder / "host")

    for platform in PLATFORMS:
        servers.append(asyncio.run_coroutine_threadsafe(start(platform), loop).result(10))
        ports[platform] = servers[-1].get_port()
    yield Farm(ports, folder / "user")

    async def stop() -> None:
        for server in servers:
            server.close()
            await server.wait_closed()

    asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def configure(farm: Farm, platform: str) -> str:
    """What an operator's script does: log in, configure, save, look."""
    connection = farm.connect(platform)
    try:
        said = connection.send_config_set(LINES[platform])
        assert "Error" not in said, said
        assert "%" not in said.replace("%Info", "").replace("% Access VLAN", ""), said
        if platform == "huawei_vrp8":
            connection.commit()
        saved = connection.save_config()
        assert "success" in saved or "[OK]" in saved, saved
        shown = connection.send_command(SHOW.get(platform, "display current-configuration"), read_timeout=30)
        return str(shown)
    finally:
        connection.remote_conn_pre.close()  # netmiko's own disconnect waits seconds for nothing


def test_plain_netmiko_configures_every_platform(farm: Farm) -> None:
    with ThreadPoolExecutor(len(PLATFORMS)) as pool:
        shown = dict(zip(PLATFORMS, pool.map(lambda platform: configure(farm, platform), PLATFORMS), strict=True))
    for platform, text in shown.items():
        block = text.partition(LINES[platform][-3] + "\n")[2].partition("interface")[0]
        assert "description to t01" in block, text
        assert ("shutdown" in block) is (platform != "zte_zxr10"), text
        assert "More" not in text


async def greeted(farm: Farm, stack: AsyncExitStack, port: int) -> tuple[str, bool]:
    """What a login is shown first, and whether it is then closed; it stays open until the stack is."""
    connection = asyncssh.connect("127.0.0.1", port, username="admin", client_keys=[str(farm.key)], known_hosts=None)
    process = await (await stack.enter_async_context(connection)).create_process(term_type="vt100", encoding=None)
    said = b""
    while not (said.rstrip().endswith((b">", b"#")) or process.stdout.at_eof()):
        said += await asyncio.wait_for(process.stdout.read(4096), 5)
    return said.decode(), process.stdout.at_eof()


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_a_third_login_is_turned_away_when_two_vtys_are_taken(farm: Farm, platform: str) -> None:
    dialect, session = PLATFORMS[platform]
    access = OneUser("admin", None, asyncssh.import_authorized_keys(farm.key.with_suffix(".pub").read_text()))
    server = await listen(device(platform, vtys=2), session, access, "127.0.0.1", 0, farm.key.with_name("host"))
    async with server, AsyncExitStack() as stack:
        for _ in range(2):
            assert (await greeted(farm, stack, server.get_port()))[1] is False
        said, closed = await greeted(farm, stack, server.get_port())
        assert dialect.busy in said
        assert closed


@pytest.mark.parametrize(("password", "user"), [("wrong", "admin"), ("right", "root")])
def test_only_the_user_with_the_right_password_comes_in(farm: Farm, password: str, user: str) -> None:
    with pytest.raises((NetmikoAuthenticationException, Exception), match=r"uthentication|Pattern|closed"):
        ConnectHandler(
            device_type="huawei", host="127.0.0.1", port=farm.ports["huawei_vrp5"], username=user, password=password
        )


def test_a_password_will_do(farm: Farm) -> None:
    connection = farm.connect("h3c_comware", password="right")
    assert connection.find_prompt().startswith("<")
    connection.remote_conn_pre.close()


# --- the process


def program(folder: Path) -> list[str]:
    files = ["--authorized-keys", str(folder / "keys"), "--host-key", str(folder / "host")]
    return [sys.executable, "-m", "twin.standins", "--listen", "127.0.0.1:0", *files]


def start(folder: Path, *more: str) -> tuple[subprocess.Popen[str], dict[str, list[object]]]:
    key = asyncssh.generate_private_key("ssh-ed25519")
    key.write_private_key(folder / "user")
    (folder / "keys").write_text(key.export_public_key().decode())
    command = [*program(folder), *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    return process, json.loads(line)


def stopped(process: subprocess.Popen[str]) -> tuple[int, str]:
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    return process.returncode, said


def test_many_devices_in_one_process(tmp_path: Path) -> None:
    process, ready = start(
        tmp_path, "--platform", "huawei_vrp8", "--hostname", "b{n}-sw", "--count", "20",
        "--state", str(tmp_path / "b{n}.json"), "--delay-commit", "0.01",
    )  # fmt: skip
    try:
        assert ready["hostnames"][:2] == ["b1-sw", "b2-sw"]
        assert len(set(map(str, ready["ports"]))) == 20
        assert str(ready["host_key"]).startswith("ssh-ed25519 ")
        last = Farm({"huawei_vrp8": int(str(ready["ports"][19]))}, tmp_path / "user").connect("huawei_vrp8")
        assert last.find_prompt() == "<b20-sw>"
        last.remote_conn_pre.close()
    finally:
        assert stopped(process) == (0, "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("--listen", "nowhere"), "expected ADDRESS:PORT"),
        (("--port", "GE1/0/1"), "expected NAME=LINK"),
        (("--platform", "cisco"), "invalid choice"),
        (("--authorized-keys", "/nowhere/keys"), "/nowhere/keys"),
        (("--delays", "{folder}/delays.json"), "expected a JSON object of seconds"),
    ],
)
def test_bad_input_is_told(tmp_path: Path, change: tuple[str, ...], said: str) -> None:
    (tmp_path / "keys").write_text(asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode())
    (tmp_path / "delays.json").write_text("[1]")
    change = tuple(word.format(folder=tmp_path) for word in change)
    command = [*program(tmp_path), "--platform", "huawei_vrp8", "--hostname", "sw", *change]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == ""
