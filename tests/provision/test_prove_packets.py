"""Real packets against the proof: what is sent, how it is known again, and (with root) a small county that agrees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from drills import sequence
from drills.lab import Lab
from drills.marked import answer, craft
from drills.prove import Probe, plan, send
from inventory.load import load_model
from inventory.places import CHECKOUT, Places
from provision.environment import load_environment
from provision.prove import sets
from provision.prove.proof import Proof, prove
from provision.prove.sets import Packet
from provision.prove.world import configurations

INSTANCE = "zrprove"


@pytest.fixture(scope="module")
def proof() -> Proof:
    model = load_model("xiao")
    return prove(model, configurations(model, load_environment("twin")))


@pytest.fixture(scope="module")
def probes(proof: Proof) -> list[Probe]:
    return list(plan(proof))


@pytest.mark.parametrize("protocol", [sets.TCP, sets.UDP, sets.ICMP, 89])
def test_an_answer_is_its_packet_turned_round(protocol: int) -> None:
    packet = Packet(0x0A080001, 0x0A080002, protocol, 40000, 8 if protocol == sets.ICMP else 443)
    there = craft(packet, 77)
    back = answer(there, 78)
    assert there[9] == back[9] == protocol
    assert there[12:16] == back[16:20]
    assert there[16:20] == back[12:16]
    assert b"sanwang-proof\x00\x00\x00\x4d" in there
    assert b"sanwang-proof\x00\x00\x00\x4e" in back
    if protocol in (sets.TCP, sets.UDP):
        assert there[20:22] == back[22:24]
        assert there[22:24] == back[20:22]


def test_nearly_every_region_and_both_sides_of_every_boundary_have_a_packet(proof: Proof, probes: list[Probe]) -> None:
    edges = 2 * len(proof.regions.boundaries)
    assert len(probes) - edges > 0.85 * len(proof.regions.regions)
    assert len({probe.number for probe in probes}) == len(probes)
    there = Counter(probe.there for probe in probes)
    assert min(there.values()) > 100
    # What is stopped was stopped by the firewall and is counted there, but for what has no way at all.
    counted = sum(bool(probe.counter) for probe in probes if not probe.there)
    assert counted > 0.8 * there[False]


def test_a_packet_of_a_region_is_of_that_region(proof: Proof, probes: list[Probe]) -> None:
    named: dict[str, list[sets.Box]] = {}
    for region in proof.regions.regions:
        named.setdefault(f"{region.source.name} -> {region.target.name}", []).append(region.box)
    for probe in probes[: len(probes) - 2 * len(proof.regions.boundaries)]:
        assert sets.overlap([probe.packet.box()], named[probe.name]), str(probe.packet)


# A small county for real ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def county() -> Iterator[str]:
    places = Places(INSTANCE)
    sequence.down(places, wipe=True)
    try:
        arrived = sequence.up(
            places, str(CHECKOUT / "inventory/counties/xiao"), sequence.Progress(), port=0, prove=False
        )
        assert arrived.status["ready"], arrived.status
        yield INSTANCE
    finally:
        sequence.down(places, wipe=True)


@pytest.mark.twin
def test_proof_and_packets_agree(county: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "sanwang", "prove", "--all", "--packets", "--json"],
        cwd=CHECKOUT,
        env={**os.environ, "SANWANG_INSTANCE": county},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    document = json.loads(shown.stdout.splitlines()[-1])
    packets = document["packets"]
    assert packets["witnesses"] == []
    assert packets["disagreements"] == document["disagreements"] == 0
    assert packets["regions"] == document["regions"] >= 500
    assert packets["packets"] > 600
    assert packets["arrived"] > 100
    assert packets["answers"] > 100
    assert packets["counted"] > 200
    assert shown.returncode == 0


@pytest.mark.twin
def test_packets_contradict_a_proof_of_other_files(county: str) -> None:
    lab = Lab.attach(county)
    files = configurations(lab.model, load_environment("twin"))
    text = files["c1-fw"]["/etc/nftables.conf"]
    assert 'comment "groups-exchange"' in text
    widened = text.replace("ip daddr { 10.8.0.101/32 } tcp dport { 443 }", "ip daddr { 10.8.0.101/32 }")
    dropped = "\n".join(line for line in widened.split("\n") if "groups-exchange" not in line)
    wrong = prove(lab.model, {**files, "c1-fw": {**files["c1-fw"], "/etc/nftables.conf": dropped}})
    seen = send(lab, wrong, lambda *_: None).document()
    whys = Counter((each["pair"], each["why"].partition(";")[0]) for each in seen["witnesses"])
    assert seen["disagreements"] > 0
    assert any(pair.startswith("audit:") and why.startswith("arrives") for pair, why in whys), whys
    assert any(pair.startswith("edu:") and why == "does not arrive" for pair, why in whys), whys
