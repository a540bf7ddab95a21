"""``sanwang ticket`` and ``sanwang shift`` against an instance's store, and what they say of mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from inventory.places import Places
from sanwang.main import main
from store.audit import verify_chain
from store.engine import open_store

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command as somebody; gives the JSON document, or (exit code, error text)."""
    monkeypatch.setattr(Places, "lib", property(lambda self: tmp_path))
    monkeypatch.delenv("SANWANG_DATABASE", raising=False)
    (tmp_path / "county").write_text("xiao\n", encoding="utf-8")
    open_store(f"sqlite:///{tmp_path}/sanwang.db").close()

    def command(*arguments: str, who: str = "wang") -> Any:
        monkeypatch.setenv("SANWANG_WHO", who)
        capsys.readouterr()
        code = main([*arguments, "--json"])
        said = capsys.readouterr()
        return json.loads(said.out.splitlines()[-1]) if code == 0 else (code, said.err)

    return command


def test_a_report_by_phone_from_opening_to_closing(run: Run, tmp_path: Path) -> None:
    opened = run("ticket", "open", "t01", "网页打不开", "--contact", "周明 0900-5550101")["ticket"]
    assert (opened["state"], opened["channel"], opened["clock"]["limit_s"]) == ("opened", "phone", 86400)
    number = str(opened["id"])
    run("ticket", "take", number)
    run("ticket", "wait", number, "--why", "请单位断电重启")
    assert run("ticket", "show", number)["ticket"]["clock"]["due_at"] is None
    run("ticket", "resume", number)
    run("ticket", "correct", number, "--why", "请加快", who="huang")
    run("ticket", "restore", number, "--cause", "光猫死机")
    closed = run("ticket", "close", number, "--satisfaction", "4")["ticket"]
    assert (closed["state"], closed["cause"], closed["satisfaction"]) == ("closed", "光猫死机", 4)
    steps = [(each["who"], each["what"]) for each in closed["history"]]
    assert steps == [
        ("wang", "opened"), ("wang", "take"), ("wang", "wait"), ("wang", "resume"), ("huang", "correct"),
        ("wang", "restore"), ("wang", "close"),
    ]  # fmt: skip
    assert run("ticket", "list")["tickets"] == []
    assert [each["id"] for each in run("ticket", "list", "--state", "all")["tickets"]] == [opened["id"]]
    store = open_store(f"sqlite:///{tmp_path}/sanwang.db")
    with store.reading() as session:
        chain = verify_chain(session)
    store.close()
    assert chain.ok
    assert chain.entries == 7


def test_mistakes_are_told_with_what_to_do(run: Run) -> None:
    for arguments, words in (
        (("ticket", "open", "t09", "x"), "sanwang county show"),
        (("ticket", "open", "t01", "x", "--request", "bandwidth", "--detail", '{"rate": "much"}'), "100M or 1G"),
        (("ticket", "open", "t01", "x", "--request", "opening", "--detail", "[]"), "JSON object"),
        (("ticket", "show", "7"), "sanwang ticket list"),
        (("ticket", "list", "--state", "lost"), "active"),
        (("shift", "note", "x"), "sanwang shift on"),
    ):
        code, said = run(*arguments)
        assert code == 2, arguments
        assert words in said
    run("ticket", "open", "t01", "慢")
    code, said = run("ticket", "close", "1")
    assert code == 2
    assert "possible while it is restored" in said


def test_a_shift_and_its_handover(run: Run) -> None:
    run("shift", "on")
    run("ticket", "open", "t02", "慢")
    noted = run("shift", "note", "运营商已回电", "--ticket", "1")["shift"]
    assert noted["notes"][0]["ticket"] == 1
    code, said = run("shift", "off")
    assert code == 2
    assert "hand the shift over" in said
    code, said = run("shift", "handover", "chen", "x")
    assert code == 2
    assert "expected another one" in said
    assert run("shift", "show")["shifts"][0]["ended_at"] is None


def test_a_county_without_rules_has_no_desk(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "written"
    folder.mkdir()
    from inventory.places import COUNTIES

    for path in (COUNTIES / "xiao").glob("*.yml"):
        if path.name not in ("supervision.yml", "calendar.yml"):
            (folder / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "county").write_text(str(folder), encoding="utf-8")
    code, said = run("ticket", "list")
    assert code == 3
    assert "supervision.yml" in said
