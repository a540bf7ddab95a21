"""Classes of traffic: who is trusted, how a line is shared, and that the kernel gives back what it was told."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.load import load_model
from inventory.model import ROUTERS, LinkKind, NetworkModel
from provision.environment import load_environment
from provision.platforms.linux import shape as device
from provision.render import render
from provision.render.qos import CLASSES, SHARE_MASK, marks, port_shape, shape, share_keys

TWIN = load_environment("twin")


@pytest.fixture(scope="module")
def model() -> NetworkModel:
    return load_model("shili")


def texts(model: NetworkModel, host: str) -> dict[str, str]:
    return {file.path: file.text for file in render(model, host, TWIN)}


def test_classes_share_the_whole_line_and_no_two_are_one() -> None:
    assert sum(each.percent for each in CLASSES) == 100
    for field in ("name", "dscp", "number"):
        assert len({getattr(each, field) for each in CLASSES}) == len(CLASSES)


def test_every_access_line_is_shaped_below_its_rate_at_both_ends_and_nothing_else_is(model: NetworkModel) -> None:
    seen = set()
    for host in model.by_role(*ROUTERS):
        links = json.loads(texts(model, host.name)["/etc/sanwang/network.json"])["namespaces"][""]["links"]
        for port in host.ports:
            if port.vrf:
                continue
            link = model.links[port.link]
            shaped = links[port.name].get("shape")
            assert bool(shaped) == (link.kind is LinkKind.ACCESS), (host.name, port.name)
            if shaped:
                seen.add(link.name)
                assert shaped["rate_bps"] == link.rate_bps * 95 // 100
                sure = sum(each["rate_bps"] for each in shaped["classes"].values())
                assert 0.999 * shaped["rate_bps"] < sure <= shaped["rate_bps"]
                queues = f'"{port.name}"'
                ruleset = texts(model, host.name)["/etc/nftables.conf"]
                assert queues in ruleset[ruleset.index("chain queues") :]
    assert seen == {link.name for link in model.links.values() if link.kind is LinkKind.ACCESS}


def test_every_mark_of_a_class_leads_to_its_queue(model: NetworkModel) -> None:
    ruleset = texts(model, "t01-rt")["/etc/nftables.conf"]
    found = re.search(r"priority set ip dscp map \{ (.*?) \}", ruleset)
    assert found
    pairs = dict(pair.split(" : ") for pair in found[1].split(", "))
    assert pairs == {each.dscp: f"1:{each.number}" for each in CLASSES}


def test_whoever_is_not_known_loses_his_mark(model: NetworkModel) -> None:
    for host in model.by_role(*ROUTERS):
        for path, text in texts(model, host.name).items():
            if not path.startswith("/etc/nftables.d/"):
                continue
            chain = text[text.index("chain marks") :].split("\n }", 1)[0].strip().splitlines()
            assert chain[-1].strip() == "ip dscp != cs0 ip dscp set cs0", (host.name, path)
            for line in chain[2:-1]:
                text_of = line.strip()
                assert text_of.startswith(("#", "type ", "iifname ", "ip saddr ")), (host.name, path, line)
                assert text_of.startswith(("#", "type ")) or text_of.endswith("return"), (host.name, path, line)


def test_a_hall_is_trusted_on_its_own_router_and_towards_the_relay_only(model: NetworkModel) -> None:
    hall = model.halls["t01"]
    for host in model.by_role(*ROUTERS):
        for vrf in host.vrfs:
            found = marks(model, host, vrf.name)
            if found is None:
                assert not vrf.name
                continue
            expected = host.site == hall.site and vrf.name == "gov"
            assert (hall.address in found.halls) == expected, (host.name, vrf.name)
            if expected:
                assert found.media == tuple(
                    (each.address, each.port) for each in model.services.values() if each.kind == "media"
                )


def test_training_servers_and_relays_are_trusted_where_they_stand(model: NetworkModel) -> None:
    lessons = next(each for each in model.services.values() if each.traffic_class == "training")
    core = model.hosts[f"{lessons.backends[0].centre}-core"]
    found = marks(model, core, lessons.network)
    assert found is not None
    assert (lessons.address, lessons.protocol, lessons.port, "af31") in found.services
    media = next(each for each in model.services.values() if each.kind == "media")
    beside = marks(model, model.hosts[f"{media.backends[0].centre}-core"], media.network)
    assert beside is not None
    assert (media.address, media.port) in beside.relays
    away = marks(model, model.hosts["t01-rt"], media.network)
    assert away is not None
    assert away.relays == ()


def test_a_faster_line_changes_its_two_ends_and_nothing_but_their_shape(model: NetworkModel) -> None:
    link = model.links["t01-c1"]
    faster = replace(model, links={**model.links, link.name: replace(link, rate_bps=10**9)})
    changed = {}
    for host in model.appliances():
        before, after = texts(model, host.name), texts(faster, host.name)
        if before != after:
            changed[host.name] = [path for path in after if before[path] != after[path]]
    assert changed == {end.host: ["/etc/sanwang/network.json"] for end in link.ends}


def test_the_exit_is_shared_by_site_and_names_none(model: NetworkModel) -> None:
    files = texts(model, model.firewall)
    links = json.loads(files["/etc/sanwang/network.json"])["namespaces"][""]["links"]
    shaped = {name: link["shape"] for name, link in links.items() if link.get("shape")}
    assert {line.port for line in model.exits} < set(shaped)
    for found in shaped.values():
        shares = [row for row in found["classes"].values() if row["parent"] == "60"]
        assert len(shares) == 64
        assert sum(row["rate_bps"] for row in shares) <= found["classes"]["60"]["rate_bps"] < found["rate_bps"]
    keys = dict(share_keys())
    mask = int(IPv4Address(SHARE_MASK))
    for code in ("t01", "b05", "s001"):
        number = model.sites[code].number
        classes = {keys[str(IPv4Address(int(each.address) & mask))] for each in model.endpoints if each.site == code}
        assert classes == {f"{0x100 + number % 64:x}"}
    assert "10.8.11" not in files["/etc/nftables.conf"][files["/etc/nftables.conf"].index("map shares") :].split("}")[0]


HTB = [
    {"kind": "htb", "handle": "1:", "dev": "p1", "root": True, "options": {"default": "0x50"}},
    {"kind": "pfifo", "handle": "10:", "dev": "p1", "parent": "1:10", "options": {"limit": 100}},
    {"kind": "fq_codel", "handle": "50:", "dev": "p1", "parent": "1:50", "options": {"limit": 10240}},
]
SAID = (
    "class htb 1:50 parent 1:1 leaf 50: prio 4 rate 23750Kbit ceil 95Mbit burst 1600b cburst 1579b \n"
    "class htb 1:10 parent 1:1 leaf 10: prio 0 rate 4750Kbit ceil 95Mbit burst 1600b cburst 1579b \n"
    "class htb 1:1 root rate 95Mbit ceil 95Mbit burst 1579b cburst 1579b \n"
)


def test_what_tc_says_becomes_a_shape() -> None:
    assert device.read(HTB, "p1", SAID) == {
        "rate_bps": 95_000_000,
        "default": "50",
        "classes": {
            "10": {
                "parent": "1",
                "prio": 0,
                "rate_bps": 4_750_000,
                "ceil_bps": 95_000_000,
                "queue": "pfifo",
                "limit": 100,
            },
            "50": {
                "parent": "1",
                "prio": 4,
                "rate_bps": 23_750_000,
                "ceil_bps": 95_000_000,
                "queue": "fq_codel",
                "limit": 10240,
            },
        },
    }
    assert device.read(HTB, "p2", "") == {}
    by_itself = [{"kind": "mq", "handle": "0:", "dev": "p1", "root": True}]
    assert device.read(by_itself, "p1", "") == {}
    by_hand = [{"kind": "tbf", "handle": "8001:", "dev": "p1", "root": True}]
    assert device.read(by_hand, "p1", "") == {"kind": "tbf"}


@given(st.text(max_size=200))
def test_no_words_of_tc_confuse_the_reader(words: str) -> None:
    assert device.read(HTB, "p1", words)["default"] == "50"


@pytest.fixture
def namespace() -> Iterator[str]:
    name = f"zqos{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    subprocess.run(["ip", "-n", name, "link", "add", "p1", "type", "veth", "peer", "name", "far"], check=True)
    yield name
    subprocess.run(["ip", "netns", "del", name], check=True)


def running(namespace: str) -> dict[str, Any]:
    def say(*words: str) -> str:
        return subprocess.run(["tc", "-n", namespace, *words], check=True, capture_output=True, text=True).stdout

    return device.read(json.loads(say("-j", "qdisc", "show") or "[]"), "p1", say("class", "show", "dev", "p1"))


@pytest.mark.twin
@pytest.mark.parametrize("rate_bps", [2_000_000, 100_000_000, 155_520_000, 1_000_000_000, 9_953_280_000])
def test_the_kernel_gives_back_what_it_was_told(model: NetworkModel, namespace: str, rate_bps: int) -> None:
    link = replace(model.links["t01-c1"], rate_bps=rate_bps)
    want, have = shape(link), {}
    assert want["classes"]["30"]["queue"] == "pfifo"
    by_hand = ["qdisc", "add", "dev", "p1", "root", "tbf", "rate", "1mbit", "burst", "4k", "latency", "50ms"]
    for goal in (want, {}, want):
        batch = "\n".join(device.lines("p1", goal, have)) + "\n"
        subprocess.run(["tc", "-n", namespace, "-batch", "-"], input=batch, text=True, check=True)
        have = running(namespace)
        assert have == goal
    subprocess.run(["tc", "-n", namespace, "qdisc", "del", "dev", "p1", "root"], check=True)
    subprocess.run(["tc", "-n", namespace, *by_hand], check=True)
    found = running(namespace)
    assert found == {"kind": "tbf"}
    batch = "\n".join(device.lines("p1", want, found)) + "\n"
    subprocess.run(["tc", "-n", namespace, "-batch", "-"], input=batch, text=True, check=True)
    assert running(namespace) == want


@pytest.mark.twin
def test_the_kernel_gives_back_classes_within_a_class(model: NetworkModel, namespace: str) -> None:
    firewall = model.hosts[model.firewall]
    want = port_shape(model, firewall, firewall.port(model.exits[0].port))
    batch = "\n".join(device.lines("p1", want, {})) + "\n"
    subprocess.run(["tc", "-n", namespace, "-batch", "-"], input=batch, text=True, check=True)
    assert running(namespace) == want
