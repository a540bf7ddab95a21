"""What the agent reads from outside: bytes of daemons, files and clients, good and bad."""

from __future__ import annotations

import base64
import json
import socket
import struct
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.agent import config, http, neighbours, routing, services, state, vpn, vty

SETTINGS: dict[str, Any] = {
    "host": "c1-core",
    "management": "10.32.1.1",
    "management_vrf": "mgmt",
    "nms": "10.32.2.6",
    "collector": "10.32.2.6:9810",
    "reflectors": [{"vrf": "gov", "address": "10.8.1.1"}],
    "senders": [
        {"name": "c1-core-t01-rt", "vrf": "gov", "source": "10.8.1.1", "target": "10.8.11.1", "interval_ms": 500}
    ],
}


def test_configuration_is_read(tmp_path: Path) -> None:
    path = tmp_path / "agent.json"
    path.write_text(json.dumps(SETTINGS))
    found = config.load(path)
    assert found.collector == ("10.32.2.6", 9810)
    assert found.reflectors == (config.Reflector("gov", "10.8.1.1"),)
    assert found.senders[0].target == "10.8.11.1"


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("host", None, "host: found None, expected a string"),
        ("management", "10.32.1", "management: found '10.32.1', expected an IPv4 address"),
        ("collector", "10.32.2.6", "collector: found '10.32.2.6', expected address:port"),
        ("reflectors", {}, "reflectors: found dict, expected a list"),
        ("senders", [{**SETTINGS["senders"][0], "interval_ms": 1}], r"senders\[0\].interval_ms: found 1"),
        ("senders", [{**SETTINGS["senders"][0], "target": "x"}], r"senders\[0\].target: found 'x'"),
    ],
)
def test_configuration_errors_name_the_key(key: str, value: object, words: str) -> None:
    with pytest.raises(config.ConfigError, match=words):
        config.parse({**SETTINGS, key: value})


def test_missing_configuration_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(config.ConfigError, match=str(tmp_path / "no.json")):
        config.load(tmp_path / "no.json")


@given(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])), st.integers(0, 255), st.binary())
def test_vty_answer(text: str, status: int, rest: bytes) -> None:
    wire = text.encode() + bytes(3) + bytes([status])
    assert vty.split_answer(wire + rest) == (text, status, len(wire))
    for cut in range(len(wire)):
        assert vty.split_answer(wire[:cut]) is None


@given(st.binary(max_size=40))
def test_runit_status_is_parsed_or_refused(data: bytes) -> None:
    if len(data) == 20 and data[19] in (0, 1, 2):
        state, pid, _ = services.parse_status(data)
        assert state in ("stopped", "stopping", "down", "run", "finish", "paused")
        assert pid == int.from_bytes(data[12:16], "little")
    else:
        with pytest.raises(services.BadStatus):
            services.parse_status(data)


