"""Lines as their sessions see them: what is lost, slow or narrow is told, what a busy machine does is not."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from collectors.agent.vrf import inside
from collectors.probe import mos
from collectors.probe.degraded import degradations
from collectors.probe.figures import Answer, Figures, Probe, summarise
from collectors.probe.halls import hall_figures
from collectors.probe.reflector import Reflector
from collectors.probe.sender import TRAIN, Sender
from inventory.load import load_model
from inventory.model import LinkKind, Role
from inventory.probes import link_key, link_paths, probe_paths, reflectors

BITS = 8 * 1514


def train(first: int, gap_ns: int, *, lost: frozenset[int] = frozenset(), trip_ns: int = 100_000) -> list[Probe]:
    """Six packets sent at once that the line puts ``gap_ns`` apart on the way there."""
    probes = []
    for number in range(TRAIN):
        sent = first * 1_000_000_000 + number * 10_000
        came = first * 1_000_000_000 + trip_ns // 2 + number * gap_ns
        answer = Answer(came, came + 400_000_000, came + 400_000_000 + trip_ns // 2, first * TRAIN + number)
        sequence = first * TRAIN + number
        probes.append(Probe(sequence, sent, None if sequence in lost else answer))
    return probes


def window(gap_ns: int = 12_000, lost: frozenset[int] = frozenset(), trip_ns: int = 100_000) -> Figures:
    probes = [probe for first in range(8) for probe in train(first, gap_ns, lost=lost, trip_ns=trip_ns)]
    return summarise(probes, None, TRAIN, 0, BITS)


def test_a_good_line_has_nothing_wrong() -> None:
    link = load_model("xiao").links["t01-c1"]
    figures = window()
    assert (figures.lost, figures.bottleneck_bps) == (0, None)
    assert degradations(link, figures._asdict()) == []


@pytest.mark.parametrize("rate", [1e6, 20e6, 45e6])
def test_a_narrow_line_is_told_by_what_it_puts_between_two_packets(rate: float) -> None:
    link = load_model("xiao").links["t01-c1"]
    figures = window(gap_ns=round(BITS / rate * 1e9))
    assert figures.bottleneck_bps == pytest.approx(rate, rel=0.01)
    assert [each.kind for each in degradations(link, figures._asdict())] == ["rate"]


def test_a_line_as_fast_as_it_should_be_is_not_narrow() -> None:
    link = load_model("xiao").links["t01-c1"]
    assert link.rate_bps == 100_000_000
    assert degradations(link, window(gap_ns=round(BITS / 95e6 * 1e9))._asdict()) == []


def test_a_sender_that_was_interrupted_makes_no_narrow_line() -> None:
    """All packets of a train sent 5 ms apart arrive 5 ms apart: the line did nothing."""
    probes = []
    for probe in (each for first in range(8) for each in train(first, 12_000)):
        late = probe.sequence % TRAIN * 5_000_000
        assert probe.answer is not None
        probes.append(
            Probe(
                probe.sequence,
                probe.sent_ns + late,
                probe.answer._replace(reflected_ns=probe.answer.reflected_ns + late),
            )
        )
    assert summarise(probes, None, TRAIN, 0, BITS).bottleneck_bps is None


def test_loss_needs_several_moments() -> None:
    link = load_model("xiao").links["t01-c1"]
    once = window(lost=frozenset(range(12, 18)))
    assert (once.lost, once.lossy_trains) == (6, 1)
    assert degradations(link, once._asdict()) == []
    often = window(lost=frozenset({3, 14, 33}))
    assert often.lossy_trains == 3
    (found,) = degradations(link, often._asdict())
    assert (found.kind, found.measured) == ("loss", 0.0625)


def test_delay_is_judged_by_the_fibres_length() -> None:
    link = load_model("xiao").links["t01-c1"]
    (found,) = degradations(link, window(trip_ns=4_000_000)._asdict())
    assert (found.kind, found.measured) == ("delay", 4.0)
    assert degradations(replace(link, length_km=400.0), window(trip_ns=4_000_000)._asdict()) == []


def test_mos_is_the_e_models() -> None:
    """ITU-T G.107's default rating is 93.2, which annex B maps to 4.41; figures of its formulas by hand."""
    assert mos.rating(0, 0) == pytest.approx(93.2)
    assert mos.mos(0, 0, 0) == 4.41
    assert mos.rating(0, 0.02) == pytest.approx(93.2 - 95 * 2 / 27.1)
    assert mos.rating(200, 0) == pytest.approx(90.2, abs=0.3)  # Idd(200 ms) = 3.0
    assert mos.rating(400, 0) == pytest.approx(70, abs=1)  # Idd(400 ms) = 23.2
    assert mos.mos(2000, 0, 1) == 1.0


