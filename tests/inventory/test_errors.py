"""Every mistake is told with file, line, key, found, expected and next step; the messages are frozen."""

from __future__ import annotations

from pathlib import Path

import pytest

from inventory.errors import CountyErrors
from inventory.load import load, load_model
from tests.inventory.golden import CASES, messages


@pytest.mark.parametrize("case", sorted(CASES.glob("*.yml")), ids=lambda path: path.stem)
def test_message(case: Path) -> None:
    said = messages(case)
    assert said == case.with_suffix(".txt").read_text(encoding="utf-8")
    assert said != "good\n"


def test_every_message_has_its_case() -> None:
    assert {path.stem for path in CASES.glob("*.yml")} == {path.stem for path in CASES.glob("*.txt")}
    assert len(list(CASES.glob("*.yml"))) >= 25


def test_all_mistakes_of_a_phase_at_once() -> None:
    text = (CASES / "home-unknown.txt").read_text(encoding="utf-8")
    assert text.count("sites.yml:") == 3


def test_unknown_county_names_those_that_exist() -> None:
    with pytest.raises(CountyErrors, match="shili, xiao"):
        load_model("nowhere")


def test_folder_without_files(tmp_path: Path) -> None:
    with pytest.raises(CountyErrors, match=r"no \*\.yml file"):
        load(tmp_path)


def test_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "county.yml").write_bytes(b"\xff\xfe\x00county")
    with pytest.raises(CountyErrors, match="not UTF-8"):
        load(tmp_path)
