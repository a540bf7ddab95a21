"""``sanwang county``: what it prints and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from inventory.load import load_model
from sanwang.county import main
from tests.inventory.golden import CASES, apply


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert isinstance(document, dict)
    return document


def test_check_of_a_good_county(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--json"]) == 0
    document = last_line(capsys)
    assert document["good"] is True
    assert document["warnings"] == []
    assert "s001" in document["single_homed"]  # type: ignore[operator]
    assert "t01" not in document["single_homed"]  # type: ignore[operator]


def test_check_lists_all_mistakes_and_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    apply(CASES / "home-unknown.yml", tmp_path)
    assert main(["check", str(tmp_path), "--json"]) == 2
    document = last_line(capsys)
    assert document["phase"] == "sites"
    assert document["errors"][0] == {  # type: ignore[index]
        "file": "sites.yml",
        "line": 10,
        "key": "townships.t02.homes[0]",
        "found": "c4",
        "expected": "the code of a centre",
        "next": "correct the code or add the site",
    }
    assert main(["check", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("error: sites.yml:") == 3


def test_show_the_county_and_a_site(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "--json"]) == 0
    assert last_line(capsys)["hosts"]["total"] == 271  # type: ignore[index]
    assert main(["show", "t01", "--json"]) == 0
    site = last_line(capsys)
    assert site["homes"] == ["c1", "c2"]
    assert "s001" in site["attached"]  # type: ignore[operator]
    assert main(["show", "t01"]) == 0
    assert "青松镇" in capsys.readouterr().out


def test_show_an_unknown_site(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "x99"]) == 2
    assert "no site 'x99'" in capsys.readouterr().err


def test_new_county_is_good_and_has_its_own_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "mine"
    assert main(["new", str(folder)]) == 0
    assert main(["check", str(folder)]) == 0
    assert load_model(folder).name == "mine"
    assert main(["new", str(folder)]) == 2
    assert "an empty or new folder" in capsys.readouterr().err
    assert main(["new", str(tmp_path / "Not-Good")]) == 2


def test_walk_there_and_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["walk", "t01:gov", "service:portal", "--cut", "t01-c1", "--json"]) == 0
    there = last_line(capsys)["there"]
    assert there["hops"] == ["t01-hall", "t01-rt/gov", "c1-core/gov", "c1-srv"]  # type: ignore[index]
    assert there["links"] == ["t01-hall", "t01-c2", "ring-c1-c2", "c1-srv-gov"]  # type: ignore[index]
    assert main(["walk", "c2-nms:mgmt", "b20:audit tcp/22"]) == 1
    assert "denied" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["t01:audit", "b01:gov"], "one of gov, edu, tv"),
        (["t99:gov", "b01:gov"], "a site and a network"),
        (["t01:gov", "service:none"], "one of portal"),
        (["t01:gov", "b01:gov", "--cut", "t01-c9"], "nothing called t01-c9"),
    ],
)
def test_walk_with_unknown_words(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["walk", *arguments]) == 2
    assert words in capsys.readouterr().err
