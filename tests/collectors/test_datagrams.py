"""The fuzzer of ``make fuzz`` on a small scale, and that it finds what it is there to find."""

from __future__ import annotations

import json
import random

import pytest

from tests.datagrams import Target, main, mutate, notifications, run, snmp_seeds, targets


def test_some_thousands_of_mutated_datagrams_crash_nothing() -> None:
    outcome = run(6_000, 1, targets())
    assert outcome.crashes == []
    assert outcome.growth_kb == 0
    for name in ("snmp", "syslog", "stamp"):  # both ways out are taken: the mutants are neither all good nor all bad
        assert outcome.answered[name] > 100
        assert outcome.refused[name] > 100


async def test_the_receiver_of_traps_survives_some_hundreds() -> None:
    outcome = await notifications(300, 2)
    assert outcome.crashes == []
    assert outcome.refused["traps"] > 200


def test_every_seed_is_a_message() -> None:
    for target in targets():
        for seed in target.seeds:
            target.hear(seed)


def test_a_parser_with_a_mistake_is_found_and_the_seed_finds_it_again() -> None:
    def careless(data: bytes) -> int:
        return data[data[1]]  # believes a length

    weak = [Target("careless", tuple(snmp_seeds()), careless, (ValueError,), 1.0)]
    found = run(400, 3, weak).crashes
    assert found
    assert "IndexError" in found[0]
    assert run(400, 3, weak).crashes == found


def test_a_parser_that_keeps_everything_is_seen_to_grow() -> None:
    kept: list[bytes] = []
    outcome = run(3_000, 4, [Target("hoard", (b"x",), lambda data: kept.append(bytes(4096)), (ValueError,), 1.0)])
    assert outcome.growth_kb > 4_000


def test_mutants_differ_from_their_seed() -> None:
    dice, seeds = random.Random(5), tuple(snmp_seeds())
    mutants = {mutate(seeds[0], dice, seeds) for _ in range(500)}
    assert len(mutants) > 450


def test_the_command_ends_with_its_figures(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--datagrams", "300", "--seed", "9"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["datagrams"], told["crashes"], told["growth_kb"], told["seed"]) == (300, 0, 0, 9)
