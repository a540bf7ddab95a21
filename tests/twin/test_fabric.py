"""Whatever is typed, in whatever order: the kernel's bridges are what the displayed configuration says."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv4Network

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from inventory.hardware import HARDWARE
from tests.twin.user import User, device
from twin import namespaces
from twin.leaf import SWITCH_SYSCTLS
from twin.standins.fabric import Fabric
from twin.standins.platforms import PLATFORMS

ROOM = f"zwfab{os.getpid() % 10000}"
LINKS = ("p1", "p2", "p3")

VRP_EDITS = [
    ("vlan {v}", "quit"),
    ("undo vlan {v}",),
    ("interface {p}", "port link-type access", "quit"),
    ("interface {p}", "port default vlan {v}", "quit"),
    ("interface {p}", "undo port default vlan", "quit"),
    ("interface {p}", "port link-type trunk", "port trunk pvid vlan {v}", "port trunk allow-pass vlan {v}", "quit"),
    ("interface {p}", "undo port trunk allow-pass vlan {v}", "quit"),
    ("interface {p}", "undo port trunk pvid vlan", "undo port trunk allow-pass vlan all", "quit"),
    ("interface {p}", "port link-type hybrid", "port hybrid pvid vlan {v}", "port hybrid untagged vlan {v}", "quit"),
    ("interface {p}", "undo port hybrid vlan {v}", "quit"),
    ("interface {p}", "shutdown", "quit"),
    ("interface {p}", "undo shutdown", "quit"),
    ("interface Vlanif{v}", "ip address 10.{v}.0.1 24", "quit"),
    ("interface Vlanif{v}", "shutdown", "quit"),
    ("interface Vlanif{v}", "undo shutdown", "quit"),
    ("undo interface Vlanif{v}",),
    ("ip route-static 10.200.0.0 16 10.{v}.0.9",),
    ("undo ip route-static 10.200.0.0 16 10.{v}.0.9",),
]
IOS_EDITS = [
    ("interface {p}", "shutdown", "exit"),
    ("interface {p}", "no shutdown", "exit"),
    ("interface vlan {v}", "ip address 10.{v}.0.1 255.255.255.0", "exit"),
    ("interface vlan {v}", "no ip address", "exit"),
    ("no interface vlan {v}",),
    ("ip route 10.200.0.0 255.255.0.0 10.{v}.0.9",),
    ("no ip route 10.200.0.0 255.255.0.0 10.{v}.0.9",),
]
EDITS = {
    "huawei_vrp5": VRP_EDITS,
    "huawei_vrp8": [(*lines, "commit") for lines in VRP_EDITS],
    "h3c_comware": [
        tuple(
            line.replace("Vlanif", "Vlan-interface").replace("default vlan", "access vlan")
            .replace("allow-pass", "permit").replace("hybrid untagged vlan {v}", "hybrid vlan {v} untagged")
            for line in lines
        )
        for lines in VRP_EDITS
    ],
    "ruijie_rgos": [
        *IOS_EDITS,
        ("vlan {v}", "exit"),
        ("no vlan {v}",),
        ("interface {p}", "switchport access vlan {v}", "exit"),
        ("interface {p}", "no switchport access vlan", "exit"),
        ("interface {p}", "switchport mode trunk", "switchport trunk native vlan {v}", "exit"),
        ("interface {p}", "switchport trunk allowed vlan remove {v}", "exit"),
        ("interface {p}", "switchport mode access", "exit"),
    ],
    "zte_zxr10": [
        *IOS_EDITS,
        ("switchvlan-configuration", "vlan {v}", "exit", "exit"),
        ("switchvlan-configuration", "no vlan {v}", "exit"),
        ("switchvlan-configuration", "interface {p}", "switchport access vlan {v}", "exit", "exit"),
        ("switchvlan-configuration", "interface {p}", "switchport mode trunk", "switchport trunk native vlan {v}",
         "exit", "exit"),
        ("switchvlan-configuration", "interface {p}", "switchport mode access", "exit", "exit"),
    ],
}  # fmt: skip
ENTER = {"ruijie_rgos": "configure", "zte_zxr10": "configure"}


@dataclass(slots=True)
class Seen:
    """A switching part, as somebody sees it: in a printed configuration, or in the kernel."""

    vlans: set[int] = field(default_factory=set)
    members: dict[str, int] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)
    addresses: dict[int, str] = field(default_factory=dict)
    routes: set[tuple[str, str]] = field(default_factory=set)


def numbers(text: str) -> set[int]:
    """``1 5 to 7`` or ``1,5-7``."""
    pairs = re.findall(r"(\d+)(?:(?: to |-)(\d+))?", text)
    return {number for low, high in pairs for number in range(int(low), int(high or low) + 1)}


def blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    """Every line at the margin, or with one blank before it on Comware, and what stands further in."""
    head, inside = "", []
    for line in text.splitlines():
        if line.startswith(" ") and head:
            inside.append(line.strip())
        else:
            if head:
                yield head, inside
            head, inside = line, []
    yield head, inside


def printed(platform: str, text: str, ports: dict[str, str]) -> Seen:
    """What a reader of the printed configuration expects."""
    seen = Seen({1})
    hops: set[tuple[str, str]] = set()
    access: dict[str, dict[str, list[str]]] = {}
    for head, inside in blocks(text):
        if found := re.fullmatch(r"vlan(?: batch| range)? ([\d, to-]+)", head):
            seen.vlans |= numbers(found[1])
        elif head == "switchvlan-configuration":
            part = "\n".join(inside)
            seen.vlans |= {int(number) for number in re.findall(r"^vlan (\d+)$", part, re.MULTILINE)}
            for port, lines in re.findall(r"^interface (\S+)$(.*?)^\$$", part, re.MULTILINE | re.DOTALL):
                access.setdefault(port, {})["more"] = lines.strip().splitlines()
        elif found := re.match(r"interface (.+)", head):
            access.setdefault(found[1], {})["lines"] = inside
        for line in (head, *inside):
            if found := re.match(r" ?ip route(?:-static)? (\S+) (\S+) (10\S+)", line):
                hops.add((str(IPv4Network(f"{found[1]}/{found[2]}")), found[3]))
    for name, parts in access.items():
        lines = [*parts.get("lines", []), *parts.get("more", [])]
        if found := re.fullmatch(r"(?:Vlanif|Vlan-interface|VLAN |vlan)(\d+)", name):
            for line in lines:
                if "shutdown" not in lines and line.startswith("ip address"):
                    seen.addresses[int(found[1])] = str(IPv4Interface("/".join(line.split()[2:4])))
        elif name in ports:
            closed = "no shutdown" not in lines if platform == "zte_zxr10" else "shutdown" in lines
            seen.down |= {ports[name]} if closed else set()
            vlan = untagged(platform, lines)
            if vlan in seen.vlans:
                seen.members[ports[name]] = vlan
    for port, link in ports.items():
        if platform == "zte_zxr10" and port not in access:
            seen.members[link] = 1
    seen.addresses = {vlan: address for vlan, address in seen.addresses.items() if vlan in seen.vlans}
    networks = [IPv4Interface(address).network for address in seen.addresses.values()]
    best: dict[str, str] = {}
    for prefix, hop in hops:
        if any(IPv4Interface(hop).ip in network for network in networks):
            best[prefix] = min(best.get(prefix, hop), hop)
    seen.routes = set(best.items())
    return seen


def untagged(platform: str, lines: list[str]) -> int:
    """The VLAN of a port's frames without a tag; 0: they are dropped."""
    text = "\n".join(lines)

    def number(pattern: str, otherwise: int = 1) -> int:
        found = re.search(pattern, text)
        return int(found[1]) if found else otherwise

    if platform in ENTER:
        if "switchport mode trunk" not in text:
            return number(r"switchport access vlan (\d+)")
        vlan = number(r"switchport trunk native vlan (\d+)")
        allowed = re.search(r"allowed vlan only (\S+)", text)
        return vlan if allowed is None or vlan in numbers(allowed[1]) else 0
    if "port link-type trunk" in text:
        vlan = number(r"port trunk pvid vlan (\d+)")
        listed = re.findall(r"^port trunk (?:allow-pass|permit) vlan (.+)$", text, re.MULTILINE)
        passed = {1} - (
            {1} if re.search(r"undo port trunk (?:allow-pass|permit) vlan 1$", text, re.MULTILINE) else set()
        )
        return vlan if vlan in passed.union(*map(numbers, listed)) else 0
    hybrid = "port link-type hybrid" in text or (platform == "huawei_vrp5" and "port link-type" not in text)
    if hybrid:
        vlan = number(r"port hybrid pvid vlan (\d+)")
        listed = re.findall(r"^port hybrid untagged vlan (.+)$|^port hybrid vlan (.+) untagged$", text, re.MULTILINE)
        return vlan if vlan in {1}.union(*(numbers(one or other) for one, other in listed)) else 0
    return number(r"port (?:default|access) vlan (\d+)")


