"""Signing in by certificate: the door on a port of its own, over real TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboards.certificate import CertificateDoor, asking
from identity import person_certificate
from identity.ca import CountyCA
from identity.person_certificate import CertificateRefused, holder
from identity.tokens import Tokens
from sanwang import ops_link, serve
from tests.dashboards.conftest import MANAGEMENT, County

PHRASE = "pass phrase of a file"
Visit = Callable[..., httpx.Response]


@pytest.fixture(scope="module")
def port(running_county: County) -> Iterator[int]:
    """The door, open."""
    secrets = running_county.secrets
    listening = serve.listener(MANAGEMENT, 0)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, loop).result(10)  # type: ignore[arg-type]

    door = CertificateDoor(secrets.ca, Tokens(secrets.resolve(ops_link.KEY)))
    run(door.open([listening], asking(serve.tls_context(secrets, MANAGEMENT), secrets.ca)))
    yield int(listening.getsockname()[1])
    run(door.close())
    loop.call_soon_threadsafe(loop.stop)
    thread.join(60)
    loop.close()


@pytest.fixture
def visit(county: County, port: int, tmp_path: Path) -> Visit:
    """Open the door's page with a key and certificate, or with none."""

    def go(pair: tuple[str, str] | None, target: str = "/?back=8443") -> httpx.Response:
        trust = ssl.create_default_context(cadata=county.secrets.ca.certificate_pem)
        if pair is not None:
            file = tmp_path / "pair.pem"
            file.write_text("".join(pair))
            trust.load_cert_chain(file)
        with httpx.Client(verify=trust, trust_env=False, timeout=60) as client:
            return client.get(f"https://{MANAGEMENT}:{port}{target}")

    return go


def packed(authority: CountyCA, login: str) -> tuple[tuple[str, str], str]:
    """Key and certificate out of a person's file, and the serial number."""
    file, serial = person_certificate.make(authority, login, PHRASE)
    with pytest.raises(ValueError, match="password"):
        pkcs12.load_key_and_certificates(file, b"another phrase")
    key, certificate, roots = pkcs12.load_key_and_certificates(file, PHRASE.encode())
    assert key is not None
    assert certificate is not None
    assert len(roots) == 1
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return (pem.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()), serial


def test_a_person_is_handed_back_and_signed_in_once(county: County, visit: Visit) -> None:
    pair, _ = packed(county.secrets.ca, "wang")
    answer = visit(pair)
    assert answer.status_code == 303
    place, _, token = answer.headers["location"].partition("#token=")
    assert place == f"https://{MANAGEMENT}:8443/ops/"
    assert county.client.post("/api/session", json={"token": token}).status_code == 200
    assert county.client.get("/api/session").json()["login"] == "wang"
    assert [each["how"] for each in county.client.get("/api/own").json()["sessions"] if each["this"]] == ["certificate"]
    county.client.cookies.clear()
    assert county.client.post("/api/session", json={"token": token}).status_code == 401
    assert visit(pair, "/?back=443").headers["location"].startswith(f"https://{MANAGEMENT}/ops/#token=")


def test_who_is_not_let_in(county: County, visit: Visit, tmp_path: Path) -> None:
    authority = county.secrets.ca
    revoked, serial = packed(authority, "li")
    assert visit(revoked).status_code == 303
    authority.revoke(serial, "card lost")
    for pair, said in (
        (revoked, "revoked"),
        (None, "no certificate was shown"),
        (authority.issue_device("c1-core"), "not a person's"),
    ):
        answer = visit(pair)
        assert answer.status_code == 403
        assert said in answer.text
    with pytest.raises((httpx.HTTPError, ssl.SSLError)):
        visit(packed(CountyCA(tmp_path / "other"), "wang")[0])
    stranger, _ = packed(authority, "stranger")
    token = visit(stranger).headers["location"].partition("#token=")[2]
    assert county.client.post("/api/session", json={"token": token}).status_code == 401


@pytest.mark.parametrize(
    ("target", "status"), [("/x", 404), ("/?back=x", 400), ("/?back=99999", 400), ("/?back=", 303), ("//[", 400)]
)
def test_the_door_has_one_page(county: County, visit: Visit, target: str, status: int) -> None:
    assert visit(packed(county.secrets.ca, "wang")[0], target).status_code == status


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_bytes_end_the_connection_and_nothing_else(county: County, port: int, sent: bytes) -> None:
    trust = ssl.create_default_context(cadata=county.secrets.ca.certificate_pem)
    with socket.create_connection((MANAGEMENT, port), timeout=5) as plain:
        with trust.wrap_socket(plain, server_hostname=MANAGEMENT) as tls:
            tls.sendall(sent + b"\r\n\r\n")
            assert b" 303 " not in tls.recv(200)


@given(st.binary(max_size=400))
def test_any_bytes_are_no_certificate(tmp_path_factory: pytest.TempPathFactory, der: bytes) -> None:
    with pytest.raises(CertificateRefused):
        holder(_authority(tmp_path_factory), der)


def _authority(factory: pytest.TempPathFactory) -> CountyCA:
    return CountyCA(factory.getbasetemp() / "authority")
