"""Words for cables and hosts, names that fit the kernel, and what the check says."""

from __future__ import annotations

import os

import pytest

from inventory.places import Places
from tests.twin.small import small_model
from twin import cables, check, county, faults, names, targets
from twin.errors import TwinError

MODEL = small_model()


@pytest.mark.parametrize("word", ["ring-c1-c2", "c1-c2", "c2-c1", "c1-core-c2-core", "c2-core-c1-core", "c1-c2-core"])
def test_a_link_is_found_by_its_name_or_either_pair(word: str) -> None:
    assert [link.name for link in targets.links(MODEL, word)] == ["ring-c1-c2"]


def test_a_duct_names_all_its_links() -> None:
    assert {link.name for link in targets.links(MODEL, "east-road")} == {"ring-c1-c2", "n1-c1"}


def test_an_unknown_word_is_bad_input_and_names_what_is_near() -> None:
    with pytest.raises(TwinError, match=r"near it: .*ring-c1-c2") as raised:
        targets.links(MODEL, "ring-c1-c3")
    assert raised.value.exit_code == 2
    with pytest.raises(TwinError, match=r"near it: .*c1-core"):
        targets.host(MODEL, "c1-cor")


def test_every_name_fits_the_kernel_and_no_two_devices_share_a_number() -> None:
    lines = [line for link in MODEL.links.values() for line in cables.lay(link)]
    for link in MODEL.links.values():
        lines += [line for side in "ab" for line in cables.plug("twnames", MODEL, link, side)]
    found = [line.split() for line in lines]
    assert all(len(words[words.index("name") + 1]) <= 15 for words in found)
    numbers = [words[words.index("index") + 1] for words in found]
    assert len(numbers) == len(set(numbers)) == 3 * len(MODEL.links)


def test_ports_keep_their_mac_over_restarts_and_no_two_are_alike() -> None:
    macs = [names.port_mac(link, side) for link in MODEL.links.values() for side in "ab"]
    assert len(set(macs)) == len(macs)


def test_nothing_runs_means_a_plain_word_and_exit_code_3() -> None:
    with pytest.raises(TwinError, match="not up") as raised:
        county.attach(Places("twnothing"))
    assert raised.value.exit_code == 3


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (faults.Fault(1, "loss", "c1-c2", ("ring-c1-c2",), amount=2.5), "loss c1-c2 (ring-c1-c2) 2.5%"),
        (faults.Fault(1, "cut", "ring-c1-c2", ("ring-c1-c2",)), "cut ring-c1-c2"),
        (faults.Fault(1, "stop-daemon", "c1-core", host="c1-core", daemon="ospfd"), "stop-daemon c1-core ospfd"),
    ],
)
def test_a_fault_reads_as_one_line(fault: faults.Fault, words: str) -> None:
    assert fault.words == words


def test_without_root_the_check_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert check.missing() == ["not root: the twin makes network namespaces. Next: run it with sudo"]


def test_a_missing_command_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(check, "_COMMANDS", {"no-such-command": "its-package"})
    assert "no-such-command is missing. Next: apt-get install its-package" in check.missing()
