"""Switches of five vendors as hosts: power, cables that carry what the configuration says, logins, restarts."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncssh
import pytest

from inventory.hardware import HARDWARE
from inventory.places import Places
from tests.twin.small import switch_model
from tests.twin.user import eventually
from twin import faults, names, namespaces, usage
from twin.county import Twin
from twin.errors import TwinError

pytestmark = [pytest.mark.twin, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

SITES = {"huawei_vrp5": "s1", "huawei_vrp8": "s2", "h3c_comware": "s3", "ruijie_rgos": "s4", "zte_zxr10": "s5"}
JOIN = {
    "huawei_vrp5": ["system-view", "vlan batch 101",
                    "interface g0/0/1", "port link-type access", "port default vlan 101",
                    "interface g0/0/2", "port link-type access", "port default vlan 101", "return"],
    "huawei_vrp8": ["system-view", "vlan batch 101", "interface GE1/0/1", "port default vlan 101",
                    "interface GE1/0/2", "port default vlan 101", "commit", "return"],
    "h3c_comware": ["system-view", "vlan 101", "interface g1/0/1", "port access vlan 101",
                    "interface g1/0/2", "port access vlan 101", "return"],
    "ruijie_rgos": ["configure", "vlan 101", "interface gi 0/1", "switchport access vlan 101",
                    "interface gi 0/2", "switchport access vlan 101", "end"],
    "zte_zxr10": ["configure", "switchvlan-configuration", "vlan 101", "exit",
                  "interface gei-0/1/1/1", "switchport access vlan 101", "exit",
                  "interface gei-0/1/1/2", "switchport access vlan 101", "end"],
}  # fmt: skip
SHUT = {
    "huawei_vrp5": ["system-view", "interface g0/0/2", "shutdown", "return"],
    "huawei_vrp8": ["system-view", "interface GE1/0/2", "shutdown", "commit", "return"],
    "h3c_comware": ["system-view", "interface g1/0/2", "shutdown", "return"],
    "ruijie_rgos": ["configure", "interface gi 0/2", "shutdown", "end"],
    "zte_zxr10": ["configure", "interface gei-0/1/1/2", "shutdown", "end"],
}
MANAGE = {
    "huawei_vrp5": ["system-view", "vlan 104", "interface Vlanif104", "ip address {sw} 24",
                    "interface g0/0/3", "port link-type access", "port default vlan 104", "quit",
                    "ip route-static 10.99.0.0 16 {c}", "stelnet server enable", "aaa",
                    "local-user ops password irreversible-cipher {secret}", "local-user ops service-type ssh", "quit",
                    "ssh user ops authentication-type password", "ssh user ops service-type stelnet", "return"],
    "huawei_vrp8": ["system-view", "vlan 104", "interface Vlanif104", "ip address {sw} 24",
                    "interface GE1/0/3", "port default vlan 104", "quit",
                    "ip route-static 10.99.0.0 16 {c}", "stelnet server enable", "aaa",
                    "local-user ops password irreversible-cipher {secret}", "local-user ops service-type ssh", "quit",
                    "ssh user ops authentication-type password", "ssh user ops service-type stelnet", "commit",
                    "return"],
    "h3c_comware": ["system-view", "vlan 104", "interface Vlan-interface104", "ip address {sw} 24",
                    "interface g1/0/3", "port access vlan 104", "quit", "ip route-static 10.99.0.0 16 {c}",
                    "ssh server enable", "local-user ops class manage", "password simple {secret}", "service-type ssh",
                    "return"],
    "ruijie_rgos": ["configure", "vlan 104", "exit", "interface vlan 104", "ip address {sw} 255.255.255.0",
                    "interface gi 0/3", "switchport access vlan 104", "exit",
                    "ip route 10.99.0.0 255.255.0.0 {c}", "service password-encryption",
                    "username ops privilege 15 password {secret}", "end"],
    "zte_zxr10": ["configure", "interface vlan104", "ip address {sw} 255.255.255.0", "exit",
                  "switchvlan-configuration", "vlan 104", "exit", "interface gei-0/1/1/3",
                  "switchport access vlan 104", "exit", "exit", "ip route 10.99.0.0 255.255.0.0 {c}",
                  "system-user", "user-name ops", "password {secret}", "exit", "exit", "end"],
}  # fmt: skip
BAR = {
    "huawei_vrp5": ["system-view", "acl 2001", "rule 5 permit source {c} 0", "user-interface vty 0 4",
                    "acl 2001 inbound", "return"],
    "huawei_vrp8": ["system-view", "acl 2001", "rule 5 permit source {c} 0", "user-interface vty 0 4",
                    "acl 2001 inbound", "commit", "return"],
    "h3c_comware": ["system-view", "acl basic 2001", "rule permit source {c} 0", "line vty 0 63", "acl 2001 inbound",
                    "return"],
    "ruijie_rgos": ["configure", "ip access-list standard 1", "permit host {c}", "exit", "line vty 0 4",
                    "access-class 1 in", "end"],
    "zte_zxr10": ["configure", "ipv4-access-list ours", "rule 10 permit {c} 0.0.0.0", "exit",
                  "ssh server access-class ipv4 ours", "end"],
}  # fmt: skip
SAVE = {"huawei_vrp5": ["save", "y"], "huawei_vrp8": ["save", "y"], "h3c_comware": ["save force"],
        "ruijie_rgos": ["write"], "zte_zxr10": ["write"]}  # fmt: skip
REBOOT = {"huawei_vrp5": ["reboot", "y"], "huawei_vrp8": ["reboot", "y"], "h3c_comware": ["reboot", "y"],
          "ruijie_rgos": ["reload", "yes"], "zte_zxr10": ["reload system", "yes"]}  # fmt: skip
STATES = {
    "huawei_vrp5": ["screen-length 0 temporary", "display interface brief"],
    "huawei_vrp8": ["screen-length 0 temporary", "display interface brief"],
    "h3c_comware": ["screen-length disable", "display interface brief"],
    "ruijie_rgos": ["terminal length 0", "show interfaces status"],
    "zte_zxr10": ["terminal length 0", "show interface brief"],
}
WORDS = {"*down": "shut", "adm": "shut", "disabled": "shut", "down": "down", "up": "up"}
OOB_SHUT = {
    "huawei_vrp5": ["system-view", "interface MEth0/0/1", "shutdown"],
    "huawei_vrp8": ["system-view", "interface MEth0/0/0", "shutdown", "commit"],
    "h3c_comware": ["system-view", "interface M-GigabitEthernet0/0/0", "shutdown"],
    "ruijie_rgos": ["configure", "interface mgmt 0", "shutdown"],
    "zte_zxr10": ["configure", "interface mgmt_eth", "shutdown"],
}
SECRET = "Field-2026-night"


class Bench:
    """Five switches with their users, and a desk in the staging room."""

    def __init__(self, twin: Twin, key: asyncssh.SSHKey) -> None:
        self.twin = twin
        self.key = key

    def dial(self, address: str, at: str = "") -> socket.socket:
        """A connection to port 22, made at a host, or in the staging room. OSError when nobody answers."""
        made: list[socket.socket] = []
        room = names.namespace(self.twin.places.instance, at) if at else names.plant(self.twin.places.instance)
        namespaces.in_namespace(room, lambda: made.append(socket.create_connection((address, 22), timeout=3)))
        made[0].setblocking(False)
        return made[0]

    @asynccontextmanager
    async def login(self, address: str, user: str = "admin", password: str = "", at: str = "") -> AsyncIterator[Desk]:
        """Somebody at the command line. asyncssh.PermissionDenied when the switch does not know him."""
        way: dict[str, object] = (
            {"password": password, "client_keys": None} if password else {"client_keys": [self.key]}
        )
        connection = asyncssh.connect(
            "sw",
            sock=await asyncio.to_thread(self.dial, address, at),
            username=user,
            known_hosts=None,
            config=None,
            agent_path=None,
            **way,
        )
        async with connection as line, line.create_process(term_type="vt100") as process:
            yield Desk(process)

    def staging(self, host: str) -> str:
        staging = self.twin.model.hosts[host].staging
        assert staging is not None
        return str(staging.ip)

    async def reaches(self, host: str, address: str) -> bool:
        done = await asyncio.to_thread(self.twin.run, host, ["ping", "-c1", "-W1", address])
        return done.returncode == 0

    async def within(self, seconds: float, host: str, address: str, *, reached: bool) -> None:
        """Until a host reaches an address, or does not."""
        async with asyncio.timeout(seconds):
            while await self.reaches(host, address) != reached:  # noqa: ASYNC110 - a ping is all there is to ask
                await asyncio.sleep(0.05)

    async def lit(self, host: str, *, light: bool) -> None:
        """Until the light at a user's only port is there, or is not."""
        port = self.twin.model.hosts[host].ports[0].name
        async with asyncio.timeout(5):
            while ("LOWER_UP" in self.twin.run(host, ["ip", "link", "show", port]).stdout) != light:  # noqa: ASYNC110
                await asyncio.sleep(0.05)


