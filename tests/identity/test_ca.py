"""The county's authority, judged by OpenSSL, which shares no code with what made the certificates' contents."""

from __future__ import annotations

import multiprocessing
import ssl
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from identity.ca import CountyCA, dns_name, new_key


def verify(folder: Path, pem: str, *options: str) -> tuple[bool, str]:
    """What ``openssl verify`` says of a certificate under the county's root."""
    leaf = folder / "leaf.pem"
    leaf.write_text(pem)
    done = subprocess.run(
        ["openssl", "verify", "-CAfile", str(folder / "ca.pem"), "-x509_strict", *options, str(leaf)],
        capture_output=True,
        text=True,
    )
    return done.returncode == 0, done.stdout + done.stderr


def usage(pem: str) -> set[x509.ObjectIdentifier]:
    return set(
        x509.load_pem_x509_certificate(pem.encode()).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    )


def test_the_root_is_made_once_and_its_key_is_the_owners_alone(tmp_path: Path) -> None:
    first = CountyCA(tmp_path / "ca", "shili").certificate_pem
    assert CountyCA(tmp_path / "ca", "other").certificate_pem == first
    assert "shili" in x509.load_pem_x509_certificate(first.encode()).subject.rfc4514_string()
    assert stat.S_IMODE((tmp_path / "ca" / "ca.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "ca").stat().st_mode) == 0o700


def test_the_root_signs_leaves_only_and_with_p256(tmp_path: Path) -> None:
    root = x509.load_pem_x509_certificate(CountyCA(tmp_path).certificate_pem.encode())
    key = root.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(True, 0)
    assert root.extensions.get_extension_for_class(x509.NameConstraints).critical


@pytest.mark.parametrize("kind", ["issue_server", "issue_device", "issue_vpn"])
def test_what_is_issued_verifies_for_its_names_and_addresses(tmp_path: Path, kind: str) -> None:
    ca = CountyCA(tmp_path)
    key, pem = getattr(ca, kind)("c2-nms", ["ops.shili.internal", "localhost"], ["10.32.2.6", "127.0.0.1"])
    for option in (
        ("-verify_hostname", "c2-nms.sanwang.internal"),
        ("-verify_hostname", "localhost"),
        ("-verify_ip", "10.32.2.6"),
        ("-purpose", "sslserver"),
    ):
        good, said = verify(tmp_path, pem, *option)
        assert good, said
    assert not verify(tmp_path, pem, "-verify_hostname", "c1-nms.sanwang.internal")[0]
    assert not verify(tmp_path, pem, "-verify_ip", "10.32.2.7")[0]
    loaded = serialization.load_pem_private_key(key.encode(), None)
    assert x509.load_pem_x509_certificate(pem.encode()).public_key() == loaded.public_key()


def test_each_kind_may_do_what_it_is_for(tmp_path: Path) -> None:
    ca = CountyCA(tmp_path)
    assert usage(ca.issue_server("a")[1]) == {ExtendedKeyUsageOID.SERVER_AUTH}
    assert usage(ca.issue_device("a")[1]) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert ExtendedKeyUsageOID.IPSEC_IKE in usage(ca.issue_vpn("a")[1])
    good, _ = verify(tmp_path, ca.issue_server("a")[1], "-purpose", "sslclient")
    assert not good


@pytest.mark.parametrize(
    ("dns", "ips"), [(["example.com"], []), (["internal.example.com"], []), ([], ["8.8.8.8"]), ([], ["2001:db8::1"])]
)
def test_the_authority_does_not_sign_for_the_rest_of_the_world(tmp_path: Path, dns: list[str], ips: list[str]) -> None:
    with pytest.raises(ValueError, match="may not sign for"):
        CountyCA(tmp_path).issue_server("c2-nms", dns, ips)


def test_nor_would_anybody_believe_it_if_it_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The constraint stands in the root itself: a stolen key signs for the county at most."""
    monkeypatch.setattr("identity.ca._check_constraints", lambda *_: None)
    ca = CountyCA(tmp_path)
    for stolen in (ca.issue_server("a", ["bank.example.com"])[1], ca.issue_server("a", [], ["8.8.8.8"])[1]):
        good, said = verify(tmp_path, stolen)
        assert not good
        assert "permitted subtree violation" in said


def test_certificates_end_in_time(tmp_path: Path) -> None:
    ca = CountyCA(tmp_path)
    now = datetime.now(UTC)
    server = x509.load_pem_x509_certificate(ca.issue_server("a")[1].encode())
    assert timedelta(days=390) < server.not_valid_after_utc - now <= timedelta(days=397)
    assert server.not_valid_before_utc <= now
    late = (now + timedelta(days=398)).timestamp()
    assert not verify(tmp_path, ca.issue_server("a")[1], "-attime", str(int(late)))[0]


def test_a_renewal_keeps_the_key(tmp_path: Path) -> None:
    ca = CountyCA(tmp_path)
    key = new_key()
    again, pem = ca.issue_device("t01-rt", key_pem=key)
    assert again == key
    assert verify(tmp_path, pem)[0]


def test_revocation_is_seen_and_nobody_else_is_hit(tmp_path: Path) -> None:
    ca = CountyCA(tmp_path)
    lost, kept = ca.issue_vpn("v01-cpe")[1], ca.issue_vpn("v02-cpe")[1]
    row = ca.revoke(ca.index()[0].serial.upper(), "box stolen")
    assert (row.name, row.reason) == ("v01-cpe", "box stolen")
    check = ("-crl_check", "-CRLfile", str(tmp_path / "crl.pem"))
    good, said = verify(tmp_path, lost, *check)
    assert not good
    assert "certificate revoked" in said
    assert verify(tmp_path, kept, *check)[0]


def test_revoking_twice_changes_nothing_and_an_unknown_serial_is_told(tmp_path: Path) -> None:
    ca = CountyCA(tmp_path)
    ca.issue_vpn("v01-cpe")
    serial = ca.index()[0].serial
    assert ca.revoke(serial, "stolen") == ca.revoke(serial, "again")
    with pytest.raises(KeyError, match="beef"):
        ca.revoke("beef", "never issued")


def test_the_list_stays_the_same_until_something_is_revoked_or_it_grows_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = CountyCA(tmp_path)
    ca.issue_vpn("v01-cpe")
    first = ca.crl_pem()
    assert ca.crl_pem() == CountyCA(tmp_path).crl_pem() == first
    ca.revoke(ca.index()[0].serial, "stolen")
    second = ca.crl_pem()
    assert second != first
    assert len(list(x509.load_pem_x509_crl(second.encode()))) == 1
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=16)
    monkeypatch.setattr("identity.ca._now", lambda: later)
    third = x509.load_pem_x509_crl(ca.crl_pem().encode())
    assert third.next_update_utc == later + timedelta(days=30)
    assert len(list(third)) == 1


def test_the_index_is_what_was_issued(tmp_path: Path) -> None:
    ca = CountyCA(tmp_path)
    pem = [ca.issue_server("a")[1], ca.issue_device("b")[1]]
    rows = CountyCA(tmp_path).index()
    assert [(row.name, row.kind) for row in rows] == [("a", "server"), ("b", "device")]
    assert [int(row.serial, 16) for row in rows] == [
        x509.load_pem_x509_certificate(text.encode()).serial_number for text in pem
    ]


def test_python_and_browsers_libraries_take_the_key_pair(tmp_path: Path) -> None:
    key, pem = CountyCA(tmp_path).issue_server("c2-nms", ips=["127.0.0.1"])
    (tmp_path / "k").write_text(key)
    (tmp_path / "c").write_text(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "c", tmp_path / "k")


_label = st.from_regex(r"[a-z][a-z0-9-]{0,10}[a-z0-9]", fullmatch=True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(host=_label, names=st.lists(_label, max_size=3), address=st.ip_addresses(network="10.0.0.0/8"))
def test_any_host_of_the_plan_gets_a_certificate_that_verifies(
    tmp_path: Path, host: str, names: list[str], address: object
) -> None:
    _, pem = CountyCA(tmp_path).issue_device(host, names, [str(address)])
    for name in [host, *names]:
        good, said = verify(tmp_path, pem, "-verify_hostname", dns_name(name), "-verify_ip", str(address))
        assert good, said


def _issue(folder: Path, who: int) -> None:
    ca = CountyCA(folder)
    for number in range(10):
        ca.issue_device(f"h{who}-{number}")


def test_processes_share_one_root_and_one_index(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    issuers = [spawn.Process(target=_issue, args=(tmp_path, who)) for who in range(3)]
    for issuer in issuers:
        issuer.start()
    for issuer in issuers:
        issuer.join(60)
    assert [issuer.exitcode for issuer in issuers] == [0] * 3
    rows = CountyCA(tmp_path).index()
    assert len({row.serial for row in rows}) == 30
