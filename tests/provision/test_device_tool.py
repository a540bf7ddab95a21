"""The device tool's pure parts: what differs, FRR's lines, optical power."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.load import load_model
from provision.environment import load_environment
from provision.platforms.linux import frr, netapply, network, running, spawn
from provision.render import render
from provision.render.files import PLATFORM


def wanted(host: str) -> dict[str, Any]:
    files = render(load_model("xiao"), host, load_environment("twin"))
    document: dict[str, Any] = json.loads(next(each.text for each in files if each.path == network.PATH))
    return document


def test_a_command_is_run_with_its_input_and_its_failure_is_told() -> None:
    long = "line\n" * 100_000  # more than any pipe holds
    assert spawn.run(["cat"], long) == long
    assert spawn.run(["cat"]) == "", "without a text there is no input to wait for"
    assert spawn.call(["sh", "-c", "echo out; echo err >&2; exit 7"]) == (7, "out\n", "err\n")
    assert spawn.call(["sh", "-c", "kill -9 $$"])[0] == -9
    with pytest.raises(spawn.DeviceError, match=r"^sh -c echo no >&2; exit 1: no$"):
        spawn.run(["sh", "-c", "echo no >&2; exit 1"])
    with pytest.raises(FileNotFoundError):
        spawn.run(["/nowhere/at/all"])
    opened = Path("/proc/self/fd")
    before = len([*opened.iterdir()])
    spawn.run(["true"])
    assert len([*opened.iterdir()]) == before


@pytest.mark.parametrize("vrf", ["", "gov", "mgmt"])
def test_a_state_that_is_as_wanted_differs_in_nothing(vrf: str) -> None:
    space = wanted("c1-core")["namespaces"][vrf]
    goal = network.desired(space, {"links": dict.fromkeys(space["links"])})
    assert list(network._differences(goal, json.loads(json.dumps(goal)))) == []


def test_every_kind_of_change_by_hand_is_named() -> None:
    space = wanted("t01-rt")["namespaces"]["gov"]
    goal = network.desired(space, {"links": {}})
    found = json.loads(json.dumps(goal))
    found["links"]["lan-gov"]["addresses"] = ["10.9.9.9/24"]
    found["links"]["vx-gov"]["fdb"] = []
    found["links"]["vx-new"] = {"kind": "vxlan", "up": True, "addresses": [], "master": ""}
    found["routes"].append({"prefix": "9.9.9.0/24", "table": "main", "dev": "lan-gov"})
    words = "\n".join(network._differences(goal, found))
    for expected in ("lan-gov addresses", "vx-gov fdb", "vx-new is not wanted", "9.9.9.0/24"):
        assert expected in words


def test_a_spare_port_that_is_shut_is_no_difference() -> None:
    goal: dict[str, Any] = {"links": {}, "routes": [], "rules": [], "sysctl": {}}
    port = {"kind": "port", "up": False, "addresses": [], "master": "", "mtu": 1500}
    assert list(network._differences(goal, goal | {"links": {"p9": port}})) == []
    assert list(network._differences(goal, goal | {"links": {"p9": port | {"up": True}}})) == ["p9 is not wanted"]


def test_an_overlay_that_moved_to_another_vni_is_made_anew() -> None:
    space = wanted("t01-rt")["namespaces"]["gov"]
    goal = network.desired(space, {"links": {}})["links"]["vx-gov"]
    assert not netapply._remade(goal, dict(goal))
    assert netapply._remade(goal, goal | {"id": 77})


def test_frr_lines_know_what_they_stand_under() -> None:
    text = "!\nrouter ospf\n ospf router-id 1.1.1.1\nexit\n!\nbfd\n profile a\n  receive-interval 5\n exit\nexit\n"
    assert frr.lines(text) == sorted(
        [
            "bfd",
            "bfd / profile a",
            "bfd / profile a / receive-interval 5",
            "router ospf",
            "router ospf / ospf router-id 1.1.1.1",
        ]
    )


@given(st.text(alphabet=" !abc\n/", max_size=80))
def test_any_text_of_frr_is_read(text: str) -> None:
    lines = frr.lines(text)
    assert lines == sorted(lines)


@given(st.lists(st.dictionaries(st.text(max_size=3), st.integers(), max_size=2), max_size=4), st.booleans())
def test_documents_of_ip_batch_are_taken_apart(documents: list[dict[str, int]], pretty: bool) -> None:
    text = "\n".join(json.dumps([each], indent=1 if pretty else None) for each in documents)
    assert list(network._documents(text)) == [[each] for each in documents]


@pytest.fixture
def optics(tmp_path: Path) -> Path:
    (tmp_path / "optics.tsv").write_text("nowhere0\t12\t-500\t-1050\nlo\t101\t-500\t-1110\n")
    (tmp_path / "optics.json").write_text('{"source": "budget"}\n')
    script = tmp_path / "optics"
    script.write_text((PLATFORM / "optics.awk").read_text().replace("/etc/sanwang", str(tmp_path)))
    return script


def ask(script: Path, *lines: str) -> list[str]:
    done = subprocess.run(
        ["mawk", "-W", "interactive", "-f", str(script)],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_optical_power_walks_in_order_and_ends(optics: Path) -> None:
    base = ".1.3.6.1.2.1.99.1.1.1"
    oid, found = base, []
    while (answer := ask(optics, "PING", "getnext", oid))[1] != "NONE":
        oid = answer[1]
        found.append(tuple(map(int, oid.split(".")[1:])))
    assert found == sorted(found)
    assert len(found) == 5 * 2 * 2


def test_a_port_without_carrier_has_no_light_and_goes_on_sending(optics: Path) -> None:
    base = ".1.3.6.1.2.1.99.1.1.1.4"
    assert ask(optics, "get", f"{base}.{100000 + 24}") == [f"{base}.100024", "integer", "-500"]
    assert ask(optics, "get", f"{base}.{100001 + 24}") == [f"{base}.100025", "integer", "-4000"]
    assert ask(optics, "get", f"{base}.{100001 + 202}") == [f"{base}.100203", "integer", "-1110"]
    assert ask(optics, "get", f"{base}.7") == ["NONE"]


def test_a_module_is_asked_for_its_own_power(optics: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = optics.parent
    (folder / "optics.json").write_text('{"source": "module"}\n')
    tool = folder / "ethtool"
    tool.write_text(
        "#!/bin/sh\n"
        'test "$1 $2" = "-m lo" || { echo "netlink error: Operation not supported" >&2; exit 1; }\n'
        "echo '\tLaser output power                        : 0.5623 mW / -2.50 dBm'\n"
        "echo '\tReceiver signal average optical power     : 0.0812 mW / -10.90 dBm'\n"
        "echo '\tLaser output power high alarm             : Off'\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    base = ".1.3.6.1.2.1.99.1.1.1.4"
    assert ask(optics, "get", f"{base}.{100000 + 202}") == [f"{base}.100202", "integer", "-250"]
    assert ask(optics, "get", f"{base}.{100001 + 202}") == [f"{base}.100203", "integer", "-1090"]
    assert ask(optics, "get", f"{base}.{100000 + 24}") == [f"{base}.100024", "integer", "-4000"]


def test_only_wireguard_peers_that_differ_are_touched() -> None:
    """Prefixes in another order, and where a peer was last seen, are no difference; another prefix is."""
    wanted = running.wireguard_blocks("[Peer]\nPublicKey = A=\nAllowedIPs = 10.2.0.0/16, 10.1.0.0/16\n")["A="]
    shown = "[Interface]\nListenPort = 5\n\n[Peer]\nPublicKey = A=\nAllowedIPs = 10.1.0.0/16, 10.2.0.0/16\n"
    have = running.wireguard_blocks(shown + "Endpoint = 198.18.0.2:51820\n")
    assert have[""] == {"ListenPort": "5"}
    assert running._as_wanted(wanted, have["A="])
    assert not running._as_wanted({**wanted, "AllowedIPs": "10.1.0.0/16"}, have["A="])
    assert not running._as_wanted(wanted, {**have["A="], "PersistentKeepalive": "25"})
