"""Ends of certificates, read by the agent from its own disk."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from collectors.agent.certificates import BadCertificate, Certificates, not_after
from identity import ca as authority


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> authority.CountyCA:
    return authority.CountyCA(tmp_path_factory.mktemp("identity"))


def test_the_same_end_as_a_whole_library_reads(county: authority.CountyCA) -> None:
    _, pem = county.issue_vpn("v01-cpe", ips=["198.18.0.2"])
    for text in (pem, county.certificate_pem):
        assert not_after(text.encode()) == x509.load_pem_x509_certificate(text.encode()).not_valid_after_utc.timestamp()
    ends = x509.load_pem_x509_crl(county.crl_pem().encode()).next_update_utc
    assert ends is not None
    assert not_after(county.crl_pem().encode()) == ends.timestamp()


def test_a_root_that_ends_after_2049_is_read_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authority, "_ROOT_LIFE", timedelta(days=40 * 365))
    late = authority.CountyCA(tmp_path)
    assert not_after(late.certificate_pem.encode()) == late.not_after.timestamp(), "GeneralizedTime, not UTCTime"


def test_files_are_read_again_when_they_change(county: authority.CountyCA, tmp_path: Path) -> None:
    tls, crl = tmp_path / "etc/sanwang/tls", tmp_path / "etc/swanctl/x509crl"
    tls.mkdir(parents=True)
    crl.mkdir(parents=True)
    (tls / "ca.crt").write_text(county.certificate_pem)
    (tls / "host.crt").write_text("spoilt")
    (tls / "host.key").write_text("never looked at")
    (crl / "county.pem").write_text(county.crl_pem())
    certificates = Certificates(tmp_path)
    seen = certificates.look()
    assert {name: value["kind"] for name, value in seen.items()} == {
        "/etc/sanwang/tls/ca.crt": "authority",
        "/etc/sanwang/tls/host.crt": "web",
        "/etc/swanctl/x509crl/county.pem": "revocation list",
    }
    assert "no PEM block" in seen["/etc/sanwang/tls/host.crt"]["error"]
    assert certificates.look() == seen
    (tls / "new").write_text(county.issue_server("c1-srv")[1])
    os.replace(tls / "new", tls / "host.crt")  # noqa: PTH105  (as the device tool does)
    (crl / "county.pem").unlink()
    again = certificates.look()
    assert again["/etc/sanwang/tls/host.crt"]["not_after"] > seen["/etc/swanctl/x509crl/county.pem"]["not_after"]
    assert "/etc/swanctl/x509crl/county.pem" not in again


@given(st.data())
def test_any_bytes_are_read_or_told(county: authority.CountyCA, data: st.DataObject) -> None:
    raw = bytearray(data.draw(st.sampled_from([county.certificate_pem.encode(), county.crl_pem().encode()])))
    for at, byte in data.draw(st.lists(st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255)), max_size=5)):
        raw[at] = byte
    try:
        end = not_after(bytes(raw))
    except BadCertificate:
        end = 0.0
    assert isinstance(end, float)
