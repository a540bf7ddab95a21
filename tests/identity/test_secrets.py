"""Secrets by name: each kind is what its user's own tool expects."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from identity import wireguard
from identity.ca import CountyCA
from identity.secrets import Secrets, UnknownSecret


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    return Secrets(tmp_path)


@pytest.mark.parametrize(
    "name", ["wg/t01-rt", "psk/a", "ssh/broker", "ssh/host/c1-core", "snmp/auth", "token/county", "key/c2-nms", "ca"]
)
def test_a_secret_stays_the_same_and_is_its_own(secrets: Secrets, tmp_path: Path, name: str) -> None:
    value = secrets.resolve(name)
    assert Secrets(tmp_path).resolve(name) == value
    if name != "ca":
        assert secrets.resolve(f"{name}2") != value


@pytest.mark.parametrize("name", ["", "wg", "wg/", "nothing/here", "ca/x", "../etc/passwd", "cert/"])
def test_an_unknown_name_is_told_with_what_there_is(secrets: Secrets, name: str) -> None:
    with pytest.raises(UnknownSecret, match="expected ca, crl, cert/<host>"):
        secrets.resolve(name)


def test_public_values_are_derived_and_not_stored(secrets: Secrets) -> None:
    for name in ("wg-pub/a", "ssh-pub/a", "token-pub/a", "ca", "crl"):
        assert secrets.resolve(name)
    assert secrets.vault.names() == ["ssh/a", "token/a", "wg/a"]


def test_ssh_keys_are_what_openssh_reads(secrets: Secrets, tmp_path: Path) -> None:
    key = tmp_path / "id"
    key.write_text(secrets.resolve("ssh/host/c1-core"))
    key.chmod(0o600)
    told = subprocess.run(["ssh-keygen", "-y", "-f", str(key)], capture_output=True, text=True, check=True).stdout
    assert secrets.ssh_public("ssh/host/c1-core").split()[:2] == told.split()[:2]
    assert secrets.ssh_public("ssh/host/c1-core").split()[2] == "host/c1-core"
    assert secrets.resolve("ssh-pub/host/c1-core") == secrets.ssh_public("ssh/host/c1-core")


@pytest.mark.skipif(shutil.which("wg") is None, reason="needs wireguard-tools")
def test_wireguard_keys_are_what_wg_makes_of_them(secrets: Secrets) -> None:
    private = secrets.resolve("wg/t01-rt")
    told = subprocess.run(["wg", "pubkey"], input=private, capture_output=True, text=True, check=True).stdout
    assert secrets.resolve("wg-pub/t01-rt") == told.strip()
    made = subprocess.run(["wg", "genkey"], capture_output=True, text=True, check=True).stdout
    told = subprocess.run(["wg", "pubkey"], input=made, capture_output=True, text=True, check=True).stdout
    assert wireguard.public_key(made) == told.strip()


@given(text=st.text())
def test_what_is_no_wireguard_key_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        wireguard.public_key(text)


def test_snmp_phrases_are_long_and_plain(secrets: Secrets) -> None:
    phrase = secrets.resolve("snmp/priv")
    assert len(phrase) == 32
    assert phrase.isalnum()


def test_a_certificate_is_for_the_hosts_key_and_addresses(secrets: Secrets, tmp_path: Path) -> None:
    pem = secrets.resolve("cert/c2-nms", ips=["10.32.2.6"])
    assert secrets.resolve("cert/c2-nms", ips=["10.32.2.6"]) == pem
    (tmp_path / "c.pem").write_text(pem)
    (tmp_path / "k.pem").write_text(secrets.resolve("key/c2-nms"))
    texts = [
        subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for command in (
            ["openssl", "x509", "-in", "c.pem", "-noout", "-pubkey"],
            ["openssl", "pkey", "-in", "k.pem", "-pubout"],
        )
    ]
    assert texts[0] == texts[1]
    check = ["openssl", "verify", "-CAfile", "ca.pem", "-verify_ip", "10.32.2.6", "c.pem"]
    subprocess.run(check, cwd=tmp_path, check=True, capture_output=True)


def test_a_certificate_is_signed_anew_when_addresses_change_but_not_when_fewer_are_asked_for(secrets: Secrets) -> None:
    key = secrets.resolve("key/c2-nms")
    first = secrets.resolve("cert/c2-nms", ips=["10.32.2.6"])
    second = secrets.resolve("cert/c2-nms", ips=["10.32.2.6", "127.0.0.1"])
    assert second != first
    assert secrets.resolve("cert/c2-nms") == second
    assert secrets.resolve("key/c2-nms") == key


def test_a_certificate_near_its_end_is_renewed(secrets: Secrets, monkeypatch: pytest.MonkeyPatch) -> None:
    first = secrets.resolve("cert/t01-rt")

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.now(UTC) + timedelta(days=2 * 365 - 29)

    monkeypatch.setattr("identity.secrets.datetime", Later)
    assert secrets.resolve("cert/t01-rt") != first


def test_a_certificate_of_another_root_is_replaced(tmp_path: Path) -> None:
    first = Secrets(tmp_path).resolve("cert/t01-rt")
    for name in ("ca.key", "ca.pem"):
        (tmp_path / name).unlink()
    secrets = Secrets(tmp_path)
    second = secrets.resolve("cert/t01-rt")
    assert second != first
    root = x509.load_pem_x509_certificate(CountyCA(tmp_path).certificate_pem.encode())
    x509.load_pem_x509_certificate(second.encode()).verify_directly_issued_by(root)
