"""The fuzzer of ``make fuzz`` on a small scale, and that it finds what it is there to find."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

from tests.datagrams import Target, mutate, notifications, run, snmp_seeds, targets

ROOT = Path(__file__).parents[2]


def test_some_thousands_of_mutated_datagrams_crash_nothing_and_keep_nothing() -> None:
    """The command of ``make fuzz``, small, in a process of its own: its memory is measured."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.datagrams", "--datagrams", "9000", "--seed", "1"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = json.loads(ended.stdout.splitlines()[-1])
    assert (ended.returncode, told["datagrams"], told["crashes"], told["growth_kb"], told["seed"]) == (0, 9000, 0, 0, 1)
    for name in ("snmp", "syslog", "stamp"):  # both ways out are taken: the mutants are neither all good nor all bad
        assert told["answered"][name] > 100
        assert told["refused"][name] > 100


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
    """In a process of its own: one that ran other tests has memory to spare."""
    program = (
        "from tests.datagrams import Target, run\n"
        "kept = []\n"
        "hoard = Target('hoard', (b'x',), lambda data: kept.append(b'x' * 65536), (ValueError,), 1.0)\n"
        "print(run(500, 4, [hoard]).growth_kb)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(ended.stdout) > 20_000


def test_mutants_differ_from_their_seed() -> None:
    dice, seeds = random.Random(5), tuple(snmp_seeds())
    mutants = {mutate(seeds[0], dice, seeds) for _ in range(500)}
    assert len(mutants) > 450
