"""``sanwang account`` and ``sanwang ca issue``, as root uses them to begin with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from identity.secrets import Secrets
from inventory.load import find
from inventory.places import Places
from sanwang.main import main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in an instance of the small county."""
    monkeypatch.setattr(Places, "lib", property(lambda self: tmp_path))
    monkeypatch.setenv("SANWANG_WHO", "root of the test")
    (tmp_path / "county").write_text(f"{find('xiao')}\n")
    Secrets(tmp_path / "identity")

    def go(*arguments: str) -> tuple[int, str, str]:
        code = main([*arguments])
        heard = capsys.readouterr()
        return code, heard.out, heard.err

    return go


def rows(run: Run) -> dict[str, dict[str, Any]]:
    """What the list says, by login."""
    code, out, _ = run("account", "list", "--json")
    assert code == 0
    return {row["login"]: row for row in json.loads(out.splitlines()[-1])["people"]}


def test_root_begins(run: Run) -> None:
    assert rows(run)["wu"]["state"] == "no account"
    code, out, _ = run("account", "add", "wu", "--why", "system administrator", "--port", "443")
    assert code == 0
    assert out.splitlines()[-1].startswith("https://127.0.0.1/ops/#invite=")
    assert rows(run)["wu"] == {"login": "wu", "state": "invited", "second_factor": "none!", "duties": "sysadmin@*"}
    assert run("account", "add", "ma", "--zh", "马", "--en", "Ma", "--unit", "t02", "--why", "x")[0] == 0
    assert run("account", "grant", "ma", "clerk", "--unit", "t02", "--days", "9", "--why", "clerk")[0] == 0
    assert rows(run)["ma"]["duties"] == "clerk@t02"
    assert run("account", "lock", "ma", "--why", "left")[0] == 0
    assert rows(run)["ma"]["state"] == "locked"
    assert run("account", "unlock", "ma", "--why", "back")[0] == 0
    assert run("account", "revoke", "ma", "clerk", "--why", "moved")[0] == 0
    assert rows(run)["ma"]["duties"] == ""
    assert "invite=" in run("account", "reset", "ma", "--why", "lost the link")[1]
    assert run("account", "sessions", "ma", "--json")[1].splitlines()[-1] == '{"sessions": [], "ended": false}'
    _, out, _ = run("audit", "show", "--json")
    entries = json.loads(out.splitlines()[-1])["entries"]
    assert {entry["who"] for entry in entries} == {"root of the test"}
    assert "invite" not in str(entries)
    assert [entry["what"] for entry in entries][-1] == "account.reset"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("add", "Wu", "--why", "x"), "small letters"),
        (("add", "operator", "--why", "x"), "another login"),
        (("add", "ma", "--unit", "t99", "--why", "x"), "not in the county"),
        (("lock", "ghost", "--why", "x"), "has no account"),
        (("grant", "wang", "auditor", "--why", "x"), "三员"),
        (("grant", "wang", "clerk", "--unit", "t99", "--why", "x"), "not in the county"),
        (("revoke", "wang", "engineer", "--why", "x"), "written in people.yml"),
        (("release", "wang", "--why", "x"), "has no account"),
        (("sessions", "wang", "--end"), "--why"),
    ],
)
def test_what_makes_no_sense_is_said(run: Run, arguments: tuple[str, ...], said: str) -> None:
    code, _, err = run("account", *arguments)
    assert code == 2
    assert said in err


def test_a_persons_certificate(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "wang.p12"
    monkeypatch.setenv("SANWANG_PKCS12_PASSPHRASE", "short")
    assert run("ca", "issue", "--person", "wang", "--out", str(out), "--why", "x")[0] == 2
    monkeypatch.setenv("SANWANG_PKCS12_PASSPHRASE", "pass phrase of a file")
    assert run("ca", "issue", "--person", "ghost", "--out", str(out), "--why", "x")[0] == 2
    assert not out.exists()
    assert run("ca", "issue", "--person", "wang", "--out", str(out), "--why", "x")[0] == 0
    assert out.stat().st_mode & 0o777 == 0o600
    before = out.read_bytes()
    assert run("ca", "issue", "--person", "wang", "--out", str(out), "--why", "x")[0] == 2
    assert out.read_bytes() == before


def test_the_providers_secret_goes_into_the_vault(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANWANG_OIDC_SECRET", "s3cret")
    code, out, _ = run("account", "oidc-secret", "--why", "registered")
    assert code == 0
    assert "s3cret" not in out
    assert Secrets(tmp_path / "identity").vault.get("oidc/client") == "s3cret"


def test_an_audit_log_is_held_against_what_was_told(run: Run, tmp_path: Path) -> None:
    run("account", "add", "wu", "--why", "x")
    kept = tmp_path / "kept.log"
    kept.write_text("nothing of ours\n")
    assert run("audit", "verify", "--syslog", str(kept))[0] == 2
    kept.write_text(f'<109>1 x [audit@32473 number="1" digest="{"a" * 64}" who="x"] y\n')
    code, out, _ = run("audit", "verify", "--syslog", str(kept), "--json")
    assert code == 1
    assert json.loads(out.splitlines()[-1])["problems"] == ["entry 1 is not what was told: it was changed"]
