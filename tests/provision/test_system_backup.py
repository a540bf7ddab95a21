"""Sanwang itself in one sealed file: all of it comes back, nothing of it shows, and no spoilt byte gets past."""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from identity.secrets import Secrets
from inventory.places import CHECKOUT, COUNTIES, Places
from provision.backup import system
from provision.backup.archive import Archive, Kept, Snapshot, place
from provision.backup.putback import check, put_back
from provision.backup.sealed import Opener, Sealer, SealError, decode_key, key_id
from provision.backup.system import BackupError, create, find_key, recovery_key
from store.audit import AuditEntry, record, verify_chain
from store.engine import open_store

KEY = bytes(range(32))


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """An instance with something of everything."""
    monkeypatch.setattr(Places, "lib", property(lambda self: tmp_path / "lib" / self.instance))
    monkeypatch.setattr(Places, "run", property(lambda self: tmp_path / "run" / self.instance))
    monkeypatch.setattr(system, "KEY_FILE", tmp_path / "no-key-here")
    for name in ("SANWANG_DATABASE", "SANWANG_VAULT_KEY", "SANWANG_BACKUP_KEY"):
        monkeypatch.delenv(name, raising=False)
    places = Places("zsunit")
    shutil.copytree(COUNTIES / "xiao", tmp_path / "xiao")
    places.lib.mkdir(parents=True)
    (places.lib / "county").write_text(f"{tmp_path / 'xiao'}\n")
    (places.lib / "environment").write_text("production\n")
    _note(places, "first")
    Secrets(places.lib / "identity").resolve("wg/v01-cpe")
    for name, text in (
        ("changes/0123.jsonl", "{}\n"),
        ("changes/lock.lock", ""),
        ("broker/armed.jsonl", "armed\n"),
        ("broker/sessions/t01-rt.log", "long\n"),
        ("applied/county.yml", "x: 1\n"),
        ("hosts/t01-rt/etc/x", "the twin's disk\n"),
    ):
        (places.lib / name).parent.mkdir(parents=True, exist_ok=True)
        (places.lib / name).write_text(text)
    kept = Snapshot({"/etc/a": Kept("one\n", "0644", "hash", "frr")})
    Archive(place(places)).put({"t01-rt": kept}, who="zhang", what="apply", why="plan p-1")
    return places


def _note(places: Places, what: str) -> None:
    store = open_store(places.database)
    with store.session() as session:
        record(session, "zhang", what, "a test")
    store.close()


def _told(places: Places) -> list[str]:
    store = open_store(places.database)
    with store.reading() as session:
        assert verify_chain(session).ok
        found = [entry.what for entry in session.query(AuditEntry).order_by(AuditEntry.number)]
    store.close()
    return found


def _files(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_all_of_it_comes_back_and_nothing_else(places: Places, tmp_path: Path) -> None:
    made = create(places, tmp_path / "one.swb", who="zhang", why="nightly")
    key = find_key(places)
    identity, head = _files(places.lib / "identity"), Archive(place(places)).head()
    _note(places, "after the backup")
    (places.lib / "changes" / "later.jsonl").write_text("{}\n")
    Secrets(places.lib / "identity").burn("v01-cpe", "stolen")
    done = put_back(places, Path(made.path), key, who="li", why="the disk died")
    assert _told(places) == ["first", "restore.system"]
    restored = {path: text for path, text in _files(places.lib / "identity").items() if not path.endswith(".lock")}
    assert restored == {path: text for path, text in identity.items() if not path.endswith(".lock")}
    assert (places.lib / "identity" / "vault.key").stat().st_mode & 0o777 == 0o600
    assert places.lib.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in (places.lib / "changes").iterdir()] == ["0123.jsonl"]
    assert not (places.lib / "broker" / "sessions").exists()
    assert (places.lib / "environment").read_text() == "production\n"
    assert Archive(place(places)).head() == head != ""
    assert Archive(place(places)).snapshot("t01-rt") is not None
    assert (places.lib / "hosts" / "t01-rt" / "etc" / "x").exists(), "the twin's disks move over"
    assert done.county == str(tmp_path / "xiao"), "it has not changed"
    assert (Path(done.before) / "changes" / "later.jsonl").exists()
    first = _files(places.lib / "identity")
    put_back(places, Path(made.path), key, who="li", why="once more")
    assert _told(places) == ["first", "restore.system"], "twice is once"
    assert _files(places.lib / "identity") == first


