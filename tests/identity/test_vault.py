"""The vault: what goes in comes out, nobody else reads it, and a changed file is refused."""

from __future__ import annotations

import base64
import multiprocessing
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity.vault import KEY_VARIABLE, Vault, VaultError

_text = st.text(alphabet=st.characters(exclude_categories=["Cs"]))


@given(secrets=st.dictionaries(_text, _text))
def test_what_goes_in_comes_out_of_another_vault_object(secrets: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        vault = Vault(Path(folder))
        for name, value in secrets.items():
            vault.put(name, value)
        again = Vault(Path(folder))
        assert {name: again.get(name) for name in again.names()} == secrets


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    assert vault.ensure("wg/t01-rt", lambda: "first") == "first"
    assert vault.ensure("wg/t01-rt", lambda: "second") == "first"
    assert vault.ensure_many([("wg/t01-rt", lambda: "third"), ("wg/t02-rt", lambda: "other")]) == {
        "wg/t01-rt": "first",
        "wg/t02-rt": "other",
    }


def test_a_secret_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no secret 'wg/none'"):
        Vault(tmp_path).get("wg/none")


def test_what_another_one_wrote_is_seen_at_once_and_no_answer_is_shared(tmp_path: Path) -> None:
    one, other = Vault(tmp_path), Vault(tmp_path)
    one.put("a", "first")
    assert (other.get("a"), one.get("a")) == ("first", "first")
    other.put("a", "second")
    other.put("b", "third")
    assert (one.get("a"), one.names()) == ("second", ["a", "b"])
    one._read()["a"] = "spoilt"
    assert one.get("a") == "second"


def test_forgetting(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    vault.put("a", "1")
    assert vault.forget("a")
    assert not vault.forget("a")
    assert vault.names() == []


def test_only_the_owner_can_read_and_nothing_lies_there_in_clear(tmp_path: Path) -> None:
    folder = tmp_path / "identity"
    Vault(folder).put("snmp/auth", "very secret phrase")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        assert b"very secret" not in path.read_bytes()
        assert b"snmp/auth" not in path.read_bytes()


def test_the_same_content_is_sealed_differently_every_time(tmp_path: Path) -> None:
    vault = Vault(tmp_path)
    vault.put("a", "1")
    first = (tmp_path / "vault.bin").read_bytes()
    vault.put("a", "1")
    assert (tmp_path / "vault.bin").read_bytes() != first


@given(data=st.data())
def test_any_changed_bit_is_refused(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        vault = Vault(Path(folder))
        vault.put("a", "1")
        path = Path(folder) / "vault.bin"
        sealed = bytearray(path.read_bytes())
        place = data.draw(st.integers(0, len(sealed) - 1))
        sealed[place] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(sealed)
        with pytest.raises(VaultError):
            vault.get("a")


@given(kept=st.integers(0, 60))
def test_a_cut_off_file_is_refused(kept: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        vault = Vault(Path(folder))
        vault.put("name", "value" * 10)
        path = Path(folder) / "vault.bin"
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(VaultError):
            vault.get("name")


def test_a_key_file_open_to_others_is_refused(tmp_path: Path) -> None:
    Vault(tmp_path)
    (tmp_path / "vault.key").chmod(0o640)
    with pytest.raises(VaultError, match="chmod 600"):
        Vault(tmp_path)


def test_a_lost_key_is_told_and_no_new_one_made(tmp_path: Path) -> None:
    Vault(tmp_path).put("a", "1")
    (tmp_path / "vault.key").unlink()
    with pytest.raises(VaultError, match=KEY_VARIABLE):
        Vault(tmp_path)
    assert not (tmp_path / "vault.key").exists()


def test_the_key_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, base64.b64encode(bytes(range(32))).decode())
    Vault(tmp_path).put("a", "1")
    assert not (tmp_path / "vault.key").exists()
    assert Vault(tmp_path).get("a") == "1"
    monkeypatch.setenv(KEY_VARIABLE, base64.b64encode(bytes(32)).decode())
    with pytest.raises(VaultError, match="another key"):
        Vault(tmp_path).get("a")


@pytest.mark.parametrize("bad", ["", "short", base64.b64encode(bytes(16)).decode(), "é" * 40])
def test_a_key_that_is_none_is_told(bad: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, bad)
    with pytest.raises(VaultError, match="base64 of 32 bytes"):
        Vault(tmp_path)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault = Vault(tmp_path)
    vault.put("a", "1")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        vault.put("a", "2")
    monkeypatch.undo()
    assert Vault(tmp_path).get("a") == "1"
    assert {path.name for path in tmp_path.iterdir()} == {"vault.bin", "vault.key", "vault.lock"}


def _fill(folder: Path, who: int) -> None:
    vault = Vault(folder)
    for number in range(15):
        vault.put(f"{who}/{number}", str(number))
        vault.ensure(f"shared/{number}", lambda: str(who))


def test_processes_write_at_the_same_time_and_lose_nothing(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_fill, args=(tmp_path, who)) for who in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0] * 4
    assert len(Vault(tmp_path).names()) == 4 * 15 + 15
