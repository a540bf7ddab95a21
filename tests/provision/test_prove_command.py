"""``sanwang prove``: exit codes and what it prints."""

from __future__ import annotations

import json

import pytest

from sanwang.prove import main


def test_a_question_is_answered_with_hops_and_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edu:s001 -> gov:portal tcp/443", "--county", "xiao"]) == 0
    shown = capsys.readouterr().out
    assert "all (1 of 1 pairs pass)" in shown
    assert "policy: opens it (school-portal)" in shown
    assert "[c1-fw:/etc/nftables.conf:" in shown
    assert "the answer comes back" in shown


def test_what_does_not_pass_is_exit_code_1_and_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gov:* -> edu:lessons", "--county", "xiao", "--json"]) == 1
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert document["verdict"] == "none"
    assert document["stops"]["hops"][-1]["what"].startswith("dropped: ")
    assert document["passes"] is None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["edu:* => gov:portal"], "position 7"),
        (["edu:* -> gov:nothing"], "portal"),
        ([], "expected a question or --all"),
        (["edu:* -> gov:portal", "--all"], "expected a question or --all"),
    ],
)
def test_bad_input_is_exit_code_2_with_the_place(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--county", "xiao"]) == 2
    assert told in capsys.readouterr().err


def test_the_whole_county_with_planted_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--all", "--plant", "3", "--county", "xiao", "--json"]) == 0
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert document["disagreements"] == 0
    assert document["planted"] == document["found"] == len(document["mistakes"]) == 3
    assert all(each["found"] and each["seed"] for each in document["mistakes"])


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert "sanwang prove --all --plant 30 --json" in capsys.readouterr().out