def test_on_a_new_host_the_county_s_files_come_too(places: Places, tmp_path: Path) -> None:
    made = create(places, tmp_path / "one.swb", who="zhang", why="")
    key = decode_key(recovery_key(places), "x")
    shutil.rmtree(places.lib)
    shutil.rmtree(tmp_path / "xiao")
    with pytest.raises(SealError, match="found no recovery key"):
        find_key(places)
    done = put_back(places, Path(made.path), key, who="li", why="")
    assert (done.before, done.county) == ("", str(places.lib / "county-files"))
    here, there = _files(places.lib / "county-files"), _files(COUNTIES / "xiao")
    assert here == {path: text for path, text in there.items() if path.endswith(".yml")}
    assert create(places, tmp_path / "two.swb", who="li", why="from there").files == made.files


def test_nothing_of_it_shows(places: Places, tmp_path: Path) -> None:
    made = create(places, tmp_path / "one.swb", who="zhang", why="nightly")
    data = Path(made.path).read_bytes()
    for name in ("identity/vault.key", "identity/vault.bin", "identity/ca.key"):
        assert (places.lib / name).read_bytes()[8:40] not in data
    for word in (b"zsunit", b"vault", b"nightly", b"county.yml", b"BEGIN", b"SQLite", b"ustar", KEY):
        assert word not in data
    assert Path(made.path).stat().st_mode & 0o777 == 0o600
    assert not list(places.lib.glob(".backup-*")), "nothing plain is left beside it"


def test_what_a_writer_has_not_committed_is_not_in_it(places: Places, tmp_path: Path) -> None:
    other = sqlite3.connect(places.lib / "sanwang.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE audit SET why = 'half a thought'")
    assert system._copy_store(places, tmp_path / "copy.db")[0] == 1
    other.execute("ROLLBACK")
    other.close()


