"""What a township's relay box brings into configurations: its own files, and a line here and there on others."""

from __future__ import annotations

import json
from functools import cache

from inventory.model import NetworkModel
from provision.broker.groups import stage
from provision.broker.masking import placeholders
from provision.change.stages import waves
from provision.environment import load_environment
from provision.prove.proof import prove
from provision.render import render
from tests.inventory.relays import with_relays

Files = dict[str, dict[str, str]]


@cache
def county() -> NetworkModel:
    return with_relays("xiao", "t01")


def files(model: NetworkModel) -> Files:
    environment = load_environment("production")
    return {
        host.name: {file.path: file.text for file in render(model, host.name, environment)}
        for host in model.appliances()
    }


@cache
def whole() -> Files:
    return files(county())


def test_only_its_router_and_what_leads_to_the_management_hosts_are_written_anew() -> None:
    before = files(with_relays("xiao"))
    changed = {
        host: sorted(path for path in whole()[host] if whole()[host][path] != before[host].get(path))
        for host in before
        if before[host] != whole()[host]
    }
    rules = [f"/etc/nftables.d/{name}.nft" for name in ("gov", "mgmt")]
    assert set(changed) == {"t01-rt", "c1-core", "c2-core", "c1-nms", "c2-nms"}
    assert changed["t01-rt"] == [*rules, "/etc/sanwang/network.json"]
    assert changed["c1-core"] == changed["c2-core"] == rules[1:]
    assert changed["c1-nms"] == ["/etc/nftables.conf"]
    assert "/etc/sanwang/bus.conf" in changed["c2-nms"]
    assert not any("bus.conf" in path for paths in before.values() for path in paths)


def test_the_box_has_no_secret_but_its_own_key_and_no_key_that_signs() -> None:
    found = {name for text in whole()["t01-relay"].values() for name in placeholders(text)}
    private = {name for name in found if name.partition("/")[0] in ("key", "ssh", "token", "psk", "wg")}
    assert private == {"key/t01-relay", "ssh/host/t01-relay"}
    assert "token-pub/meet" in found


def test_its_doors_are_open_to_those_they_are_for() -> None:
    rules = whole()["t01-relay"]["/etc/nftables.conf"]
    assert "  ip saddr 10.8.11.0/24 ip daddr 10.8.11.5 tcp dport 443 accept\n" in rules
    assert "  ip saddr { 10.32.1.6, 10.32.2.6 } tcp dport 9820 accept\n" in rules
    assert "  udp dport 3478 accept\n" in rules
    nodes = "  ip saddr 10.32.11.5 tcp dport { 7422, 9830 } "
    assert f"{nodes}accept\n" in whole()["c2-nms"]["/etc/nftables.conf"]
    assert f"{nodes}reject with tcp reset\n" in whole()["c1-nms"]["/etc/nftables.conf"], "it stands by"


def test_its_streams_keep_their_marks_and_its_signalling_goes_before_all() -> None:
    assert (
        "ip saddr 10.8.11.5 udp sport 3478 ip dscp { ef, af41 } return" in whole()["t01-rt"]["/etc/nftables.d/gov.nft"]
    )
    mgmt = whole()["t01-rt"]["/etc/nftables.d/mgmt.nft"]
    for line in ("ip saddr 10.32.11.5 ip daddr 10.32.2.6 tcp dport 9830", "ip saddr 10.32.11.5 tcp sport 9820"):
        assert f"{line} ip dscp set cs6 return" in mgmt


def test_node_and_relay_know_each_other_the_county_and_their_hall() -> None:
    relay = json.loads(whole()["t01-relay"]["/etc/sanwang/relay.json"])
    node = json.loads(whole()["t01-relay"]["/etc/sanwang/node.json"])
    assert relay["media"] == "10.8.11.5:3478"
    assert "t01-relay.sanwang.internal" in relay["clients"]
    assert relay["control"] == node["relay"]["control"]
    assert node["listen"] == "10.8.11.5:443"
    assert list(node["halls"]) == ["t01"]
    assert [each["address"] for each in node["county"]] == ["10.32.2.6:9830", "10.32.1.6:9830"]
    assert "t01-relay.sanwang.internal" not in whole()["c1-relay"]["/etc/sanwang/relay.json"]


def test_its_router_is_changed_before_it_and_it_is_enrolled_after() -> None:
    assert waves(county(), ("t01-relay", "t01-sw", "t01-rt")) == (("t01-rt",), ("t01-relay", "t01-sw"))
    assert stage(county(), county().hosts["t01-relay"]) == "inside"


def test_the_proof_holds_with_the_box() -> None:
    found = prove(county(), whole())
    assert found.good