class Desk:
    """Types, and reads until the prompt."""

    def __init__(self, process: asyncssh.SSHClientProcess[str]) -> None:
        self._process = process

    async def type(self, *lines: str) -> str:
        shown = ""
        for line in ("", *lines):
            self._process.stdin.write(line + "\n")
            shown += await self._until_quiet()
        return shown.replace("\r\n", "\n")

    async def shows(self, display: list[str], expected: dict[str, str]) -> None:
        """Until a display says of some ports that they are up, down or shut; the kernel may be a second late."""
        async with asyncio.timeout(5):
            while (await self.states(display, list(expected))) != list(expected.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    async def states(self, display: list[str], ports: list[str]) -> list[str]:
        text = await self.type(*display)
        lines = [next(line for line in text.split("\n") if line.startswith(f"{port} ")) for port in ports]
        rest = [line.removeprefix(port).lower().split() for line, port in zip(lines, ports, strict=True)]
        if "Admin Phy" in text:  # two columns say it: nobody shut it, and it has light
            return ["shut" if words[3] == "down" else words[4] for words in rest]
        return [next(WORDS[word] for word in words if word in WORDS) for words in rest]

    async def cut(self, *lines: str) -> None:
        """Type lines of which the last one takes the answer with it."""
        await self.type(*lines[:-1])
        self._process.stdin.write(lines[-1] + "\n")

    async def _until_quiet(self) -> str:
        """What comes until the device waits: a prompt or a question stands at the end."""
        text = ""
        async with asyncio.timeout(10):
            while not text.rstrip("\n").endswith(("]", ">", "#", ":")) or text.endswith("\n"):
                more = await self._process.stdout.read(4096)
                if not more:
                    return text
                text += more
        return text


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    key = asyncssh.generate_private_key("ssh-ed25519")
    twin = Twin(switch_model(), Places("zwtest"))
    twin.up(bootstrap_key=key.export_public_key().decode())
    try:
        namespaces.ip_batch(["address add 100.97.0.1/15 dev staging"], names.plant("zwtest"))
        yield Bench(twin, key)
    finally:
        twin.down()


async def everywhere(bench: Bench, step: Callable[[Bench, str], Coroutine[None, None, None]]) -> None:
    """The same on every platform, at the same time: most of it is waiting."""
    async with asyncio.TaskGroup() as group:
        for platform in SITES:
            group.create_task(step(bench, platform), name=platform)


async def test_frames_go_where_the_configuration_says(bench: Bench) -> None:
    await everywhere(bench, frames)


async def test_a_switch_is_managed_in_band_by_the_users_it_knows(bench: Bench) -> None:
    await everywhere(bench, in_band)


async def test_power_is_lost_and_comes_back_with_what_was_saved(bench: Bench) -> None:
    await everywhere(bench, power)


async def frames(bench: Bench, platform: str) -> None:
    site = SITES[platform]
    number = site[1]
    assert await bench.reaches(f"{site}-a", f"10.8.{number}.3")  # out of the box, every port is in VLAN 1
    async with bench.login(bench.staging(f"{site}-sw")) as desk:
        await desk.type(*JOIN[platform])
        assert await bench.reaches(f"{site}-a", f"10.8.{number}.2")
        assert not await bench.reaches(f"{site}-a", f"10.8.{number}.3")
        await desk.type(*SHUT[platform])
        await bench.lit(f"{site}-b", light=False)
        assert not await bench.reaches(f"{site}-a", f"10.8.{number}.2")
        ports = [HARDWARE[platform].port(place) for place in (1, 2, 3, 4)]
        await desk.shows(
            STATES[platform], dict(zip(ports, ("up", "shut", "up", "down"), strict=True))
        )  # the last is spare
        cut = await asyncio.to_thread(faults.cut, bench.twin, f"{site}-a")
        await desk.shows(STATES[platform], {ports[0]: "down"})
        await asyncio.to_thread(faults.heal, bench.twin, cut)
        await desk.shows(STATES[platform], {ports[0]: "up"})
        port = bench.twin.model.hosts[f"{site}-c"].ports[0].name
        bench.twin.run(f"{site}-c", ["ip", "link", "set", port, "down"])
        await desk.shows(STATES[platform], {ports[2]: "down"})
        bench.twin.run(f"{site}-c", ["ip", "link", "set", port, "up"])
        await desk.shows(STATES[platform], {ports[2]: "up"})
        await bench.lit(f"{site}-c", light=True)


async def in_band(bench: Bench, platform: str) -> None:
    site = SITES[platform]
    words = {"sw": f"10.8.{site[1]}.14", "c": f"10.8.{site[1]}.3", "secret": SECRET}
    switch, desk_host = f"{site}-sw", f"{site}-c"

    def typed(lines: dict[str, list[str]]) -> list[str]:
        return [line.format(**words) for line in lines[platform]]

    async with bench.login(bench.staging(switch)) as desk:
        await desk.type(*typed(MANAGE), *SAVE[platform])
    assert await bench.reaches(desk_host, words["sw"])
    async with bench.login(words["sw"], "ops", SECRET, desk_host) as desk:
        assert "10.99.0.0" in bench.twin.run(switch, ["ip", "route"]).stdout
        await desk.type(*typed(BAR))
    with pytest.raises(asyncssh.PermissionDenied):
        async with bench.login(words["sw"], "ops", "wrong", desk_host):
            pass
    with pytest.raises(asyncssh.PermissionDenied):  # the installer's key is for the staging room
        async with bench.login(words["sw"], at=desk_host):
            pass
    with pytest.raises((asyncssh.Error, OSError)):  # the staging room is not on the list
        async with bench.login(bench.staging(switch)):
            pass
    async with bench.login(words["sw"], "ops", SECRET, desk_host) as desk:
        await desk.type(*REBOOT[platform])
        started = time.monotonic()
        await bench.within(30, desk_host, words["sw"], reached=False)
    await bench.within(60, desk_host, words["sw"], reached=True)
    assert 2 < time.monotonic() - started < 12
    async with bench.login(words["sw"], "ops", SECRET, desk_host) as desk:  # the saved password is still his
        await desk.type("")
    async with bench.login(bench.staging(switch)) as desk:  # the list was not saved
        await desk.type("")


async def power(bench: Bench, platform: str) -> None:
    site = SITES[platform]
    switch, desk_host, address = f"{site}-sw", f"{site}-c", f"10.8.{site[1]}.14"
    pair = bench.twin.state.host(switch)
    assert pair is not None
    pair[1].kill()  # as a crash does: nobody told the twin
    await eventually(lambda: not bench.twin.state.host(switch)[1].alive)  # type: ignore[index]
    await asyncio.to_thread(bench.twin.restart_host, switch)
    async with bench.login(address, "ops", SECRET, desk_host) as desk:
        await desk.type("")
    fault = await asyncio.to_thread(faults.kill_host, bench.twin, switch)
    assert not await bench.reaches(f"{site}-a", f"10.8.{site[1]}.2")
    await asyncio.to_thread(faults.heal, bench.twin, fault)
    await bench.within(30, desk_host, address, reached=True)
    await asyncio.to_thread(bench.twin.factory_reset, switch, bench.key.export_public_key().decode())
    await bench.within(30, f"{site}-a", f"10.8.{site[1]}.3", reached=True)
    await bench.lit(f"{site}-b", light=True)
    assert not await bench.reaches(desk_host, address)
    async with bench.login(bench.staging(switch)) as desk:
        assert "ops" not in await desk.type("")
        await desk.cut(*OOB_SHUT[platform])
    await eventually(lambda: "DOWN" in bench.twin.run(switch, ["ip", "-br", "link", "show", "stg0"]).stdout)


async def test_switches_outlive_their_parent_and_find_another(bench: Bench) -> None:
    parent = bench.twin.state.helpers()["switches"]
    parent.kill()
    await eventually(lambda: not parent.alive)
    assert await bench.reaches("s2-a", "10.8.2.3")
    await asyncio.to_thread(bench.twin.restart_host, "s1-sw")
    await bench.within(30, "s1-a", "10.8.1.3", reached=True)
    assert bench.twin.state.helpers()["switches"].alive


async def test_a_switch_that_does_not_start_says_why(bench: Bench) -> None:
    state = bench.twin.places.hosts / "s3-sw" / "startup.json"
    state.write_text("{")
    with pytest.raises(TwinError, match=r"s3-sw did not start: ValueError: .*startup.json: expected a JSON object"):
        await asyncio.to_thread(bench.twin.restart_host, "s3-sw")
    state.unlink()
    await asyncio.to_thread(bench.twin.restart_host, "s3-sw")
    await bench.within(30, "s3-a", "10.8.3.3", reached=True)


def test_what_a_switch_costs(bench: Bench) -> None:
    """Beside what all share: the county has a hundred times as many hosts and one machine."""
    pids = [process.pid for host, (process, _) in bench.twin.state.running().items()]
    private = []
    for pid in pids:
        rows = dict(line.split(":") for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
        private.append(int(rows["Private_Dirty"].split()[0]) / 1000)
    print("private memory of each switch, MB:", private)
    assert len(private) == 5
    assert max(private) < 12
    before = sum(usage.ticks(pid) for pid in pids)
    time.sleep(2)
    assert sum(usage.ticks(pid) for pid in pids) - before <= 1
