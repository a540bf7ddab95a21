"""What a host must show in band, and how its answer is read: real transcripts of FRR 8.4, runit and WireGuard."""

from __future__ import annotations

import json

import pytest

from inventory.load import load_model
from inventory.model import NetworkModel, Role
from provision.broker.expect import MARK, expected, problems, question, sections


@pytest.fixture(scope="module")
def model() -> NetworkModel:
    return load_model("shili")


def _part(name: str, text: str) -> str:
    return f"{MARK} {name}\n{text}\n"


def test_an_access_router_expects_both_its_centres(model: NetworkModel) -> None:
    want = expected(model, model.hosts["t01-rt"], ["sshd", "ospfd"])
    homes = {f"{home}-core" for home in model.sites["t01"].homes}
    assert {peer for _, peer in want.ospf} == homes
    assert {peer for _, peer in want.bfd} == homes
    assert "vtysh" in question(want)


def test_every_appliance_expects_something_and_only_vpn_boxes_expect_tunnels(model: NetworkModel) -> None:
    for host in model.appliances():
        want = expected(model, host, ["sshd"])
        assert want.count >= 1
        has = bool(want.wireguard or want.ipsec)
        assert has == (host.role in (Role.VPN, Role.CPE, Role.PARTNER)), host.name


def test_a_good_answer_has_no_problem_and_each_missing_thing_is_named(model: NetworkModel) -> None:
    host = model.hosts["t01-rt"]
    want = expected(model, host, ["sshd", "ospfd"])
    ospf = {"neighbors": {rid: [{"nbrState": "Full/-", "ifaceName": "p1"}] for rid, _ in want.ospf}}
    bfd = [{"peer": address, "status": "up"} for address, _ in want.bfd]
    sv = "run: /etc/sanwang/sv/sshd/: (pid 12) 5s\nrun: /etc/sanwang/sv/ospfd/: (pid 13) 5s"
    good = _part("services", sv) + _part("ospf", json.dumps(ospf)) + _part("bfd", json.dumps(bfd))
    assert problems(want, good, host.name) == []

    assert problems(want, good.replace("run: /etc/sanwang/sv/ospfd/", "down: /etc/sanwang/sv/ospfd/"), host.name) == [
        "service ospfd: expected running, found down"
    ]
    ospf["neighbors"].popitem()
    bfd[0]["status"] = "down"
    bad = _part("services", sv) + _part("ospf", json.dumps(ospf)) + _part("bfd", json.dumps(bfd))
    found = problems(want, bad, host.name)
    assert len(found) == 2
    assert "found no neighbour" in found[0]
    assert "expected up, found down" in found[1]


def test_an_answer_that_makes_no_sense_is_missing_everything(model: NetworkModel) -> None:
    host = model.hosts["c1-core"]
    want = expected(model, host, ["sshd"])
    assert len(problems(want, "", host.name)) == want.count
    assert len(problems(want, _part("ospf", "% Unknown command") + _part("bfd", "[1, 2"), host.name)) == want.count


def test_tunnels_are_known_by_their_prefixes_and_a_handshake(model: NetworkModel) -> None:
    tunnel = next(each for each in model.tunnels.values() if each.kind == "wireguard")
    want = expected(model, model.hosts[tunnel.host], [])
    allowed = f"wg0\tKEY=\t{' '.join(str(prefix) for prefix in tunnel.remote)}"
    for handshake, good in (("1700000000", True), ("0", False)):
        answer = _part("wireguard", f"wg0\tKEY=\t{handshake}\n{allowed}")
        assert (problems(want, answer, tunnel.host) == []) == good
    assert "expected a WireGuard peer" in problems(want, _part("wireguard", "wg0\tKEY=\t5"), tunnel.host)[0]


def test_sections_ignore_what_stands_before_the_first_mark() -> None:
    assert sections(f"motd\n{MARK} a\n1\n2\n{MARK} b\n") == {"a": "1\n2\n", "b": ""}
