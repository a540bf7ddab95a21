"""The proof of a small county: what agrees, what a question answers, and that its eyes are open."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from inventory.load import load_model
from inventory.model import NetworkModel
from provision.environment import load_environment
from provision.prove.errors import ProveError
from provision.prove.mistakes import plant
from provision.prove.proof import Proof, prove, seen, try_eyes
from provision.prove.query import Answer, QueryError, ask, parse
from provision.prove.world import FRR, NETWORK, configurations

Files = dict[str, dict[str, str]]
FIREWALL = "/etc/nftables.conf"


@pytest.fixture(scope="module")
def model() -> NetworkModel:
    return load_model("xiao")


@pytest.fixture(scope="module")
def files(model: NetworkModel) -> Files:
    return configurations(model, load_environment("twin"))


@pytest.fixture(scope="module")
def proof(model: NetworkModel, files: Files) -> Proof:
    return prove(model, files)


def answer(model: NetworkModel, files: Files, text: str) -> Answer:
    return ask(model, files, parse(text))


def edited(files: Files, host: str, path: str, old: str, new: str) -> Files:
    text = files[host][path]
    assert old in text
    return {**files, host: {**files[host], path: text.replace(old, new, 1)}}


def test_files_and_policy_agree(proof: Proof) -> None:
    document = proof.document()
    assert document["witnesses"] == []
    assert document["disagreements"] == 0
    assert proof.good
    assert document["regions"] >= 500
    assert document["boundaries"] > 50
    assert document["one_exit"]
    assert document["exits"] == ["c1-fw"]
    assert document["devices"]["reached"] == document["devices"]["expected"] > 10
    assert document["rules"]["shadowed"] == document["rules"]["duplicate"] == 0


def test_every_region_is_as_the_intent_has_it_and_no_two_overlap(proof: Proof) -> None:
    from provision.prove import sets

    dice = random.Random(5)
    groups: dict[tuple[str, str], list[Any]] = {}
    for region in proof.regions.regions:
        assert region.agreed
        groups.setdefault((region.source.name, region.target.name), []).append(region.box)
    for boxes in dice.sample(sorted(groups.values()), 60):
        assert sets.volume(boxes) == sets.volume(sets.disjoint(boxes))


def test_both_sides_of_a_boundary_differ(proof: Proof) -> None:
    for edge in proof.regions.boundaries:
        assert proof.regions.arrives(edge, edge.inside)
        assert not proof.regions.arrives(edge, edge.outside)
    assert {edge.dimension for edge in proof.regions.boundaries} >= {"dport", "protocol", "dst", "src"}


# Questions ------------------------------------------------------------------------------------------------


def test_an_allowed_crossing_has_a_witness_with_the_line_that_lets_it_pass(model: NetworkModel, files: Files) -> None:
    found = answer(model, files, "edu:s001 -> gov:portal tcp/443")
    assert (found.verdict, found.policy, found.intended) == ("all", ("school-portal",), True)
    assert found.passes is not None
    assert found.passes.answered
    assert [step.space for step in found.passes.steps][:3] == ["s001-pc", "t01-rt/edu", "c1-core/edu"]
    line = next(step for step in found.passes.steps if "school-portal" in step.what)
    host, path, number = line.where.rsplit(":", 2)
    assert 'comment "school-portal"' in files[host][path].split("\n")[int(number) - 1]


def test_a_denied_crossing_has_a_witness_with_the_line_that_drops_it(model: NetworkModel, files: Files) -> None:
    found = answer(model, files, "edu:* -> gov:portal tcp/80")
    assert (found.verdict, found.intended) == ("none", False)
    assert found.stops is not None
    assert "deny-edu-gov" in found.stops.steps[-1].what
    assert found.stops.steps[-1].where.startswith(f"c1-fw:{FIREWALL}:")


def test_address_translation_and_its_answer(model: NetworkModel, files: Files) -> None:
    found = answer(model, files, "gov:b01 -> internet tcp/443")
    assert found.verdict == "all"
    assert found.passes is not None
    assert any(step.what.startswith("sent as 198.18.") for step in found.passes.steps)


def test_a_village_comes_through_its_tunnel(model: NetworkModel, files: Files) -> None:
    found = answer(model, files, "gov:v01 -> gov:t01 tcp/7077")
    assert found.passes is not None
    assert any(step.what == "into the tunnel to c1-vpn" for step in found.passes.steps)


def test_a_service_brings_its_own_port(model: NetworkModel, files: Files) -> None:
    assert answer(model, files, "audit:* -> gov:exchange").verdict == "all"
    assert answer(model, files, "city -> gov:exchange").verdict == "all"
    assert answer(model, files, "city -> gov:portal").verdict == "none"


@pytest.mark.parametrize(
    ("text", "at", "expected"),
    [
        ("", 0, "NETWORK"),
        ("edu:* gov:portal", 6, "->"),
        ("edu:* ->", 8, "a target"),
        ("edu:* -> gov:portal tcp/0", 24, "ports 1 to 65535"),
        ("edu:* -> gov:portal sctp/1", 20, "tcp/PORT"),
        ("edu:* -> gov:portal tcp/1 now", 26, "the end"),
        ("educ:* -> gov:portal", 0, "gov, edu"),
        ("edu:* -> gov:portl", 13, "portal"),
        ("edu: -> gov:portal", 4, "a site"),
    ],
)
def test_a_wrong_question_is_told_where(model: NetworkModel, files: Files, text: str, at: int, expected: str) -> None:
    with pytest.raises(QueryError) as problem:
        answer(model, files, text)
    assert problem.value.at == at
    assert expected in str(problem.value)


# Eyes -----------------------------------------------------------------------------------------------------


def test_planted_mistakes_are_all_found(model: NetworkModel, files: Files) -> None:
    fresh = prove(model, files)
    try_eyes(fresh, 15, 300, lambda *_: None)
    assert [str(mistake) for mistake, how in fresh.planted if not how] == []
    assert {mistake.kind for mistake, _ in fresh.planted} >= {"dropped", "swapped", "widened", "route", "leak"}
    assert fresh.document()["planted"] == fresh.document()["found"] == 15


def test_a_planted_mistake_is_the_same_for_the_same_seed(proof: Proof) -> None:
    engine = proof.measured.engine
    for seed in range(5):
        once, again = (plant(engine.world, engine.hits, seed) for _ in range(2))
        assert once == again
        assert once[1] != engine.world.configs


def mistakes(model: NetworkModel) -> Iterator[tuple[str, str, str, str, str]]:
    """(kind of disagreement, host, path, what stood there, the mistake)."""
    nms = f"{{ {', '.join(map(str, model.controllers()))} }}"
    yield "leak", "c1-fw", FIREWALL, "ip daddr { 10.8.0.101/32 } tcp dport { 443 }", "ip daddr { 10.8.0.0/24 }"
    yield "lost", "c1-fw", FIREWALL, 'comment "groups-exchange"', 'ip saddr 192.0.2.1 comment "groups-exchange"'
    yield "spoof", "c1-fw", FIREWALL, "ip saddr != { 10.8.0.0/13 }", "ip saddr != { 10.0.0.0/8 }"
    yield "untranslated", "c1-fw", FIREWALL, "} masquerade", "} ip saddr 192.0.2.1 masquerade"
    head = " chain forward {\n  type filter hook forward priority filter; policy drop;\n"
    yield "unanswered", "c1-fw", FIREWALL, f"{head}  ct state established,related accept", head
    yield "door", "b01-rt", "/etc/nftables.d/mgmt.nft", f"ip saddr {nms} tcp dport {{ 22", "tcp dport { 22"
    yield "out of reach", "b01-rt", "/etc/nftables.d/mgmt.nft", f"ip saddr {nms} tcp dport {{ 22", \
        "ip saddr 192.0.2.1 tcp dport { 22"  # fmt: skip
    yield (
        "closed",
        "c1-srv",
        FIREWALL,
        "ip daddr 10.8.0.101 tcp dport 443 accept",
        "ip daddr 10.8.0.101 tcp dport 8443 accept",
    )
    yield "dead route", "c1-core", FRR, "ip route 10.16.12.0/24 100.64.0.12", "ip route 10.16.12.0/24 100.64.9.9"
    yield "lost", "t01-rt", NETWORK, '"id": 1001', '"id": 1002'
    yield "lost", "c1-vpn", "/etc/wireguard/wg0.conf", "10.9.145.0/24", "10.9.144.0/24"


KINDS = list(mistakes(load_model("xiao")))


@pytest.mark.parametrize(("kind", "host", "path", "old", "new"), KINDS, ids=[f"{k[0]} {k[1]}" for k in KINDS])
def test_each_kind_of_disagreement_is_seen(
    model: NetworkModel, files: Files, kind: str, host: str, path: str, old: str, new: str
) -> None:
    wrong = prove(model, edited(files, host, path, old, new))
    assert kind in {each.kind for each in wrong.disagreements}
    assert not wrong.good
    assert wrong.document()["witnesses"]


def test_a_second_way_out_is_seen(model: NetworkModel, files: Files) -> None:
    box = "v01-cpe"
    text = files[box][FIREWALL]
    line = next(each for each in text.split("\n") if 'iifname "lan-gov" oifname "wg0"' in each)
    uplink = next(port.name for port in model.hosts[box].ports)
    more = text.replace(line, f'{line}\n  iifname "lan-gov" oifname "{uplink}" accept')
    found = prove(model, {**files, box: {**files[box], FIREWALL: more}})
    assert "second exit" in {each.kind for each in found.disagreements}
    assert not found.document()["one_exit"]


def test_shadowed_and_duplicate_rules_are_named_with_what_is_in_their_way(model: NetworkModel, files: Files) -> None:
    line = next(each for each in files["c1-fw"][FIREWALL].split("\n") if "school-portal" in each)
    narrower = line.replace("10.16.0.0/13", "10.16.101.0/24").replace("school-portal", "narrower")
    twice = edited(files, "c1-fw", FIREWALL, line, f"{line}\n{line}\n{narrower}")
    useless = prove(model, twice).useless
    assert [each.kind for each in useless] == ["duplicate", "shadowed"]
    assert all(each.where.startswith("c1-fw:") and each.by.startswith("c1-fw:") for each in useless)


def test_a_file_that_cannot_be_read_is_told_with_its_line(model: NetworkModel, files: Files) -> None:
    broken = edited(files, "c1-fw", FIREWALL, "ct state invalid drop", "ct wishes granted")
    with pytest.raises(ProveError, match=r"c1-fw:/etc/nftables.conf:\d+: found ct wishes"):
        prove(model, broken)
    assert seen(model, broken).startswith("unreadable")


def test_a_closed_exit_is_intent_too(model: NetworkModel) -> None:
    import dataclasses

    from inventory.model import Switch

    closed = dataclasses.replace(model, exit_closed=Switch("wang", "drill", "2026-01-01T00:00:00Z"))
    shut = configurations(closed, load_environment("twin"))
    assert prove(closed, shut).good
    assert answer(closed, shut, "gov:* -> internet tcp/443").verdict == "none"
    assert answer(closed, shut, "gov:v01 -> gov:portal").verdict == "all"
    assert not prove(model, shut).good


def out_of_reach(model: NetworkModel, files: Files) -> set[str]:
    found = prove(model, files).disagreements
    return {each.target for each in found if each.kind == "out of reach"}


def test_what_the_controller_would_no_longer_reach(model: NetworkModel, files: Files) -> None:
    door = f"ip saddr {{ {', '.join(map(str, model.controllers()))} }} tcp dport {{ 22"
    shut = edited(files, "b01-rt", "/etc/nftables.d/mgmt.nft", door, "ip saddr 192.0.2.1 tcp dport { 22")
    assert out_of_reach(model, shut) == {"b01-rt"}
    behind = {host.name for host in model.hosts.values() if host.site == "t01" and host.management}
    astray = edited(files, "t01-rt", FRR, "vrf mgmt\n netns /run/netns/mgmt\n ip route 0.0.0.0/0 100.64.255.254",
                    "vrf mgmt\n netns /run/netns/mgmt\n ip route 0.0.0.0/0 100.64.9.9")  # fmt: skip
    assert out_of_reach(model, astray) == behind


def test_a_revoked_site_is_nobodys(model: NetworkModel, files: Files) -> None:
    import dataclasses

    from inventory.model import Switch

    revoked = dataclasses.replace(model, revoked={"v01": Switch("wang", "box lost", "2026-01-01T00:00:00Z")})
    gone = configurations(revoked, load_environment("twin"))
    assert "v01-cpe" not in gone
    assert prove(revoked, gone).good
    with pytest.raises(QueryError, match="v01"):
        answer(revoked, gone, "gov:v01 -> gov:portal")