def kernel() -> Seen:
    """What the namespace of the calling thread really looks like."""

    def ask(*words: str) -> list[dict[str, object]]:
        done = subprocess.run(["ip", "-j", *words], capture_output=True, text=True, check=True)
        rows: list[dict[str, object]] = json.loads(done.stdout or "[]")
        return rows

    seen = Seen()
    for row in ask("address"):
        name, flags = str(row["ifname"]), row["flags"]
        assert isinstance(flags, list)
        if name.startswith("vlan"):
            vlan = int(name.removeprefix("vlan"))
            seen.vlans.add(vlan)
            assert "UP" in flags
            infos = row["addr_info"]
            assert isinstance(infos, list)
            for info in infos:
                assert vlan not in seen.addresses
                seen.addresses[vlan] = f"{info['local']}/{info['prefixlen']}"
        elif name in LINKS:
            if "UP" not in flags:
                seen.down.add(name)
            if "master" in row:
                seen.members[name] = int(str(row["master"]).removeprefix("vlan"))
    seen.routes = {(str(row["dst"]), str(row["gateway"])) for row in ask("route", "show", "proto", "static")}
    return seen


@pytest.mark.twin
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("platform", PLATFORMS)
@settings(
    max_examples=3, deadline=None, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(data=st.data())
def test_the_kernel_is_what_the_configuration_says(platform: str, data: st.DataObject) -> None:
    typing = st.tuples(st.sampled_from(EDITS[platform]), st.sampled_from((10, 20, 30)), st.sampled_from((1, 2, 3)))
    edits = data.draw(st.lists(typing, min_size=15, max_size=30))
    namespaces.create({ROOM: SWITCH_SYSCTLS})
    try:
        namespaces.ip_batch([f"link add {link} type veth peer name far{link}" for link in LINKS], ROOM)
        namespaces.ip_batch([f"link set far{link} up" for link in LINKS], ROOM)
        namespaces.in_namespace(ROOM, lambda: asyncio.run(follow(platform, edits)))
    finally:
        namespaces.delete([ROOM])


async def follow(platform: str, edits: list[tuple[tuple[str, ...], int, int]]) -> None:
    ports = {HARDWARE[platform].port(number): f"p{number}" for number in (1, 2, 3)}
    driver = Fabric(dict(ports), "02:56:00:01:00:0e")
    on = device(platform, driver=driver)
    await on.power_on()
    assert kernel() == printed(platform, on.dialect.text(on.running), ports)
    user = User(on)
    await user.type(ENTER.get(platform, "system-view"))
    for lines, vlan, port in edits:
        await user.type(*[line.format(v=vlan, p=HARDWARE[platform].port(port)) for line in lines])
        assert kernel() == printed(platform, on.dialect.text(on.running), ports), lines
    on.reboot()  # nothing was saved
    await on.settle()
    assert kernel() == printed(platform, on.dialect.text(on.running), ports)
    assert driver.failures == 0


@pytest.mark.twin
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_a_namespace_that_somebody_else_changed_is_made_right(capfd: pytest.CaptureFixture[str]) -> None:
    async def go() -> None:
        driver = Fabric({"GE1/0/1": "p1"}, "02:56:00:01:00:0e")
        on = device("huawei_vrp8", driver=driver, config="vlan batch 10\n#\ninterface GE1/0/1\n port default vlan 10\n")
        await on.power_on()
        await asyncio.to_thread(namespaces.ip_batch, ["link del vlan10"], ROOM)
        user = User(on)
        await user.type("system-view", "undo interface Vlanif10", "interface GE1/0/1", "undo port default vlan")
        await user.type("quit", "undo vlan 10", "commit")
        assert driver.failures == 1
        assert kernel() == Seen({1}, {"p1": 1})
        await user.leave()

    namespaces.create({ROOM: SWITCH_SYSCTLS})
    try:
        namespaces.ip_batch(["link add p1 type veth peer name far1"], ROOM)
        namespaces.in_namespace(ROOM, lambda: asyncio.run(go()))
    finally:
        namespaces.delete([ROOM])
    assert "the namespace is not as it was left" in capfd.readouterr().err