def test_every_fibre_of_the_underlay_is_probed_once_and_answered_at_its_other_end() -> None:
    model = load_model("shili")
    paths = list(link_paths(model))
    fibres = {link.name for link in model.links.values() if link.kind in (LinkKind.RING, LinkKind.ACCESS)}
    assert {path.name for path in paths} == {link_key(name) for name in fibres}
    assert len(paths) == len(fibres)
    senders = [path.host for path in paths]
    assert max(map(senders.count, senders)) <= 2
    for path in paths:
        assert (path.vrf, path.target, path.target_port) in reflectors(model, model.hosts[path.target_host])
    assert {model.hosts[host].role for host in senders} == {Role.CORE, Role.ACCESS}


@pytest.fixture
def line() -> Iterator[tuple[Path, Path, str]]:
    """Two hosts and the middle of the cable between them."""
    near, far, plant = (f"probe{os.getpid()}{each}" for each in "abm")
    lines = [
        *(f"netns add {name}" for name in (near, far, plant)),
        f"link add p0 netns {near} type veth peer name m0 netns {plant}",
        f"link add p0 netns {far} type veth peer name m1 netns {plant}",
        f"-n {plant} link add name sw0 up type bridge",
        f"-n {plant} link set dev m0 master sw0 up",
        f"-n {plant} link set dev m1 master sw0 up",
        f"-n {near} addr add 172.20.0.2/31 dev p0",
        f"-n {far} addr add 172.20.0.3/31 dev p0",
        f"-n {near} link set dev p0 up",
        f"-n {far} link set dev p0 up",
    ]
    try:
        for each in lines:
            subprocess.run(["ip", *each.split()], check=True)
        yield Path("/run/netns", near), Path("/run/netns", far), plant
    finally:
        for name in (near, far, plant):
            subprocess.run(["ip", "netns", "del", name], check=False)


def end(namespace: Path, address: str) -> socket.socket:
    with inside(namespace):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    made.bind((address, 862))
    return made


def break_it(plant: str, command: str, *more: str) -> None:
    subprocess.run(["ip", "netns", "exec", plant, *command.split(), *more], check=True)


@pytest.mark.twin
def test_faults_of_a_real_line(line: tuple[Path, Path, str]) -> None:
    near, far, plant = line

    async def run(sender: Sender, reflector: Reflector, ticks: int) -> Figures:
        for _ in range(ticks):
            reflector.read()
            sender.tick()
            await asyncio.sleep(0.02)
        reflector.read()
        await asyncio.sleep(0.02)
        sender.read()
        return sender.figures()

    async def everything() -> None:
        sender = Sender(end(near, "172.20.0.2"), "172.20.0.3", train=True)
        reflector = Reflector(end(far, "172.20.0.3"), prompt=False)
        good = await run(sender, reflector, 10)
        assert (good.sent, good.lost) == (60, 0), "a good line loses nothing"
        assert good.rtt_ms is not None
        assert good.rtt_ms < 20, "the reflector's 20 ms are not on the way"

        reflector.close()
        for _ in range(3):
            sender.tick()
        reflector = Reflector(end(far, "172.20.0.3"), prompt=False)
        assert (await run(sender, reflector, 10)).lost == 0, "a reflector that restarts is no bad line"

        sender.forget()
        break_it(plant, "nft add table netdev loss")
        hook = "{ type filter hook egress device m1 priority 0; }"
        break_it(plant, "nft", f"add chain netdev loss there {hook}")
        break_it(plant, "nft add rule netdev loss there numgen random mod 100 < 20 drop")
        lossy = await run(sender, reflector, 40)
        assert lossy.lost_forward > 5, "a fifth is lost on the way there"
        assert lossy.lost_backward == 0, "and nothing on the way back"
        break_it(plant, "nft delete table netdev loss")

        sender.forget()
        break_it(plant, "tc qdisc add dev m0 root tbf rate 20mbit burst 1700 latency 100ms")
        slow = await run(sender, reflector, 20)
        for _ in range(20):  # a machine that never lets two packets leave together cannot tell
            if slow.bottleneck_bps is not None:
                break
            slow = await run(sender, reflector, 20)
        assert slow.bottleneck_bps == pytest.approx(20e6, rel=0.25)
        sender.close()
        reflector.close()

    asyncio.run(everything())


def test_a_halls_figures_are_its_paths_the_other_way_round() -> None:
    model = load_model("xiao")
    measured = {
        "c1-core-t02-rt": {
            "fresh": True, "rtt_ms": 3.0, "mos": 4.2, "loss_forward_ratio": 0.1, "loss_backward_ratio": 0.0,
            "forward_ms": 1.0, "backward_ms": 2.0, "forward_jitter_ms": 0.3, "backward_jitter_ms": 0.4,
        }
    }  # fmt: skip
    found = hall_figures(model, measured)
    assert found["t02"]["path"] == "c1-core-t02-rt"
    assert found["t02"]["up"] == {"loss_ratio": 0.0, "delay_ms": 2.0, "jitter_ms": 0.4}
    assert found["t02"]["down"] == {"loss_ratio": 0.1, "delay_ms": 1.0, "jitter_ms": 0.3}
    assert found["t01"]["mos"] is None
    assert not found["t01"]["fresh"]
    names = {path.name for path in probe_paths(model)}
    assert {figures["path"] for figures in found.values()} <= names
