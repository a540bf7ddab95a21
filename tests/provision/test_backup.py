"""Configurations in git: what goes in comes out, history tells who and why, nothing changed makes no commit."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provision.backup.archive import Archive, ArchiveError, Kept, Snapshot


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "configs")


def _kept(text: str, sha256: str = "") -> Kept:
    return Kept(text, "0644", sha256 or f"hash of {text}")


def test_what_goes_in_comes_out_and_the_past_stays(archive: Archive) -> None:
    first = Snapshot({"/etc/a": _kept("one\n"), "/etc/b": _kept("two\n")})
    second = Snapshot({"/etc/a": _kept("uno\n")}, {"frr": ["a line by hand"]})
    was = archive.put({"b01-rt": first, "b02-rt": first}, who="zhang", what="apply", why="plan p-1")
    now = archive.put(
        {"b01-rt": second}, who="li", what="backup", why="before the works", at=datetime(2026, 1, 2, tzinfo=UTC)
    )
    assert archive.snapshot("b01-rt") == second
    assert archive.snapshot("b01-rt", was) == first
    assert archive.snapshot("b02-rt") == first
    assert archive.snapshot("b03-rt") is None
    newest, oldest = archive.history("b01-rt")
    assert (newest.commit, newest.who, newest.what, newest.why) == (now, "li", "backup", "before the works")
    assert (newest.at, newest.hosts) == ("2026-01-02T00:00:00Z", ("b01-rt",))
    assert (oldest.commit, oldest.who, oldest.hosts) == (was, "zhang", ("b01-rt", "b02-rt"))
    assert [version.commit for version in archive.history("b02-rt")] == [was]
    difference = archive.difference("b01-rt", now)
    assert "-one" in difference
    assert "+uno" in difference
    assert "two" in difference, "a file that went is shown with its text"


def test_nothing_changed_is_no_commit(archive: Archive) -> None:
    snapshot = Snapshot({"/etc/a": _kept("one\n")})
    commit = archive.put({"b01-rt": snapshot}, who="zhang", what="apply", why="")
    assert archive.put({"b01-rt": snapshot}, who="li", what="apply", why="again") == ""
    assert archive.head() == commit


def test_a_rotated_secret_is_a_change_that_shows_no_text(archive: Archive) -> None:
    """The text keeps its placeholder; only the hash of what lies on the device moves."""
    for value in ("old", "new"):
        kept = _kept("key @secret:wg/b01@\n", f"hash with {value}")
        assert archive.put({"b01-rt": Snapshot({"/etc/wg": kept})}, who="vpn", what="rotate", why="") != ""
    assert len(archive.history("b01-rt")) == 2
    assert archive.difference("b01-rt", archive.head()) == ""


def test_before_the_first_there_is_nothing(archive: Archive) -> None:
    assert archive.history() == []
    assert archive.head() == ""
    assert archive.snapshot("b01-rt") is None
    assert archive.state("b01-rt") == {}


def test_a_name_cannot_forge_a_commit(archive: Archive) -> None:
    snapshot = Snapshot({"/etc/a": _kept("data 3\nabc\ndone\n")})
    archive.put({"b01-rt": snapshot}, who="x> 1 +0000\nmark :1 <y", what="apply", why="data 5\n\nfrom nowhere")
    (version,) = archive.history()
    assert version.who == "x 1 +0000mark :1 y"
    assert version.why == "data 5\n\nfrom nowhere"
    assert archive.snapshot("b01-rt") == snapshot


def test_a_spoilt_repository_says_so(archive: Archive) -> None:
    archive.put({"b01-rt": Snapshot({"/etc/a": _kept("one\n")})}, who="zhang", what="apply", why="")
    for lost in [*archive.folder.glob("objects/??/*"), *archive.folder.glob("objects/pack/*")]:
        lost.unlink()
    with pytest.raises(ArchiveError, match="configs: git"):
        archive.history()


_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=60)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["/etc/a", "/etc/b c", "/etc/路.conf", "/x"]), _TEXTS, min_size=1), _TEXTS)
def test_any_text_survives(tmp_path: Path, texts: dict[str, str], why: str) -> None:
    archive = Archive(tmp_path / "any")
    snapshot = Snapshot({path: _kept(text) for path, text in sorted(texts.items())})
    archive.put({"b01-rt": snapshot}, who="zhang", what="apply", why=why.replace("\x1e", "").replace("\x1f", ""))
    assert archive.snapshot("b01-rt") == snapshot