def test_a_frozen_and_a_dead_daemon_do_not_count_as_running(tmp_path: Path) -> None:
    import os
    import signal
    import subprocess

    process = subprocess.Popen(["sleep", "60"])
    try:
        stamp = struct.pack(">QI", 4611686018427387914 + 1_700_000_000, 0)
        for name, pid in (("good", process.pid), ("dead", 2**22 - 1)):
            folder = tmp_path / name / "supervise"
            folder.mkdir(parents=True)
            (folder / "status").write_bytes(stamp + struct.pack("<I", pid) + bytes([0]) + b"u" + bytes([0, 1]))
        (tmp_path / "never").mkdir()
        folder = tmp_path / "leaving" / "supervise"
        folder.mkdir(parents=True)
        (folder / "status").write_bytes(stamp + struct.pack("<I", process.pid) + bytes([0]) + b"d" + bytes([1, 1]))
        found = services.read_services(tmp_path)
        assert (found["leaving"]["up"], found["leaving"]["state"]) == (False, "stopping")
        assert found["good"] == {"up": True, "state": "run", "pid": process.pid, "since": 1_700_000_000}
        assert found["dead"]["state"] == "down"
        assert found["never"]["state"] == "unsupervised"
        os.kill(process.pid, signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        assert services.read_services(tmp_path)["good"]["state"] == "frozen"
    finally:
        process.kill()
        process.wait()


def test_bfd_ospf_and_bgp_as_frr_writes_them() -> None:
    bfd = [{"peer": "172.20.0.3", "vrf": "default", "interface": "p1", "status": "up", "diagnostic": "ok"}]
    assert routing.bfd_sessions(bfd)["/172.20.0.3"]["up"] is True
    ospf = {"default": {"neighbors": {"172.16.0.2": [{"nbrState": "Full/-", "ifaceName": "p1:172.20.0.2"}]}}}
    assert routing.ospf_adjacencies(ospf)["/p1/172.16.0.2"]["full"] is True
    bgp = {"gov": {"peers": {"100.65.255.2": {"state": "Active"}}}}
    assert routing.bgp_peers(bgp) == {
        "gov/100.65.255.2": {"vrf": "gov", "peer": "100.65.255.2", "state": "Active", "up": False}
    }


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["default", "neighbors", "peers", "peer", "gov"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_values)
def test_daemons_json_is_read_or_refused_with_value_error(document: Any) -> None:
    for parse in (routing.bfd_sessions, routing.ospf_adjacencies, routing.bgp_peers):
        try:
            parse(document)
        except ValueError:
            continue


def test_wireguard_uapi() -> None:
    key = bytes(range(32))
    text = (
        f"private_key={'00' * 32}\nlisten_port=51820\npublic_key={key.hex()}\npreshared_key={'00' * 32}\n"
        "endpoint=198.18.38.70:51820\nlast_handshake_time_sec=1700000000\nlast_handshake_time_nsec=5\n"
        "tx_bytes=10\nrx_bytes=20\npersistent_keepalive_interval=25\nallowed_ip=10.33.145.1/32\n"
        "allowed_ip=10.9.145.0/24\nerrno=0\n\n"
    )
    name = f"wg0/{base64.b64encode(key).decode()}"
    found = vpn.parse_uapi("wg0", text)
    assert found == {
        name: {
            "interface": "wg0",
            "public_key": base64.b64encode(key).decode(),
            "endpoint": "198.18.38.70:51820",
            "handshake": 1_700_000_000,
            "rx_bytes": 20,
            "tx_bytes": 10,
            "allowed": ["10.33.145.1/32", "10.9.145.0/24"],
        }
    }
    assert "private_key" not in json.dumps(found)
    dump = f"wg0\tsecret\tpub\t51820\toff\nwg0\t{found[name]['public_key']}\t(none)\t198.18.38.70:51820\t"
    assert vpn.parse_dump(dump + "10.9.145.0/24,10.33.145.1/32\t1700000000\t20\t10\t25\n") == found


@pytest.mark.parametrize("text", ["errno=1\n", "public_key=xyz\n", "nonsense\n", "public_key=00\nrx_bytes=many\n"])
def test_wireguard_nonsense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        vpn.parse_uapi("wg0", text)


def test_ipsec_counts_only_installed_children() -> None:
    child = {"name": b"site", "state": b"INSTALLED", "local-ts": [b"10.0.0.0/8"], "remote-ts": [b"10.9.175.0/24"]}
    ike = {"state": b"ESTABLISHED", "remote-host": b"198.18.38.190", "child-sas": {"site-1": child}}
    (found,) = vpn.security_associations([{"ip01": ike}]).values()
    assert found["up"] is True
    assert found["remote"] == ["10.9.175.0/24"]
    (found,) = vpn.security_associations([{"ip01": {**ike, "state": b"CONNECTING"}}]).values()
    assert found["up"] is False


@given(st.binary(max_size=100))
def test_http_request_line_is_read_or_refused(head: bytes) -> None:
    try:
        method, path, _query = http.parse_request(head)
    except ValueError:
        return
    assert "?" not in path
    assert head.startswith(method.encode("ascii", "replace")[:1]) or not method.isascii()


@given(st.binary(max_size=300) | st.recursive(
    st.none() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["host", "number", "stopped", "dark"]), inner, max_size=4), max_leaves=8,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_what_a_neighbour_tells_is_understood_or_left_alone(data: bytes) -> None:
    told = neighbours.parse(data)
    if told is not None:
        host, number, stopped, dark = told
        assert isinstance(host, str)
        assert isinstance(number, int)
        assert all(isinstance(name, str) and isinstance(state, str) for name, state in stopped.items())
        assert all(isinstance(peer, str) for peer in dark)


def test_a_router_whose_fibre_falls_silent_says_so_over_all_of_them_and_again_when_it_is_back() -> None:
    def probe(number: int) -> dict[str, str]:
        return {"name": f"link:{number}", "vrf": "", "source": f"172.20.0.{number}", "target": f"172.20.0.{number - 1}",
                "port": f"p{number}"}  # fmt: skip

    document = {"host": "t01-rt", "management": "10.32.11.1", "management_vrf": "mgmt", "nms": "10.32.2.6",
                "collector": "10.32.2.6:9810", "reflectors": [], "senders": [probe(9), probe(11)]}  # fmt: skip
    picture = state.AgentState()
    picture.put("sources", "bfdd", {"ok": True, "error": ""})
    picture.replace("bfd", {"/172.20.0.8": {"up": True}, "/172.20.0.10": {"up": True}})
    ours = neighbours.Neighbours(config.parse(document), picture)
    heard: list[tuple[dict[str, Any], str]] = []

    class Ear:
        def sendto(self, data: bytes, address: tuple[str, int]) -> None:
            heard.append((json.loads(data), address[0]))

    ours.link = cast(socket.socket, Ear())
    ours.tick()
    assert heard == []
    picture.put("bfd", "/172.20.0.8", None)
    assert {to for _, to in heard} == {"172.20.0.8", "172.20.0.10"}
    assert {(tuple(said["stopped"]), tuple(said["dark"])) for said, _ in heard} == {((), ("172.20.0.8",))}
    ours.tick()
    picture.put("bfd", "/172.20.0.8", {"up": True})
    assert [said["dark"] for said, _ in heard[2:]] == [[], []]
    picture.put("sources", "bfdd", {"ok": False, "error": "gone"})
    picture.replace("bfd", {})  # its daemon is what ended
    assert len(heard) == 4


def test_the_fibres_of_a_router_are_those_that_are_probed() -> None:
    document = {
        "host": "t01-rt", "management": "10.32.11.1", "management_vrf": "mgmt", "nms": "10.32.2.6",
        "collector": "10.32.2.6:9810",
        "reflectors": [{"vrf": "gov", "address": "10.8.11.1"}, {"vrf": "", "address": "172.20.0.9", "port": "p104"}],
        "senders": [
            {"name": "link:t01-c1", "vrf": "", "source": "172.20.0.203", "target": "172.20.0.202", "port": "p101"},
            {"name": "c1-core-t01-rt", "vrf": "gov", "source": "10.8.1.1", "target": "10.8.11.1"},
        ],
    }  # fmt: skip
    assert neighbours.fibres(config.parse(document)) == {"172.20.0.203": "172.20.0.202", "172.20.0.9": "172.20.0.8"}