def test_older_ones_go(places: Places, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    names = [f"sanwang-zsunit-2026010{day}T010000Z.swb" for day in (1, 2, 3)]
    for name in (*names, "sanwang-other-20260101T010000Z.swb", "notes.txt"):
        (out / name).write_text("old")
    made = create(places, out, who="zhang", why="", keep=2)
    assert made.removed == [str(out / name) for name in names[:2]]
    left = {file.name for file in out.iterdir()}
    assert left == {names[2], "sanwang-other-20260101T010000Z.swb", "notes.txt", Path(made.path).name}
    assert _told(places)[-1] == "backup.system"


def test_a_damaged_store_is_not_kept_in_place_of_a_good_one(places: Places, tmp_path: Path) -> None:
    with sqlite3.connect(places.lib / "sanwang.db") as spoilt:
        spoilt.execute("UPDATE audit SET why = 'never said'")
    with pytest.raises(BackupError, match="chain does not hold"):
        create(places, tmp_path / "one.swb", who="zhang", why="")
    assert not list(tmp_path.glob("*.swb")) + list(tmp_path.glob(".*.new"))


@pytest.fixture(scope="module")
def sealed() -> bytes:
    return _seal(os.urandom(150_000))


def _seal(text: bytes) -> bytes:
    held = io.BytesIO()
    with Sealer(held, KEY) as sealer:
        sealer.write(text)
    return held.getvalue()


def _open(data: bytes, key: bytes = KEY) -> bytes:
    opener = Opener(io.BytesIO(data), key, "b.swb")
    text = bytearray()
    while piece := opener.read(100_000):
        text += piece
    return bytes(text)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_one_bit_or_a_cut_or_more_is_found(sealed: bytes, data: st.DataObject) -> None:
    where = data.draw(st.integers(0, len(sealed) - 1))
    for spoilt in (
        sealed[:where] + bytes([sealed[where] ^ (1 << data.draw(st.integers(0, 7)))]) + sealed[where + 1 :],
        sealed[:where],
        sealed + data.draw(st.binary(min_size=1, max_size=40)),
    ):
        with pytest.raises(SealError, match=r"b\.swb: "):
            _open(spoilt)


@given(st.integers(0, 3 * 65536 + 2))
@settings(max_examples=25, deadline=None)
def test_any_length_comes_back(length: int) -> None:
    text = bytes(length)
    assert _open(_seal(text)) == text


def test_pieces_cannot_change_places_or_be_left_out(sealed: bytes) -> None:
    head, piece = 48, 65536 + 16
    one, two, rest = sealed[head : head + piece], sealed[head + piece : head + 2 * piece], sealed[head + 2 * piece :]
    assert _open(sealed[:head] + one + two + rest)
    for forged in (two + one + rest, one + rest, one, one + two, two + rest, b""):
        with pytest.raises(SealError):
            _open(sealed[:head] + forged)


def test_another_key_is_told_from_a_spoilt_file(sealed: bytes) -> None:
    with pytest.raises(SealError, match=f"sealed with recovery key {key_id(KEY)}; expected {key_id(bytes(32))}"):
        _open(sealed, bytes(32))
    with pytest.raises(SealError, match="another kind of file"):
        _open(b"SQLite format 3" + sealed)


def _tar(*members: tuple[str, bytes]) -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as tar:
        for name, text in members:
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text))
    return held.getvalue()


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        (b"no tar at all" * 100, "no archive inside"),
        (_tar(("x", b"y")), "found no manifest.json at its beginning"),
        (_tar(("manifest.json", b"{}")), "expected 'sanwang backup 1'"),
        (_tar(("manifest.json", b"[" * 90_000)), "expected 'sanwang backup 1'"),
    ],
)
def test_what_a_holder_of_the_key_made_wrong_is_refused(tmp_path: Path, inside: bytes, words: str) -> None:
    file = tmp_path / "b.swb"
    file.write_bytes(_seal(inside))
    with pytest.raises(SealError, match=words):
        check(file, KEY)


def test_a_name_that_leads_out_is_refused(places: Places, tmp_path: Path) -> None:
    made = create(places, tmp_path / "one.swb", who="zhang", why="")
    found = check(Path(made.path), find_key(places))
    entry = found.files.popitem()[1]
    for name in ("../out", "/etc/out", "identity/../../out"):
        found.files.clear()
        found.files[name] = entry
        file = tmp_path / "forged.swb"
        file.write_bytes(_seal(_tar(("manifest.json", found.text()), (name, b"x"))))
        with pytest.raises(SealError, match="take another"):
            put_back(places, file, KEY, who="li", why="")
        assert not (tmp_path / "out").exists()
    assert _told(places)[0] == "first", "the instance is untouched"


def test_the_command_says_what_is_wrong(places: Places, tmp_path: Path) -> None:
    made = create(places, tmp_path / "one.swb", who="zhang", why="")
    data = Path(made.path).read_bytes()
    (tmp_path / "cut.swb").write_bytes(data[:-1])
    (tmp_path / "key").write_text(recovery_key(places))
    for arguments, code, words in (
        (["backup", "check", made.path], 0, "whole"),
        (["restore", "system", made.path, "--check"], 0, "whole"),
        (["restore", "system", str(tmp_path / "cut.swb")], 2, "cut off"),
        (["restore", "system", str(tmp_path / "none.swb")], 2, "no such file"),
        (["restore", "system", made.path, "--instance", "zsother"], 2, "expected one of 'zsother'"),
    ):
        ran = subprocess.run(
            [sys.executable, "-m", "sanwang", *arguments, "--key", str(tmp_path / "key")],
            cwd=CHECKOUT,
            env={**os.environ, "SANWANG_INSTANCE": "zsunit"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (ran.returncode, words in ran.stdout + ran.stderr) == (code, True), ran
